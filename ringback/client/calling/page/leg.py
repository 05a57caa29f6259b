"""RTP with a page: streams of sound and pictures over one protected connection, with reports and repeats.

What a page lost of its pictures is sent again from a short history; what it asks of the other side (a whole picture)
goes on by ``on_feedback``. Everything runs on the loop's thread; ``handle_timer`` is called several times a second.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from ringback.client.calling.page.negotiation import OwnTransport, PageAnswer, PageWish, answer_page
from ringback.client.calling.page.transport import LOOPBACK, PageTransport
from ringback.media.repair import LinkFacts, Repair, decide
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.continuity import Continuity
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.rtp.packet import HEADER_SIZE, RtpPacket, is_rtcp
from ringback.protocols.rtp.red import RedSender
from ringback.protocols.rtp.reports import Figures, Reporter
from ringback.protocols.rtp.rtcp_wire import parse_compound, serialize_compound
from ringback.protocols.sdp.negotiation import Stream

Kind = Literal["audio", "video"]
HISTORY = 512  # packets; about a second of a sharp picture
_CNAME = "ringback"

log = structlog.get_logger(__name__)


class PageStream:
    """One kind of medium with the page: what it sends us and what we send it."""

    def __init__(self, agreed: Stream, ssrc: int, send: Callable[[bytes], None], clock: Callable[[], float]) -> None:
        self.agreed = agreed
        self.ssrc = ssrc
        self.heard: int | None = None
        self.types = frozenset(one.payload_type for one in agreed.received)
        self._send = send
        self._clock = clock
        rate = agreed.format.clock
        self._continuity = Continuity(ssrc, rate, secrets.randbits(15), secrets.randbits(32))
        self.reporter = Reporter(
            ssrc, _CNAME, rate, wall=time.time() - clock(), interval=1.0, voice=agreed.kind == "audio"
        )
        self._renewed = False
        self._history: dict[int, bytes] = {}
        self._keeps = agreed.kind == "video"
        self._redundancy = RedSender(0)
        self._repair = Repair()

    def send(
        self, source: int, sequence: int, timestamp: int, payload: bytes, payload_type: int, *, marker: bool = False
    ) -> None:
        """Send a packet of a source; another source's packets go on in the same stream."""
        now = self._clock()
        if self._renewed and source != self._continuity.source:
            self._continuity.allow(source)
            self._renewed = False
        placed = self._continuity.place(source, sequence, timestamp, now)
        if placed is None:
            return
        number, stamp, fresh = placed
        if self._redundancy.depth and self.agreed.redundancy is not None:
            payload = self._redundancy.wrap(payload_type, stamp, payload)
            payload_type = self.agreed.redundancy
        datagram = RtpPacket(payload_type, number, stamp, self.ssrc, payload, marker or fresh).serialize()
        if self._keeps:
            self._history[number] = datagram
            if len(self._history) > HISTORY:
                del self._history[next(iter(self._history))]
        self.reporter.sent(stamp, len(payload), now)
        self._send(datagram)

    @property
    def copies(self) -> int:
        """How many earlier payloads each packet carries again (RFC 2198)."""
        return self._redundancy.depth

    def repair(self, now: float) -> None:
        """Send as many copies as the loss asks for that the page reports; none while nothing is lost."""
        remote = self.reporter.remote
        if remote is None or self.agreed.redundancy is None:
            return
        facts = LinkFacts(remote.fraction_lost, self.agreed.format.name, coarse_copies=False)
        self._repair = decide(facts, self._repair, now)
        self._redundancy.depth = self._repair.settings.copies

    def renew(self) -> None:
        """Media were agreed anew: the next other source may be one that was here before, as after music on hold."""
        self._renewed = True

    def skip(self) -> None:
        """A packet of the present source is left out on purpose."""
        self._continuity.skip()

    def again(self, numbers: Sequence[int]) -> list[int]:
        """Send packets again; the numbers, as their source counted, of those that are not kept."""
        missing = []
        for number in numbers:
            datagram = self._history.get(number)
            if datagram is None:
                missing.append(self._continuity.back(number) & 0xFFFF)
            else:
                self._send(datagram)
        return missing

    def received(self, packet: RtpPacket, size: int, now: float) -> None:
        """Count a packet of the page."""
        self.heard = packet.ssrc
        self.reporter.received(packet.ssrc, packet.sequence_number, packet.timestamp, size - HEADER_SIZE, now)

    def figures(self) -> Figures:
        """Both directions between engine and page."""
        return self.reporter.figures()


class PageLeg:
    """The page's end of a call. ``answer`` an offer, then ``connect``; ``close`` once.

    ``on_packet(kind, packet, now)`` gets what the page sends, ``on_feedback(kind, feedback)`` what it asks for.
    """

    def __init__(self, clock: Callable[[], float], addresses: Sequence[str] = LOOPBACK) -> None:
        self._clock = clock
        self._transport = PageTransport(self._taken, addresses)
        self._answer: PageAnswer | None = None
        self._streams: dict[Kind, PageStream] = {}
        self.on_packet: Callable[[Kind, RtpPacket, float], None] | None = None
        self.on_feedback: Callable[[Kind, rtcp.Feedback], None] | None = None
        self.malformed = 0

    async def answer(self, offer: str, wish: PageWish) -> str:
        """Our answer to a page's offer. Raises SdpError for an offer that can't be used, OSError without sockets."""
        await self._transport.gather()
        user, password = self._transport.credentials
        own = OwnTransport(self._transport.fingerprint, user, password, self._transport.candidates)
        self._answer = answer = answer_page(offer, wish, own)
        for kind, stream in (("audio", answer.audio), ("video", answer.video)):
            if stream is not None:
                name: Kind = "video" if kind == "video" else "audio"
                self._streams[name] = PageStream(stream, answer.sources[kind], self._transport.send, self._clock)
        return answer.sdp

    async def connect(self) -> bool:
        """Reach the page; False where that fails."""
        return self._answer is not None and await self._transport.connect(self._answer.page)

    @property
    def connected(self) -> bool:
        """Whether packets go both ways now."""
        return self._transport.connected

    @property
    def ended(self) -> bool:
        """Whether the page went."""
        return self._transport.ended

    def stream(self, kind: Kind) -> PageStream | None:
        """A medium, where it was agreed."""
        return self._streams.get(kind)

    def ask_picture(self) -> None:
        """Ask the page for a whole picture (PLI)."""
        stream = self._streams.get("video")
        if stream is not None and stream.heard is not None:
            self._send_rtcp((*stream.reporter.report(self._clock()), rtcp.PictureLoss(stream.ssrc, stream.heard)))

    def limit_picture(self, bitrate: int) -> None:
        """Tell the page how many bits a second its pictures may take (REMB)."""
        stream = self._streams.get("video")
        if stream is not None and stream.heard is not None:
            estimate = rtcp.ReceiverEstimate(stream.ssrc, bitrate, (stream.heard,))
            self._send_rtcp((*stream.reporter.report(self._clock()), estimate))

    def handle_timer(self, now: float) -> None:
        """Send the reports that are due, and decide what is sent twice."""
        for stream in self._streams.values():
            stream.repair(now)
            packets = stream.reporter.handle_timer(now)
            if packets:
                self._send_rtcp(packets)

    async def close(self) -> None:
        """End the connection."""
        await self._transport.close()

    def _taken(self, datagram: bytes) -> None:
        now = self._clock()
        try:
            if is_rtcp(datagram):
                self._reported(parse_compound(datagram), now)
                return
            packet = RtpPacket.parse(datagram)
        except RtpError:
            self.malformed += 1
            return
        for kind, stream in self._streams.items():
            if packet.payload_type in stream.types:
                stream.received(packet, len(datagram), now)
                if self.on_packet is not None:
                    self.on_packet(kind, packet, now)
                return

    def _reported(self, packets: tuple[rtcp.RtcpPacket, ...], now: float) -> None:
        for stream in self._streams.values():
            stream.reporter.receive_rtcp(packets, now)
        for packet in packets:
            if isinstance(packet, rtcp.Nack):
                self._wanted_again(packet)
            elif isinstance(packet, rtcp.PictureLoss | rtcp.FullIntraRequest) and self.on_feedback is not None:
                self.on_feedback("video", packet)

    def _wanted_again(self, nack: rtcp.Nack) -> None:
        for kind, stream in self._streams.items():
            if stream.ssrc == nack.source:
                missing = stream.again(nack.lost)
                if missing and self.on_feedback is not None:
                    self.on_feedback(kind, rtcp.Nack(nack.sender, nack.source, tuple(missing)))

    def _send_rtcp(self, packets: tuple[rtcp.RtcpPacket, ...]) -> None:
        self._transport.send(serialize_compound(packets))
