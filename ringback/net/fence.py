"""What this process can reach of the network, and what reaches it: held by the interpreter and by filters of its
sockets, as a firewall before it would.

An audit hook (PEP 578) sees each address before any connection or datagram leaves for it, whichever thread, library or
event loop of Python asks, and can't be taken away again. It holds programs that mean well to a rehearsed network; it is
no prison for hostile ones, which could leave Python. Event loops that open sockets in C (uvloop) pass by it, so a
process with a fence has none of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import ipaddress
import os
import socket
import struct
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NETWORKED: Final = frozenset({socket.AF_INET, socket.AF_INET6})
# Neither leaves this computer; the second is of Linux.
_HARMLESS: Final = frozenset({socket.AF_UNIX, getattr(socket, "AF_NETLINK", socket.AF_UNIX)})
_INSIDE: Final = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_PROGRAMS: Final = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"})
_QUESTIONS: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_SENDING: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
# Programs of sockets (classic BPF, socket(7)): take the source address, compare it with networks, keep or drop.
_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_SOURCE: Final = 0xFFF00000 + 12  # SKF_NET_OFF, and the place of the address in the header of IPv4
_KEEP, _DROP = 0xFFFFFFFF, 0


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a host is: its own ``address``, from which what it sends leaves, and the ``networks`` that it reaches
    (None: all). It always reaches itself; where not all is reached, 127.0.0.1 and ::1 are its inside, which only
    sockets bound there speak to."""

    address: str
    networks: tuple[IpNetwork, ...] | None = None

    @property
    def own(self) -> IpAddress:
        """The address as a number."""
        return ipaddress.ip_address(self.address)

    def allows(self, address: IpAddress) -> bool:
        """Whether packets get to this address."""
        if self.networks is None or address == self.own:
            return True
        return any(address in network for network in self.networks)


class Fence:
    """Holds this process to a ``Reach``, which may change as a host moves to another network."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._installed = False
        self._connected: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._bound: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.RLock()

    @property
    def reach(self) -> Reach:
        """Where this process is now."""
        return self._reach

    def install(self) -> None:
        """Put the fence up for the rest of this process. Raises RuntimeError where that was done before."""
        if self._installed:
            raise RuntimeError("This fence stands already")
        self._installed = True
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # as documented: its import fails from now on
        sys.addaudithook(self._look)

    def change(self, reach: Reach) -> int:
        """Move to another network: the address of before is gone, and with it all connections from there. Returns how
        many were cut."""
        with self._lock:
            self._reach = reach
            connected, bound = list(self._connected), list(self._bound)
            self._connected.clear()
            self._bound.clear()
        for one in bound:  # nothing comes to an address that is gone
            with contextlib.suppress(OSError):
                if _numeric(one.getsockname()[0]) not in _INSIDE:
                    _filter(one, [(_RETURN, 0, 0, _DROP)])
        cut = 0
        for one in connected:
            with contextlib.suppress(OSError):  # closed, or broken, meanwhile
                if self._stays(one):
                    self._connected.add(one)
                else:
                    one.shutdown(socket.SHUT_RDWR)
                    cut += 1
        return cut

    def _stays(self, one: socket.socket) -> bool:
        if _numeric(one.getsockname()[0]) != self._reach.own:
            return False
        peer = _numeric(one.getpeername()[0])
        return peer is not None and self._reach.allows(peer)

    # --- the hook: called for each audited event of the interpreter, so all but a few are left at once

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _SENDING:
            self._sends(event, arguments[0], arguments[1])
        elif event == "socket.bind":
            self._binds(arguments[0], arguments[1])
        elif event in _QUESTIONS:
            _asks(arguments[0])
        elif event in _PROGRAMS:
            raise PermissionError(errno.EPERM, "A host that is held to a network starts no other programs")

    def _binds(self, one: socket.socket, to: object) -> None:
        """Datagrams of IPv4 come from what is reached only; connections begin here, and were looked at."""
        if one.family != socket.AF_INET or one.type != socket.SOCK_DGRAM or not isinstance(to, tuple):
            return
        with self._lock:
            self._bound.add(one)
        networks = self._reach.networks
        if networks is None:
            return
        here = _numeric(to[0])
        inside = here in _INSIDE and here != self._reach.own
        own = ipaddress.ip_network(str(here if inside else self._reach.own))
        program = []
        for network in (own, *(() if inside else networks)):
            if network.version == 4:
                program += [
                    (_LOAD, 0, 0, _SOURCE),
                    (_AND, 0, 0, int(network.netmask)),
                    (_EQUAL, 0, 1, int(network.network_address)),
                    (_RETURN, 0, 0, _KEEP),
                ]
        _filter(one, [*program, (_RETURN, 0, 0, _DROP)])

    def _sends(self, event: str, sender: socket.socket, to: object) -> None:
        if to is None or sender.family in _HARMLESS:  # a connected socket: its connection was looked at
            return
        there = _numeric(to[0]) if sender.family in _NETWORKED and isinstance(to, tuple) and to else None
        if there is None:
            raise _unreachable(to)
        host, port = sender.getsockname()[:2]
        here, own = _numeric(host), self._reach.own
        within = here in _INSIDE and here != own
        free = here is None or here.is_unspecified
        if not (within or free or here == own):
            raise OSError(errno.EADDRNOTAVAIL, f"{here} was the address in another network")
        to_itself = there.is_unspecified or (there in _INSIDE and there != own)  # sent to "any", packets come back
        # Where everything is reached, others of this computer may have 127.0.0.1 as theirs.
        if self._reach.networks is not None and (within != to_itself or not (within or self._reach.allows(there))):
            raise _unreachable(to)
        if free and port == 0 and there.version == own.version:
            mapped = sender.family == socket.AF_INET6 and own.version == 4
            sender.bind((f"::ffff:{own}" if mapped else str(own), 0))
        if event == "socket.connect":
            with self._lock:
                self._connected.add(sender)


def _filter(one: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    """Have the kernel ask this program about what comes to a socket; others than Linux don't. Raises OSError."""
    if sys.platform != "linux":
        return
    words = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    one.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(words)))


def _asks(host: object) -> None:
    """Questions to the system's name servers: those stand in no network of ours."""
    name = os.fsdecode(bytes(host)) if isinstance(host, (bytes, bytearray)) else host
    if isinstance(name, str) and name not in ("", "localhost") and _numeric(name) is None:
        raise socket.gaierror(socket.EAI_AGAIN, f"{name}: this host asks the name server of its network only")


def _numeric(host: object) -> IpAddress | None:
    """A literal address, as packets would have it; None where it is a name."""
    if isinstance(host, (bytes, bytearray)):
        host = os.fsdecode(bytes(host))
    return _read(host) if isinstance(host, str) else None


@lru_cache(1024)
def _read(host: str) -> IpAddress | None:
    try:
        found = ipaddress.ip_address(host or "0.0.0.0")  # nothing: "any", as for sockets
    except ValueError:
        return None
    return found.ipv4_mapped or found if found.version == 6 else found


def _unreachable(to: object) -> OSError:
    return OSError(errno.ENETUNREACH, f"{os.strerror(errno.ENETUNREACH)} from here: {to}")
