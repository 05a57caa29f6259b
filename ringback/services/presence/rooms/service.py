"""The conference domain: takes the stanzas of sessions to the rooms they are for.

A stanza is served at once, on the hot path, but for two cases that wait for the database: the first stanza to a room
after a start (its recent messages are read then) and queries of the archive. Both run in tasks that the service owns.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Coroutine

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, iq_result
from ringback.rules.addresses import Jid
from ringback.services.presence.archive_query import ArchiveClock
from ringback.services.presence.module import Hub, Identity, Session
from ringback.services.presence.rendering import local_name
from ringback.services.presence.rooms import invitations, requests, wire
from ringback.services.presence.rooms.model import Affiliation, HistoryWish
from ringback.services.presence.rooms.registry import Registry
from ringback.services.presence.rooms.room import BROKEN, Room
from ringback.storage.presence.engine import StorageClosedError

_QUEUED = 200  # stanzas that wait for one room's recent messages
_TASKS = 500  # archive queries at once
_MOST_STAYS = 500  # rooms that one session may be in
_UNREACHABLE = frozenset(
    {"gone", "item-not-found", "recipient-unavailable", "redirect", "remote-server-not-found", "jid-malformed"}
)

_DATABASE_ERRORS = (SQLAlchemyError, StorageClosedError, OSError)

_log = structlog.get_logger("ringback.services.presence.rooms")


class RoomService:
    """The component for rooms (``module.Component``). ``archive`` False: what is said in rooms is not kept."""

    def __init__(self, domain: str, name: str = "Group chats", *, archive: bool = True) -> None:
        self._domain = domain
        self._archive = archive
        self._identity = Identity("conference", "text", name)
        self.clock = ArchiveClock(lane=1)
        self.asked: OrderedDict[tuple[str, str], tuple[Session, str, str]] = OrderedDict()
        self._stays: dict[str, set[str]] = {}
        self._waiting: dict[str, deque[tuple[Session, Stanza, Jid]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def domain(self) -> str:
        """The domain whose rooms these are."""
        return self._domain

    @property
    def identity(self) -> Identity:
        """What service discovery shows."""
        return self._identity

    async def start(self, hub: Hub) -> None:
        """Bring the persistent rooms back."""
        self.hub = hub
        self.registry = Registry(self._domain, hub.storage, archive=self._archive)
        self.clock.passed(await self.registry.load())

    async def stop(self) -> None:
        """End the queries that run."""
        self._stopping = True
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def session_ended(self, session: Session) -> None:
        """No ghost stays: a session that ended is in no room."""
        for name in self._stays.pop(session.full, ()):
            if (room := self.registry.rooms.get(name)) is not None:
                room.leave(session.full)
                self.registry.keep(room)

    def receive(self, session: Session, stanza: Stanza, to: Jid) -> None:
        """See ``module.Component``."""
        if not to.local:
            self._receive_service(session, stanza)
            return
        name = f"{to.local}@{to.domain}"
        if name in self.registry.cold:
            self._queue(name, session, stanza, to)
            return
        self._serve(session, stanza, to, name)

    def _receive_service(self, session: Session, stanza: Stanza) -> None:
        if stanza.name == "iq" and stanza.type in ("get", "set"):
            session.send(iq_result(stanza.id, self._domain, session.full, requests.of_service(self, stanza)))
        elif stanza.name == "message" and stanza.type != "error":
            raise StanzaError("service-unavailable", "Messages go to rooms, not to their service")

    def _serve(self, session: Session, stanza: Stanza, to: Jid, name: str) -> None:
        room = self.registry.rooms.get(name)
        if stanza.name == "message":
            self._message(session, stanza, to, room)
        elif stanza.name == "presence":
            self._presence(session, stanza, to, room)
        else:
            requests.serve(self, session, stanza, to, room)
        if room is not None and (room.changes.room or room.changes.affiliations or not room.occupants):
            self.registry.keep(room)

    # What waits for the database

    def _spawn(self, name: str, work: Coroutine[None, None, None]) -> None:
        if len(self._tasks) >= _TASKS or self._stopping:
            work.close()
            raise StanzaError("resource-constraint", "The rooms are busy")
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def answer_later(self, session: Session, stanza: Stanza, to: Jid, work: Coroutine[None, None, bytes]) -> None:
        """Answer a request with the payload that ``work`` returns, or with the StanzaError that it raises.

        Raises StanzaError at once where too much waits already.
        """
        self._spawn(f"request to {to}", self._answer(session, stanza, to, work))

    async def _answer(self, session: Session, stanza: Stanza, to: Jid, work: Coroutine[None, None, bytes]) -> None:
        try:
            payload = await work
        except StanzaError as error:
            self.hub.send_error(stanza, error, str(to), session.full)
        except _DATABASE_ERRORS:
            _log.exception("rooms.request_failed", room=str(to))
            self.hub.send_error(stanza, _unavailable(), str(to), session.full)
        else:
            session.send(iq_result(stanza.id, str(to), session.full, payload))
        finally:
            work.close()

    def _queue(self, name: str, session: Session, stanza: Stanza, to: Jid) -> None:
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = deque()
            self._spawn(f"room {name}", self._warm(name, waiting))
            self._waiting[name] = waiting
        elif len(waiting) >= _QUEUED:
            raise StanzaError("resource-constraint", "This room is being loaded")
        waiting.append((session, stanza, to))

    async def _warm(self, name: str, waiting: deque[tuple[Session, Stanza, Jid]]) -> None:
        failure: StanzaError | None = None
        try:
            await self.registry.warm(name)
        except _DATABASE_ERRORS:
            _log.exception("rooms.history_unreadable", room=name)
            failure = _unavailable()
        finally:
            del self._waiting[name]
        for session, stanza, to in waiting:
            try:
                if failure is not None:
                    raise failure
                if not session.ended:
                    self._serve(session, stanza, to, name)
            except StanzaError as error:
                self.hub.send_error(stanza, error, str(to), session.full)

    # Messages

    def _message(self, session: Session, stanza: Stanza, to: Jid, room: Room | None) -> None:
        if stanza.type == "error":
            self._bounced(session, stanza, room)
            return
        if room is None:
            raise StanzaError("item-not-found", "There is no such room")
        if to.resource:
            self._check_blocked(room, session, to)
            room.whisper(session, wire.clean_message(stanza, room.name), to.resource)
        elif stanza.type == "groupchat":
            self._say(session, stanza, room)
        else:
            invitations.serve(self.hub, room, session, stanza)

    def _say(self, session: Session, stanza: Stanza, room: Room) -> None:
        now = self.hub.now()
        archive_id = self.clock.next(now)
        kept = room.say(session, wire.clean_message(stanza, room.name), archive_id, now)
        if kept is not None:
            self.registry.archive(room, archive_id, session.bare, room.present(session.full).nick, kept)

    def _bounced(self, session: Session, stanza: Stanza, room: Room | None) -> None:
        """A client that cannot be reached any more is put out (XEP-0045 section 18.1.2)."""
        occupant = room.occupant_of(session.full) if room is not None else None
        error = stanza.child("{jabber:client}error")
        if room is None or occupant is None or error is None:
            return
        conditions = {local_name(child) for child in error}
        if conditions & _UNREACHABLE:
            room.remove(occupant, {BROKEN})

    def _check_blocked(self, room: Room, session: Session, to: Jid) -> None:
        receiver = room.occupants.get(to.resource)
        sender = room.occupant_of(session.full)
        if receiver is None or sender is None:
            return
        blocks = self.hub.block_lists.get(receiver.bare)
        nick = Jid(to.local, to.domain, sender.nick)
        if blocks is not None and (blocks.blocks(nick) or blocks.blocks(session.jid)):
            raise StanzaError("service-unavailable", "This person does not take messages")

    # Presence

    def _presence(self, session: Session, stanza: Stanza, to: Jid, room: Room | None) -> None:
        kind = stanza.type
        if kind == "unavailable":
            if room is not None:
                room.leave(session.full, wire.presence_content(stanza))
                self._stays.get(session.full, set()).discard(room.name)
        elif kind == "error":
            occupant = room.occupant_of(session.full) if room is not None else None
            if room is not None and occupant is not None:
                room.remove(occupant, {BROKEN})
        elif not kind:
            self._available(session, stanza, to, room)

    def _available(self, session: Session, stanza: Stanza, to: Jid, room: Room | None) -> None:
        if not to.resource:
            raise StanzaError("jid-malformed", "Choose a nickname: room@service/nickname")
        join = stanza.child(f"{{{wire.MUC}}}x")
        occupant = room.occupant_of(session.full) if room is not None else None
        if room is not None and occupant is not None and join is None:
            if occupant.nick == to.resource:
                room.update(session, wire.presence_content(stanza))
            else:
                room.change_nick(session, to.resource, wire.presence_content(stanza))
            return
        if join is None:
            # Not a wish to enter: a client that believes to be inside learns that it is not (XEP-0410).
            raise StanzaError("not-acceptable", "You are not in this room")
        now = self.hub.now()
        self._enter(session, to, room, wire.presence_content(stanza), wire.history_wish(join, now))

    def _enter(self, session: Session, to: Jid, room: Room | None, content: bytes, wish: HistoryWish) -> None:
        stays = self._stays.setdefault(session.full, set())
        if len(stays) >= _MOST_STAYS:
            raise StanzaError("resource-constraint", "You are in too many rooms")
        new = room is None
        if room is None:
            room = self.registry.create(to.bare, session.bare)
        try:
            room.enter(session, to.resource, content, wish, self.hub.now(), new=new)
            stays.add(room.name)
        finally:
            self.registry.keep(room)  # also ends a new room that its creator could not enter

    def may_enter(self, room: Room, bare: str) -> bool:
        """Whether somebody may come in, or could if there was a place and the room was set up."""
        affiliation = room.affiliation(bare)
        if room.configuration.members_only or room.locked:
            return affiliation >= Affiliation.MEMBER
        return affiliation is not Affiliation.OUTCAST


def _unavailable() -> StanzaError:
    return StanzaError("internal-server-error", "The messages of this room cannot be read now", kind="wait")
