"""The sound of one call: what is said to the caller, what is recorded of them, the keys that they press.

Everything is called on the loop. Sounds are encoded in a thread before they are played.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog

from ringback.media.agreement import protocol_of, secure
from ringback.media.codecs import ALL, Codec, Pcm, codec_named
from ringback.media.players import Player, Sound
from ringback.media.players.recorder import wav
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.media.transport.dtls import DtlsIdentity
from ringback.media.transport.errors import TransportError
from ringback.media.transport.events import DigitPressed, LegEvent
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RtpLeg
from ringback.protocols.rtp.crypto import offer_lines
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sdp.description import Description, MediaSection, Origin, SdpError
from ringback.protocols.sdp.formats import Format
from ringback.protocols.sdp.negotiation import Local, Stream, answer

RATE: Final = 8000
"""Of what is recorded, Hz: messages are kept as G.711."""
_EVENTS: Final = Format(101, "telephone-event", 8000, fmtp="0-15")
_FORMATS: Final = (
    Format(9, "G722", 8000),
    Format(8, "PCMA", 8000),
    Format(0, "PCMU", 8000),
    Format(111, "opus", 48000, 2, "minptime=10;useinbandfec=1"),
    _EVENTS,
)
_SPOKEN: Final = frozenset(codec.name.lower() for codec in ALL)
_FRAME: Final = 0.02  # seconds
_QUIET: Final = 150.0  # root mean square of 16-bit samples below which nobody speaks: about -47 dBFS

_log = structlog.get_logger("ringback.voicemail.telephone")


@dataclass(frozen=True, slots=True)
class Taken:
    """What was recorded: a WAV file in mu-law, and its length in seconds."""

    wav: bytes
    seconds: float


class Line:
    """One call's audio. ``on_key`` and ``on_recorded`` are called when a key is pressed and when a recording ended by
    itself (silence, or its longest time)."""

    def __init__(
        self,
        host: MediaHost,
        identity: DtlsIdentity,
        on_key: Callable[[str], None],
        on_recorded: Callable[[], None],
        *,
        longest: float,
        silence: float = 6.0,
    ) -> None:
        """``longest``: seconds of a recording; ``silence``: after how much of it one ends."""
        self._host = host
        self._identity = identity
        self._on_key = on_key
        self._on_recorded = on_recorded
        self._longest = longest
        self._silence = silence
        self._leg: RtpLeg | None = None
        self._stream: Stream | None = None
        self._codec: Codec | None = None
        self._playout: PlayOut | None = None
        self._player: Player | None = None
        self._saying: asyncio.Task[None] | None = None
        self._frames: list[Pcm] = []
        self._due = 0.0
        self._quiet_for = 0.0
        self._recording = False
        self.closed = False

    def answer(self, offered: bytes) -> bytes:
        """Our answer to the call's description; again for each new one. Raises SdpError, OSError."""
        description = Description.parse(offered)
        section = description.first("audio")
        keying = _keying(section) if section is not None else "none"
        local = self._local(keying)
        settled = answer(description, Origin(str(secrets.randbits(40)), 1, self._address), self._address, [local])
        stream = settled.stream("audio")
        if stream is None or self._leg is None:
            raise SdpError("The caller speaks no codec of ours")
        secure(self._leg, stream, self._identity)
        self._leg.sending = stream.direction.sends
        self._leg.event_type = stream.events
        self._stream, self._codec = stream, codec_named(stream.format.name)
        formats = PlayOutFormats(
            {one.payload_type: codec_named(one.name) for one in stream.received if one.name.lower() in _SPOKEN}
        )
        if self._playout is None:
            self._playout = PlayOut(formats, PlayOutSettings(rate=RATE))
            self._host.ticker.add(self._tick)
        else:
            self._playout.set_formats(formats)
        return settled.description.encode()

    def say(self, sounds: Sequence[Sound], done: Callable[[], None]) -> None:
        """Play sounds one after the other; ``done`` is called once all were played, not where they were stopped."""
        self.hush()
        self._saying = asyncio.get_running_loop().create_task(self._say(tuple(sounds), done), name="say")

    def hush(self) -> None:
        """Say no more."""
        saying, self._saying = self._saying, None
        if saying is not None:
            saying.cancel()
        player, self._player = self._player, None
        if player is not None:
            player.stop()

    def record(self) -> None:
        """Begin to keep what the caller says."""
        self._frames = []
        self._quiet_for = 0.0
        self._recording = True

    def stop_recording(self) -> None:
        """Keep no more; what was recorded stays until ``drop``."""
        self._recording = False

    @property
    def recorded(self) -> float:
        """Seconds recorded, trailing silence left out."""
        return max(0.0, len(self._frames) * _FRAME - (self._quiet_for if self._quiet_for > 1.0 else 0.0))

    def taken(self) -> Taken:
        """What was recorded, as a file. Computes some milliseconds."""
        count = round(self.recorded / _FRAME)
        pcm = np.concatenate(self._frames[:count]) if count else np.zeros(0, np.int16)
        return Taken(wav(pcm, RATE, law="mu"), len(pcm) / RATE)

    def sound(self) -> Sound:
        """What was recorded, to be played."""
        return Sound(RATE, np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16))

    def drop(self) -> None:
        """Forget what was recorded."""
        self._frames = []
        self._recording = False

    async def close(self) -> None:
        """End the sound."""
        if self.closed:
            return
        self.closed = True
        saying = self._saying
        self.hush()
        if saying is not None:
            await asyncio.gather(saying, return_exceptions=True)
        if self._playout is not None:
            self._host.ticker.remove(self._tick)
        if self._leg is not None:
            self._leg.close()

    @property
    def _address(self) -> str:
        return self._leg.address if self._leg is not None else self._host.pool.address

    def _local(self, keying: str) -> Local:
        protocol = protocol_of(keying)
        if self._leg is not None and self._leg.settings.protocol != protocol:
            self.hush()
            self._leg.close()
            self._leg = None
        if self._leg is None:
            try:
                self._leg = self._host.open_leg(LegSettings(protocol=protocol, event_type=_EVENTS.payload_type))
            except TransportError as error:
                raise OSError(str(error)) from error
            self._leg.on_rtp = self._heard
            self._leg.on_event = self._happened
        return Local(
            "audio",
            self._leg.port,
            _FORMATS,
            encryption="required" if keying != "none" else "never",
            crypto=tuple(str(line) for line in offer_lines()) if keying == "sdes" else (),
            fingerprint=str(self._identity.fingerprint) if keying == "dtls" else "",
            rtcp_mux=True,
        )

    async def _say(self, sounds: tuple[Sound, ...], done: Callable[[], None]) -> None:
        for sound in sounds:
            stream, codec, leg = self._stream, self._codec, self._leg
            if stream is None or codec is None or leg is None or leg.closed:
                return
            await asyncio.to_thread(sound.frames, codec, stream.ptime)
            await self._play(leg, stream, codec, sound)
        self._saying = None
        done()

    async def _play(self, leg: RtpLeg, stream: Stream, codec: Codec, sound: Sound) -> None:
        ended = asyncio.Event()
        number, ptime = stream.format.payload_type, stream.ptime
        self._player = Player(self._host, leg, sound, codec, number, ptime=ptime, on_end=lambda _: ended.set())
        await ended.wait()
        self._player = None

    def _heard(self, packet: RtpPacket, now: float) -> None:
        if self._playout is not None:
            if not self._due:
                self._due = now
            self._playout.push(packet, now)

    def _happened(self, event: LegEvent) -> None:
        if isinstance(event, DigitPressed):
            self._on_key(event.digit)

    def _tick(self, now: float) -> None:
        while self._playout is not None and self._due and self._due <= now:
            frame = self._playout.pull(self._due)
            self._due += _FRAME
            if self._recording:
                self._keep(frame)

    def _keep(self, frame: Pcm) -> None:
        self._frames.append(frame)
        loud = float(np.sqrt(np.mean(frame.astype(np.float32) ** 2))) > _QUIET if len(frame) else False
        self._quiet_for = 0.0 if loud else self._quiet_for + _FRAME
        if self._quiet_for >= self._silence or len(self._frames) * _FRAME >= self._longest:
            self._recording = False
            self._on_recorded()


def _keying(section: MediaSection) -> str:
    if "TLS" in section.proto.upper():
        return "dtls"
    return "sdes" if section.value("crypto") is not None else "none"
