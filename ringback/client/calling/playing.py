"""A program at our end of a call: it plays a sound and records what is heard."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from ringback.media.codecs.base import CodecError
from ringback.media.codecs.table import codec_named
from ringback.media.players.player import Player
from ringback.media.players.recorder import Recorder
from ringback.media.players.sound import Sound
from ringback.media.playout import PlayOutFormats
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sdp.negotiation import Stream

RECORDING_RATE = 16_000  # Hz

log = structlog.get_logger(__name__)


class PlayAndRecord:
    """Plays ``sound`` from the moment the call is answered, and records to ``record`` where that is given.

    ``played`` is set when the sound was played whole. ``failure``: why the recording could not be written.
    """

    def __init__(self, host: MediaHost, sound: Sound | None, record: Path | None) -> None:
        self._host = host
        self._sound = sound
        self._record = record
        self.failure: OSError | None = None
        self._leg: RtpLeg | None = None
        self._player: Player | None = None
        self._recorder: Recorder | None = None
        self._agreed: Stream | None = None
        self._beginning = False
        self._moved = False
        self.played = asyncio.Event()

    @property
    def seconds(self) -> float:
        """How much was recorded."""
        return self._recorder.seconds if self._recorder is not None else 0.0

    def open(self, leg: RtpLeg) -> None:
        """The leg to the other side is there; another one after the network changed."""
        self._leg = leg
        self._moved = self._player is not None

    def settle(self, agreed: Stream) -> None:
        """Codecs were agreed: play with the new one from now on."""
        changed = self._agreed is None or self._agreed.format != agreed.format or self._moved
        self._agreed, self._moved = agreed, False
        if self._beginning and changed:
            self._begin_recording(agreed)
            self._begin_playing()

    def begin(self) -> None:
        """The call is answered; where codecs are agreed later (delayed offer), sound begins then."""
        self._beginning = True
        if self._agreed is not None:
            self._begin_recording(self._agreed)
            self._begin_playing()

    def _begin_recording(self, agreed: Stream) -> None:
        if self._recorder is not None:
            self._recorder.set_formats(_formats(agreed))
            return
        if self._record is None:
            return
        try:
            self._recorder = Recorder(self._host, self._record, _formats(agreed), rate=RECORDING_RATE)
        except OSError as error:
            self._failed(error)

    def _begin_playing(self) -> None:
        if self._player is not None:
            self._player.stop()
            self._player = None
        agreed, leg = self._agreed, self._leg
        if self._sound is None or agreed is None or leg is None:
            self.played.set()
            return
        try:
            codec = codec_named(agreed.format.name, agreed.format.clock)
        except CodecError as error:
            log.warning("calling.cannot_play", why=str(error))
            self.played.set()
            return
        kind = agreed.format.payload_type
        self._player = Player(self._host, leg, self._sound, codec, kind, on_end=lambda _whole: self.played.set())

    def take(self, packet: RtpPacket, now: float) -> None:
        """A packet of the other side."""
        if self._recorder is not None:
            self._recorder.push(packet, now)

    async def close(self) -> None:
        """Stop, and complete the recording."""
        if self._player is not None:
            self._player.stop()
            self._player = None
        if self._recorder is not None:
            try:
                await self._recorder.stop()
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        log.warning("calling.not_recorded", why=str(error))
        self.failure = error


def _formats(agreed: Stream) -> PlayOutFormats:
    """What the payload types of a stream mean; those that are no sound we know are left out."""
    codecs, red, noise = {}, set(), set()
    for one in agreed.received:
        name = one.name.lower()
        if name == "red":
            red.add(one.payload_type)
        elif name == "cn":
            noise.add(one.payload_type)
        elif name != "telephone-event":
            try:
                codecs[one.payload_type] = codec_named(one.name, one.clock)
            except CodecError:
                continue
    return PlayOutFormats(codecs, frozenset(red), frozenset(noise))
