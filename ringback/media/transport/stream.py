"""A source of packets on a leg: a microphone, a player, a mixer. The newest one is heard, without a break."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.media.transport.leg import RtpLeg


class OutgoingStream:
    """Numbers its packets; the leg's continuity moves the numbers into what the other side has heard so far."""

    def __init__(self, leg: RtpLeg, source: int) -> None:
        self._leg = leg
        self._source = source
        self._sequence = 0

    def send(self, payload: bytes, payload_type: int, timestamp: int, *, marker: bool = False) -> None:
        """Send the next packet; ``timestamp`` counts in the stream's own way. Raises NotConnectedError.

        Nothing leaves while the leg's sending is off or a telephone event is under way, nor after another stream took
        over.
        """
        leg = self._leg
        self._sequence = (self._sequence + 1) & 0xFFFF
        if not leg.sending or (leg.keypad.used and leg.keypad.active):
            self._sequence = (self._sequence - 1) & 0xFFFF  # left out, not lost
            return
        now = leg.now()
        placed = leg.continuity.place(self._source, self._sequence, timestamp & 0xFFFFFFFF, now)
        if placed is None:
            return
        sequence, stamp, fresh = placed
        leg.emit_payload(payload, payload_type, sequence, stamp, now, marker=marker or fresh)
