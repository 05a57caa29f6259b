"""Feature keys kept alike on phone and server: ``application/x-as-feature-event+xml``.

SUBSCRIBE with ``Event: as-feature-event`` carries a change (or nothing), NOTIFY the state; several events stand in a
multipart body. The elements are of ECMA-323 (CSTA), third edition, as phones of several makers use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.protocols.markup import Element, MarkupError
from ringback.protocols.markup import parse as parse_markup
from ringback.protocols.sip.bodies.markup import BodyError, element, local, number, text, write

CONTENT_TYPE: Final = "application/x-as-feature-event+xml"
EVENT: Final = "as-feature-event"

_NAMESPACE = "http://www.ecma-international.org/standards/ecma-323/csta/ed3"
_SIZE_LIMIT = 64 * 1024
FORWARD_TYPES: Final = ("forwardImmediate", "forwardBusy", "forwardNoAns")


@dataclass(frozen=True, slots=True)
class DoNotDisturb:
    """Do not disturb: a change asked for (``request``), or the state."""

    device: str
    on: bool
    request: bool = False


@dataclass(frozen=True, slots=True)
class Forwarding:
    """One kind of forwarding (see FORWARD_TYPES): a change asked for (``request``), or the state.

    ``rings`` is after how many rings a call without answer goes; None where not told.
    """

    device: str
    kind: str
    on: bool
    to: str = ""
    rings: int | None = None
    request: bool = False


FeatureEvent = DoNotDisturb | Forwarding


def parse(data: bytes) -> FeatureEvent:
    """Read one event. Raises BodyError."""
    if len(data) > _SIZE_LIMIT:
        raise BodyError("The event is larger than is read")
    try:
        root = parse_markup(data)
    except MarkupError as error:
        raise BodyError(str(error)) from error
    name, device = local(root), text(root, "device")
    if name in ("SetDoNotDisturb", "DoNotDisturbEvent"):
        return DoNotDisturb(device, _true(text(root, "doNotDisturbOn")), name.startswith("Set"))
    if name == "SetForwarding":
        return _forwarding(root, device, "activateForward", "forwardDN", request=True)
    if name == "ForwardingEvent":
        return _forwarding(root, device, "forwardStatus", "forwardTo", request=False)
    raise BodyError(f"The event {name[:40]} is not known")


def encode(event: FeatureEvent) -> bytes:
    """Write one event. Raises BodyError."""
    # phones write an empty device element with a child of this name where they don't know their own number
    device = element("device", event.device) if event.device else element("device", "", element("notKnown"))
    if isinstance(event, DoNotDisturb):
        name = "SetDoNotDisturb" if event.request else "DoNotDisturbEvent"
        return _document(name, device, element("doNotDisturbOn", _word(event.on)))
    if event.kind not in FORWARD_TYPES:
        raise BodyError(f"{event.kind[:40]} is no kind of forwarding")
    status, to = ("activateForward", "forwardDN") if event.request else ("forwardStatus", "forwardTo")
    parts = [element("forwardingType", event.kind), element(status, _word(event.on))]
    if event.to or event.request:
        parts.append(element(to, event.to))
    if event.rings is not None:
        parts.append(element("ringCount", event.rings))
    return _document("SetForwarding" if event.request else "ForwardingEvent", device, *parts)


def _document(name: str, *parts: Element) -> bytes:
    return write(Element(name, {"xmlns": _NAMESPACE}, "", parts))


def _forwarding(root: Element, device: str, status: str, to: str, *, request: bool) -> Forwarding:
    kind = text(root, "forwardingType")
    if kind not in FORWARD_TYPES:
        raise BodyError(f"{kind[:40]!r} is no kind of forwarding")
    rings = text(root, "ringCount")
    count = number(rings, "The number of rings", 100) if rings else None
    return Forwarding(device, kind, _true(text(root, status)), text(root, to), count, request)


def _true(value: str) -> bool:
    if value.lower() not in ("true", "false", "1", "0"):
        raise BodyError("A switch is neither true nor false")
    return value.lower() in ("true", "1")


def _word(flag: bool) -> str:
    return "true" if flag else "false"
