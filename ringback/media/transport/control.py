"""RTCP of a leg, on its own port or on that of RTP: reports and wishes in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.media.transport import events
from ringback.media.transport.latch import Latch, SocketAddress
from ringback.media.transport.ports import SocketPair
from ringback.media.transport.protection import Buffer, Protection
from ringback.media.transport.settings import Dropped
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.rtp.rtcp_wire import parse_compound, serialize_compound

if TYPE_CHECKING:
    from ringback.media.transport.leg import RtpLeg

_FEEDBACK = (rtcp.Nack, rtcp.PictureLoss, rtcp.FullIntraRequest, rtcp.ReceiverEstimate, rtcp.OtherFeedback)


class ControlChannel:
    """``mux`` says that RTCP shares RTP's port (RFC 5761); ``protection`` is that of its own port, by DTLS only."""

    def __init__(self, leg: RtpLeg, pair: SocketPair, incoming: Buffer, outgoing: Buffer, dropped: Dropped) -> None:
        self.mux = leg.settings.rtcp_mux
        self.latch = Latch(symmetric=leg.settings.symmetric)
        self.protection: Protection | None = None
        self._leg = leg
        self._pair = pair
        self._incoming = incoming
        self._outgoing = outgoing
        self._dropped = dropped
        self._clear = leg.settings.protocol == "clear"

    def readable(self, now: float) -> None:
        """A datagram waits on the port of RTCP."""
        try:
            size, source = self._pair.rtcp.recvfrom_into(self._incoming.octets)
        except OSError:
            return
        if size >= 8 and 128 <= self._incoming.octets[0] <= 191:
            self.take(size, source, now, self.latch, self.protection)
        else:
            self._leg.take_other(size, source, now, control=True)

    def take(
        self, size: int, source: SocketAddress, now: float, latch: Latch, protection: Protection | None = None
    ) -> None:
        """A compound packet lies in the buffer of what comes in."""
        leg = self._leg
        protection = protection or leg.protection
        if protection is not None:
            size = protection.unprotect_rtcp(self._incoming, size)
        if not size or (protection is None and not self._clear):
            self._dropped.unauthentic += 1
            return
        try:
            packets = parse_compound(bytes(self._incoming.view[:size]))
        except RtpError:
            self._dropped.malformed += 1
            return
        if not latch.admit(source, authentic=protection is not None):
            self._dropped.foreign += 1
            return
        leg.reporter.receive_rtcp(packets, now)
        if leg.forward_rtcp is not None:
            leg.forward_rtcp(packets, now)
        for packet in packets:
            if isinstance(packet, _FEEDBACK):
                leg.tell(events.FeedbackArrived(packet))
            elif isinstance(packet, rtcp.Goodbye):
                leg.tell(events.PeerLeft())

    def send(self, packets: tuple[rtcp.RtcpPacket, ...], shared: Latch) -> None:
        """Send a compound packet; ``shared`` is RTP's address, where they share a port."""
        leg = self._leg
        protection = leg.protection if self.mux else self.protection or leg.protection
        latch = shared if self.mux else self.latch
        if latch.target is None or leg.closed or (protection is None and not self._clear):
            return
        octets = serialize_compound(packets)
        size = len(octets)
        self._outgoing.octets[:size] = octets
        if protection is not None:
            size = protection.protect_rtcp(self._outgoing, size)
        try:
            (self._pair.rtp if self.mux else self._pair.rtcp).sendto(self._outgoing.view[:size], latch.target)
        except OSError:
            self._dropped.unsent += 1
