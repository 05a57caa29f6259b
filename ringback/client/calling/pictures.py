"""Forwards pictures between the page and the other side without touching them, and what either asks of the other.

Packets that the other side lost are repeated from a short history; packets that we miss are asked for at once, and
where a whole picture is wanted that goes to whoever can make one. Nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Callable

from ringback.client.calling.page.leg import PageLeg, PageStream
from ringback.media.transport.errors import NotConnectedError
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.sequence import sequence_distance
from ringback.protocols.sdp.negotiation import Stream

HISTORY = 512  # packets
_ASK_AT_MOST = 32  # missing packets; more need a whole picture
_PICTURE_EVERY = 0.5  # seconds between requests for whole pictures
_START = 400_000  # bits a second: begin low and climb
_LEAST, _MOST = 100_000, 2_500_000
_CLIMB, _FALL = 1.08, 0.85
_GOOD, _BAD = 0.02, 0.1  # loss


class PictureRate:
    """How many bits a second our pictures may take: starts low, climbs while little is lost, falls with loss (E9)."""

    def __init__(self, start: int = _START) -> None:
        self.bitrate = start
        self.optimum = start

    def report(self, loss: float) -> int:
        """Another second with this loss (0 to 1); the rate from now on."""
        if loss > _BAD:
            self.bitrate = max(int(self.bitrate * (1 - loss / 2) * _FALL), _LEAST)
        elif loss < _GOOD:
            self.bitrate = min(int(self.bitrate * _CLIMB), _MOST)
            self.optimum = max(self.optimum, self.bitrate)
        return self.bitrate


class PictureBridge:
    """Between a page's stream of pictures and a leg."""

    def __init__(self, far: RtpLeg, sources: Callable[[], int], start: int = _START) -> None:
        """``sources`` gives numbers that name a page among the sources of the leg; ``start``: bits a second to begin
        with, such as the optimum of the last call."""
        self._far = far
        self._sources = sources
        self._source = sources()
        self._agreed: Stream | None = None
        self._page: PageLeg | None = None
        self._stream: PageStream | None = None
        self._sent: dict[int, RtpPacket] = {}
        self._highest: int | None = None
        self._asked = -_PICTURE_EVERY
        self.rate = PictureRate(start)
        self.frames = 0

    def settle(self, agreed: Stream) -> None:
        """Take what was agreed with the other side."""
        self._agreed = agreed
        if self._stream is not None:
            self._stream.renew()
        self._want_whole()

    def join(self, page: PageLeg | None) -> None:
        """Carry to and from this page from now on."""
        if page is not self._page:
            self._source = self._sources()
        self._page = page
        stream = page.stream("video") if page is not None else None
        fits = self._agreed is None or stream is None or stream.agreed.format.name == self._agreed.format.name
        self._stream = stream if fits else None
        self._want_whole()

    def _want_whole(self) -> None:
        """Who begins to watch needs a whole picture: ours from the page, theirs from them."""
        if self._stream is not None and self._agreed is not None:
            self._far.request_picture()
            if self._page is not None:
                self._page.ask_picture()

    def from_page(self, packet: RtpPacket, now: float) -> None:
        """A packet of the page's camera."""
        agreed, stream = self._agreed, self._stream
        if agreed is None or stream is None or packet.payload_type != stream.agreed.format.payload_type:
            return
        if not self._far.sending:
            self._far.continuity.skip()
            return
        placed = self._far.continuity.place(self._source, packet.sequence_number, packet.timestamp, now)
        if placed is None:
            return
        number, stamp, _ = placed
        source = self._far.continuity.ssrc or self._far.ssrc
        moved = RtpPacket(agreed.format.payload_type, number, stamp, source, packet.payload, packet.marker)
        self._sent[number] = moved
        if len(self._sent) > HISTORY:
            del self._sent[next(iter(self._sent))]
        self._emit(moved, now)

    def from_far(self, packet: RtpPacket, now: float) -> None:
        """A packet of the other side's camera."""
        agreed, stream = self._agreed, self._stream
        if agreed is None or packet.payload_type != agreed.format.payload_type:
            return
        self._look_for_gaps(packet, now)
        if packet.marker:
            self.frames += 1
        if stream is not None:
            kind = stream.agreed.format.payload_type
            stream.send(
                packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload, kind, marker=packet.marker
            )

    def _look_for_gaps(self, packet: RtpPacket, now: float) -> None:
        highest = self._highest
        ahead = 1 if highest is None else sequence_distance(packet.sequence_number, highest)
        if ahead > 0:
            self._highest = packet.sequence_number
        if ahead <= 1 or highest is None:
            return
        if ahead > _ASK_AT_MOST:
            self._ask_whole(now)
            return
        missing = tuple((highest + step) & 0xFFFF for step in range(1, ahead))
        self._far.send_feedback(rtcp.Nack(self._far.ssrc, packet.ssrc, missing))

    def _ask_whole(self, now: float) -> None:
        if now - self._asked >= _PICTURE_EVERY:
            self._asked = now
            self._far.request_picture()

    # --- what either side asks for

    def page_asks(self, feedback: rtcp.Feedback, now: float) -> None:
        """The page wants something that only the other side has."""
        if isinstance(feedback, rtcp.Nack) and self._far.heard is not None:
            self._far.send_feedback(rtcp.Nack(self._far.ssrc, self._far.heard, feedback.lost))
        elif isinstance(feedback, rtcp.PictureLoss | rtcp.FullIntraRequest):
            self._ask_whole(now)

    def far_asks(self, feedback: rtcp.Feedback, now: float) -> None:
        """The other side wants packets again, or a whole picture of ours."""
        if isinstance(feedback, rtcp.Nack):
            for number in feedback.lost:
                packet = self._sent.get(number)
                if packet is not None:
                    self._emit(packet, now)
        elif isinstance(feedback, rtcp.PictureLoss | rtcp.FullIntraRequest) and self._page is not None:
            self._page.ask_picture()
        elif isinstance(feedback, rtcp.ReceiverEstimate) and self._page is not None:
            self._page.limit_picture(min(feedback.bitrate, self.rate.bitrate))

    def second(self) -> None:
        """Once a second: adapt to what the other side lost."""
        remote = self._far.reporter.remote
        if self._page is not None and self._stream is not None and remote is not None:
            self._page.limit_picture(self.rate.report(remote.fraction_lost))

    def _emit(self, packet: RtpPacket, now: float) -> None:
        try:
            self._far.emit_packet(packet, now)
        except NotConnectedError:
            return
