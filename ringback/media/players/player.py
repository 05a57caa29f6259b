"""Plays a sound into a leg: a frame every packet time, as a stream of its own that takes over without a break."""

from __future__ import annotations

from collections.abc import Callable

from ringback.media.codecs import Codec
from ringback.media.players.sound import Sound
from ringback.media.transport.errors import NotConnectedError
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RtpLeg

_LATE = 5  # frames; after a longer stall of the machine the rest is played later, not at once


class Player:
    """Plays until the sound ends or `stop`; then ``on_end`` is called, once, with whether the sound was played whole.

    To be made and used on the loop. The frames of long sounds are encoded before the first one is sent: use
    ``sound.frames(codec)`` in a thread beforehand where that may take long.
    """

    def __init__(
        self,
        host: MediaHost,
        leg: RtpLeg,
        sound: Sound,
        codec: Codec,
        payload_type: int,
        *,
        ptime: int = 20,
        on_end: Callable[[bool], None] | None = None,
    ) -> None:
        self._host = host
        self._leg = leg
        self._frames = sound.frames(codec, ptime)
        self._repeat = sound.repeat
        self._payload_type = payload_type
        self._step = codec.clock * ptime // 1000
        self._ptime = ptime / 1000
        self._stream = leg.stream()
        self._on_end = on_end
        self._next = 0
        self._ended = False
        self._due = host.time()
        host.ticker.add(self._tick)

    @property
    def position(self) -> float:
        """Seconds played."""
        return self._next * self._ptime

    def stop(self) -> None:
        """Stop now. Stopping again does nothing."""
        self._end(whole=False)

    def _tick(self, now: float) -> None:
        if self._leg.closed:
            self._end(whole=False)
            return
        self._due = max(self._due, now - _LATE * self._ptime)
        while self._due <= now and not self._ended:
            if self._next >= len(self._frames) and not self._repeat:
                self._end(whole=True)
                return
            self._send(self._frames[self._next % len(self._frames)])
            self._next += 1
            self._due += self._ptime

    def _send(self, payload: bytes) -> None:
        try:
            if payload:
                self._stream.send(payload, self._payload_type, self._next * self._step, marker=not self._next)
        except NotConnectedError:
            self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        if self._ended:
            return
        self._ended = True
        self._host.ticker.remove(self._tick)
        if self._on_end is not None:
            self._on_end(whole)
