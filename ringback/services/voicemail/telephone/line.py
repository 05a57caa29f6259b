"""The sound of one call: what is said to the caller, what is recorded of them, the keys that they press.

Everything is called on the loop. Sounds are encoded in a thread before they are played.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import structlog

from ringback.media.agreement import protocol_of, secure
from ringback.media.codecs import Codec, Pcm, available, codec_named
from ringback.media.codecs.g711 import decoding_table
from ringback.media.players import Player, Sound
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
from ringback.protocols.sdp.negotiation import Local, Stream, answer, offer, settle
from ringback.services.voicemail.telephone.keys_heard import KeysHeard
from ringback.services.voicemail.telephone.tape import G711, RATE, Law, Taken, Tape

WARNING: Final = 15.0
"""Seconds before the longest time is over at which the caller is told."""
_LOOK: Final = 0.5  # seconds
_EVENTS: Final = Format(101, "telephone-event", 8000, fmtp="0-15")
_SPOKEN: Final = frozenset(codec.name.lower() for codec in available())
# mu-law first: it is kept as it comes. Calls in G.729 are taken where the system has a library for it.
_FORMATS: Final = (
    Format(0, "PCMU", 8000),
    Format(8, "PCMA", 8000),
    Format(9, "G722", 8000),
    Format(111, "opus", 48000, 2, "minptime=10;useinbandfec=1"),
    *([Format(18, "G729", 8000, fmtp="annexb=no")] if "g729" in _SPOKEN else []),
    _EVENTS,
)
_FRAME: Final = 0.02  # seconds
_SHARED: Final = 20.0  # seconds; longer sounds are people's, heard in one call
_encoding: Final = threading.Lock()

_log = structlog.get_logger("ringback.voicemail.telephone")


class Line:
    """One call's audio. ``on_key`` and ``on_recorded`` are called when a key is pressed and when a recording ended by
    itself (silence, or its longest time), ``on_warning`` shortly before the longest time is over."""

    def __init__(
        self,
        host: MediaHost,
        identity: DtlsIdentity,
        on_key: Callable[[str], None],
        on_recorded: Callable[[], None],
        *,
        longest: float,
        silence: float = 6.0,
        law: Law | None = "mu",
        on_warning: Callable[[], None] | None = None,
    ) -> None:
        """``longest``: seconds of a recording; ``silence``: after how much of it one ends; ``law``: how it is kept."""
        self._host = host
        self._identity = identity
        self._on_key = on_key
        self._on_recorded = on_recorded
        self._on_warning = on_warning
        self._longest = longest
        self._silence = silence
        self._law_kept = law
        self._leg: RtpLeg | None = None
        self._stream: Stream | None = None
        self._codec: Codec | None = None
        self._playout: PlayOut | None = None
        self._player: Player | None = None
        self._saying: asyncio.Task[None] | None = None
        self._tape = Tape(longest)
        self._laws: dict[int, Law] = {}
        self._ear: KeysHeard | None = None
        self._due = 0.0
        self._recording = False
        self._looking: asyncio.TimerHandle | None = None
        self._warned = False
        self._offered: tuple[Description, Local] | None = None
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
        self._agree(self._leg, stream)
        return settled.description.encode()

    def offer(self, *, encrypted: bool) -> bytes:
        """What we would like, for a call that we make. Raises OSError."""
        local = self._local("sdes" if encrypted else "none")
        description = offer(Origin(str(secrets.randbits(40)), 1, self._address), self._address, [local])
        self._offered = (description, local)
        return description.encode()

    def settle(self, answered: bytes) -> None:
        """The answer to our offer came. Raises SdpError."""
        if self._offered is None or self._leg is None:
            raise SdpError("Nothing was offered")
        description, local = self._offered
        stream = settle(description, Description.parse(answered), [local]).stream("audio")
        if stream is None:
            raise SdpError("The phone takes no sound")
        self._agree(self._leg, stream)

    def _agree(self, leg: RtpLeg, stream: Stream) -> None:
        secure(leg, stream, self._identity)
        leg.sending = stream.direction.sends
        leg.event_type = stream.events
        self._stream, self._codec = stream, codec_named(stream.format.name)
        if stream.events is not None:
            self._ear = None
        elif self._ear is None:
            self._ear = KeysHeard()
        self._laws = {one.payload_type: G711[one.name.lower()] for one in stream.received if one.name.lower() in G711}
        others = {
            one.payload_type: codec_named(one.name)
            for one in stream.received
            if one.name.lower() in _SPOKEN and one.payload_type not in self._laws
        }
        if stream.format.payload_type in self._laws or not others:
            if self._playout is not None:
                self._host.ticker.remove(self._tick)
                self._playout, self._due = None, 0.0
            return
        if self._playout is None:
            self._playout = PlayOut(PlayOutFormats(others), PlayOutSettings(rate=RATE))
            self._host.ticker.add(self._tick)
        else:
            self._playout.set_formats(PlayOutFormats(others))

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

    @property
    def position(self) -> float:
        """Seconds of the present sound that were played."""
        return self._player.position if self._player is not None else 0.0

    def record(self) -> None:
        """Begin to keep what the caller says."""
        self._tape = Tape(self._longest)
        self._tape.wait_from(self._host.time())
        self._recording, self._warned = True, False
        if self._leg is not None and self._playout is None:
            self._leg.read_at_beats(wanted=True)
        self._look_later()

    def stop_recording(self) -> None:
        """Keep no more; what was recorded stays until ``drop``."""
        if self._recording and self._leg is not None and self._playout is None and not self._leg.closed:
            self._leg.read_at_beats(wanted=False)
        self._recording = False
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._tape.look(self._host.time())

    @property
    def recorded(self) -> float:
        """Seconds recorded, trailing silence left out."""
        return self._tape.seconds

    @property
    def full(self) -> bool:
        """Whether the recording has its longest time."""
        return self._tape.full

    def taken(self) -> Taken:
        """What was recorded, as a file. Computes some milliseconds."""
        return self._tape.taken(self._law_kept)

    def sound(self) -> Sound:
        """What was recorded, to be played."""
        return Sound(RATE, self._tape.pcm())

    def drop(self) -> None:
        """Forget what was recorded."""
        self.stop_recording()
        self._tape = Tape(self._longest)

    async def close(self) -> None:
        """End the sound."""
        if self.closed:
            return
        self.closed = True
        self.stop_recording()
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
            await asyncio.to_thread(_encode, sound, codec, stream.ptime)
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
        law = self._laws.get(packet.payload_type)
        if law is not None and self._playout is None:
            if self._recording:
                self._tape.push(packet, law, now)
            if self._ear is not None:
                self._listen(decoding_table(law)[np.frombuffer(packet.payload, np.uint8)])
            return
        if self._playout is not None:
            if not self._due:
                self._due = now
            self._playout.push(packet, now)

    def _listen(self, pcm: Pcm) -> None:
        for key in self._ear.feed(pcm) if self._ear is not None else "":
            self._on_key(key)

    def _happened(self, event: LegEvent) -> None:
        if isinstance(event, DigitPressed):
            self._on_key(event.digit)

    def _tick(self, now: float) -> None:
        while self._playout is not None and self._due and self._due <= now:
            frame = self._playout.pull(self._due)
            self._due += _FRAME
            if self._recording:
                self._tape.add(frame, now)
            self._listen(frame)

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def _look(self) -> None:
        """Twice a second: is the caller still speaking, is there still room."""
        self._looking = None
        if not self._recording:
            return
        if self._tape.look(self._host.time()) >= self._silence or self._tape.full:
            self.stop_recording()
            self._on_recorded()
            return
        left = self._longest - self._tape.length
        if left <= WARNING and self._longest > 2 * WARNING and not self._warned:
            self._warned = True
            if self._on_warning is not None:
                self._on_warning()
        self._look_later()


def _encode(sound: Sound, codec: Codec, ptime: int) -> None:
    """Make the frames of a sound. Where many calls begin at once, one encodes the words of the house for all."""
    if sound.seconds > _SHARED:
        sound.frames(codec, ptime)
        return
    with _encoding:
        sound.frames(codec, ptime)


def _keying(section: MediaSection) -> str:
    if "TLS" in section.proto.upper():
        return "dtls"
    return "sdes" if section.value("crypto") is not None else "none"
