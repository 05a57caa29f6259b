"""A relay between two phones: any protection on either side, one stream whoever feeds it, reports from end to end."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from ringback.media.codecs import PCMU
from ringback.media.players import Player, Tone, tone
from ringback.media.relay import Relay
from ringback.media.transport import events
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.packet import RtpPacket
from tests.media_transport.conftest import audio, point, share_keys
from tests.media_transport.test_legs import Ear, talk
from tests.support.waiting import until


class Call:
    """Phone a, leg a, leg b, phone b."""

    def __init__(self, host: MediaHost, a: str = "clear", b: str = "clear", **settings: object) -> None:
        self.phone_a, self.a = (host.open_leg(audio(protocol=a, **settings)) for _ in range(2))
        self.phone_b, self.b = (host.open_leg(audio(protocol=b, **settings)) for _ in range(2))
        for phone, leg, how in ((self.phone_a, self.a, a), (self.phone_b, self.b, b)):
            point(phone, leg)
            if how == "sdes":
                share_keys(phone, leg)
        self.ear_a, self.ear_b = Ear(self.phone_a), Ear(self.phone_b)

    async def beat(self, leg: RtpLeg, count: int = 20) -> None:
        """Sound at its pace."""
        for number in range(count):
            leg.send(b"s" * 160, 0, number * 160)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("a", ["clear", "sdes"])
@pytest.mark.parametrize("b", ["clear", "sdes"])
async def test_sound_passes_both_ways_whatever_the_protection(host: MediaHost, a: str, b: str) -> None:
    call = Call(host, a, b)
    relay = Relay(call.a, call.b)
    talk(call.phone_a, 10)
    talk(call.phone_b, 10)
    await until(lambda: len(call.ear_a.packets) == len(call.ear_b.packets) == 10)
    assert [one.payload[0] for one in call.ear_b.packets] == list(range(10))
    assert {one.ssrc for one in call.ear_b.packets} == {call.b.ssrc}
    relay.stop()
    talk(call.phone_a, 1)
    await until(lambda: call.a.counters().figures.received.packets == 11)
    assert len(call.ear_b.packets) == 10


async def test_payload_types_are_changed_where_they_differ(host: MediaHost) -> None:
    call = Call(host)
    Relay(call.a, call.b, a_to_b={0: 0, 101: 97}, b_to_a={0: 0, 97: 101})
    for kind in (0, 101, 3, 0):
        call.phone_a.send(b"\x01\x0a\x01\x90", kind, 0, marker=True)
    await until(lambda: len(call.ear_b.packets) == 3)
    assert [(one.payload_type, one.marker) for one in call.ear_b.packets] == [(0, True), (97, True), (0, True)]


async def test_keys_pressed_pass_and_are_told_to_the_middle(host: MediaHost) -> None:
    call = Call(host, "sdes", "clear", event_type=101)
    middle: list[events.LegEvent] = []
    call.a.on_event = middle.append
    Relay(call.a, call.b)
    talk(call.phone_a, 1)
    call.phone_a.press("90#", 0.05)
    await until(lambda: call.ear_b.digits == "90#")
    assert [one.digit for one in middle if isinstance(one, events.DigitPressed)] == ["9", "0", "#"]


async def test_reports_pass_from_end_to_end_with_numbers_that_fit(host: MediaHost) -> None:
    call = Call(host, "sdes", "clear")
    Relay(call.a, call.b)
    await asyncio.gather(call.beat(call.phone_a, 60), call.beat(call.phone_b, 60))
    await until(lambda: call.phone_a.reporter.remote is not None and call.phone_a.reporter.round_trip is not None)
    await until(lambda: call.phone_b.reporter.remote is not None and call.phone_b.reporter.round_trip is not None)
    assert call.phone_a.reporter.remote is not None
    assert call.phone_a.reporter.remote.packets_lost == 0
    assert call.a.counters().malformed == call.b.counters().malformed == 0
    trip = call.phone_a.reporter.round_trip
    assert trip is not None
    assert trip < 1.0


async def test_music_takes_over_and_gives_back_without_a_break(host: MediaHost) -> None:
    call = Call(host)
    relay = Relay(call.a, call.b)
    await call.beat(call.phone_a, 10)
    await until(lambda: len(call.ear_b.packets) == 10)
    relay.stop()
    player = Player(host, call.b, tone(Tone.RINGBACK, "GB"), PCMU, 0)
    await until(lambda: len(call.ear_b.packets) >= 20)
    player.stop()
    Relay(call.a, call.b)
    before = len(call.ear_b.packets)
    await call.beat(call.phone_a, 10)
    await until(lambda: len(call.ear_b.packets) >= before + 10)
    packets = call.ear_b.packets
    assert {one.ssrc for one in packets} == {call.b.ssrc}
    numbers = [(one.sequence_number - packets[0].sequence_number) & 0xFFFF for one in packets]
    assert numbers == list(range(len(packets)))
    steps = [(later.timestamp - earlier.timestamp) & 0xFFFFFFFF for earlier, later in itertools.pairwise(packets)]
    assert all(0 < step < 8000 for step in steps)
    assert packets[10].marker


async def test_hold_stops_one_direction_only(host: MediaHost) -> None:
    call = Call(host)
    Relay(call.a, call.b)
    call.b.sending = False
    talk(call.phone_a, 5)
    talk(call.phone_b, 5)
    await until(lambda: len(call.ear_a.packets) == 5)
    await until(lambda: call.a.counters().figures.received.packets == 5)
    assert not call.ear_b.packets
    call.b.sending = True
    await call.beat(call.phone_a, 3)
    await until(lambda: len(call.ear_b.packets) == 3)
    assert call.phone_b.counters().figures.received.lost == 0


async def test_losses_stay_losses_and_wishes_reach_the_sender(host: MediaHost) -> None:
    """A NACK and a wish for a whole picture come back to whom they concern, in its own numbers."""
    call = Call(host, kind="video", clock_rate=90000)
    Relay(call.a, call.b)
    rng = random.Random(3)
    start = rng.randrange(65536)
    for number in range(10):
        if number != 4:
            sent = RtpPacket(96, (start + number) & 0xFFFF, number * 3000, 77, b"v" * 100)
            call.phone_a.emit_packet(sent, host.time())
    await until(lambda: len(call.ear_b.packets) == 9)
    numbers = [one.sequence_number for one in call.ear_b.packets]
    lost = (numbers[3] + 1) & 0xFFFF
    assert lost not in numbers
    call.phone_b.send_feedback(rtcp.Nack(call.phone_b.ssrc, call.b.ssrc, (lost,)))
    call.phone_b.request_picture()
    await until(lambda: sum(isinstance(one, events.FeedbackArrived) for one in call.ear_a.events) == 2)
    wishes = [one.feedback for one in call.ear_a.events if isinstance(one, events.FeedbackArrived)]
    assert wishes == [
        rtcp.Nack(call.a.ssrc, 77, ((start + 4) & 0xFFFF,)),
        rtcp.PictureLoss(call.a.ssrc, 77),
    ]


async def test_many_calls_at_once_lose_nothing(host: MediaHost) -> None:
    calls = [Call(host, "sdes" if number % 2 else "clear") for number in range(10)]
    for call in calls:
        Relay(call.a, call.b)
    await asyncio.gather(*(call.beat(phone, 25) for call in calls for phone in (call.phone_a, call.phone_b)))
    await until(lambda: all(len(ear.packets) == 25 for call in calls for ear in (call.ear_a, call.ear_b)))
