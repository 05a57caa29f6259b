"""The media of one call: what is offered and agreed with the other side, the legs to it, and who listens here.

A call has a leg for its sound and, once pictures were wanted by anybody, one for them. Descriptions are made and read
by ``protocols.sdp``; this file only keeps the sections of a call in their order from one offer to the next.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import structlog

from ringback.client.calling.near import NearEnd
from ringback.client.calling.page.leg import Kind, PageLeg
from ringback.client.calling.page.negotiation import (
    G722,
    H264,
    OPUS,
    PAGE_AUDIO,
    PAGE_VIDEO,
    PCMA,
    PCMU,
    VIDEO_FEEDBACK,
    VP8,
    PageWish,
)
from ringback.client.calling.pictures import PictureBridge
from ringback.client.calling.sound import SoundBridge
from ringback.client.host.wire_calls import Leg
from ringback.media.codecs.base import EncoderSettings
from ringback.media.transport import events
from ringback.media.transport.errors import ProtectionError
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RemoteMedia, RtpLeg
from ringback.media.transport.ports import Mark
from ringback.media.transport.protection import Protection
from ringback.protocols.rtp.continuity import Continuity
from ringback.protocols.rtp.crypto import CryptoLine, offer_lines
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.rtcp import Feedback
from ringback.protocols.sdp import Description, Direction, Format, Origin, SdpError
from ringback.protocols.sdp.negotiation import Demand, Local, Settled, Stream, answer, offer, settle
from ringback.rules.reasons import Reason

Video = Literal["none", "sending", "receiving", "both"]
KNOCKS, KNOCK_SECONDS = 25, 0.04  # while a relay has not sent anything yet
KEEP_OPEN_SECONDS = 15.0  # RFC 6263 section 9
LOW_BITRATE = 16_000  # bits a second of Opus in low-bandwidth mode
_LOW_OPUS = replace(OPUS, fmtp=f"{OPUS.fmtp};maxaveragebitrate={LOW_BITRATE};usedtx=1")
_RED = Format(63, "red", 48000, 2, "111/111")
_EVENTS = (
    Format(110, "telephone-event", 48000, fmtp="0-16"),
    Format(101, "telephone-event", 8000, fmtp="0-16"),
)
SOUND = (OPUS, _RED, G722, PCMU, PCMA, *_EVENTS)
PICTURES = (H264, VP8)
_CLOSED = (PCMU,)  # a section without formats can't be written, not even a refused one

log = structlog.get_logger(__name__)


class NoCommonMediaError(Exception):
    """Both sides have no sound in common, or one insists on what the other refuses; ``reasons`` say what."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__("nothing in common")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class MediaProfile:
    """What policy and person say about media. ``pictures`` False refuses video because of ``why_no_pictures``; ``low``:
    as few bits as possible; ``marks``: packets carry the code points for sound and pictures; ``relay``: the
    edge that relays the media and sends nothing before it heard from us, by name; empty: none."""

    encryption: Demand = "best_effort"
    pictures: bool = True
    why_no_pictures: Reason | None = None
    low: bool = False
    marks: bool = True
    relay: str = ""


@dataclass(slots=True)
class _Section:
    """A section of the call's descriptions and the leg behind it; None for a kind that we don't know."""

    kind: str
    leg: RtpLeg | None
    crypto: tuple[CryptoLine, ...] = field(default=(), repr=False)
    agreed: Stream | None = None
    open: bool = True
    kept_open: float = 0.0


class CallMedia:
    """See the head of this module. ``on_event(kind, event)`` gets what the legs tell."""

    def __init__(self, host: MediaHost, profile: MediaProfile, *, picture_rate: int = 0) -> None:
        self.profile = profile
        self.held = False
        self.sends_pictures = False
        self.reasons: tuple[Reason, ...] = ()
        self.on_event: Callable[[Kind, events.LegEvent], None] | None = None
        self.host = host
        self._origin = Origin(str(secrets.randbits(60)), 1, host.pool.address)
        self._sections: list[_Section] = []
        self._offered: tuple[Description, tuple[Local, ...]] | None = None
        self._picture_rate = picture_rate
        self.sound: SoundBridge | None = None
        self.pictures: PictureBridge | None = None
        self.page: PageLeg | None = None
        self._near: NearEnd | None = None
        self.closed = False

    # --- what is agreed

    @property
    def audio(self) -> Stream | None:
        """The agreed sound."""
        return self._agreed("audio")

    @property
    def picture(self) -> Stream | None:
        """The agreed pictures."""
        return self._agreed("video")

    @property
    def video(self) -> Video:
        """Which pictures flow."""
        agreed = self.picture
        if agreed is None or agreed.direction is Direction.NONE:
            return "none"
        if agreed.direction is Direction.BOTH:
            return "both"
        return "sending" if agreed.direction.sends else "receiving"

    @property
    def takes_keys(self) -> bool:
        """Whether telephone events were agreed."""
        return self.audio is not None and self.audio.events is not None

    @property
    def held_by_other(self) -> bool:
        """Whether the other side wants no sound of ours, though we would send."""
        return self.audio is not None and not self.held and not self.audio.direction.sends

    @property
    def encrypted(self) -> bool:
        """Whether all that flows to the other side is protected."""
        flowing = [one for one in self._sections if one.agreed is not None]
        return bool(flowing) and all(one.leg is not None and one.leg.secure for one in flowing)

    def goes_to(self, address: str) -> bool:
        """Whether sound is agreed to go to this address."""
        return self.audio is not None and self.audio.address == address

    def leg(self, kind: Kind) -> RtpLeg | None:
        """The leg of a kind, once there is one."""
        return next((one.leg for one in self._sections if one.kind == kind), None)

    def legs(self, server: str) -> list[Leg]:
        """The parts of the way that end at this engine, between named ends."""
        if self.audio is None:
            return []
        suite = ""
        agreed = self.audio
        if agreed.ours.keying == "sdes":
            suite = agreed.ours.crypto[0].split()[1]
        there = self.profile.relay or server or agreed.address
        rows = [Leg(here="engine", there=there, encrypted=self.encrypted, how=suite)]
        if self.page is not None:
            rows.insert(0, Leg(here="page", there="engine", encrypted=True, how="DTLS-SRTP"))
        return rows

    def _agreed(self, kind: str) -> Stream | None:
        return next((one.agreed for one in self._sections if one.kind == kind and one.agreed is not None), None)

    # --- offers and answers

    def offer(self, *, pictures: bool | None = None) -> bytes:
        """Our next offer; ``pictures`` True or False begins or ends to send them. Raises NoPortError, OSError."""
        if pictures is not None:
            self.sends_pictures = pictures and self.profile.pictures and not self.profile.low
        self._section("audio")
        if self.sends_pictures:
            self._section("video")
        locals_ = tuple(self._local(one) for one in self._sections)
        self._origin = self._origin.next()
        description = offer(self._origin, self.host.pool.address, locals_)
        self._offered = (description, locals_)
        return description.encode()

    def answer(self, sdp: bytes) -> bytes:
        """Our answer to an offer. Raises SdpError, NoCommonMediaError, NoPortError, OSError."""
        offered = Description.parse(sdp)
        for place, section in enumerate(offered.media):
            if place >= len(self._sections) and section.port:
                self._section(section.kind)
            elif place >= len(self._sections):
                self._sections.append(_Section(section.kind, None, open=False))
        locals_ = [self._local(one, answering=True) for one in self._sections]
        self._origin = self._origin.next()
        settled = answer(offered, self._origin, self.host.pool.address, locals_)
        if settled.stream("audio") is None:
            raise NoCommonMediaError(settled.reasons)
        self._settle(settled)
        return settled.description.encode()

    def settled(self, sdp: bytes) -> None:
        """The answer to our offer. Raises SdpError, NoCommonMediaError."""
        if self._offered is None:
            raise SdpError("An answer came to no offer of ours")
        offered, locals_ = self._offered
        result = settle(offered, Description.parse(sdp), locals_)
        if result.stream("audio") is None:
            raise NoCommonMediaError(result.reasons)
        self._settle(result)

    def _section(self, kind: str) -> _Section:
        found = next((one for one in self._sections if one.kind == kind), None)
        if found is not None:
            return found
        leg = None
        if kind in ("audio", "video"):
            leg = self._open("video" if kind == "video" else "audio")
        crypto = offer_lines() if leg is not None and self.profile.encryption != "never" else ()
        section = _Section(kind, leg, crypto, open=leg is not None)
        self._sections.append(section)
        return section

    def _open(self, kind: Kind) -> RtpLeg:
        clock = 90_000 if kind == "video" else 48_000
        mark = None if self.profile.marks else Mark.NONE
        leg = self.host.open_leg(LegSettings(kind=kind, clock_rate=clock, mark=mark))
        leg.sending = False
        leg.on_event = lambda event: self._told(kind, event)
        if kind == "audio":
            self.sound = SoundBridge(leg, self.host.next_source)
        elif self._picture_rate:
            self.pictures = PictureBridge(leg, self.host.next_source, self._picture_rate)
        else:
            self.pictures = PictureBridge(leg, self.host.next_source)
        leg.on_rtp = lambda packet, now: self._from_far(kind, packet, now)
        if kind == "audio" and self._near is not None:
            self._near.open(leg)
        return leg

    def _local(self, section: _Section, *, answering: bool = False) -> Local:
        if section.leg is None:
            return Local(section.kind, 0, _CLOSED, allowed=False)
        sound = section.kind == "audio"
        direction = Direction.SEND if self.held else Direction.BOTH
        if not sound and not self.sends_pictures:
            direction = Direction.NONE if self.held else Direction.RECEIVE
        unused = not self.sends_pictures and section.agreed is None and not answering
        closed = not sound and (unused or not self.profile.pictures)
        return Local(
            section.kind,
            0 if closed else section.leg.port,
            _sound(self.profile.low) if sound else PICTURES,
            direction,
            encryption=self.profile.encryption,
            crypto=tuple(str(line) for line in section.crypto),
            rtcp_mux=True,
            bandwidth=0 if sound else 2500,
            low_bandwidth=self.profile.low,
            feedback=() if sound else VIDEO_FEEDBACK,
            allowed=sound or self.profile.pictures,
            why_not=None if sound else self.profile.why_no_pictures,
        )

    def _settle(self, settled: Settled) -> None:
        self.reasons = settled.reasons
        for section, stream in zip(self._sections, settled.streams, strict=False):
            section.agreed = stream
            if section.leg is None:
                continue
            section.leg.sending = stream is not None and stream.direction.sends
            if stream is not None:
                self._apply(section, section.leg, stream)
        if self._near is not None and self.audio is not None:
            self._near.settle(self.audio)

    def _apply(self, section: _Section, leg: RtpLeg, stream: Stream) -> None:
        _tune(leg, stream)
        leg.protection = _protection(leg.protection, stream)
        leg.connect(RemoteMedia(stream.address, stream.port, stream.rtcp_port), rtcp_mux=stream.rtcp_mux)
        if section.kind == "audio" and self.sound is not None:
            bitrate = LOW_BITRATE if self.profile.low else None
            self.sound.settle(stream, EncoderSettings(bitrate=bitrate))
            self.sound.join(self.page.stream("audio") if self.page is not None else None)
        elif self.pictures is not None:
            self.pictures.settle(stream)
            self.pictures.join(self.page)
        if self.profile.relay and leg.heard is None:
            self._knock(leg, KNOCKS)

    def move(self, host: MediaHost) -> None:
        """Go to another address: new legs, which the next offer names. Raises NoPortError, OSError."""
        self.host = host
        for section in self._sections:
            if section.leg is not None:
                before = section.leg
                section.leg = self._open("video" if section.kind == "video" else "audio")
                before.close()

    # --- the page, or whoever listens here

    def wish(self) -> PageWish:
        """What a page should agree to, so that nothing need be transcoded."""
        agreed = self.audio
        able = (_LOW_OPUS, *PAGE_AUDIO[1:]) if self.profile.low else PAGE_AUDIO
        audio = tuple(one for one in able if agreed is None or one.codec.key == agreed.format.codec.key)
        picture = self.picture
        if picture is None:
            before = agreed is None and self.sends_pictures  # what the other side takes is not known yet
            return PageWish(audio or PAGE_AUDIO, PAGE_VIDEO if before else (), copies=not self.profile.low)
        pictures = tuple(one for one in PAGE_VIDEO if one.name == picture.format.name)
        return PageWish(audio or PAGE_AUDIO, pictures, copies=not self.profile.low)

    @property
    def page_fits(self) -> bool:
        """Whether the page has the codecs of the call, and a stream for pictures where there are some."""
        if self.page is None:
            return True
        near = self.page.stream("audio")
        if self.audio is not None and (near is None or near.agreed.format.codec.key != self.audio.format.codec.key):
            return False
        pictures = self.page.stream("video")
        if self.picture is None or self.video == "none":
            return True
        return pictures is not None and pictures.agreed.format.name == self.picture.format.name

    def join_page(self, page: PageLeg | None) -> PageLeg | None:
        """This page carries the sound from now on; the one that did before."""
        before, self.page = self.page, page
        if before is not None:
            before.on_packet = before.on_feedback = None
        if page is not None:
            page.on_packet = self._from_page
            page.on_feedback = self._page_asks
        if self.sound is not None:
            self.sound.join(page.stream("audio") if page is not None else None)
        if self.pictures is not None:
            self.pictures.join(page)
        return before

    def join_near(self, near: NearEnd) -> None:
        """A program carries the sound instead of a page."""
        self._near = near
        leg = self.leg("audio")
        if leg is not None:
            near.open(leg)
        if self.audio is not None:
            near.settle(self.audio)

    @property
    def heard_here(self) -> bool:
        """Whether anybody listens: a page that is connected, or a program."""
        return self._near is not None or (self.page is not None and self.page.connected)

    def mute(self, muted: bool) -> None:
        """Send silence, or not any more."""
        if self.sound is not None:
            self.sound.mute(muted)

    def press(self, digits: str) -> None:
        """Send keys. Raises TelephoneEventFormatError, NotConnectedError."""
        leg = self.leg("audio")
        if leg is not None:
            leg.press(digits)

    def handle_timer(self, now: float) -> None:
        """Once a second."""
        if self.profile.relay:
            self._keep_open(now)
        if self.page is not None:
            self.page.handle_timer(now)
        if self.pictures is not None:
            self.pictures.second()

    def _knock(self, leg: RtpLeg, times: int) -> None:
        """Let the relay hear of us soon: it believes a packet only once it has our keys, which may still be on the way,
        and what the other side says before that is lost."""
        leg.keep_open()
        if times > 1 and leg.heard is None and not leg.closed:
            leg.call_at(leg.now() + KNOCK_SECONDS, lambda: self._knock(leg, times - 1))

    def _keep_open(self, now: float) -> None:
        """Let the relay hear of us: each second until it sends, then as often as translators forget."""
        for section in self._sections:
            leg = section.leg
            if leg is None or section.agreed is None:
                continue
            if leg.heard is None or (not leg.sending and now - section.kept_open >= KEEP_OPEN_SECONDS):
                section.kept_open = now
                leg.keep_open()

    async def close(self) -> None:
        """End it all."""
        self.closed = True
        for section in self._sections:
            if section.leg is not None:
                section.leg.close()
        if self._near is not None:
            await self._near.close()
        page = self.join_page(None)
        if page is not None:
            await page.close()

    def _from_page(self, kind: Kind, packet: RtpPacket, now: float) -> None:
        if kind == "audio" and self.sound is not None:
            self.sound.from_page(packet, now)
        elif kind == "video" and self.pictures is not None:
            self.pictures.from_page(packet, now)

    def _from_far(self, kind: Kind, packet: RtpPacket, now: float) -> None:
        if kind == "video":
            if self.pictures is not None:
                self.pictures.from_far(packet, now)
        elif self._near is not None:
            self._near.take(packet, now)
        elif self.sound is not None:
            self.sound.from_far(packet, now)

    def _page_asks(self, kind: Kind, feedback: Feedback) -> None:
        if kind == "video" and self.pictures is not None:
            self.pictures.page_asks(feedback, self.host.time())

    def _told(self, kind: Kind, event: events.LegEvent) -> None:
        if isinstance(event, events.FeedbackArrived) and kind == "video" and self.pictures is not None:
            self.pictures.far_asks(event.feedback, self.host.time())
        if self.on_event is not None:
            self.on_event(kind, event)


def _sound(low: bool) -> tuple[Format, ...]:
    """The formats of sound that we know, best first; with as few bits as possible where that is wanted."""
    return (_LOW_OPUS, *SOUND[1:]) if low else SOUND


def _tune(leg: RtpLeg, stream: Stream) -> None:
    """Let a leg count in the clock that was agreed on; before the agreement nobody knows it."""
    rate = stream.format.clock
    events_rate = next((one.clock for one in stream.received if one.payload_type == stream.events), rate)
    leg.event_type = stream.events if stream.kind == "audio" else None
    if leg.settings.clock_rate != rate:
        leg.reporter.clock_rate = rate
        leg.continuity = Continuity(leg.ssrc, rate, secrets.randbits(15), secrets.randbits(32))
        leg.settings = replace(leg.settings, clock_rate=rate)
    if events_rate != rate:
        log.info("calling.events_in_another_clock", events=events_rate, sound=rate)


def _protection(before: Protection | None, stream: Stream) -> Protection | None:
    """The protection of the agreed keys; the one that is there where they are the same."""
    if stream.ours.keying != "sdes":
        return None
    try:
        ours, theirs = CryptoLine.parse(stream.ours.crypto[0]), CryptoLine.parse(stream.theirs.crypto[0])
        if before is not None and before.made_from(ours, theirs):
            return before
        return Protection.from_lines(ours, theirs)
    except (RtpError, ProtectionError, IndexError) as error:
        raise SdpError("The keys of the other side can't be used") from error
