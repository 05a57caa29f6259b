"""The bridge between a page and the other side: other codecs, losses that copies fill, silence, other pages."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from ringback.client.calling.page.leg import PageStream
from ringback.client.calling.page.negotiation import G722, OPUS, PCMA, PCMU
from ringback.client.calling.sound import SoundBridge, Transcoder
from ringback.media.codecs import codec_named
from ringback.media.codecs.base import EncoderSettings, Pcm
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RemoteMedia, RtpLeg
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.red import RedSender, parse_red
from ringback.protocols.sdp import Direction, Format
from ringback.protocols.sdp.negotiation import Stream
from tests.softphone.conftest import measured

RED = Format(63, "red", 48000, 2, "111/111")


def agreed(form: Format, redundancy: int | None = None) -> Stream:
    """A stream of one codec."""
    received = (form, RED) if redundancy else (form,)
    return Stream(
        0, "audio", form, received, "127.0.0.1", 9, 9, True, Direction.BOTH, redundancy=redundancy
    )  # fmt: skip


def voice(form: Format, frequency: float, count: int) -> list[RtpPacket]:
    """So many packets of a tone in a codec."""
    codec = codec_named(form.name)
    encoder = codec.encoder(EncoderSettings(ptime=20))
    times = np.arange(count * encoder.frame) / encoder.rate
    pcm = (8000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16).reshape(-1, encoder.frame)
    ticks = encoder.frame * codec.clock // encoder.rate
    return [
        RtpPacket(form.payload_type, 1000 + at, 50_000 + at * ticks, 77, encoder.encode(frame))
        for at, frame in enumerate(pcm)
    ]


def decoded(form: Format, payloads: list[bytes]) -> tuple[Pcm, int]:
    """The sound of payloads."""
    decoder = codec_named(form.name).decoder()
    return np.concatenate([decoder.decode(one) for one in payloads]), decoder.rate


@pytest.mark.parametrize("far", [G722, PCMU, PCMA])
@pytest.mark.parametrize("direction", ["to page", "to far"])
def test_another_codec_keeps_the_tone_and_the_times(far: Format, direction: str) -> None:
    """Each way between Opus and the others: the same tone, packets of 20 ms, no gap, nothing added."""
    source, target = (far, OPUS) if direction == "to page" else (OPUS, far)
    transcoder = Transcoder(codec_named(source.name), codec_named(target.name), EncoderSettings(ptime=20))
    out = [packet for one in voice(source, 440, 100) for packet in transcoder.convert(one)]
    step = codec_named(target.name).clock // 50
    assert [sequence for sequence, _, _ in out] == list(range(len(out)))
    assert {later[1] - earlier[1] for earlier, later in itertools.pairwise(out)} == {step}
    assert 98 <= len(out) <= 100
    pcm, rate = decoded(target, [payload for _, _, payload in out])
    loudest, level = measured(pcm[rate // 2 :], rate)
    assert abs(loudest - 440) < 5
    assert 0.1 < level < 0.25


def test_what_was_lost_stays_lost_and_late_packets_do_not_turn_back() -> None:
    """The page's play-out sees the gap in numbers and times, so that it can conceal it."""
    transcoder = Transcoder(codec_named("PCMU"), codec_named("opus"), EncoderSettings(ptime=20))
    packets = voice(PCMU, 440, 20)
    out = [one for packet in [*packets[:10], *packets[13:], packets[11]] for one in transcoder.convert(packet)]
    numbers = [sequence for sequence, _, _ in out]
    assert numbers == [*range(10), *range(13, 20)]
    assert out[10][1] - out[9][1] == 4 * 960


class _Ends:
    """A bridge with a page's stream that keeps what it is sent, and a leg whose packets arrive at another leg."""

    def __init__(self, host: MediaHost, far: Stream, near: Stream) -> None:
        self.page: list[RtpPacket] = []
        self.phone: list[RtpPacket] = []
        self.leg, self.peer = host.open_leg(LegSettings(clock_rate=far.format.clock)), host.open_leg(LegSettings())
        self.leg.connect(RemoteMedia("127.0.0.1", self.peer.port))
        self.peer.on_rtp = lambda packet, _: self.phone.append(packet)
        self.bridge = SoundBridge(self.leg, host.next_source)
        self.bridge.settle(far)
        self.stream = PageStream(near, 4711, lambda data: self.page.append(RtpPacket.parse(data)), host.time)
        self.bridge.join(self.stream)

    async def arrived(self, count: int) -> None:
        """Wait until so many packets are at the phone."""
        await reaches(self.peer, lambda: len(self.phone) >= count)


async def reaches(leg: RtpLeg, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, which is looked at after each packet of a leg."""
    arrived, before = asyncio.Event(), leg.on_rtp

    def heard(packet: RtpPacket, now: float) -> None:
        if before is not None:
            before(packet, now)
        arrived.set()

    leg.on_rtp = heard
    async with asyncio.timeout(5.0):
        while not condition():
            arrived.clear()
            await arrived.wait()
    leg.on_rtp = before


async def test_copies_fill_what_was_lost() -> None:
    """Every second packet is lost; the page gets all of them, each at its place and once."""
    host = MediaHost("127.0.0.1")
    ends = _Ends(host, agreed(OPUS, 63), agreed(OPUS))
    sender = RedSender(2)
    packets = voice(OPUS, 440, 40)
    wrapped = [
        RtpPacket(63, one.sequence_number, one.timestamp, one.ssrc, sender.wrap(111, one.timestamp, one.payload))
        for one in packets
    ]
    for number, packet in enumerate(wrapped):
        if number % 2 == 0:
            ends.bridge.from_far(packet, host.time())
    assert [one.payload for one in ends.page] == [one.payload for one in packets[:39]]
    numbers = [one.sequence_number for one in ends.page]
    assert numbers == [(numbers[0] + step) & 0xFFFF for step in range(39)]
    assert ends.bridge.repaired == 19
    host.close()


async def test_copies_are_sent_when_asked_for_and_mute_is_silent() -> None:
    """Redundancy wraps what the page sent; muted, nothing of the voice leaves."""
    host = MediaHost("127.0.0.1")
    ends = _Ends(host, agreed(OPUS, 63), agreed(OPUS))
    packets = voice(OPUS, 440, 9)
    for packet in packets[:3]:
        ends.bridge.from_page(packet, host.time())
    ends.bridge.protect(1)
    for packet in packets[3:6]:
        ends.bridge.from_page(packet, host.time())
    ends.bridge.protect(0)
    ends.bridge.mute(True)
    for packet in packets[6:]:
        ends.bridge.from_page(packet, host.time())
    await ends.arrived(9)
    assert [one.payload_type for one in ends.phone] == [111] * 3 + [63] * 3 + [111] * 3
    blocks = parse_red(ends.phone[4].payload)
    assert [one.payload for one in blocks] == [packets[3].payload, packets[4].payload]
    pcm, _ = decoded(OPUS, [one.payload for one in ends.phone[7:]])
    assert np.abs(pcm).max() < 10
    host.close()


async def test_another_page_goes_on_in_the_same_stream() -> None:
    """A new page counts anew; the other side hears one stream whose numbers go on."""
    host = MediaHost("127.0.0.1")
    ends = _Ends(host, agreed(OPUS), agreed(OPUS))
    for packet in voice(OPUS, 440, 3):
        ends.bridge.from_page(packet, host.time())
    ends.bridge.join(ends.stream)
    for packet in voice(OPUS, 550, 3):
        moved = RtpPacket(111, packet.sequence_number + 30_000, packet.timestamp + 10**9, 88, packet.payload)
        ends.bridge.from_page(moved, host.time())
    await ends.arrived(6)
    numbers = [one.sequence_number for one in ends.phone]
    assert numbers == [(numbers[0] + step) & 0xFFFF for step in range(6)]
    assert len({one.ssrc for one in ends.phone}) == 1
    assert ends.phone[3].timestamp - ends.phone[2].timestamp < 48_000
    host.close()
