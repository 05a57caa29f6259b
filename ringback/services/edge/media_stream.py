"""One medium of one call on its way through the inner proxy: opened with the client's key, closed again with that of
the end inside, or in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ringback.media.transport.errors import TransportError
from ringback.media.transport.latch import Latch, SocketAddress
from ringback.media.transport.ports import SocketPair
from ringback.media.transport.protection import Buffer, Protection
from ringback.protocols.edge.session_media import Pair, Terms
from ringback.protocols.sdp.description import SdpError
from ringback.protocols.traversal import frames
from ringback.protocols.traversal.frames import Part
from ringback.protocols.traversal.media_words import MediaKind

if TYPE_CHECKING:
    from ringback.services.edge.media_inner import Flow

_RTP: Final = 12  # octets of the shortest packet
_RTCP: Final = 8
_AT_ONCE: Final = {"audio": 1, "video": 8}  # packets of a port that are read in one turn


class Keys:
    """The keys of one side, each with its own memory of packets: where one of the two changes, the other one's count
    goes on, since the same key must never begin anew."""

    __slots__ = ("ours", "theirs")

    def __init__(self, ours: Protection, theirs: Protection) -> None:
        self.ours = ours
        self.theirs = theirs

    @classmethod
    def of(cls, pair: Pair, before: Keys | None) -> Keys:
        """From what was agreed. Raises TransportError."""
        local, remote = pair
        ours = theirs = Protection.from_lines(local, remote)
        if before is not None and before.ours.suite is ours.suite:
            if before.ours.uses_outbound(local.key):
                ours = before.ours
            if before.theirs.uses_inbound(remote.key):
                theirs = before.theirs
        return cls(ours, theirs)


class Stream:
    """Made by ``Flow.open``. ``outside`` is the address and port that clients send to. Until both sides are agreed,
    what comes is dropped."""

    def __init__(self, flow: Flow, number: int, kind: MediaKind, outside: tuple[str, int], pair: SocketPair) -> None:
        self.number = number
        self.kind = kind
        self.outside = outside
        self.pair = pair
        self.closed = False
        self.inwards_count = 0
        """Packets that went inside."""
        self.outwards_count = 0
        """Packets that went to the client."""
        self.unauthentic = 0
        """Packets that proved no key."""
        self._flow = flow
        self._outer: Keys | None = None
        self._inner: Keys | None = None
        self._agreed = False
        self._secure = False
        self._mux = False
        self._latches = (Latch(), Latch())
        self._heads: list[bytes] = [b"", b""]
        self._peers: list[tuple[bytes, int]] = [(b"", 0), (b"", 0)]

    @property
    def secure(self) -> bool:
        """Whether it is encrypted inside, too."""
        return self._agreed and self._secure

    @property
    def inside(self) -> tuple[str, int]:
        """The address and port that the end inside sends to."""
        return self.pair.address, self.pair.port

    def agree(self, terms: Terms) -> None:
        """What an offer and its answer came to. Raises SdpError where it can't be."""
        try:
            outer, inner = terms.outer, terms.inner
            self._outer = Keys.of(outer, self._outer)
            self._inner = None if inner is None else Keys.of(inner, self._inner)
            self._secure = inner is not None
            rtp = self.pair.resolve(terms.address, terms.port) if terms.port else None
            rtcp = self.pair.resolve(terms.rtcp_address or terms.address, terms.rtcp_port) if terms.rtcp_port else None
        except (TransportError, ValueError) as error:
            raise SdpError(f"The end's media can't be reached: {error}") from error
        self._latches[0].signal(rtp)
        self._latches[1].signal(rtcp)
        self._mux = terms.mux
        self._agreed = True

    def close(self) -> None:
        """Let go of the ports. Closing again does nothing."""
        if not self.closed:
            self.closed = True
            self._flow.forget(self)

    # --- packets

    def inwards(self, part: int, peer: tuple[bytes, int], buffer: Buffer, size: int) -> None:
        """A packet of the world lies in the buffer; ``peer`` as it stands in the frame."""
        outer = self._outer
        if outer is None or not self._agreed or size < _RTCP:
            return
        control = part == Part.RTCP or 192 <= buffer.octets[1] <= 223
        size = outer.theirs.unprotect_rtcp(buffer, size) if control else outer.theirs.unprotect(buffer, size)
        if not size:
            self.unauthentic += 1
            return
        if peer != self._peers[part]:
            self._peers[part] = peer
            self._heads[part] = frames.raw_head(part, peer[1], self.number, self._flow.tag, peer[0])
            self._flow.send((self._heads[part], memoryview(b"")), self.kind)  # whoever comes now does not crowd it out
        if self._inner is not None:
            size = self._inner.ours.protect_rtcp(buffer, size) if control else self._inner.ours.protect(buffer, size)
        elif self._secure:
            return
        target = self._latches[control].target
        if size and target is not None:
            try:
                (self.pair.rtcp if control else self.pair.rtp).sendto(buffer.view[:size], target)
            except OSError:
                return
            self.inwards_count += 1

    def rtp_readable(self, now: float) -> None:
        """Something came from inside."""
        self._outwards(Part.RTP)

    def rtcp_readable(self, now: float) -> None:
        """Something came from inside to the port of RTCP."""
        self._outwards(Part.RTCP)

    def _outwards(self, part: int) -> None:
        buffer, one = self._flow.media.buffer, self.pair.rtcp if part else self.pair.rtp
        for _ in range(_AT_ONCE[self.kind]):
            try:
                size, source = one.recvfrom_into(buffer.octets)
            except OSError:  # nothing more, or an ICMP error of an earlier packet
                return
            if self._agreed and self._outer is not None:
                self._pass(part, size, source, buffer, self._outer)

    def _pass(self, part: int, size: int, source: SocketAddress, buffer: Buffer, outer: Keys) -> None:
        octets = buffer.octets
        control = part == Part.RTCP or 192 <= octets[1] <= 223
        if octets[0] & 0xC0 != 0x80 or size < (_RTCP if control else _RTP):
            return
        if self._inner is not None:
            size = (
                self._inner.theirs.unprotect_rtcp(buffer, size)
                if control
                else self._inner.theirs.unprotect(buffer, size)
            )
        elif self._secure:
            return
        if not size or not self._latches[control].admit(source, authentic=self._secure):
            self.unauthentic += 1
            return
        head = self._heads[Part.RTP if self._mux or not control else Part.RTCP]
        if not head:
            return  # nobody proved where the client is
        size = outer.ours.protect_rtcp(buffer, size) if control else outer.ours.protect(buffer, size)
        if size and self._flow.send((head, buffer.view[:size]), self.kind):
            self.outwards_count += 1
