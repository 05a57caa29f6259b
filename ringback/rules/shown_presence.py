"""Which availability is shown of a person, and why: one decision from all that their devices and services said.

The first that applies: no answer any more, no live session, set by hand, on a call, in a meeting, idle, available. The
page draws only the result; its "Why?" lists the reasons in the order in which they counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ringback.rules.reasons import Reason

Show = Literal["available", "away", "dnd", "call", "meeting", "out", "offline", "unknown"]

# How long an availability is believed without any connection to the presence service.
TIME_TO_LIVE = timedelta(seconds=90)
_SHOWN: dict[str, Show] = {"": "available", "chat": "available", "away": "away", "xa": "away", "dnd": "dnd"}
_RANK: dict[Show, int] = {"available": 2, "away": 1}


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """What one client of the person sent: ``show`` as in RFC 6121 section 4.7.2.1, ``priority`` -128 to 127."""

    resource: str
    show: str = ""
    status: str = ""
    priority: int = 0
    at: datetime | None = None
    idle_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """A call, a meeting or an absence that a service knows of. ``source`` names the service in a sentence."""

    kind: Literal["call", "meeting", "out"]
    source: Reason
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PresenceEvidence:
    """All that is known of a person. ``visible``: our subscription lets us see; ``connected_until``: None while the

    presence service is connected, else when the connection was lost. ``chosen``: set by hand, with its expiry.
    """

    devices: tuple[DevicePresence, ...] = ()
    activities: tuple[Activity, ...] = ()
    visible: bool = True
    chosen: Show | None = None
    chosen_at: datetime | None = None
    chosen_until: datetime | None = None
    last_seen: datetime | None = None
    last_status: str = ""
    connected_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One source: who, what it said, when."""

    source: Reason
    said: Reason
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShownPresence:
    """The decision with its reasons, the deciding one first."""

    show: Show
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reasons: tuple[Said, ...] = ()


def shown_presence(evidence: PresenceEvidence, now: datetime) -> ShownPresence:
    """Decide what is shown at ``now``. See the module's text for the order."""
    said = tuple(_device_said(device) for device in evidence.devices)
    lost = evidence.connected_until
    if lost is not None and now - lost >= TIME_TO_LIVE:
        why = Said(Reason.of("presence.source.service"), Reason.of("presence.said.no_connection"), lost)
        return ShownPresence("unknown", since=lost, reasons=(why, *said))
    if not evidence.visible:
        why = Said(Reason.of("presence.source.roster"), Reason.of("presence.said.not_visible"))
        return ShownPresence("unknown", reasons=(why,))
    if not evidence.devices:
        why = Said(Reason.of("presence.source.service"), Reason.of("presence.said.no_device"), evidence.last_seen)
        return ShownPresence("offline", evidence.last_status, evidence.last_seen, reasons=(why,))
    return _of_live(evidence, said, now)


def _of_live(evidence: PresenceEvidence, said: tuple[Said, ...], now: datetime) -> ShownPresence:
    best = _deciding_device(evidence.devices)
    status = best.status or next((device.status for device in evidence.devices if device.status), "")
    chosen_holds = evidence.chosen_until is None or now < evidence.chosen_until
    if evidence.chosen is not None and chosen_holds:
        why = Said(Reason.of("presence.source.choice"), _word(evidence.chosen), evidence.chosen_at)
        return ShownPresence(evidence.chosen, status, evidence.chosen_at, evidence.chosen_until, (why, *said))
    shown = _SHOWN.get(best.show, "available")
    ordered = (_device_said(best), *(one for one in said if one != _device_said(best)))
    if shown == "dnd":
        return ShownPresence("dnd", status, best.at, reasons=ordered)
    for kind in ("call", "meeting", "out"):
        for activity in evidence.activities:
            if activity.kind == kind and (activity.until is None or now < activity.until):
                why = Said(activity.source, _word(activity.kind), activity.since)
                return ShownPresence(activity.kind, status, activity.since, activity.until, (why, *ordered))
    since = best.idle_since if shown == "away" and best.idle_since else best.at
    return ShownPresence(shown, status, since, reasons=ordered)


def _deciding_device(devices: tuple[DevicePresence, ...]) -> DevicePresence:
    # Do not disturb on any device is a person's will and holds for all. Else the liveliest device speaks; among equals
    # the priority decides, then the later word (planning guide, "several clients of one user").
    refusing = [device for device in devices if device.show == "dnd"]
    return max(refusing or devices, key=_weight)


def _weight(device: DevicePresence) -> tuple[int, int, float]:
    rank = _RANK.get(_SHOWN.get(device.show, "available"), 0)
    return rank, device.priority, device.at.timestamp() if device.at else 0.0


def _device_said(device: DevicePresence) -> Said:
    shown = _SHOWN.get(device.show, "available")
    said = Reason.of("presence.said.idle") if shown == "away" and device.idle_since else _word(shown)
    return Said(Reason.of("presence.source.device", name=device.resource), said, device.idle_since or device.at)


def _word(show: Show) -> Reason:
    return Reason.of(f"presence.said.{show}")
