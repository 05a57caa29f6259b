"""Callers who leave voice messages, many at a time in one process: SIP from our agent, sound by a beat of their own.

They speak to a voicemail node alone, in clear, as a call manager hands calls to it: the Diversion names whose
mailbox it is. Keys are pressed by INFO, so that a greeting can be cut short.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ringback.media.codecs.g711 import decoding_table, encoding_table
from ringback.net.sip.node import Listen, SipNode
from ringback.protocols.sdp.description import Description
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.events import Accepted, Ended, Event, Failed
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings

FRAME: Final = 160
_HEADER = struct.Struct("!BBHII")
_SECONDS: Final = 30.0
_BEEP: Final = 1000.0


def tone(frequency: float) -> list[bytes]:
    """A second of a tone as frames of mu-law, which can follow itself without a click for whole frequencies."""
    pcm = (np.sin(2 * np.pi * frequency * np.arange(8000) / 8000) * 9000).astype(np.int16)
    codes = encoding_table("mu")[pcm.view(np.uint16)].tobytes()
    return [codes[at : at + FRAME] for at in range(0, len(codes), FRAME)]


@dataclass
class Caller:
    """One call. ``spoken``: seconds of sound sent; ``told``: the service said good-bye by itself."""

    callers: Callers
    session: Session
    sound: socket.socket
    frames: list[bytes]
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    beeped: asyncio.Event = field(default_factory=asyncio.Event)
    target: tuple[str, int] | None = None
    speaking: bool = False
    spoken: float = 0.0
    told: bool = False
    failed: int = 0
    sent: int = 0
    _heard: bytearray = field(default_factory=bytearray)

    async def until_answered(self) -> None:
        async with asyncio.timeout(_SECONDS):
            await self.answered.wait()

    async def until_over(self) -> None:
        async with asyncio.timeout(_SECONDS):
            await self.over.wait()

    def press(self, key: str) -> None:
        """Press a key."""
        if not self.over.is_set():
            body = f"Signal={key}\r\nDuration=160\r\n".encode()
            self.session.info(time.monotonic(), "application/dtmf-relay", body)
            self.callers.flush()

    async def skip_greeting(self) -> None:
        """Press pound and wait for the tone."""
        await self.until_answered()
        self.press("#")
        async with asyncio.timeout(_SECONDS):
            await self.beeped.wait()

    async def speak(self, seconds: float) -> None:
        """Send sound for so long, and go on until ``speaking`` is False."""
        self.speaking = True
        end = self.spoken + seconds
        async with asyncio.timeout(_SECONDS + seconds):
            while self.spoken < end and not self.over.is_set():
                await self.callers.beat()

    def hang_up(self) -> None:
        """End the call."""
        self.speaking = False
        if not self.over.is_set():
            self.session.end(time.monotonic())
            self.callers.flush()

    def tick(self) -> None:
        """A packet of sound, and a look at what came."""
        if self.target is None:
            return
        payload = self.frames[self.sent % len(self.frames)] if self.speaking else b"\xff" * FRAME
        head = _HEADER.pack(0x80, 0, self.sent & 0xFFFF, self.sent * FRAME & 0xFFFFFFFF, id(self) & 0xFFFFFFFF)
        self.sound.sendto(head + payload, self.target)
        self.sent += 1
        if self.speaking:
            self.spoken += 0.02
        self._listen()

    def _listen(self) -> None:
        while True:
            try:
                packet = self.sound.recv(2048)
            except BlockingIOError:
                break
            if not self.beeped.is_set():
                self._heard += packet[12:]
        if len(self._heard) >= 800 and not self.beeped.is_set():
            pcm = decoding_table("mu")[np.frombuffer(bytes(self._heard[-800:]), np.uint8)].astype(float)
            del self._heard[:-800]
            spectrum = np.abs(np.fft.rfft(pcm * np.hanning(800)))
            loudest = int(spectrum.argmax()) * 10
            share = spectrum.max() ** 2 / max(1.0, float((spectrum**2).sum()))
            if abs(loudest - _BEEP) < 11 and share > 0.4:
                self.beeped.set()


class Callers:
    """The process of the callers."""

    def __init__(self, port: int, node: str = "vm.alone.example") -> None:
        self._port = port
        self._host = node
        self._agent = Agent(AgentSettings(product="callers", addresses={"udp": ("127.0.0.1", 0)}, max_sessions=5000))
        self._node = SipNode(self._agent, self._on_event, listen=(Listen("udp", "127.0.0.1", 0),))
        self._calls: dict[Session, Caller] = {}
        self._beat = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._numbers: Iterator[int] = itertools.count()

    def flush(self) -> None:
        self._node.flush()

    async def beat(self) -> None:
        """Wait for the next 20 ms."""
        await self._beat.wait()

    def call(self, mailbox: str, frames: list[bytes], *, reason: str = "no-answer", listens: bool = True) -> Caller:
        """A call that was diverted from a mailbox's owner. ``listens`` False: what is said to it is not looked at."""
        sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sound.bind(("127.0.0.1", 0))
        sound.setblocking(False)
        number = 8000 + next(self._numbers) % 1000
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {sound.getsockname()[1]} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\n"
        )
        session = self._agent.invite(
            time.monotonic(),
            f"sip:2999@{self._host}",
            Target("udp", "127.0.0.1", self._port),
            from_=f"<sip:{number}@callers.example>",
            sdp=sdp.encode(),
            headers=(("Diversion", f"<sip:{mailbox}@callers.example>;reason={reason}"),) if mailbox else (),
        )
        caller = self._calls[session] = Caller(self, session, sound, frames)
        if not listens:
            caller.beeped.set()
        self._node.flush()
        return caller

    async def start(self) -> None:
        await self._node.start()
        self._task = asyncio.create_task(self._keep_beating())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._node.stop()
        for caller in self._calls.values():
            caller.sound.close()

    async def _keep_beating(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for caller in list(self._calls.values()):
                caller.tick()
            self._beat.set()
            self._beat = asyncio.Event()
            due = max(due + 0.02, loop.time() - 0.1)
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _on_event(self, event: Event, now: float) -> None:
        caller = self._calls.get(getattr(event, "session", None))  # type: ignore[arg-type]
        if caller is None:
            return
        match event:
            case Accepted(_, _, sdp) if sdp is not None:
                media = Description.parse(sdp).first("audio")
                if media is not None:
                    caller.target = ("127.0.0.1", media.port)
                caller.answered.set()
            case Failed(_, status):
                caller.failed = status
                self._end(caller)
            case Ended(_, by):
                caller.told = by == "them"
                self._end(caller)

    def _end(self, caller: Caller) -> None:
        del self._calls[caller.session]
        caller.answered.set()
        caller.over.set()
        caller.sound.close()
        caller.target = None


@asynccontextmanager
async def callers(port: int, **more: Any) -> AsyncIterator[Callers]:
    """Callers of a node, as long as the block lasts."""
    all_of_them = Callers(port, **more)
    await all_of_them.start()
    try:
        yield all_of_them
    finally:
        await all_of_them.stop()
