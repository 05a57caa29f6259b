"""Two legs joined: what one receives leaves on the other, unread, from one buffer (RFC 3550 section 7: a translator).

Protection is taken off and put on as each leg needs it. SSRC, sequence numbers and timestamps are moved into the stream
of the leg that sends, which goes on whoever feeds it. RTCP is passed on with its numbers moved back, so that both ends
judge the whole way.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from ringback.media.relay.control import translate
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.packet import HEADER_SIZE

TypeMap = Mapping[int, int]
"""Payload types of the receiving leg to those of the sending one. Types that it doesn't name are not passed on."""

_NUMBERS = struct.Struct("!HII")


class Relay:
    """Joins ``a`` and ``b`` until `stop`. ``a_to_b`` and ``b_to_a`` are needed where payload types differ."""

    def __init__(self, a: RtpLeg, b: RtpLeg, *, a_to_b: TypeMap | None = None, b_to_a: TypeMap | None = None) -> None:
        self.a = a
        self.b = b
        self._ways = (_Way(a, b, a_to_b), _Way(b, a, b_to_a))
        for way in self._ways:
            way.start()

    def stop(self) -> None:
        """Part the legs; each keeps its stream, so that music or another leg can go on with it."""
        for way in self._ways:
            way.stop()


class _Way:
    """One direction."""

    def __init__(self, source: RtpLeg, sink: RtpLeg, types: TypeMap | None) -> None:
        self._source = source
        self._sink = sink
        self._buffer = source.buffer
        self._octets = source.buffer.octets
        self._types = None if types is None or all(one == other for one, other in types.items()) else _table(types)

    def start(self) -> None:
        self._sink.continuity.take_over()
        if self._source.heard is not None:
            self._sink.continuity.allow(self._source.heard)
        self._source.reporter.translated = True
        self._source.forward = self._forward
        self._source.forward_rtcp = self._forward_rtcp

    def stop(self) -> None:
        if self._source.forward == self._forward:
            self._source.forward = None
            self._source.forward_rtcp = None
            self._source.reporter.translated = False

    def _forward(self, size: int, now: float) -> None:
        octets, sink = self._octets, self._sink
        if self._types is not None:
            second = self._types[octets[1]]
            if second < 0:
                return
            octets[1] = second
        continuity = sink.continuity
        if not sink.sending or (sink.keypad.used and sink.keypad.active):
            continuity.skip()
            return
        sequence, timestamp, ssrc = _NUMBERS.unpack_from(octets, 2)
        placed = continuity.place(ssrc, sequence, timestamp, now)
        if placed is None:
            return
        sequence, timestamp, fresh = placed
        _NUMBERS.pack_into(octets, 2, sequence, timestamp, continuity.ssrc)
        if fresh:
            octets[1] |= 0x80
        if sink.emit(size, self._buffer):
            sink.reporter.sent(timestamp, size - HEADER_SIZE, now)

    def _forward_rtcp(self, packets: tuple[rtcp.RtcpPacket, ...], now: float) -> None:
        moved = translate(packets, self._source.continuity, self._sink.continuity)
        if moved:
            self._sink.send_rtcp(moved)


def _table(types: TypeMap) -> list[int]:
    """Second octets of headers, with and without marker; -1 for what is not passed on."""
    table = [-1] * 256
    for one, other in types.items():
        table[one] = other
        table[one | 0x80] = other | 0x80
    return table
