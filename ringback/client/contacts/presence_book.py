"""Who is available, device by device, as the server tells it; not kept, since an old presence would be a lie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ringback.client.host.wire_people import Presence, PresenceReason
from ringback.client.messaging.stanzas import PresenceReceived
from ringback.rules.reasons import Reason
from ringback.rules.shown_presence import (
    Activity,
    DevicePresence,
    PresenceEvidence,
    Show,
    ShownPresence,
    shown_presence,
)

_RESOURCE_LIMIT = 32  # devices of one person that are remembered; more are a fault or an attack


class PresenceBook:
    """The live devices of people, and when people were seen last."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._devices: dict[str, dict[str, DevicePresence]] = {}
        self._on_phone: dict[str, dict[str, datetime]] = {}
        self._seen: dict[str, tuple[datetime, str]] = {}
        self.lost: datetime | None = None

    def shown(
        self, person_id: str, *, visible: bool, chosen: Show | None = None, chosen_at: datetime | None = None
    ) -> ShownPresence:
        """The decision about a person's availability. ``visible``: the person lets us see it."""
        devices = tuple(self._devices.get(person_id, {}).values())
        seen = self._seen.get(person_id)
        evidence = PresenceEvidence(
            chosen=chosen,
            chosen_at=chosen_at,
            devices=devices,
            activities=self._activities(person_id),
            visible=bool(devices) or visible,
            last_seen=seen[0] if seen else None,
            last_status=seen[1] if seen else "",
            connected_until=self.lost,
        )
        return shown_presence(evidence, self._now())

    def _activities(self, person_id: str) -> tuple[Activity, ...]:
        """Calls that the person's clients tell of."""
        calls = self._on_phone.get(person_id, {})
        return tuple(
            Activity("call", Reason.of("presence.source.device", name=resource), since)
            for resource, since in calls.items()
        )

    def devices(self, person_id: str) -> dict[str, DevicePresence]:
        """The live devices of a person by resource."""
        return dict(self._devices.get(person_id, {}))

    def here(self) -> list[str]:
        """Everybody with a live device."""
        return list(self._devices)

    def arrived(self, person_id: str, presence: PresenceReceived) -> bool:
        """Take a presence over; False where it is none of a device."""
        if presence.kind == "available":
            self._device_here(person_id, presence)
        elif presence.kind in ("unavailable", "error"):
            self._device_gone(person_id, presence)
        else:
            return False
        return True

    def _device_here(self, person_id: str, presence: PresenceReceived) -> None:
        devices = self._devices.setdefault(person_id, {})
        resource = presence.sender.resource
        if resource not in devices and len(devices) >= _RESOURCE_LIMIT:
            return
        before = devices.get(resource)
        same = before is not None and before.show == presence.show
        since = presence.at or (before.at if same and before is not None else self._now())
        devices[resource] = DevicePresence(
            resource, presence.show, presence.status, presence.priority, since, presence.idle_since
        )
        self._seen.pop(person_id, None)
        if presence.on_phone:
            self._on_phone.setdefault(person_id, {}).setdefault(resource, presence.at or self._now())
        else:
            self._off_phone(person_id, resource)

    def _off_phone(self, person_id: str, resource: str) -> None:
        calls = self._on_phone.get(person_id, {})
        calls.pop(resource, None)
        if not calls:
            self._on_phone.pop(person_id, None)

    def _device_gone(self, person_id: str, presence: PresenceReceived) -> None:
        devices = self._devices.get(person_id, {})
        if presence.sender.resource:
            devices.pop(presence.sender.resource, None)
            self._off_phone(person_id, presence.sender.resource)
        else:
            devices.clear()
            self._on_phone.pop(person_id, None)
        if not devices:
            self._devices.pop(person_id, None)
            self._seen[person_id] = (presence.at or self._now(), presence.status)

    def forget(self) -> list[str]:
        """A new session: every presence of the old one is void. Gives whom this concerns."""
        changed = [*self._devices, *self._seen]
        self._devices.clear()
        self._on_phone.clear()
        self._seen.clear()
        self.lost = None
        return changed


def wire_presence(shown: ShownPresence) -> Presence:
    """The decision in the form of the page's wire."""
    return Presence(
        show=shown.show,
        status=shown.status,
        since=shown.since.isoformat() if shown.since else None,
        until=shown.until.isoformat() if shown.until else None,
        reasons=[
            PresenceReason(source=one.source, said=one.said, at=one.at.isoformat() if one.at else None)
            for one in shown.reasons
        ],
    )
