"""A call that the service makes to a phone, on which somebody hears a message or speaks one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ringback.media.players import Sound, beep
from ringback.media.transport.dtls import DtlsIdentity
from ringback.media.transport.host import MediaHost
from ringback.protocols.sdp.description import SdpError
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.events import Accepted, Ended, Failed
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.session import Session
from ringback.services.voicemail.settings import CallManagerPeer, VoicemailSettings
from ringback.services.voicemail.telephone.line import Line
from ringback.services.voicemail.telephone.tape import Taken

_RING_SECONDS: Final = 6.0  # from one ring to the next
_NOT_SO: Final = frozenset({415, 488, 606})

_log = structlog.get_logger("ringback.voicemail.telephone")


@dataclass(frozen=True, slots=True)
class Node:
    """What a call needs of the telephone. ``began`` is told of each session, ``flush`` sends."""

    agent: Agent
    host: MediaHost
    identity: DtlsIdentity
    settings: VoicemailSettings
    began: Callable[[Session, PhoneCall], None]
    flush: Callable[[], None]


class PhoneCall:
    """One call. Sound goes encrypted where the phone takes it so, else in clear."""

    def __init__(self, node: Node, peer: CallManagerPeer, number: str, rings: int) -> None:
        self._node = node
        self._peer = peer
        self._number = number
        self._rings = rings
        self._line: Line | None = None
        self._session: Session | None = None
        self._encrypted = True
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._sound: Sound | None = None
        self._base = 0.0
        self._paused = False
        self.connected = False
        self.over = False

    def begin(self) -> None:
        """Let it ring. Raises OSError."""
        settings, node = self._node.settings, self._node
        self._line = Line(
            node.host, node.identity, lambda _: None, lambda: None, longest=settings.longest_seconds, law=settings.law
        )
        peer = self._peer
        session = node.agent.invite(
            time.monotonic(),
            f"sip:{self._number}@{peer.host}",
            Target("tls", peer.address, peer.port, peer.host),
            from_=f'"Voicemail" <sip:{settings.pilot or "voicemail"}@{settings.node}>',
            sdp=self._line.offer(encrypted=self._encrypted),
        )
        self._session = session
        node.began(session, self)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._rings * _RING_SECONDS, self._nobody_came)
        node.flush()

    def told(self, event: Accepted | Failed | Ended) -> None:
        """How it goes."""
        if event.session is not self._session:
            return
        match event:
            case Accepted(_, _, sdp) if sdp is not None and self._line is not None:
                self._stop_timer()
                try:
                    self._line.settle(sdp)
                    self.connected = True
                except SdpError as error:
                    _log.warning("telephone.phone_not_heard", why=str(error))
                    self.hang_up()
            case Failed(_, status) if status in _NOT_SO and self._encrypted:
                self._encrypted = False
                self._let_go()
                self.begin()
            case _:
                self._finish()

    def play(self, sound: Sound, start: float = 0.0) -> None:
        """Play from a moment (seconds) on."""
        if self._line is not None:
            self._sound, self._base, self._paused = sound, start, False
            rest = Sound(sound.rate, sound.pcm[int(start * sound.rate) :])
            self._line.stop_recording()
            self._line.say([rest], self._played)

    def record(self) -> None:
        """Record after the tone."""
        if self._line is not None:
            self._sound = None
            self._line.drop()
            self._line.say([beep()], self._line.record)

    def pause(self) -> None:
        """Play no further for now."""
        if self._line is not None and self._sound is not None and not self._paused:
            self._base += self._line.position
            self._paused = True
            self._line.hush()

    def resume(self) -> None:
        """Play on."""
        if self._sound is not None and self._paused:
            self.play(self._sound, self._base)

    async def stop(self) -> Taken | None:
        """Play and record no more; what was recorded since the last time, if anything was."""
        line = self._line
        if line is None:
            return None
        line.hush()
        line.stop_recording()
        self._sound = None
        if not line.recorded:
            return None
        taken = await asyncio.to_thread(line.taken)
        line.drop()
        return taken

    @property
    def sounding(self) -> bool:
        """Whether something is played."""
        return self._sound is not None and not self._paused

    def hang_up(self) -> None:
        """End it. Again does nothing."""
        if self._session is not None and not self.over:
            self._session.end(time.monotonic())
            self._node.flush()
        self._finish()

    async def close(self) -> None:
        """End it, and wait until all is let go."""
        self.hang_up()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _played(self) -> None:
        self._sound = None

    def _nobody_came(self) -> None:
        self._timer = None
        self.hang_up()

    def _finish(self) -> None:
        self.over, self.connected = True, False
        self._stop_timer()
        self._let_go()

    def _let_go(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            task = asyncio.get_running_loop().create_task(line.close(), name="phone line ends")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
