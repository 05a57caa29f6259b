"""Voicemail for one signed-in person: what is shown of it, and what the person does with it.

``load`` shows what is kept before any server answered; ``run`` signs in at the voicemail service and stays until it is
cancelled. Where the company names no such service, the phone's message-waiting still says how many messages there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import structlog

from ringback.client.contacts.numbers import digits
from ringback.client.edge import EdgeRoute
from ringback.client.events import EventsLostError
from ringback.client.host.wire_calls import PhoneChanged
from ringback.client.host.wire_people import PeopleChanged
from ringback.client.host.wire_voicemail import (
    Greeting,
    GreetingKind,
    Mailbox,
    PhonePlay,
    VoiceAddress,
    VoiceFolder,
    VoiceMessage,
    VoiceSound,
)
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.trust import TrustJudge
from ringback.client.voicemail import sounds, speech
from ringback.client.voicemail.api import VoicemailApi
from ringback.client.voicemail.book import VoiceBook
from ringback.client.voicemail.card import MailboxCard
from ringback.client.voicemail.errors import NotThereError, UnreachableError, VoicemailError
from ringback.client.voicemail.keeping import Keeper
from ringback.client.voicemail.listening import NOTIFY_PORT
from ringback.client.voicemail.on_phone import OnPhone
from ringback.client.voicemail.proof import Prover
from ringback.client.voicemail.sounds import Recordings, SoundShelf
from ringback.net.names import NameClient
from ringback.protocols.vmrest.greetings import GreetingChange
from ringback.protocols.vmrest.mailbox import NewMessage, Recipient
from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason

if TYPE_CHECKING:
    from ringback.client.engine.session import Session

_LISTED: Final = 200
_CHOICE: Final = "voice-choice"
_KINDS: Final[dict[str, GreetingKind]] = {
    "Standard": "standard", "Alternate": "alternate", "Busy": "busy", "Closed": "closed", "Internal": "internal",
    "Holiday": "holiday",
}  # fmt: skip
_WORDS: Final = {kind: word for word, kind in _KINDS.items()}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VoicemailMeans:
    """What a connection needs. ``servers`` in the order to try; ``source``: the service profile's word on accounts;
    ``certificate`` hears of certificates that need the person's word; ``data``: where this machine keeps things;
    ``route``: as of ``Https``."""

    servers: Sequence[HostPort]
    names: NameClient
    judge: TrustJudge
    credentials: Credentials
    source: str = ""
    certificate: Callable[[UnreachableError], None] = lambda _: None
    notify_port: int = NOTIFY_PORT
    data: Path | None = None
    route: EdgeRoute | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: to whom (addresses, person ids or extensions), and how. ``about``: the message it answers."""

    to: Sequence[str] = ()
    subject: str = ""
    urgent: bool = False
    private: bool = False
    about: str = ""
    how: Literal["new", "reply", "replyall", "forward"] = "new"


class Voicemail:
    """See the head of this module. Methods raise VoicemailError with a reason."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._card = MailboxCard(session.board, session.events)
        self.shelf = SoundShelf(session.store)
        self.recordings = Recordings()
        self._book = VoiceBook(session.store, session.events, session.people, session.calling.parties, self.shelf.has)
        self._keeper: Keeper | None = None
        self._on_phone = OnPhone(self._plays)
        self._tasks: set[asyncio.Task[None]] = set()
        self._speaking = asyncio.Lock()
        self._model: Path | None = None

    # --- life

    async def load(self) -> None:
        """Show what is kept on this machine."""
        await self.shelf.load()
        await self._book.load()
        self._card.set(new=self._book.unheard)

    async def run(self, means: VoicemailMeans) -> None:
        """Keep in step with the service until cancelled."""
        watcher = asyncio.create_task(self._watch(), name="voicemail watch")
        self._model = speech.model(means.data) if means.data is not None else None
        if self._model is not None:
            wanted = await self._session.store.get(_CHOICE, "speech", bool)
            self._card.set(speech="on" if wanted else "off")
        try:
            if not means.servers:
                self._card.state("off", Reason.of("voicemail.no_server"))
                self._phone_told()
                await asyncio.get_running_loop().create_future()
            prover = Prover(self._session.store, means.credentials, means.source)
            await prover.load()
            async with Https(means.names, means.judge, route=means.route) as https:
                api = VoicemailApi(https, means.servers, prover)
                keeper = Keeper(api, prover, self._session.store, self._card, self._book, self.shelf)
                await keeper.load()
                self._keeper = keeper
                await keeper.run(https, means.certificate, means.notify_port)
        finally:
            self._keeper = None
            for task in (watcher, *self._tasks):
                task.cancel()
            await asyncio.gather(watcher, *self._tasks, return_exceptions=True)
            await self._on_phone.stop(None)

    async def _watch(self) -> None:
        """Follow the phone's message-waiting and the names of people."""
        while True:
            listening = self._session.events.subscribe()
            try:
                waiting = self._session.calling.phone.messages
                async for event in listening:
                    if isinstance(event, PeopleChanged):
                        self._book.people_changed()
                    elif isinstance(event, PhoneChanged):
                        changed, waiting = event.phone.messages != waiting, event.phone.messages
                        self._phone_told(changed=changed)
            except EventsLostError:
                continue
            finally:
                listening.close()

    def _phone_told(self, *, changed: bool = True) -> None:
        phone = self._session.calling.phone
        self._card.set(dial=phone.voicemail if self._card.has_mailbox else "")
        if self._keeper is None:
            if self._card.now.state == "off":
                self._card.set(new=phone.messages)
        elif changed and not self._card.now.told:
            self._keeper.hurry()

    def try_now(self) -> None:
        """Try at once where a waiting time runs."""
        if self._keeper is not None and not self._card.now.told:
            self._keeper.prover.again()
            self._keeper.hurry()

    async def sign_in(self, user: str, password: str) -> None:
        """Use an account that only the voicemail service knows; it is kept encrypted."""
        keeper = self._need()
        await keeper.prover.take(user.strip(), password)
        self._card.set(asks=False)
        keeper.hurry()

    async def forget_account(self) -> None:
        """The person signed out: what proves who they are goes."""
        if self._keeper is not None:
            await self._keeper.prover.forget()

    # --- what is shown

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox as a whole."""
        return self._card.now

    def newest(self) -> list[VoiceMessage]:
        """The newest messages of the inbox."""
        return self._book.newest()

    def message(self, message: str) -> VoiceMessage:
        """One message. Raises VoicemailError where it is not known."""
        found = self._book.get(message)
        if found is None:
            raise NotThereError
        return found

    async def page(self, folder: VoiceFolder, before: str = "", limit: int = 50) -> tuple[list[VoiceMessage], bool]:
        """Messages of a folder before one of them (or the newest), and whether nothing older is known. Without the
        service: those that are kept."""
        limit = max(1, min(limit, _LISTED))
        known = self._book.folder(folder)
        at = next((place + 1 for place, row in enumerate(known) if row.id == before), 0)
        total: int | None = None
        if self._keeper is not None:
            try:
                total = await self._keeper.look_at(folder, at // limit + 1, limit)
                if at % limit:  # the page that begins there holds only some of what comes next
                    total = await self._keeper.look_at(folder, at // limit + 2, limit)
            except UnreachableError as error:
                log.info("voicemail.list_from_store", reason=error.reason.id)
        known = self._book.folder(folder)
        at = next((place + 1 for place, row in enumerate(known) if row.id == before), 0)
        rows = known[at : at + limit]
        return rows, at + limit >= (len(known) if total is None else max(total, len(known)))

    async def sound(self, message: str) -> bytes:
        """The sound of a message, from this machine where it was heard here before."""
        kept = await self.shelf.get(message)
        if kept is not None:
            return kept
        self.message(message)
        data = await self._need().api.sound(message)
        for gone in await self.shelf.put(message, data):
            await self._book.change(gone, kept=False)
        await self._book.change(message, kept=self.shelf.has(message))
        return data

    async def shape(self, message: str) -> VoiceSound:
        """The waveform of a message."""
        data = await self.sound(message)
        peaks, seconds = await asyncio.to_thread(sounds.shape_of, data)
        row = self._book.get(message)
        if self._card.now.speech == "on" and row is not None and not row.transcript:
            self._later(self._write_down(message, data), "speech")
        return VoiceSound(peaks=peaks, seconds=seconds, format=sounds.format_of(data))

    async def set_speech(self, *, on: bool) -> None:
        """Have a speech model of this machine write down what is said in messages that are opened, or not any more."""
        if self._model is None:
            raise VoicemailError(Reason.of("voicemail.no_speech"))
        await self._session.store.put(_CHOICE, "speech", on)
        self._card.set(speech="on" if on else "off")

    async def _write_down(self, message: str, data: bytes) -> None:
        async with self._speaking:  # one after another: it is much work
            row = self._book.get(message)
            if row is not None and not row.transcript and self._model is not None:
                text = await speech.write_down(data, self._model)
                await self._book.change(message, transcript=text)

    def _later(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- what the person does

    async def mark(self, message: str, *, new: bool) -> None:
        """Heard, or new again."""
        await self._need().mark(message, new=new)

    async def delete(self, message: str, *, hard: bool = False) -> None:
        """To the deleted ones; for good with ``hard``, or where it lies there."""
        keeper, row = self._need(), self.message(message)
        aside = row.folder == "inbox" and not hard
        try:
            await keeper.api.delete(message, hard=hard)
        except NotThereError:
            aside = False
        if aside:
            await self._book.change(message, folder="deleted", new=False)
        else:
            await self._book.remove([message])
            await self.shelf.forget([message])
        if row.folder == "inbox" and row.new:
            self._card.set(new=max(0, self._card.now.new - 1))

    async def restore(self, message: str) -> None:
        """Back to the inbox, as it was."""
        keeper = self._need()
        await keeper.api.restore(message)
        await keeper.look()

    async def empty(self) -> None:
        """Delete the deleted ones for good."""
        keeper = self._need()
        await keeper.api.empty()
        gone = [row.id for row in self._book.folder("deleted")]
        await self._book.remove(gone)
        await self.shelf.forget(gone)
        self._card.set(totals={**self._card.now.totals, "deleted": 0})

    async def send(self, parcel: Parcel, wav: bytes | None) -> None:
        """Send, reply or forward; when this returns, everybody has it."""
        keeper = self._need()
        message = NewMessage(
            subject=parcel.subject[:200],
            priority="Urgent" if parcel.urgent else "Normal",
            sensitivity="Private" if parcel.private else "Normal",
        )
        if wav is None and parcel.how != "forward":
            raise VoicemailError(Reason.of("voicemail.no_recording"))
        to = [self._recipient(one) for one in dict.fromkeys(parcel.to)]
        method = parcel.how if parcel.how in ("reply", "replyall") else ""
        if not to and not method:
            raise VoicemailError(Reason.of("voicemail.nobody"))
        await keeper.api.send(message, to, wav, about=parcel.about, method=method)
        await keeper.look_at("sent", 1, 50)

    def _recipient(self, text: str) -> Recipient:
        """A person's id, an address or an extension, as the service takes it."""
        facts = self._session.people.facts(text)
        if facts is not None and facts.mail:
            return Recipient(smtp=facts.mail)
        if "@" in text:
            return Recipient(smtp=text)
        if digits(text) == text and text:
            return Recipient(extension=text)
        raise VoicemailError(Reason.of("voicemail.no_recipient", who=text[:80]))

    async def addresses(self, query: str) -> list[VoiceAddress]:
        """Who can be sent a message."""
        if not query.strip():
            return []
        rows = await self._need().api.addresses(query.strip()[:100])
        return [
            VoiceAddress(
                name=row.display_name or row.smtp,
                address=row.smtp or row.extension,
                number=row.extension,
                person=self._book.addressed(row.smtp).person if row.smtp else "",
            )
            for row in rows
        ]

    # --- greetings

    async def greetings(self) -> list[Greeting]:
        """Those that the service has and we know."""
        return [
            Greeting(
                kind=_KINDS[row.kind],
                on=row.enabled,
                recorded=row.plays,
                until=datetime.fromtimestamp(row.until / 1000, UTC).isoformat() if row.until else None,
            )
            for row in await self._need().api.greetings()
            if row.kind in _KINDS
        ]

    async def set_greeting(
        self, kind: GreetingKind, *, on: bool | None, recorded: bool | None, until: str | None
    ) -> None:
        """Switch one. ``until``: an ISO time, empty: for ever, None: as it is."""
        end: int | None = None
        if until is not None:
            try:
                end = round(datetime.fromisoformat(until).timestamp() * 1000) if until else 0
            except ValueError as error:
                raise VoicemailError(Reason.of("voicemail.time", time=until[:40])) from error
        await self._need().api.change_greeting(_WORDS[kind], GreetingChange(on, end, recorded))

    async def record_greeting(self, kind: GreetingKind, wav: bytes) -> None:
        """Keep a recording; it counts from now on."""
        api = self._need().api
        await api.keep_greeting(_WORDS[kind], await api.language(), wav)
        await api.change_greeting(_WORDS[kind], GreetingChange(True, None, True))

    async def greeting_sound(self, kind: GreetingKind) -> bytes:
        """The recording of a greeting."""
        api = self._need().api
        return await api.greeting_sound(_WORDS[kind], await api.language())

    # --- on a phone

    async def play_on_phone(self, message: str, number: str = "", start: float = 0.0) -> None:
        """Have a phone called and the message played there; returns when it plays."""
        self.message(message)
        where = number.strip() or self._session.calling.phone.number
        if not where:
            raise VoicemailError(Reason.of("voicemail.no_phone"))
        keeper = self._need()
        await self._on_phone.play(keeper.api, message, where, start)
        await keeper.mark(message, new=False)

    async def control_phone(self, word: Literal["pause", "resume", "stop"]) -> None:
        """Pause, go on or end what is played on a phone."""
        await self._on_phone.control(self._need().api, word)

    def _plays(self, now: PhonePlay | None) -> None:
        self._card.set(playing=now)

    # --- inside

    def _need(self) -> Keeper:
        if self._keeper is None:
            raise VoicemailError(self._card.now.text or Reason.of("voicemail.no_server"))
        return self._keeper
