"""Devices that come back while a call waits for them.

A client that changes its network loses its connection and registers again moments later, by another way. A call that
comes in between is for somebody who is there: it waits those moments instead of going to voicemail, and it rings at
every device that registers while it rings already. Chosen: no document says so.
"""

from __future__ import annotations

from typing import Final

from ringback.protocols.sip.flows import Flow, Target, Way
from ringback.services.callmanager.calls.attempts import Attempt

RETURN_SECONDS: Final = 10.0
"""How long a device that lost its connection is expected back, in seconds."""


class Returning:
    """Which devices are expected, and which attempts want to know when one is there."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._attempts: dict[str, set[Attempt]] = {}

    def lost(self, device: str, now: float) -> None:
        """A device's connection broke, without a word that it leaves."""
        self._until[device] = now + RETURN_SECONDS

    def expected_until(self, device: str, now: float) -> float:
        """Until when a device is expected back; 0: it is not."""
        until = self._until.get(device, 0.0)
        return until if until > now else 0.0

    def look_after(self, now: float) -> None:
        """Forget who did not come back."""
        for device in [device for device, until in self._until.items() if until <= now]:
            del self._until[device]

    def calls(self, attempt: Attempt, line: str) -> None:
        """An attempt is at a line now, and not at the one before (empty: at none any more)."""
        before = attempt.waits_at
        if before == line:
            return
        if before:
            there = self._attempts[before]
            there.discard(attempt)
            if not there:
                del self._attempts[before]
        if line:
            self._attempts.setdefault(line, set()).add(attempt)
        attempt.waits_at = line

    def came(self, device: str) -> None:
        """A device is there again."""
        if self._until:
            self._until.pop(device, None)

    def at(self, line: str) -> tuple[Attempt, ...]:
        """The attempts at a line."""
        there = self._attempts.get(line)
        return tuple(there) if there else ()

    def __bool__(self) -> bool:
        return bool(self._attempts)


def is_same_way(one: Way, other: Way) -> bool:
    """Whether two ways lead to the same client: a peer over UDP may be another flow each time it is heard of."""
    if one is other:
        return True
    if isinstance(one, Flow) and isinstance(other, Flow):
        return not one.reliable and not other.reliable and one.remote == other.remote and one.local == other.local
    return isinstance(one, Target) and isinstance(other, Target) and one == other
