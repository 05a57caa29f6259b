"""What a phone reports of itself: ``application/x-cisco-alarm+xml``, in a REFER outside of dialogs (seen in traces)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.sip.bodies.markup import BodyError, child, element, read, write

CONTENT_TYPE: Final = "application/x-cisco-alarm+xml"

_PARAMETER_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm by its name, such as ``DeviceTLInfo`` or ``LastOutOfServiceInformation``, with values by their names."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> Alarm:
        """Read an alarm. Raises BodyError."""
        alarm = child(read(data, "x-cisco-alarm"), "Alarm")
        if alarm is None or not alarm.attributes.get("Name"):
            raise BodyError("The alarm has no name")
        rows = child(alarm, "ParameterList")
        values = () if rows is None else rows.children[:_PARAMETER_LIMIT]
        return cls(alarm.attributes["Name"], {each.attributes.get("name", ""): each.text for each in values})

    def encode(self) -> bytes:
        """The alarm; every value as a String. Raises BodyError."""
        rows = tuple(Element("String", {"name": name}, value) for name, value in self.values.items())
        inside = Element("Alarm", {"Name": self.name}, "", (element("ParameterList", "", *rows),))
        return write(element("x-cisco-alarm", "", inside))
