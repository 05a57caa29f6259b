"""Keeps what this machine knows of the mailbox as it is on the server, for as long as the person is signed in.

A round: subscribe, begin to listen, then look at everything (so nothing falls between), then take notice after notice.
A notice about few messages asks for these; anything that may have been missed (a new round, an unknown kind, very many
at once) looks at everything again. Where notifications can't be had, the mailbox is looked at ever more rarely,
once a minute in the end, and whenever the phone's message-waiting changes. Rounds that fail wait ever longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from ringback.client.identity.https import Https
from ringback.client.store.store import Store
from ringback.client.voicemail.api import Limits, VoicemailApi
from ringback.client.voicemail.book import SHOWN, VoiceBook
from ringback.client.voicemail.card import MailboxCard
from ringback.client.voicemail.errors import (
    BusyError,
    NotThereError,
    SignInNeededError,
    UnreachableError,
    VoicemailError,
)
from ringback.client.voicemail.listening import NOTIFY_PORT, Listener
from ringback.client.voicemail.notices import Notice
from ringback.client.voicemail.proof import Prover
from ringback.client.voicemail.sounds import SoundShelf
from ringback.protocols.vmrest.messages import LARGEST_PAGE, FolderName, Message
from ringback.rules.addresses import HostPort
from ringback.rules.failover import Backoff, next_wait
from ringback.rules.reasons import Reason

POLL_SECONDS: Final = 60.0
_BACKOFF: Final = Backoff(first=1.0, longest=120.0)
_NO_MAILBOX_SECONDS: Final = 900.0  # somebody may get one
_DEAF: Final = Backoff(first=1.0, longest=POLL_SECONDS)
_FEW: Final = 8  # messages of one answer that are asked for one by one
_PENDING: Final = "voice-pending"
_CHANGED: Final = ("NEW_MESSAGE", "SAVED_MESSAGE", "UNREAD_MESSAGE", "DELETED_MESSAGE_UNDELETE")
_AWAY: Final = ("DELETED_MESSAGE", "DELETED_MESSAGE_CREATE")
_ASIDE: Final = ("DELETED_MESSAGE_READ", "DELETED_MESSAGE_UNREAD")

log = structlog.get_logger(__name__)


class Keeper:
    """One connection to the voicemail service."""

    def __init__(
        self,
        api: VoicemailApi,
        prover: Prover,
        store: Store,
        card: MailboxCard,
        book: VoiceBook,
        shelf: SoundShelf,
    ) -> None:
        self.api = api
        self.prover = prover
        self._store = store
        self._card = card
        self._book = book
        self._shelf = shelf
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._failures = 0
        self._deaf = 0  # rounds in a row without notifications
        self._seen = False  # the whole inbox was looked at once in this session or an earlier one
        self._limits: Limits | None = None
        self._pending: dict[str, bool] = {}

    async def load(self) -> None:
        """Read what waits to be told."""
        self._pending = await self._store.get(_PENDING, "marks", dict[str, bool]) or {}
        self._seen = bool(await self._store.get(_PENDING, "seen", bool))

    def hurry(self) -> None:
        """Try at once instead of waiting."""
        self._failures = 0
        self._wake.set()

    async def run(self, https: Https, told: Callable[[UnreachableError], None], notify_port: int = NOTIFY_PORT) -> None:
        """Go round until cancelled. ``told`` hears of certificates that stand in the way."""
        while True:
            self._wake.clear()
            wait = await self._guarded(https, told, notify_port)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _guarded(self, https: Https, told: Callable[[UnreachableError], None], notify_port: int) -> float | None:
        """A round; the seconds to wait after it, None: until somebody asks."""
        server = self.api.server.host
        if self._card.now.state not in ("up", "waiting"):
            self._card.state("connecting", server=server)
        try:
            await self._round(https, notify_port)
        except SignInNeededError as error:
            self._card.set(asks=True, user=self.prover.user, told=False)
            self._card.state("failed", error.reason, server=server)
            return None
        except NotThereError:
            self._card.no_mailbox()
            return _NO_MAILBOX_SECONDS
        except BusyError as error:
            self._card.set(told=False)
            self._card.state("waiting", error.reason, server=server, retry_in=error.seconds)
            return error.seconds
        except VoicemailError as error:
            if isinstance(error, UnreachableError) and error.stop is not None:
                told(error)
            self._failures += 1
            again = next_wait(self._failures, random.random(), _BACKOFF)  # noqa: S311 (spreads load, no secret)
            self._card.set(told=False)
            self._card.state("waiting", error.reason, again.reason, server=server, retry_in=again.seconds)
            return again.seconds
        if self._card.now.told:  # they ended just now: perhaps the service was started anew
            self._deaf = 0
            return 0.0
        self._deaf += 1
        return next_wait(self._deaf, random.random(), _DEAF).seconds  # noqa: S311

    async def _round(self, https: Https, notify_port: int) -> None:
        """Until the notifications end. Raises VoicemailError where the service itself gives no answer."""
        listener: Listener | None = None
        why: Reason | None = None
        try:
            subscription = await self.api.subscribe()
            listener = Listener(https, HostPort(self.api.server.host, notify_port), subscription)
            await listener.open()
        except (BusyError, NotThereError, SignInNeededError):
            raise
        except VoicemailError as error:
            listener, why = None, error.reason
        await self.look()
        self._failures = 0
        self._card.has_mailbox = True
        self._card.set(asks=False, user=self.prover.user, told=listener is not None)
        reasons = [] if why is None else [Reason.of("voicemail.not_told", seconds=round(POLL_SECONDS)), why]
        self._card.state("up", *reasons, server=self.api.server.host)
        while listener is not None:
            try:
                notices = await listener.next()
            except UnreachableError as error:
                log.info("voicemail.notifications_ended", reason=error.reason.id)
                return
            if notices:
                await self._noticed(notices)

    # --- looking

    async def look(self) -> None:
        """Look at everything. Raises VoicemailError."""
        async with self._lock:
            await self._tell_pending()
            inbox = await self.api.folder("inbox")
            wanted = max(SHOWN, min(self._book.known, 2 * LARGEST_PAGE))
            rows: list[Message] = []
            total, number = inbox.count, 1
            while len(rows) < min(total, wanted):
                page = await self.api.page("inbox", pagenumber=number, rowsperpage=min(LARGEST_PAGE, wanted))
                rows.extend(page.messages)
                total, number = page.total, number + 1
                if not page.messages:
                    break
            gone = await self._book.replace(rows, "inbox", whole=len(rows) >= total, arrived=self._seen)
            await self._shelf.forget([one for one in gone if self._book.get(one) is None])
            await self._count(total)
            await self._facts()
        if not self._seen:
            self._seen = True
            await self._store.put(_PENDING, "seen", True)
        await self._book.learn()

    async def look_at(self, folder: FolderName, page: int, rows: int) -> int:
        """A page of a folder; how many there are in all. Raises VoicemailError."""
        async with self._lock:
            found = await self.api.page(folder, pagenumber=page, rowsperpage=rows)
            if page == 1:
                await self._book.replace(found.messages, folder, whole=found.total <= rows, arrived=False)
            else:
                await self._book.put(found.messages, folder)
        self._card.set(totals={**self._card.now.totals, folder: found.total})
        return found.total

    async def _count(self, total: int) -> None:
        unheard = await self.api.page("inbox", read="false", rowsperpage=1)
        self._card.set(
            new=unheard.total,
            totals={**self._card.now.totals, "inbox": total},
            looked=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    async def _facts(self) -> None:
        if self._limits is None:
            self._limits = await self.api.limits()
        mailbox = await self.api.mailbox()
        self._card.set(
            used=mailbox.used, limit=mailbox.limit, warned=mailbox.warned, may_send=mailbox.may_send,
            longest=self._limits.message, longest_greeting=self._limits.greeting,
        )  # fmt: skip

    async def _noticed(self, notices: Sequence[Notice]) -> None:
        """Take over what happened; in doubt everything is looked at."""
        last = {one.message: one.kind for one in notices if one.message}
        known = all(one.kind in (*_CHANGED, *_AWAY, *_ASIDE, "DELETED_MESSAGE_DELETE") for one in notices)
        if not known or len(last) > _FEW or any(not one.message for one in notices):
            await self.look()
            return
        arrived = {one.message for one in notices if one.kind == "NEW_MESSAGE"}
        async with self._lock:
            for message, kind in last.items():
                await self._changed(message, kind, arrived=message in arrived)
            inbox = await self.api.folder("inbox")
            await self._count(inbox.count)
        await self._book.learn()

    async def _changed(self, message: str, kind: str, *, arrived: bool) -> None:
        if kind == "DELETED_MESSAGE_DELETE":
            await self._book.remove([message])
            await self._shelf.forget([message])
            return
        folder: FolderName = "inbox" if kind in _CHANGED else "deleted"
        try:
            await self._book.put([await self.api.message(message)], folder, arrived=arrived)
        except NotThereError:
            await self._book.remove([message])
            await self._shelf.forget([message])

    # --- what was marked while the service was away

    async def mark(self, message: str, *, new: bool) -> None:
        """Heard, or new again: told to the service now, or as soon as it answers. Raises VoicemailError."""
        row = self._book.get(message)
        await self._book.change(message, new=new)
        if row is not None and row.new != new and row.folder == "inbox":
            self._card.set(new=max(0, self._card.now.new + (1 if new else -1)))
        try:
            await self.api.mark(message, read=not new)
        except UnreachableError:
            self._pending[message] = not new
            await self._store.put(_PENDING, "marks", self._pending)
        except NotThereError:
            await self._book.remove([message])
            raise

    async def _tell_pending(self) -> None:
        for message, read in list(self._pending.items()):
            with contextlib.suppress(NotThereError):
                await self.api.mark(message, read=read)
            self._pending.pop(message, None)
            await self._store.put(_PENDING, "marks", self._pending)
