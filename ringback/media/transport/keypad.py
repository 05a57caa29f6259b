"""Keys pressed on a leg, both ways (RFC 4733): told once to the owner, sent at their pace between the sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.media.transport import events
from ringback.media.transport.errors import NotConnectedError
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.telephone_event import EventReceiver, EventSender, Pressed

if TYPE_CHECKING:
    from ringback.media.transport.leg import RtpLeg


class Keypad:
    """The telephone events of a leg."""

    def __init__(self, leg: RtpLeg) -> None:
        self._leg = leg
        self._incoming = EventReceiver()
        self._outgoing: EventSender | None = None
        self.used = False
        """Whether any event was ever sent: most calls have none."""

    @property
    def active(self) -> bool:
        """Whether an event is being sent now."""
        return self._outgoing is not None and self._outgoing.active

    def press(self, digits: str, length: float) -> None:
        """Send keys. Raises TelephoneEventFormatError, NotConnectedError."""
        leg = self._leg
        if leg.event_type is None:
            raise NotConnectedError("the other side did not agree to telephone events")
        if self._outgoing is None:
            self._outgoing = EventSender(leg.settings.clock_rate)
            self.used = True
        idle = self._outgoing.next_deadline() is None
        self._outgoing.press(digits, leg.now(), length)
        if idle:
            self._send()

    def restart(self) -> None:
        """Another source is heard: its numbers begin anew."""
        self._incoming = EventReceiver()

    def saw(self, sequence_number: int, now: float) -> None:
        """A packet of sound came."""
        pressed = self._incoming.saw(sequence_number, now)
        if pressed:
            self._tell(pressed)

    def take(self, octets: bytes, now: float) -> bool:
        """A packet of events came. False where it is malformed."""
        try:
            packet = RtpPacket.parse(octets)
            pressed = self._incoming.receive(packet.sequence_number, packet.timestamp, packet.payload, now)
        except RtpError:
            return False
        self._tell(pressed)
        return True

    def handle_timer(self, now: float) -> None:
        """Tell events that waited long enough for packets before them."""
        deadline = self._incoming.next_deadline()
        if deadline is not None and deadline <= now:
            self._tell(self._incoming.handle_timer(now))

    def _tell(self, pressed: list[Pressed]) -> None:
        for one in pressed:
            if one.digit is not None:
                self._leg.tell(events.DigitPressed(one.digit))

    def _send(self) -> None:
        leg, sender = self._leg, self._outgoing
        if leg.closed or sender is None or leg.event_type is None:
            return
        now = leg.now()
        for one in sender.handle_timer(now, leg.continuity.timestamp_at(now)):
            sequence, _ = leg.continuity.insert(now)
            if leg.target is not None:
                packet = RtpPacket(leg.event_type, sequence, one.timestamp, leg.ssrc, one.payload, one.marker)
                leg.emit_packet(packet, now)
        deadline = sender.next_deadline()
        if deadline is not None:
            leg.call_at(deadline, self._send)
