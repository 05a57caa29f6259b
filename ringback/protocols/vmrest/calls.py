"""Calls that the service makes to a phone, on which messages are played and recorded (the telephony interface).

Published: ``POST /vmrest/calls`` with a number, ``GET`` and ``DELETE`` of the call, ``POST`` of a control to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from ringback.protocols.markup import Element
from ringback.protocols.vmrest.documents import DocumentError, text, truth, whole

Operation = Literal["PLAY", "RECORD", "PAUSE", "RESUME", "STOP"]
Resource = Literal["MESSAGE", "STREAM", "HANDLER", ""]
_OPERATIONS: Final = get_args(Operation)
_RESOURCES: Final = get_args(Resource)
_LONGEST = 512  # characters of an id


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """A call: the number that is called, how often it may ring, and, in answers, its id and whether it was answered."""

    number: str
    rings: int = 4
    id: str = ""
    connected: bool = False

    def element(self) -> Element:
        """As XML: what is asked for where it has no id yet, else what is told of it."""
        children = [text("number", self.number)]
        children += [text("id", self.id), text("connected", self.connected)] if self.id else []
        children += [text("maximumRings", self.rings)]
        return Element("Call", children=tuple(children))

    @classmethod
    def read_from(cls, element: Element) -> PhoneCall:
        """Raises DocumentError."""
        found = element.text_of
        number = found("number").strip()
        if not number or len(number) > 64:
            raise DocumentError("A call needs a number")
        if (found("callType") or found("calltype") or "audio").lower() not in ("audio", "video"):
            raise DocumentError("A call is audio")
        return cls(
            number, whole(found("maximumRings") or "4", 1, 20), found("id"), truth(found("connected") or "false")
        )


@dataclass(frozen=True, slots=True)
class CallControl:
    """What to do on a call. ``resource`` of ``kind``: the id of a message or a stream (recorded before), or a kind of
    greeting. ``speed`` and ``volume`` in percent, ``start`` in milliseconds; ``result``: of the last one, 0 is good."""

    operation: Operation
    kind: Resource = ""
    resource: str = ""
    speed: int = 100
    volume: int = 100
    start: int = 0
    result: int = 0

    def element(self) -> Element:
        """As XML."""
        children = [text("op", self.operation)]
        if self.kind:
            children += [text("resourceType", self.kind), text("resourceId", self.resource)]
        children += [text("lastResult", self.result), text("speed", self.speed), text("volume", self.volume)]
        return Element("CallControl", children=(*children, text("startPosition", self.start)))

    @classmethod
    def read_from(cls, element: Element) -> CallControl:
        """Raises DocumentError."""
        found = element.text_of
        operation, kind = (found("op") or found("opType")).upper(), found("resourceType").upper()
        if operation not in _OPERATIONS:
            raise DocumentError(f"The operation is one of {', '.join(_OPERATIONS)}")
        if kind not in _RESOURCES:
            raise DocumentError("The resource is a MESSAGE, a STREAM or a HANDLER")
        resource = found("resourceId") or found("resourceID")
        if len(resource) > _LONGEST or (operation == "PLAY" and not (kind and resource)):
            raise DocumentError("PLAY needs a resourceType and a resourceId")
        return cls(
            cast("Operation", operation),
            cast("Resource", kind),
            resource,
            whole(found("speed") or "100", 25, 400),
            whole(found("volume") or "100", 0, 400),
            whole(found("startPosition") or "0", 0, 36_000_000),
            int(whole(found("lastResult") or "0")),
        )
