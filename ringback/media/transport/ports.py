"""Pairs of UDP ports for legs: RTP on an even one, RTCP on the next (RFC 3550 section 11), and their marks (DSCP)."""

from __future__ import annotations

import errno
import ipaddress
import random
import socket
from dataclasses import dataclass
from enum import Enum

from ringback.media.transport.errors import NoPortError
from ringback.media.transport.latch import SocketAddress

_BUFFER = 262_144  # octets that may wait in a socket; a key frame of a sharp picture comes at once
_EPHEMERAL_TRIES = 64
_HIGHEST = 65535
_TAKEN = {errno.EADDRINUSE, errno.EACCES}


class Mark(Enum):
    """Differentiated services code points of media (RFC 4594; the product's defaults)."""

    NONE = 0
    VIDEO = 0x22  # AF41
    AUDIO = 0x2E  # EF

    @property
    def traffic_class(self) -> int:
        """The octet of the IP header: the code point above two bits of ECN."""
        return self.value << 2


@dataclass(frozen=True, slots=True)
class PortRange:
    """First and last port, both included; (0, 0) lets the system choose."""

    first: int = 16384
    last: int = 32766


DEFAULT_RANGE = PortRange()


@dataclass(frozen=True, slots=True)
class SocketPair:
    """Two bound sockets that do not block. ``rtcp`` is there even where the other side may ask for one port."""

    rtp: socket.socket
    rtcp: socket.socket

    @property
    def address(self) -> str:
        """The address that both are bound to."""
        return str(self.rtp.getsockname()[0])

    @property
    def port(self) -> int:
        """The even port of RTP."""
        return int(self.rtp.getsockname()[1])

    def resolve(self, address: str, port: int) -> SocketAddress | None:
        """A numeric address as this pair's sockets write it, so that the two can be compared. Raises ValueError.

        None where nothing can be sent to.
        """
        number = ipaddress.ip_address(address)
        if number.is_unspecified or not 0 < port <= _HIGHEST:
            return None
        if self.rtp.family == socket.AF_INET6:
            return (f"::ffff:{number}" if number.version == 4 else str(number), port, 0, 0)
        return (str(number), port)

    def close(self) -> None:
        """Let go of both."""
        self.rtp.close()
        self.rtcp.close()


class PortPool:
    """Gives out pairs of one address, each next one after the last, so that a port rests before it is used again."""

    def __init__(self, address: str, ports: PortRange = DEFAULT_RANGE) -> None:
        self.address = address
        self._family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        self._ports = range(ports.first + ports.first % 2, ports.last, 2)
        self._any = ports.first == 0
        self._next = random.randrange(len(self._ports)) if self._ports else 0  # noqa: S311  only spreads
        if not self._ports and not self._any:
            raise NoPortError(f"the range {ports.first} to {ports.last} holds no pair of ports")

    def take(self, mark: Mark = Mark.NONE) -> SocketPair:
        """Bind a free pair, whose packets carry ``mark``. Raises NoPortError; OSError where the address is not here."""
        if self._any:
            return self._take_any(mark)
        for step in range(len(self._ports)):
            port = self._ports[(self._next + step) % len(self._ports)]
            pair = self._bind(port, mark)
            if pair is not None:
                self._next = (self._next + step + 1) % len(self._ports)
                return pair
        raise NoPortError(f"all {len(self._ports)} pairs of ports of {self.address} are in use")

    def _take_any(self, mark: Mark) -> SocketPair:
        for _ in range(_EPHEMERAL_TRIES):
            with socket.socket(self._family, socket.SOCK_DGRAM) as probe:
                probe.bind((self.address, 0))
                port = probe.getsockname()[1]
            pair = self._bind(port - port % 2, mark)
            if pair is not None:
                return pair
        raise NoPortError(f"no two neighbouring ports of {self.address} are free")

    def _bind(self, port: int, mark: Mark) -> SocketPair | None:
        rtp = self._open(port, mark)
        if rtp is None:
            return None
        rtcp = self._open(port + 1, mark)
        if rtcp is None:
            rtp.close()
            return None
        return SocketPair(rtp, rtcp)

    def _open(self, port: int, mark: Mark) -> socket.socket | None:
        one = socket.socket(self._family, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if self._family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, mark.traffic_class)
        else:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, mark.traffic_class)
        try:
            one.bind((self.address, port))
        except OSError as error:
            one.close()
            if error.errno in _TAKEN:
                return None
            raise
        return one
