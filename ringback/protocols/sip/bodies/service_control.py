"""What a call manager tells a phone to do: ``Event: service-control``, lines of text (seen in traces and in patches).

``text/plain``; other software writes the same under ``application/x-cisco-servicecontrol``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ringback.protocols.sip.bodies.markup import BodyError

CONTENT_TYPE: Final = "text/plain"
OTHER_CONTENT_TYPE: Final = "application/x-cisco-servicecontrol"
EVENT: Final = "service-control"
ACTIONS: Final = frozenset({"reset", "restart", "check-version", "call-preservation", "apply-config", "prt-report"})

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z", re.ASCII)
_STAMPS = ("RegisterCallId", "ConfigVersionStamp", "DialplanVersionStamp", "SoftkeyVersionStamp")
_LINE_LIMIT = 50


@dataclass(frozen=True, slots=True)
class ServiceControl:
    """An action (see ACTIONS) with further lines by their names.

    The values of the stamps stand in braces on the wire and without them here.
    """

    action: str
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> ServiceControl:
        """Read the lines. Raises BodyError where none names an action."""
        values: dict[str, str] = {}
        for line in data[:16_384].decode("utf-8", "replace").replace("\r", "\n").split("\n")[:_LINE_LIMIT]:
            name, equals, value = line.partition("=")
            if equals and _NAME.match(name.strip(" \t")):
                value = value.strip(" \t")
                values[name.strip(" \t")] = value[1:-1] if value[:1] == "{" and value[-1:] == "}" else value
        action = values.pop("action", "")
        if not action:
            raise BodyError("No line names an action")
        return cls(action.lower(), values)

    def encode(self) -> bytes:
        """The lines. Raises BodyError where a name or value cannot be written."""
        lines = [f"action={self.action}"]
        for name, value in self.values.items():
            lines.append(
                f"{name}={{{value}}}" if name in _STAMPS or name.endswith("VersionStamp") else f"{name}={value}"
            )
            if not _NAME.match(name):
                raise BodyError(f"{name[:40]!r} is no name of a line")
        if any("\r" in line or "\n" in line for line in lines):
            raise BodyError("A value has a line break")
        return "".join(f"{line}\n" for line in lines).encode()
