"""Presence of a line for busy lamps: ``application/pidf+xml`` (RFC 3863) with activities of RFC 4480 and Cisco's own.

The namespaces are those that Cisco's phones look for: RPID's old one under ``pidf:status``, and Cisco's own beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.sip.bodies.markup import BodyError, child, children, element, local, read, text, write

CONTENT_TYPE: Final = "application/pidf+xml"
CPIM_CONTENT_TYPE: Final = "application/cpim-pidf+xml"
EVENT: Final = "presence"

_NAMESPACES = {
    "xmlns": "urn:ietf:params:xml:ns:pidf",
    "xmlns:dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "xmlns:e": "urn:ietf:params:xml:ns:pidf:status:rpid",
    "xmlns:ce": "urn:cisco:params:xml:ns:pidf:rpid",
}


class Activity(StrEnum):
    """What a line does, as far as phones show it."""

    ALERTING = "alerting"
    ON_THE_PHONE = "on-the-phone"
    BUSY = "busy"
    DO_NOT_DISTURB = "dnd"


_CISCO = frozenset({Activity.ALERTING, Activity.DO_NOT_DISTURB})
_BY_NAME = {activity.value: activity for activity in Activity}


@dataclass(frozen=True, slots=True)
class LinePresence:
    """The presence of ``entity`` (a URI): whether it can be reached, what it does, a note for people, a contact URI.

    Activities that are not known here are left out when reading.
    """

    entity: str
    open: bool
    activities: tuple[Activity, ...] = ()
    note: str = ""
    contact: str = ""
    tuple_id: str = "line"

    @classmethod
    def parse(cls, data: bytes) -> LinePresence:
        """Read a document; of several tuples an open one wins. Raises BodyError."""
        root = read(data, "presence")
        tuples = list(children(root, "tuple"))
        best = next((each for each in tuples if text(each, "status", "basic") == "open"), tuples[0] if tuples else None)
        basic = text(best, "status", "basic")
        if basic not in ("open", "closed", ""):
            raise BodyError("The basic status is neither open nor closed")
        found: list[Activity] = []
        for place in (child(root, "person"), child(best, "status"), best):
            for activities in children(place, "activities"):
                found += [_BY_NAME[local(each)] for each in activities.children if local(each) in _BY_NAME]
        return cls(
            root.attributes.get("entity", ""),
            basic == "open",
            tuple(dict.fromkeys(found)),
            text(best, "note") or text(child(root, "person"), "note") or text(root, "note"),
            text(best, "contact"),
            best.attributes.get("id", "") if best is not None else "",
        )

    def encode(self) -> bytes:
        """The document. Raises BodyError."""
        parts: list[Element] = []
        if self.activities:
            rows = (element(f"{'ce' if each in _CISCO else 'e'}:{each.value}") for each in self.activities)
            parts.append(element("dm:person", "", element("e:activities", "", *rows), id="person"))
        inside = [element("status", "", element("basic", "open" if self.open else "closed"))]
        if self.contact:
            inside.append(element("contact", self.contact))
        if self.note:
            inside.append(element("note", self.note))
        parts.append(element("tuple", "", *inside, id=self.tuple_id or "line"))
        return write(Element("presence", {**_NAMESPACES, "entity": self.entity}, "", tuple(parts)))
