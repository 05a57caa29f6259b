"""People for rooms in memory: a listener is a client that keeps what it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from ringback.protocols.xmpp.stanza import Stanza, parse_element, quote
from ringback.rules.addresses import Jid
from ringback.services.presence.rooms import wire
from ringback.services.presence.rooms.model import Affiliation, HistoryWish, RoomConfiguration
from ringback.services.presence.rooms.room import Room

NS = {"c": "jabber:client", "u": wire.MUC_USER, "d": wire.DELAY, "s": wire.STANZA_ID, "o": wire.OCCUPANT_ID}
ROOM = Jid.parse("plans@conference.example.com")


@dataclass(slots=True)
class Listener:
    """One client of somebody."""

    jid: Jid
    heard: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, resource: str = "desk") -> Listener:
        return cls(Jid.parse(f"{name}@example.com/{resource}"))

    @property
    def full(self) -> str:
        return str(self.jid)

    @property
    def full_xml(self) -> bytes:
        return quote(self.full)

    @property
    def bare(self) -> str:
        return str(self.jid.bare)

    def send(self, raw: bytes) -> None:
        self.heard.append(raw)

    def take(self) -> list[etree._Element]:
        """What came since the last time, as trees; every one is addressed to this client."""
        elements = [parse_element(raw) for raw in self.heard]
        self.heard.clear()
        assert all(element.get("to") == self.full for element in elements)
        return elements


def room_with(configuration: RoomConfiguration | None = None, **affiliations: Affiliation) -> Room:
    """A room whose people have affiliations, by the name of the person."""
    room = Room(ROOM, b"salt", configuration)
    for name, affiliation in affiliations.items():
        room.set_affiliation(f"{name}@example.com", affiliation)
    return room


def enter(room: Room, listener: Listener, nick: str, wish: HistoryWish | None = None, now: float = 1000.0) -> None:
    """Come in and forget what was said at the door."""
    room.enter(listener, nick, b"", wish or HistoryWish(), now, new=False)


def message(inside: str, **attributes: str) -> Stanza:
    """A group message as a session hands it over."""
    chosen = {"type": "groupchat", "id": "m1", **attributes}
    head = "".join(f" {name}='{value}'" for name, value in chosen.items())
    return Stanza.parse(f"<message to='{ROOM}' from='somebody@example.com/x'{head}>{inside}</message>".encode())


def statuses(presence: etree._Element) -> set[int]:
    """The status codes of a presence."""
    return {int(status.get("code", "0")) for status in presence.iterfind("u:x/u:status", NS)}


def item(presence: etree._Element) -> dict[str, str]:
    """The attributes of the item of a presence or message."""
    found = presence.find("u:x/u:item", NS)
    assert found is not None
    return {str(name): str(value) for name, value in found.items()}


def nick_of(element: etree._Element) -> str:
    """The nickname that an element comes from."""
    return str(element.get("from", "")).partition("/")[2]
