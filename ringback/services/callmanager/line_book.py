"""The lines and phones of a cluster in memory, so that a call asks no database: who they are, and what is set on them.

Loaded at the start, and again whenever the store says that something changed: at once for changes made through this
node, within ``LOOK_SECONDS`` for those made through other nodes. Readers get frozen values; a change makes new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.rules.call_forwarding import Forwarding, Quiet
from ringback.rules.name_search import fold
from ringback.storage.callmanager.call_rows import DigestHashes, Line, MessageCounts, Phone
from ringback.storage.callmanager.calls import CallStore, Refreshed, Snapshot

LOOK_SECONDS = 1.0

_log = structlog.get_logger("ringback.callmanager")


@dataclass(frozen=True, slots=True)
class Changed:
    """What is different now: numbers of lines (messages apart: a lamp is all that changes) and names of phones."""

    lines: frozenset[str] = field(default_factory=frozenset)
    messages: frozenset[str] = field(default_factory=frozenset)
    phones: frozenset[str] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.lines or self.messages or self.phones)


Watcher = Callable[[Changed], None]


class LineBook:
    """Make it with ``LineBook.open``; ``close`` it. Reading never waits."""

    def __init__(self, store: CallStore, derive: Callable[[Phone], DigestHashes | None]) -> None:
        """``derive`` gives the digest hashes of phones that have none in the store (softphones); None: it has none."""
        self._store = store
        self._derive = derive
        self._snapshot = Snapshot()
        self._watchers: list[Watcher] = []
        self._derived: dict[str, DigestHashes] = {}
        self._task: asyncio.Task[None] | None = None
        self._loading = asyncio.Lock()

    @classmethod
    async def open(cls, store: CallStore, derive: Callable[[Phone], DigestHashes | None]) -> LineBook:
        """Load everything and look for changes from now on. Raises sqlalchemy.exc.SQLAlchemyError."""
        book = cls(store, derive)
        book._snapshot = await store.load()
        book._task = asyncio.create_task(book._look(), name="line book")
        return book

    async def close(self) -> None:
        """Look for changes no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def lines(self) -> Mapping[str, Line]:
        """All lines by number."""
        return self._snapshot.lines

    @property
    def phones(self) -> Mapping[str, Phone]:
        """All phones by name."""
        return self._snapshot.phones

    def line(self, number: str) -> Line | None:
        """The line of a directory number."""
        return self._snapshot.lines.get(number)

    def line_of_contact(self, contact: str) -> Line | None:
        """The line that a contact UUID stands for."""
        number = self._snapshot.contacts.get(contact.lower())
        return None if number is None else self._snapshot.lines.get(number)

    def phone(self, name: str) -> Phone | None:
        """A phone by its name, in any case."""
        return self._snapshot.phones.get(name) or self._snapshot.phones.get(self._snapshot.names.get(name.upper(), ""))

    def phone_of_user(self, user: str) -> Phone | None:
        """The phone that signs in as this user of digest authentication."""
        name = self._snapshot.users.get(user)
        return None if name is None else self._snapshot.phones.get(name)

    def phones_of(self, number: str) -> tuple[Phone, ...]:
        """The phones that share a line."""
        line = self._snapshot.lines.get(number)
        return () if line is None else tuple(self._snapshot.phones[name] for name in line.phones)

    def phones_of_person(self, user: str) -> tuple[Phone, ...]:
        """The phones that a person owns."""
        owner = fold(user)
        return tuple(phone for phone in self._snapshot.phones.values() if phone.owner == owner)

    def pickup_group(self, name: str) -> frozenset[str]:
        """The numbers of the lines of a pick-up group."""
        return self._snapshot.groups.get(name, frozenset())

    def digest(self, user: str) -> DigestHashes | None:
        """What is kept of the secret that a phone signs in with; None: there is no such user, or it has none."""
        stored = self._snapshot.digests.get(user) or self._derived.get(user)
        if stored is not None:
            return stored
        phone = self.phone_of_user(user)
        made = None if phone is None else self._derive(phone)
        if made is not None:
            self._derived[user] = made
        return made

    def forget_derived(self) -> None:
        """Derive anew what phones sign in with, since what it is derived from may have changed."""
        self._derived.clear()

    async def set_forwarding(self, number: str, forwarding: Forwarding) -> bool:
        """Forward a line; False: there is no such line. Kept when this returns. Raises SQLAlchemyError."""
        done = await self._store.set_forwarding(number, forwarding)
        await self.refresh()
        return done

    async def set_quiet(self, phone: str, quiet: Quiet) -> bool:
        """Do not disturb of a phone; as ``set_forwarding``."""
        done = await self._store.set_quiet(phone, quiet)
        await self.refresh()
        return done

    async def set_messages(self, number: str, counts: MessageCounts) -> bool:
        """The messages that wait at a line; as ``set_forwarding``."""
        done = await self._store.set_messages(number, counts)
        await self.refresh()
        return done

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Be told of changes, wherever they were made; the function to call to be told no more."""
        self._watchers.append(watcher)

        def stop() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return stop

    async def refresh(self) -> None:
        """Take in what changed in the store, now. Raises SQLAlchemyError."""
        async with self._loading:
            fresh = await self._store.changes(self._snapshot)
            if fresh is None:
                return
            before, self._snapshot = self._snapshot, fresh.snapshot
            changed = _difference(before, fresh)
        if changed:
            for watcher in tuple(self._watchers):
                try:
                    watcher(changed)
                except Exception:  # noqa: BLE001 (its mistake is logged, and keeps the change from nobody else)
                    _log.exception("a change of lines could not be passed on")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.refresh()
            except (SQLAlchemyError, OSError) as error:  # what is known stays in use until the store answers again
                _log.warning("lines could not be read again", why=str(error))


def _difference(before: Snapshot, fresh: Refreshed) -> Changed:
    after = fresh.snapshot
    lines: set[str] = set()
    messages: set[str] = set()
    for number in before.lines.keys() | after.lines.keys() if fresh.lines is None else fresh.lines:
        one, other = before.lines.get(number), after.lines.get(number)
        if one is other or one == other:
            continue
        if one is None or other is None or one.messages == other.messages:
            lines.add(number)
        else:
            messages.add(number)
            if one.forwarding != other.forwarding or one.phones != other.phones:
                lines.add(number)
    names = before.phones.keys() | after.phones.keys() if fresh.phones is None else fresh.phones
    phones = {name for name in names if before.phones.get(name) != after.phones.get(name)}
    return Changed(frozenset(lines), frozenset(messages), frozenset(phones))
