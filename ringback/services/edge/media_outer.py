"""Media at the outer proxy: ports of the world, whose packets go unread to the inner proxy that asked for them, and
back.

It knows no keys. It sends to nobody who has not sent to that very port lately, so that it can't be used to throw
packets at others, and takes no more of a port than media of that kind need.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from ringback.media.transport.errors import NoPortError
from ringback.media.transport.ports import PortPool, PortRange, SocketPair
from ringback.media.transport.sockets import Sockets
from ringback.protocols.traversal import frames
from ringback.protocols.traversal.frames import HEAD, LONGEST, Kind
from ringback.protocols.traversal.media_words import (
    CloseMedia,
    MediaFlow,
    MediaKind,
    MediaOpened,
    MediaPlace,
    MediaRefused,
    MediaWord,
    OpenMedia,
)
from ringback.rules.addresses import HostPort
from ringback.services.edge.marks import MARKS, Note, mark_as_sound, note
from ringback.services.edge.settings import OuterMediaSettings

LATELY: Final = 60.0
"""Seconds after its last packet that a client is still sent to; who only listens reports every few seconds."""
LEASE: Final = 200.0
"""Seconds after which ports are free that the inner proxy has not said it needs: a word may be lost with a link."""
_SWEEP: Final = 30.0
_PEERS: Final = 8  # addresses of a port that are remembered: a client that moves, and strangers
_MOST: Final = 8_000  # allocations of one inner proxy
_FLOW_BUFFER: Final = 4 * 1024 * 1024  # octets that may wait in the socket of frames
_TURN: Final = 64  # frames that are read before others of the loop get their turn
_AT_ONCE: Final = {"audio": 1, "video": 8}  # packets of a port that are read in one turn
_RATES: Final[dict[MediaKind, tuple[float, float]]] = {"audio": (200.0, 200.0), "video": (1500.0, 500.0)}
"""Packets a second and at once, of one allocation: of whom the inner proxy believes, and as many of all others."""

Source = tuple[Any, ...]
"""An address as a socket writes it."""
_Peer = tuple[bytes, int]  # 16 octets of an address, as in a frame, and the port

_log = structlog.get_logger("ringback.edge.media")


@dataclass(slots=True)
class _Inner:
    """What one inner proxy has here. ``place`` is where its frames come from, None before its first greeting."""

    name: str
    tag: bytes = field(default=b"", repr=False)
    place: tuple[str, int] | None = None
    pairs: dict[int, _Allocation] = field(default_factory=dict)


class OuterMedia:
    """All media of an outer proxy. ``say`` tells an inner proxy something."""

    def __init__(
        self,
        settings: OuterMediaSettings,
        say: Callable[[str, MediaWord], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._say = say
        self._inners: dict[str, _Inner] = {}
        self._by_tag: dict[bytes, _Inner] = {}
        self._flow: socket.socket | None = None
        self._picture: Note = []
        self._sockets: Sockets | None = None
        self._pool: PortPool | None = None
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._octets = bytearray(HEAD + LONGEST)
        self._view = memoryview(self._octets)
        self.dropped = 0
        """Packets that were not passed on: too many, for nobody, or no frames at all."""

    @property
    def allocations(self) -> int:
        """How many pairs of ports are open."""
        return sum(len(inner.pairs) for inner in self._inners.values())

    @property
    def place(self) -> HostPort:
        """Where frames are taken."""
        if self._flow is None:
            return self._settings.frames
        host, port = self._flow.getsockname()[:2]
        return HostPort(host, port)

    def start(self) -> None:
        """Take frames. Raises OSError with the address in its text, NoPortError."""
        settings = self._settings
        first, last = settings.ports
        self._pool = PortPool(settings.address, PortRange(first, last))
        family = socket.AF_INET6 if ":" in settings.frames.host else socket.AF_INET
        flow = socket.socket(family, socket.SOCK_DGRAM)
        try:
            flow.setblocking(False)
            flow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _FLOW_BUFFER)
            mark_as_sound(flow)
            flow.bind((settings.frames.host, settings.frames.port))
        except OSError as error:
            flow.close()
            raise OSError(error.errno, f"udp {settings.frames} can't be bound: {error.strerror}") from error
        self._flow = flow
        self._picture = note("video", family) or []
        loop = asyncio.get_running_loop()
        self._sockets = Sockets(loop, self._clock)
        self._sockets.watch(flow, self._frames)
        self._timer = loop.call_later(_SWEEP, self._sweep)

    def become(self, wanted: OuterMediaSettings) -> bool:
        """Use the ports and the public address of other settings from the next stream on; the address itself and where
        frames are taken stay. False where nothing changes."""
        here = self._settings
        if (wanted.ports, wanted.public) == (here.ports, here.public):
            return False
        if self._pool is not None and wanted.ports != here.ports:
            self._pool = PortPool(here.address, PortRange(*wanted.ports))
        self._settings = replace(here, ports=wanted.ports, public=wanted.public)
        return True

    def stop(self) -> None:
        """Mirror of ``start``."""
        if self._timer is not None:
            self._timer.cancel()
        for name in tuple(self._inners):
            self.parted(name)
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None
        if self._flow is not None:
            self._flow.close()
            self._flow = None

    # --- what inner proxies say

    def joined(self, name: str) -> None:
        """An inner proxy is there: it is told where frames go."""
        if self._flow is not None:
            self._say(name, MediaPlace(self.place.port))

    def parted(self, name: str) -> None:
        """An inner proxy is gone, and all that it had with it."""
        inner = self._inners.pop(name, None)
        if inner is None:
            return
        self._by_tag.pop(inner.tag, None)
        for number in tuple(inner.pairs):
            self._close(inner, number)

    def told(self, name: str, word: MediaWord) -> None:
        """An inner proxy wants something."""
        match word:
            case MediaFlow(tag):
                inner = self._inners.get(name)
                if inner is None or not hmac.compare_digest(inner.tag, tag):
                    self.parted(name)
                    self._inners[name] = self._by_tag[tag] = _Inner(name, tag)
            case OpenMedia(number, kind):
                self._open(name, number, kind)
            case CloseMedia(number) if name in self._inners:
                self._close(self._inners[name], number)

    def _open(self, name: str, number: int, kind: MediaKind) -> None:
        inner = self._inners.get(name)
        if inner is None or self._pool is None or self._sockets is None or number in inner.pairs:
            self._say(name, MediaRefused(number, "the flow of frames was not told"))
            return
        if len(inner.pairs) >= _MOST:
            self._say(name, MediaRefused(number, f"{_MOST} pairs are open"))
            return
        try:
            pair = self._pool.take(MARKS[kind])
        except (NoPortError, OSError) as error:
            _log.warning("edge.no_media_ports", why=str(error), open=self.allocations)
            self._say(name, MediaRefused(number, str(error)))
            return
        inner.pairs[number] = _Allocation(self, inner, number, kind, pair)
        inner.pairs[number].leased = self._clock()
        for part, one in enumerate((pair.rtp, pair.rtcp)):
            self._sockets.watch(one, inner.pairs[number].reader(part, one))
        self._say(name, MediaOpened(number, self._settings.public or pair.address, pair.port))

    def _close(self, inner: _Inner, number: int) -> None:
        allocation = inner.pairs.pop(number, None)
        if allocation is not None and self._sockets is not None:
            self._sockets.unwatch(allocation.pair.rtp)
            self._sockets.unwatch(allocation.pair.rtcp)
            allocation.pair.close()

    def sweep(self, now: float) -> None:
        """Free what the inner proxy needs no more and could not say so."""
        for inner in tuple(self._inners.values()):
            for number in [number for number, one in inner.pairs.items() if now - one.leased > LEASE]:
                _log.warning("edge.media_ports_forgotten", inner=inner.name, number=number)
                self._close(inner, number)

    def _sweep(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)
        self.sweep(self._clock())

    # --- packets

    def inwards(self, allocation: _Allocation, part: int, one: socket.socket, now: float) -> None:
        """A client sent something: into the flow with it. What strangers sent is read in one go, else it would fill
        the socket, where nobody knows whose packets are dropped."""
        left = _AT_ONCE[allocation.kind]
        for _ in range(_TURN):
            try:
                size, source = one.recvfrom_into(self._view[HEAD:])
            except OSError:  # nothing more, or an ICMP error of an earlier packet
                return
            rate = allocation.rate_of(part, source)
            if rate.admits(now):
                self._pass(allocation, part, size, source, now)
            else:
                self.dropped += 1
            left -= rate is allocation.rate
            if not left:
                return

    def _pass(self, allocation: _Allocation, part: int, size: int, source: Source, now: float) -> None:
        inner, flow = allocation.inner, self._flow
        if inner.place is None or flow is None:
            self.dropped += 1
            return
        try:
            self._view[:HEAD] = allocation.heard(part, source, now)
            if allocation.kind == "audio":
                flow.sendto(self._view[: HEAD + size], inner.place)
            else:
                flow.sendmsg((self._view[: HEAD + size],), self._picture, 0, inner.place)
        except (OSError, ValueError):
            self.dropped += 1

    def _frames(self, now: float) -> None:
        flow = self._flow
        for _ in range(_TURN):
            if flow is None:
                return
            try:
                size, source = flow.recvfrom_into(self._view)
            except OSError:
                return
            kind, part, port, number, tag, address = frames.raw(self._view)
            inner = self._by_tag.get(tag)
            if inner is None or size < HEAD:
                self.dropped += 1
            elif kind == Kind.MEDIA:
                self._outwards(inner, number, part, (address, port), size, now)
            elif kind == Kind.HELLO and number:
                if number in inner.pairs:
                    inner.pairs[number].leased = now
            elif kind == Kind.HELLO:
                inner.place = source[:2]
                with contextlib.suppress(OSError):  # it greets again
                    flow.sendto(frames.write(frames.Frame(Kind.HEARD, inner.tag)), source)

    def _outwards(self, inner: _Inner, number: int, part: int, peer: _Peer, size: int, now: float) -> None:
        allocation = inner.pairs.get(number)
        target = None if allocation is None or part > 1 else allocation.lately(part, peer, now)
        if allocation is None or target is None:
            self.dropped += 1
            return
        if size == HEAD:  # said only to tell who is believed
            return
        one = allocation.pair.rtcp if part else allocation.pair.rtp
        try:
            one.sendto(self._view[HEAD:size], target)
        except OSError:
            self.dropped += 1


class PacketRate:
    """How many packets of the world one allocation takes: ``rate`` in a second, and ``burst`` at once."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._tokens = burst
        self._at = 0.0

    def admits(self, now: float) -> bool:
        """Whether one more is taken."""
        self._tokens = min(self._tokens + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class _Sender:
    """Somebody who has sent to a port: how the socket writes the address, when it was heard, and the head of frames."""

    __slots__ = ("at", "head", "source")

    def __init__(self, source: Source, head: bytes, at: float) -> None:
        self.source = source
        self.head = head
        self.at = at


class _Allocation:
    """A pair of ports, and who has sent to them, by part. ``_believed``: whom the inner proxy sent to last, who is
    pushed out by nobody, and whose packets strangers can't crowd out."""

    __slots__ = (
        "_believed",
        "_heard",
        "_last",
        "_owner",
        "_strangers",
        "_trusted",
        "inner",
        "kind",
        "leased",
        "number",
        "pair",
        "rate",
    )

    def __init__(self, owner: OuterMedia, inner: _Inner, number: int, kind: MediaKind, pair: SocketPair) -> None:
        self._owner = owner
        self.inner = inner
        self.number = number
        self.kind: MediaKind = kind
        self.pair = pair
        self._heard: tuple[dict[_Peer, _Sender], ...] = ({}, {})
        self._last: list[_Sender | None] = [None, None]
        self._believed: list[_Peer | None] = [None, None]
        self._trusted: list[Source | None] = [None, None]
        self.rate, self._strangers = PacketRate(*_RATES[kind]), PacketRate(*_RATES[kind])
        self.leased = 0.0

    def reader(self, part: int, one: socket.socket) -> Callable[[float], None]:
        """What is called when one of the two has something to read."""
        return lambda now: self._owner.inwards(self, part, one, now)

    def rate_of(self, part: int, source: Source) -> PacketRate:
        """How many packets are taken from there."""
        return self.rate if source == self._trusted[part] else self._strangers

    def heard(self, part: int, source: Source, now: float) -> bytes:
        """Somebody sent to it; the head of the frame. Raises ValueError."""
        last = self._last[part]
        if last is not None and last.source == source:
            last.at = now
            return last.head
        peer = (frames.packed(_plain(source[0])), source[1])
        known = self._heard[part]
        if peer not in known and len(known) >= _PEERS:
            others = [one for one in known if one != self._believed[part]]
            del known[min(others, key=lambda one: known[one].at)]
        head = frames.raw_head(part, peer[1], self.number, self.inner.tag, peer[0])
        self._last[part] = known[peer] = _Sender(source, head, now)
        return head

    def lately(self, part: int, peer: _Peer, now: float) -> Source | None:
        """How the socket writes this address, where it has sent lately."""
        found = self._heard[part].get(peer)
        if found is None or now - found.at > LATELY:
            return None
        self._believed[part], self._trusted[part] = peer, found.source
        return found.source


def _plain(host: str) -> str:
    """Without the zone of a link-local address, and IPv4 as itself."""
    host = host.partition("%")[0]
    return host[7:] if host.startswith("::ffff:") and "." in host else host
