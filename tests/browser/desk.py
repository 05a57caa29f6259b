"""A plain SIP phone on a desk, in a thread of its own: it takes calls, sends all sound back, and reads pressed keys
from the packets themselves (RFC 4733)."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from ringback.protocols.sip.events import Event, Invited
from ringback.protocols.sip.session import Session
from tests.support.lab import RunningLab
from tests.support.sip_phone import SDP, Bell, SipPhone

KEYS = "0123456789*#"
RATE = 8000
SOUND, PRESSED = 0, 101  # payload types of the offer
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Key:
    """A pressed key: when its first packet came (monotonic seconds), and how long it was pressed (seconds)."""

    digit: str
    came: float
    length: float


@dataclass
class FarEnd(asyncio.DatagramProtocol):
    """The sound of one phone."""

    sound: int = 0
    keys: list[Key] = field(default_factory=list)
    _transport: asyncio.DatagramTransport | None = None
    _first: dict[int, float] = field(default_factory=dict)
    _ended: set[int] = field(default_factory=set)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) < 16 or self._transport is None:
            return
        kind, stamp = data[1] & 127, int.from_bytes(data[4:8], "big")
        if kind == SOUND:
            self.sound += 1
            self._transport.sendto(data[:8] + b"echo" + data[12:], addr)
        elif kind == PRESSED:
            event, flags, length = struct.unpack("!BBH", data[12:16])
            self._first.setdefault(stamp, time.monotonic())
            # An end is sent three times: the key counts once.
            if flags & 0x80 and stamp not in self._ended:
                self._ended.add(stamp)
                self.keys.append(Key(KEYS[event], self._first[stamp], length / RATE))

    @property
    def digits(self) -> str:
        """All keys, in the order in which they came."""
        return "".join(key.digit for key in self.keys)


class DeskPhone(SipPhone):
    """Takes every call, with its own sound."""

    sdp = SDP
    talking: Session | None = None

    def _on_event(self, event: Event, now: float) -> None:
        if isinstance(event, Invited):
            self.talking = event.session
            event.session.ring(now, 180)
            event.session.answer(now, self.sdp)
        self.events.append(event)
        self.bell.ring()


@dataclass(frozen=True, slots=True)
class Desk:
    """The phone as a test sees it, from its own thread."""

    phone: DeskPhone
    far: FarEnd
    _loop: asyncio.AbstractEventLoop

    def call(self, number: str) -> None:
        """Ring another phone."""
        asyncio.run_coroutine_threadsafe(self._call(number), self._loop).result(SECONDS)

    async def _call(self, number: str) -> None:
        self.phone.talking = self.phone.call(number)

    def hang_up(self) -> None:
        """End the call that it took or made."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(SECONDS)

    async def _hang_up(self) -> None:
        if self.phone.talking is not None:
            self.phone.hang_up(self.phone.talking)

    @staticmethod
    def until(condition: Callable[[], bool], what: str) -> None:
        """Wait for something at the far end. Raises AssertionError."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, what
            time.sleep(0.02)


@contextmanager
def desk_phone(lab: RunningLab, user: str, password: str, number: str) -> Iterator[Desk]:
    """A phone of the deployment, registered."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="desk phone")
    thread.start()
    try:
        desk = asyncio.run_coroutine_threadsafe(_start(lab, user, password, number), loop).result(SECONDS)
        yield Desk(*desk, loop)
        asyncio.run_coroutine_threadsafe(desk[0].node.stop(), loop).result(SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


async def _start(lab: RunningLab, user: str, password: str, number: str) -> tuple[DeskPhone, FarEnd]:
    transport, far = await asyncio.get_running_loop().create_datagram_endpoint(FarEnd, local_addr=("127.0.0.1", 0))
    phone = DeskPhone(lab.ca_file, user, password, number, Bell())
    phone.sdp = SDP.replace(b" 40000 ", b" %d " % transport.get_extra_info("sockname")[1])
    await phone.node.start()
    address, port = lab.endpoint("sip-tls")
    phone.register([("cm1.example.com", address, port)])
    await phone.bell.until(lambda: phone.state == "registered", SECONDS)
    return phone, far
