"""The keys of the cluster and what was taken back, as a node knows them now.

Theory of operation. All of it lies in the store. A node looks at one number there every second and reads the rest where
it moved: keys regenerated on the command line, a person deactivated at another node, a token revoked. So every node
acts on it within a second or two, the node that made the change at once. Other services fetch the same as one document.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.protocols.oauth.tokens import (
    CheckingKeys,
    Claims,
    IssuerKeys,
    Refusal,
    Revocation,
    TakenBack,
    TokenRevokedError,
    check_access,
)
from ringback.services.callmanager.authorisation.sealing import SealError, seal, unseal
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.http import Document
from ringback.storage.callmanager.sign_in_rows import KeyRow
from ringback.storage.callmanager.sign_ins import SignInStore

_PRUNE_SECONDS = 600.0
_LAST_LOOK_SECONDS = 1.0
_JUST_AFTER = 0.001  # seconds: a token issued after a revocation must not count as issued before it

_log = structlog.get_logger("ringback.callmanager.tokens")


@dataclass(frozen=True, slots=True)
class _State:
    serial: int
    sealed: bytes = field(repr=False)
    issuer: IssuerKeys
    taken_back: TakenBack
    checking: CheckingKeys
    document: Document
    revoked_at: Mapping[str, float]


class KeyRing:
    """Make it with ``open``; ``close`` ends its task."""

    def __init__(self, store: SignInStore, settings: SignInSettings, clock: Callable[[], float], state: _State) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._state = state
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._reading = asyncio.Lock()
        self._pruned = clock()

    @classmethod
    async def open(cls, store: SignInStore, settings: SignInSettings, clock: Callable[[], float]) -> KeyRing:
        """The keys of the cluster, made where there are none. Raises SealError where they can't be opened, and
        sqlalchemy.exc.SQLAlchemyError."""
        await _settle(store, settings, clock())
        ring = cls(store, settings, clock, await _read(store, settings, clock()))
        ring._task = asyncio.create_task(ring._watch(), name="token keys")
        ring._task.add_done_callback(_ended)
        return ring

    async def close(self) -> None:
        """Look no more. A look that is under way ends by itself: a database driver that is cut off in the middle may
        keep its connection, and even the cancellation."""
        self._stop.set()
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=_LAST_LOOK_SECONDS)
            for task in late:
                task.cancel()

    @property
    def issuer(self) -> IssuerKeys:
        """What tokens are given with."""
        return self._state.issuer

    @property
    def checking(self) -> CheckingKeys:
        """What tokens are checked with."""
        return self._state.checking

    @property
    def taken_back(self) -> TakenBack:
        """What was taken back, and who is deactivated."""
        return self._state.taken_back

    @property
    def document(self) -> Document:
        """What other services fetch; its tag moves with every change."""
        return self._state.document

    @property
    def ready(self) -> bool:
        """A node of the cluster has its keys from its start on."""
        return True

    def listen(self, changed: Callable[[], None]) -> None:
        """Call somebody whenever keys or what was taken back changed."""
        self._listeners.append(changed)

    def check(self, token: str) -> Claims:
        """What an access token says, if it can be believed now. Raises the TokenError tree."""
        claims = check_access(self.checking, token, self._clock())
        if not self.is_active(claims.user):  # also where another cluster gave the token
            raise TokenRevokedError("deactivated")
        return claims

    def refuses(
        self, user: str, issued: float, client: str = "", token_id: str = "", cluster: str = ""
    ) -> Refusal | None:
        """Why what began with a token of these claims has to end; None: it may stay."""
        return self.checking.refuses(user, issued, client, token_id, cluster)

    def refuses_person(self, user: str, since: float) -> Refusal | None:
        """As ``refuses``, for somebody (folded user id) who proved at ``since`` (Unix seconds) who they are without a
        token: what ends tokens alone does not count."""
        told = self.taken_back
        return TakenBack(revoked=told.revoked, deactivated=told.deactivated).refuses(user, since)

    def is_active(self, user: str) -> bool:
        """Whether a person (folded user id) may sign in at all."""
        return user not in self.taken_back.deactivated

    def people_taken_back(self) -> frozenset[str]:
        """People (folded user ids) who are deactivated, or of whom tokens were revoked."""
        return self.taken_back.deactivated | {one.user for one in self.taken_back.revoked}

    def revoked_at(self, user: str) -> float:
        """When all of a person (folded user id) was taken back last, Unix seconds; 0: never. It is not forgotten."""
        return self._state.revoked_at.get(user, 0.0)

    def issued_at(self, user: str, client: str) -> float:
        """The time that a token given now says: after all that was taken back, also where the clocks of two nodes
        differ by some seconds."""
        revoked = [one.before for one in self.taken_back.revoked if one.user == user and one.client in ("", client)]
        return max(self._clock(), self.taken_back.valid_from, *(before + _JUST_AFTER for before in revoked))

    async def refresh(self) -> None:
        """Read everything anew. Raises SealError and sqlalchemy.exc.SQLAlchemyError."""
        async with self._reading:  # one after the other: an older picture must not come after a newer one
            self._state = await _read(self._store, self._settings, self._clock(), self._state)
        for listener in self._listeners:
            listener()

    async def _watch(self) -> None:
        silent = False
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await self._stop.wait()
                    return
            try:
                if await self._store.serial() != self._state.serial:
                    await self.refresh()
                if self._clock() - self._pruned > _PRUNE_SECONDS:
                    self._pruned = self._clock()
                    await self._store.prune(self._pruned)
                    await self.refresh()
                silent = False
            except (SQLAlchemyError, OSError, SealError) as error:
                if not silent:  # once, not every second
                    _log.warning("can't look for changes of keys and revocations", why=repr(error))
                silent = True


def _ended(task: asyncio.Task[None]) -> None:
    """A node that no longer looks would believe what was taken back: that must not go unseen."""
    if not task.cancelled() and (failure := task.exception()) is not None:
        _log.error("looks for changes of keys and revocations no more; restart this node", why=repr(failure))


async def _read(store: SignInStore, settings: SignInSettings, now: float, before: _State | None = None) -> _State:
    rows = await store.taken_back(now)
    if rows is None:
        raise SealError("There are no token keys in the store")
    if before is not None and before.sealed == rows.keys.sealed:
        issuer = before.issuer  # opening keys costs milliseconds, and what is taken back moves much more often
    else:
        issuer = await asyncio.to_thread(unseal, rows.keys.sealed, rows.keys.cluster, settings.key)
    taken_back = TakenBack(
        valid_from=rows.keys.valid_from,
        revoked=tuple(Revocation(user=row.user, before=row.before, client=row.client) for row in rows.revocations),
        ended=rows.ended,
        deactivated=rows.deactivated,
    )
    document = issuer.published(encryption=True, taken_back=taken_back)
    checking = CheckingKeys.parse([*settings.other_keys, document])
    served = Document.of(document, "application/json")
    return _State(rows.serial, rows.keys.sealed, issuer, taken_back, checking, served, rows.revoked_at)


async def _settle(store: SignInStore, settings: SignInSettings, now: float) -> None:
    """Keys where there are none; tokens given with other lifetimes, or to people who left, are over."""
    kept = await store.keys()
    if kept is None:
        made = await asyncio.to_thread(IssuerKeys.generate)
        sealed = await asyncio.to_thread(seal, made, settings.key)
        row = KeyRow(made.cluster, sealed, 0.0, settings.access_seconds, settings.refresh_seconds)
        kept = await store.first_keys(row)
    lifetimes = settings.access_seconds, settings.refresh_seconds
    if (kept.access_seconds, kept.refresh_seconds) != lifetimes:
        changed = replace(kept, valid_from=now, access_seconds=lifetimes[0], refresh_seconds=lifetimes[1])
        await store.replace_keys(changed, end_all=True)
        _log.warning("all tokens are over, since their lifetimes changed", cluster=kept.cluster)
    if ended := await store.settle(now):
        _log.info("sign-ins of people who left are over", sign_ins=ended)
