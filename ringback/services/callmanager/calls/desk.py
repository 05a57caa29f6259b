"""The media that call control asks for, made of legs, relays and players: the only part of it that has sockets."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ringback.media.agreement import protocol_of, secure
from ringback.media.codecs import ALL, Codec, codec_named
from ringback.media.conference import Conference as Mixer
from ringback.media.conference import MixingHub, Seat
from ringback.media.players import Player, Sound, Tone, beep, read_sound, tone
from ringback.media.players.music import music_on_hold
from ringback.media.playout import PlayOutFormats
from ringback.media.transport.dtls import DtlsIdentity
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RtpLeg
from ringback.media.transport.ports import PortRange
from ringback.protocols.rtp.crypto import offer_lines
from ringback.protocols.sdp.description import Description, Origin, SdpError
from ringback.protocols.sdp.formats import Direction, Format
from ringback.protocols.sdp.negotiation import Local, Settled, Stream, answer, offer, settle
from ringback.services.callmanager.calls.leg import HeardKind, Room, Source
from ringback.services.callmanager.calls.media_path import end_of
from ringback.services.callmanager.calls.passing import Passed, pass_answer, pass_offer
from ringback.services.callmanager.calls.relaying import SdpRelay, open_leg
from ringback.services.callmanager.settings import CallSettings

_EVENTS = Format(101, "telephone-event", 8000, fmtp="0-15")
FORMATS: tuple[Format, ...] = (
    Format(111, "opus", 48000, 2, "minptime=10;useinbandfec=1"),
    Format(9, "G722", 8000),
    Format(8, "PCMA", 8000),
    Format(0, "PCMU", 8000),
    _EVENTS,
)
"""What our own sound can be sent as."""
_SPOKEN = frozenset(codec.name.lower() for codec in ALL)

_log = structlog.get_logger("ringback.callmanager.calls")


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an end and our own sound agreed on."""

    leg: RtpLeg
    stream: Stream
    codec: Codec


class Studio:
    """What all sources share: the host of ports, the identity for DTLS, and sounds whose frames are made in threads."""

    def __init__(self, settings: CallSettings, host: MediaHost) -> None:
        self.host = host
        self.identity = DtlsIdentity.generate()
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._sounds: dict[HeardKind, tuple[int, Sound]] = {}
        self._making = threading.Lock()

    def sound(self, kind: HeardKind) -> Sound:
        """The sound of a kind, made once and again where the music's file changed; some 100 ms the first time: not on
        the loop. Raises SoundFileError, OSError."""
        music = self._settings.music if kind == "music" else None
        stamp = 0 if music is None else music.stat().st_mtime_ns
        kept = self._sounds.get(kind)
        if kept is None or kept[0] != stamp:
            kept = self._sounds[kind] = (stamp, self._made(kind))
        return kept[1]

    def _made(self, kind: HeardKind) -> Sound:
        if kind == "confirmation":
            return beep()
        if kind == "ringback":
            return tone(Tone.RINGBACK, self._settings.tone_country)
        if self._settings.music is not None:
            return read_sound(self._settings.music, repeat=True)
        return music_on_hold()

    def play(self, kind: HeardKind, agreed: Agreed, started: Callable[[Player], None]) -> None:
        """Make the frames in a thread, then play; ``started`` is called on the loop unless the leg was closed."""
        task = asyncio.get_running_loop().create_task(self._play(kind, agreed, started), name=f"play {kind}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, kind: HeardKind, agreed: Agreed, started: Callable[[Player], None]) -> None:
        stream = agreed.stream
        try:
            sound = await asyncio.to_thread(self._ready, kind, agreed.codec, stream.ptime)
        except (OSError, ValueError) as error:
            _log.warning("sound missing", kind=kind, why=str(error))
            return
        if not agreed.leg.closed:
            number = stream.format.payload_type
            started(Player(self.host, agreed.leg, sound, agreed.codec, number, ptime=stream.ptime))

    def _ready(self, kind: HeardKind, codec: Codec, ptime: int) -> Sound:
        with self._making:  # two who are held at once wait for one encoder
            sound = self.sound(kind)
            sound.frames(codec, ptime)
        return sound

    async def close(self) -> None:
        """Stop what is being prepared."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class OwnSound:
    """Our side of one audio stream: negotiates, opens the leg, and starts what is heard (``Source``)."""

    direction = Direction.BOTH

    def __init__(self, studio: Studio, keying: str) -> None:
        self.studio = studio
        self._keying = keying
        self._leg: RtpLeg | None = None
        self._locals: tuple[Local, ...] = ()
        self._passed: Passed | None = None
        self._offered: Description | None = None
        self._agreed: Agreed | None = None
        self.closed = False

    def offer(self, before: Description | None) -> Description:
        """See ``leg.Source``."""
        local = self._local(self._keying, offering=True)
        origin = Origin(str(secrets.randbits(40)), 1, self._address())
        own = offer(origin, self._address(), [local])
        self._locals = (local,)
        self._passed = pass_offer(own, before)
        self._offered = own
        return self._passed.description

    def answer(self, offered: Description, before: Description | None) -> Description:
        """See ``leg.Source``."""
        keying = end_of(offered).keying
        local = self._local(keying, offering=False)
        origin = Origin(str(secrets.randbits(40)), 1, self._address())
        settled = answer(offered, origin, self._address(), [local])
        self._agree(settled)
        return pass_answer(settled.description, before)

    def settle(self, answered: Description) -> None:
        """See ``leg.Source``."""
        passed, offered = self._passed, self._offered
        if passed is None or offered is None:
            raise SdpError("An answer without an offer")
        self._agree(settle(offered, passed.back(answered, offered), self._locals))

    def close(self) -> None:
        """See ``leg.Source``."""
        if self.closed:
            return
        self.closed = True
        self.stop()
        if self._leg is not None:
            self._leg.close()

    def start(self, agreed: Agreed) -> None:
        """What to play or hear, once it is agreed how; again after each new agreement."""

    def stop(self) -> None:
        """Play and hear no more."""

    def _address(self) -> str:
        return self._leg.address if self._leg is not None else self.studio.host.pool.address

    def _local(self, keying: str, *, offering: bool) -> Local:
        leg = self._leg
        if leg is not None and leg.settings.protocol != protocol_of(keying):
            self.stop()
            leg.close()
            leg = None
        if leg is None:
            leg = open_leg(self.studio.host, LegSettings(protocol=protocol_of(keying), event_type=_EVENTS.payload_type))
            self._leg = leg
        crypto = self._crypto() if keying == "sdes" else ()
        return Local(
            "audio",
            leg.port,
            FORMATS,
            self.direction,
            encryption="required" if keying != "none" else "never",
            crypto=crypto,
            fingerprint=str(self.studio.identity.fingerprint) if keying == "dtls" else "",
            rtcp_mux=not offering or keying == "dtls",
        )

    def _crypto(self) -> tuple[str, ...]:
        if self._locals and self._locals[0].crypto:
            return self._locals[0].crypto
        return tuple(str(line) for line in offer_lines())

    def _agree(self, settled: Settled) -> None:
        stream, leg = settled.stream("audio"), self._leg
        if stream is None or leg is None:
            raise SdpError("The end took no audio codec of ours")
        secure(leg, stream, self.studio.identity)
        before, self._agreed = self._agreed, Agreed(leg, stream, codec_named(stream.format.name))
        leg.sending = stream.direction.sends
        leg.event_type = stream.events
        if before is None or before.stream.format != stream.format:
            self.stop()
            self.start(self._agreed)


class Played(OwnSound):
    """Music or a tone for one end, which sees by the direction that nobody listens to it meanwhile: it is held."""

    direction = Direction.SEND

    def __init__(self, studio: Studio, kind: HeardKind, keying: str) -> None:
        super().__init__(studio, keying)
        self._kind = kind
        self._player: Player | None = None
        self._turn = 0

    def start(self, agreed: Agreed) -> None:
        """See ``OwnSound``."""
        self._turn += 1
        turn = self._turn

        def started(player: Player) -> None:
            if self.closed or turn != self._turn:
                player.stop()
            else:
                self._player = player

        self.studio.play(self._kind, agreed, started)

    def stop(self) -> None:
        """See ``OwnSound``."""
        self._turn += 1
        player, self._player = self._player, None
        if player is not None:
            player.stop()


class Place(OwnSound):
    """A place in a conference."""

    def __init__(self, studio: Studio, keying: str, mixer: Mixer) -> None:
        super().__init__(studio, keying)
        self._mixer = mixer
        self._seat: Seat | None = None

    def start(self, agreed: Agreed) -> None:
        """See ``OwnSound``."""
        codecs = {
            one.payload_type: codec_named(one.name) for one in agreed.stream.received if one.name.lower() in _SPOKEN
        }
        formats = PlayOutFormats(codecs)
        self._seat = self._mixer.join(agreed.leg, formats, agreed.codec, agreed.stream.format.payload_type)

    def stop(self) -> None:
        """See ``OwnSound``."""
        seat, self._seat = self._seat, None
        if seat is not None:
            self._mixer.leave(seat)


class MixedRoom:
    """A conference's mixer (``conferences.Hall``)."""

    def __init__(self, studio: Studio, hub: MixingHub, number: int) -> None:
        self._studio = studio
        self._hub = hub
        self._number = number
        self._mixer = hub.open()

    @property
    def number(self) -> int:
        """See ``leg.Room``."""
        return self._number

    def place(self, leg: int, keying: str) -> Place:
        """See ``leg.Room``."""
        return Place(self._studio, keying, self._mixer)

    def close(self) -> None:
        """See ``conferences.Hall``."""
        self._hub.end(self._mixer)


class MediaDesk:
    """``joining.Desk`` with real media. Make it on the running loop; ``close`` it there."""

    def __init__(self, settings: CallSettings, address: str) -> None:
        first, last = settings.media_ports
        self.host = MediaHost(address, PortRange(first, last))
        self.studio = Studio(settings, self.host)
        self._hub: MixingHub | None = None

    @property
    def address(self) -> str:
        """See ``joining.Desk``."""
        return self.host.pool.address

    def source(self, kind: HeardKind, room: Room | None, leg: int, keying: str) -> Source:
        """See ``joining.Desk``."""
        if kind == "room":
            if room is None:
                raise SdpError("A place in no room")
            return room.place(leg, keying)
        return Played(self.studio, kind, keying)

    def relay(self) -> SdpRelay:
        """See ``joining.Desk``."""
        return SdpRelay(self.host, self.studio.identity)

    def room(self, number: int) -> MixedRoom:
        """See ``conferences.Halls``."""
        if self._hub is None:
            self._hub = MixingHub(self.host)
        return MixedRoom(self.studio, self._hub, number)

    async def close(self) -> None:
        """End all media."""
        if self._hub is not None:
            self._hub.close()
        await self.studio.close()
        self.host.close()
