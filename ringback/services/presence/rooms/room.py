"""One room: who is in it, who belongs to it, and what it says to whom (XEP-0045).

Theory of operation. A ``Room`` holds no socket, loop or clock: what comes in are method calls with the time, what
goes out is ``Client.send``, and what must be kept is told by ``changes``, which the owner of the room collects after
each call. A refused action raises StanzaError before anything has changed.

Everything that goes to many is rendered once as head and tail; per receiver there is one join and one send.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.rules.addresses import Jid
from ringback.services.presence.rooms import wire
from ringback.services.presence.rooms.model import (
    Affiliation,
    Client,
    HistoryWish,
    Line,
    Member,
    Occupant,
    Role,
    RoomConfiguration,
)
from ringback.services.presence.rooms.powers import default_role
from ringback.storage.presence.tables import IDS_PER_MICROSECOND

NICK_LIMIT = 256  # octets
SUBJECT_LIMIT = 8192  # characters
HISTORY_KEPT = 100  # messages in memory; more is in the archive

# Status codes of XEP-0045 section 15.6.
SEES_ADDRESSES, SELF, LOGGED, CREATED, BANNED, NEW_NICK, KICKED = 100, 110, 170, 201, 301, 303, 307
LOST_MEMBERSHIP, NOW_MEMBERS_ONLY, BROKEN = 321, 322, 333


@dataclass(slots=True)
class Changes:
    """What the owner of the room has to keep since it last asked."""

    room: bool = False
    affiliations: set[str] = field(default_factory=set)


class Room:
    """A room. ``salt`` is the key of its occupant ids. While ``locked`` only its owners come in (section 10.1)."""

    def __init__(self, address: Jid, salt: bytes, configuration: RoomConfiguration | None = None) -> None:
        self.address = address
        self.name = str(address)
        self.address_xml = quote(self.name)
        self.salt = salt
        self.configuration = configuration or RoomConfiguration()
        self.locked = False
        self.subject = ""
        self.subject_by = ""
        self.subject_at = 0
        self.affiliations: dict[str, Member] = {}
        self.occupants: dict[str, Occupant] = {}
        self.clients: dict[str, Client] = {}
        self.history: deque[Line] = deque(maxlen=HISTORY_KEPT)
        self.invited: set[str] = set()
        self.changes = Changes()
        self._by_client: dict[str, Occupant] = {}
        self._looks: dict[str, str] = {}

    # Who is who

    def affiliation(self, bare: str) -> Affiliation:
        """The affiliation of a bare JID."""
        member = self.affiliations.get(bare)
        return member.affiliation if member else Affiliation.NONE

    def occupant_of(self, full: str) -> Occupant | None:
        """The occupant whose client this full JID is."""
        return self._by_client.get(full)

    def present(self, full: str) -> Occupant:
        """The occupant whose client this is. Raises StanzaError (not-acceptable) for somebody outside."""
        occupant = self._by_client.get(full)
        if occupant is None:
            raise StanzaError("not-acceptable", "You are not in this room")
        return occupant

    def stays_of(self, bare: str) -> list[Occupant]:
        """The occupants that a person is."""
        return [occupant for occupant in self.occupants.values() if occupant.bare == bare]

    def sees_addresses(self, viewer: Occupant) -> bool:
        """Whether an occupant learns the real addresses of the others."""
        return self.configuration.real_addresses or viewer.role is Role.MODERATOR

    def set_affiliation(self, bare: str, affiliation: Affiliation, reason: str = "", nick: str = "") -> None:
        """Note an affiliation; who is in the room is told by ``powers`` and ``administration``."""
        if affiliation is Affiliation.NONE:
            self.affiliations.pop(bare, None)
        else:
            self.affiliations[bare] = Member(affiliation, nick, reason)
        self.changes.affiliations.add(bare)

    @property
    def owners(self) -> list[str]:
        """The bare JIDs of the owners."""
        return [bare for bare, member in self.affiliations.items() if member.affiliation is Affiliation.OWNER]

    # Coming, changing, going

    def enter(self, client: Client, nick: str, content: bytes, wish: HistoryWish, now: float, *, new: bool) -> None:
        """Somebody comes in, or comes again because it lost track (section 7.2). ``new``: it just created the room.

        Raises StanzaError as section 7.2 says.
        """
        occupant = self._by_client.get(client.full)
        if occupant is not None and occupant.nick != nick:
            self.change_nick(client, nick, content)
            return
        if occupant is None:
            role = self._admitted(client, nick)
            occupant = self.occupants.get(nick) or self._seat(client.bare, nick, role)
        occupant.shown[client.full] = content
        self._greet(client, occupant)
        occupant.clients.pop(client.full, None)
        occupant.clients[client.full] = client
        self._by_client[client.full] = occupant
        self.clients[client.full] = client
        statuses = {LOGGED} if self.configuration.archived else set()
        statuses |= {SEES_ADDRESSES} if self.configuration.real_addresses else set()
        self._show(occupant, client, statuses=statuses | ({CREATED} if new else set()))
        self._recall(client, wish)
        self._tell_subject(client, now)

    def _admitted(self, client: Client, nick: str) -> Role:
        affiliation = self.affiliation(client.bare)
        if affiliation is Affiliation.OUTCAST:
            raise StanzaError("forbidden", "You are banned from this room")
        if self.locked and affiliation is not Affiliation.OWNER:
            raise StanzaError("item-not-found", "This room is being set up")
        role = default_role(affiliation, self.configuration)
        if role is Role.NONE:
            raise StanzaError("registration-required", "This room is for its members only")
        self._check_nick(client.bare, nick)
        seated = nick in self.occupants
        if not seated and len(self.occupants) >= self.configuration.max_users and affiliation < Affiliation.ADMIN:
            raise StanzaError("service-unavailable", "This room is full", kind="wait")
        return role

    def _check_nick(self, bare: str, nick: str) -> None:
        if not nick.strip() or len(nick.encode()) > NICK_LIMIT:
            raise StanzaError("jid-malformed", "This nickname is empty or too long")
        # A name that looks like another's is as good as that name for who wants to be taken for somebody else.
        taken = self._looks.get(wire.look(nick))
        if taken is not None and (taken != nick or self.occupants[taken].bare != bare):
            raise StanzaError("conflict", "Somebody in this room has this nickname")
        for other, member in self.affiliations.items():
            if member.nick and other != bare and wire.look(member.nick) == wire.look(nick):
                raise StanzaError("conflict", "This nickname is reserved")

    def _seat(self, bare: str, nick: str, role: Role) -> Occupant:
        digest = hmac.new(self.salt, bare.encode(), hashlib.sha256).hexdigest()
        element = b"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='%b'/>" % digest.encode()
        occupant = Occupant(nick, bare, role, quote(f"{self.name}/{nick}"), element)
        self.occupants[nick] = occupant
        self._looks[wire.look(nick)] = nick
        return occupant

    def _greet(self, newcomer: Client, own: Occupant) -> None:
        """Show everybody who is there to a newcomer (section 7.2.2)."""
        sees = self.sees_addresses(own)
        for occupant in self.occupants.values():
            if occupant is not own and occupant.clients:
                jid = occupant.client.full if sees else ""
                tail = self._presence_tail(occupant, wire.item(self.affiliation(occupant.bare), occupant.role, jid=jid))
                newcomer.send(_addressed(occupant.address, newcomer, tail))

    def update(self, client: Client, content: bytes) -> None:
        """A client in the room changes its presence (section 7.7)."""
        occupant = self.present(client.full)
        occupant.clients[client.full] = occupant.clients.pop(client.full)
        occupant.shown[client.full] = content
        self._show(occupant, client)

    def change_nick(self, client: Client, nick: str, content: bytes) -> None:
        """Somebody takes another nickname (section 7.6). Raises StanzaError (conflict, jid-malformed)."""
        occupant = self.present(client.full)
        look = wire.look(nick)
        if self._looks.get(look) == occupant.nick:
            del self._looks[look]  # another spelling of one's own name is free
        try:
            if nick in self.occupants:
                raise StanzaError("conflict", "Somebody in this room has this nickname")
            self._check_nick(client.bare, nick)
        finally:
            self._looks[wire.look(occupant.nick)] = occupant.nick
        self._say_gone(occupant, {NEW_NICK}, nick=nick)
        del self.occupants[occupant.nick]
        del self._looks[wire.look(occupant.nick)]
        renamed = self._seat(occupant.bare, nick, occupant.role)
        renamed.clients, renamed.shown = occupant.clients, occupant.shown
        renamed.shown[client.full] = content
        self._by_client.update(dict.fromkeys(renamed.clients, renamed))
        self._show(renamed, client)

    def leave(self, full: str, content: bytes = b"") -> None:
        """A client goes (section 7.14); nothing happens if it is not here."""
        occupant = self._by_client.get(full)
        if occupant is None:
            return
        if len(occupant.clients) > 1:
            client = occupant.clients.pop(full)
            occupant.shown.pop(full)
            self._forget(full)
            goodbye = wire.item(self.affiliation(occupant.bare), Role.NONE, jid=full)
            client.send(_addressed(occupant.address, client, _gone_tail(content, goodbye, {SELF}, occupant)))
            self._show(occupant, occupant.client)
            return
        self._say_gone(occupant, set(), content=content)
        self._unseat(occupant)

    def remove(
        self, occupant: Occupant, statuses: set[int], *, actor: str = "", reason: str = "", extra: bytes = b""
    ) -> None:
        """An occupant is put out with all its clients: kicked, banned, no longer a member, broken."""
        self._say_gone(occupant, statuses, actor=actor, reason=reason, extra=extra)
        self._unseat(occupant)

    def _unseat(self, occupant: Occupant) -> None:
        del self.occupants[occupant.nick]
        del self._looks[wire.look(occupant.nick)]
        for full in occupant.clients:
            self._forget(full)

    def _forget(self, full: str) -> None:
        self._by_client.pop(full, None)
        self.clients.pop(full, None)

    # Presence of occupants

    def show(self, occupant: Occupant, *, statuses: Iterable[int] = (), actor: str = "", reason: str = "") -> None:
        """Tell everybody how an occupant is now, after its role or affiliation changed."""
        self._show(occupant, occupant.client, statuses=set(statuses), actor=actor, reason=reason)

    def _show(
        self,
        occupant: Occupant,
        client: Client,
        *,
        statuses: set[int] | None = None,
        actor: str = "",
        reason: str = "",
    ) -> None:
        affiliation = self.affiliation(occupant.bare)

        def tail(jid: str, codes: set[int]) -> bytes:
            line = wire.item(affiliation, occupant.role, jid=jid, actor=actor, reason=reason)
            return self._presence_tail(occupant, line, codes)

        bare, full = tail("", set()), tail(client.full, set())
        for viewer in self.occupants.values():
            if viewer is occupant:
                continue
            chosen = full if self.sees_addresses(viewer) else bare
            for receiver in viewer.clients.values():
                receiver.send(_addressed(occupant.address, receiver, chosen))
        own = tail(client.full, (statuses or set()) | {SELF})
        for receiver in occupant.clients.values():
            receiver.send(_addressed(occupant.address, receiver, own))

    def _presence_tail(self, occupant: Occupant, line: bytes, statuses: Iterable[int] = ()) -> bytes:
        shown = occupant.shown[occupant.client.full] if occupant.clients else next(iter(occupant.shown.values()))
        return b"'>%b%b%b</presence>" % (shown, wire.user_element(line, statuses), occupant.id_element)

    def _say_gone(
        self,
        occupant: Occupant,
        statuses: set[int],
        *,
        content: bytes = b"",
        nick: str = "",
        actor: str = "",
        reason: str = "",
        extra: bytes = b"",
    ) -> None:
        affiliation = self.affiliation(occupant.bare)
        role = occupant.role if nick else Role.NONE

        def tail(jid: str, codes: set[int]) -> bytes:
            line = wire.item(affiliation, role, jid=jid, nick=nick, actor=actor, reason=reason)
            return _gone_tail(content, line + extra, codes, occupant)

        bare, full = tail("", statuses), tail(occupant.client.full, statuses)
        for viewer in self.occupants.values():
            if viewer is not occupant:
                chosen = full if self.sees_addresses(viewer) else bare
                for receiver in viewer.clients.values():
                    receiver.send(_addressed(occupant.address, receiver, chosen))
        own = tail(occupant.client.full, statuses | {SELF})
        for receiver in occupant.clients.values():
            receiver.send(_addressed(occupant.address, receiver, own))

    # Messages

    def say(self, client: Client, stanza: Stanza, archive_id: int, now: float) -> bytes | None:
        """Somebody says something to all (section 7.4) or sets the subject (section 8.1).

        ``stanza`` is cleaned (``wire.clean_message``). Returns what the archive keeps under ``archive_id``, without
        receiver, or None where it keeps nothing. Raises StanzaError.
        """
        occupant = self.present(client.full)
        if occupant.role is Role.VISITOR:
            raise StanzaError("forbidden", "You have no voice in this room")
        tail = stanza.tail_without("from", "to")
        end = tail.rfind(b"</")
        if end < 0:
            raise StanzaError("bad-request", "This message is empty")
        subject = wire.subject_of(stanza) if b"subject" in stanza.raw else None
        if subject is not None:
            self._set_subject(occupant, subject, archive_id)
        head = b"<message from='%b' to='" % occupant.address
        middle = b"'%b%b" % (tail[:end], occupant.id_element)
        lasting, spoken = wire.worth_keeping(stanza.raw)
        if not lasting or not self.configuration.archived:
            archive_id = 0
        if archive_id:
            middle += wire.stanza_id_element(self.address_xml, archive_id)
        self.broadcast(head, middle + b"</message>")
        if spoken:
            self.history.append(Line(archive_id, now, head, middle))
        if not archive_id:
            return None
        return b"<message from='%b'%b%b</message>" % (occupant.address, tail[:end], occupant.id_element)

    def broadcast(self, head: bytes, tail: bytes) -> None:
        """The same to every client in the room; between ``head`` and ``tail`` stands the receiver's address."""
        join = b"".join
        for client in self.clients.values():
            client.send(join((head, client.full_xml, tail)))

    def announce(self, content: bytes, *, only: Role = Role.VISITOR) -> None:
        """A message of the room itself to every occupant with at least the role ``only``."""
        head, tail = b"<message type='groupchat' from='%b' to='" % self.address_xml, b"'>%b</message>" % content
        for occupant in self.occupants.values():
            if occupant.role >= only:
                for client in occupant.clients.values():
                    client.send(b"".join((head, client.full_xml, tail)))

    def whisper(self, client: Client, stanza: Stanza, nick: str) -> None:
        """Somebody writes to one occupant only (section 7.5). Raises StanzaError."""
        occupant = self.present(client.full)
        if stanza.type == "groupchat":
            raise StanzaError("bad-request", "A message to one occupant cannot be of the type groupchat")
        if not self.configuration.private_messages and occupant.role is not Role.MODERATOR:
            raise StanzaError("policy-violation", "This room has no private messages", kind="cancel")
        receiver = self.occupants.get(nick)
        if receiver is None:
            raise StanzaError("item-not-found", "Nobody here has this nickname")
        tail = stanza.tail_without("from", "to")
        end = tail.rfind(b"</")
        inside = tail[:end] if end >= 0 else tail[: tail.rindex(b"/>")] + b">"
        closing = b"%b%b</message>" % (wire.user_element(b""), occupant.id_element)
        head = b"<message from='%b' to='" % occupant.address
        for target in receiver.clients.values():
            target.send(b"".join((head, target.full_xml, b"'", inside, closing)))

    def _set_subject(self, occupant: Occupant, subject: str, at: int) -> None:
        if occupant.role is not Role.MODERATOR and not self.configuration.change_subject:
            raise StanzaError("forbidden", "Only moderators set the subject of this room")
        if len(subject) > SUBJECT_LIMIT:
            raise StanzaError("not-acceptable", "This subject is too long")
        self.subject, self.subject_by, self.subject_at = subject, occupant.nick, at
        self.changes.room = True

    def _tell_subject(self, client: Client, now: float) -> None:
        """The subject ends what a newcomer is told, also where there is none (section 7.2.15)."""
        sender = f"{self.name}/{self.subject_by}" if self.subject_by else self.name
        at = self.subject_at / (IDS_PER_MICROSECOND * 1e6) if self.subject_at else now
        delay = wire.delay_element(self.address_xml, at) if self.subject_by else b""
        client.send(
            b"<message type='groupchat' from='%b' to='%b'><subject>%b</subject>%b</message>"
            % (quote(sender), client.full_xml, quote(self.subject), delay)
        )

    def _recall(self, client: Client, wish: HistoryWish) -> None:
        count = self.configuration.history if wish.stanzas is None else wish.stanzas
        lines = [line for line in self.history if wish.since is None or line.at >= wish.since]
        lines = lines[-count:] if count > 0 else []
        room = wish.characters
        sending: list[bytes] = []
        for line in reversed(lines):
            delay = wire.delay_element(self.address_xml, line.at)
            raw = b"".join((line.head, client.full_xml, line.middle, delay, b"</message>"))
            if room is not None:
                room -= len(raw.decode())
                if room < 0:
                    break
            sending.append(raw)
        for raw in reversed(sending):
            client.send(raw)


def _addressed(sender: bytes, receiver: Client, tail: bytes) -> bytes:
    return b"".join((b"<presence from='", sender, b"' to='", receiver.full_xml, tail))


def _gone_tail(content: bytes, line: bytes, statuses: Iterable[int], occupant: Occupant) -> bytes:
    user = wire.user_element(line, statuses)
    return b"' type='unavailable'>%b%b%b</presence>" % (content, user, occupant.id_element)
