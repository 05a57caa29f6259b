"""Everybody hears everybody else and not themselves, whatever the codec; everybody sees who talks."""

from __future__ import annotations

import gc
import itertools
import weakref

import numpy as np
import pytest

from ringback.media.codecs import G722, OPUS, PCMA, PCMU, Codec, Pcm, opus
from ringback.media.conference import Conference, Mixer, MixingHub, Seat, VideoSwitch
from ringback.media.conference.mixer import AUDIBLE
from ringback.media.players import Player, Sound, beep
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.packet import RtpPacket
from tests.media_transport.conftest import audio, point
from tests.support.tones import level_of
from tests.support.waiting import until

RATE = 16000
TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 111}
_EVERY = (PCMU, PCMA, G722, opus(16000), OPUS)


def wave(frequency: float, seconds: float = 4.0, level: float = 0.2) -> Sound:
    """A tone that repeats."""
    times = np.arange(int(RATE * seconds)) / RATE
    return Sound(RATE, np.rint(np.sin(2 * np.pi * frequency * times) * level * 32767).astype(np.int16), repeat=True)


class Phone:
    """A party with its own tone; keeps what it hears."""

    def __init__(self, host: MediaHost, conference: Conference, codec: Codec) -> None:
        self.host = host
        self.codec = codec
        self.type = TYPES[codec.name]
        formats = PlayOutFormats({self.type: codec})
        self.phone, leg = (host.open_leg(audio(clock_rate=codec.clock)) for _ in range(2))
        point(self.phone, leg)
        self.seat: Seat = conference.join(leg, formats, codec, self.type)
        self._playout = PlayOut(formats, PlayOutSettings(rate=RATE))
        self.phone.on_rtp = self._playout.push
        self.heard: list[Pcm] = []
        host.ticker.add(self._tick)

    def _tick(self, now: float) -> None:
        self.heard.append(self._playout.pull(now))

    def say(self, sound: Sound) -> Player:
        """Talk."""
        return Player(self.host, self.phone, sound, self.codec, self.type)

    def level(self, frequency: float, frames: int = 40) -> float:
        """How loud a tone is in the last moments, in dB of full scale."""
        if len(self.heard) < frames:
            return -120.0
        return level_of(np.concatenate(self.heard[-frames:]) / 32768, RATE, frequency)

    def hears(self, *frequencies: float) -> bool:
        """Whether all of them are clearly there."""
        return all(self.level(one) > -20 for one in frequencies)


async def test_ten_parties_of_all_codecs_hear_the_talkers_and_never_themselves(host: MediaHost) -> None:
    hub = MixingHub(host)
    conference = hub.open()
    heard: list[tuple[Seat, ...]] = []
    conference.on_talkers = heard.append
    try:
        phones = [Phone(host, conference, codec) for codec in _EVERY * 2]
        tones = {0: 500.0, 2: 1400.0, 3: 900.0}
        for number, frequency in tones.items():
            phones[number].say(wave(frequency))
        for number, phone in enumerate(phones):
            others = [frequency for party, frequency in tones.items() if party != number]
            await until(lambda phone=phone, others=others: phone.hears(*others))  # type: ignore[misc]
        for number, frequency in tones.items():
            await until(lambda n=number, f=frequency: phones[n].level(f) < -55)  # type: ignore[misc]
        assert set(heard[-1]) == {phones[number].seat for number in tones}
        assert [phone.seat.talking for phone in phones[:4]] == [True, False, True, True]
        assert hub.failure is None
    finally:
        hub.close()


async def test_who_is_muted_is_not_heard_and_who_is_on_hold_is_sent_nothing(host: MediaHost) -> None:
    hub = MixingHub(host)
    conference = hub.open()
    try:
        one, two, three = (Phone(host, conference, PCMU) for _ in range(3))
        one.say(wave(500))
        two.say(wave(900))
        await until(lambda: three.hears(500, 900))
        two.seat.muted = True
        await until(lambda: three.level(900) < -55 and three.hears(500))
        three.seat.deaf = True
        before = three.phone.counters().figures.received.packets
        await until(lambda: one.hears() and three.level(500) < -55)
        assert three.phone.counters().figures.received.packets - before < 20
        three.seat.deaf = False
        two.seat.muted = False
        await until(lambda: three.hears(500, 900))
        conference.leave(one.seat)
        await until(lambda: three.level(500) < -55 and three.hears(900))
    finally:
        hub.close()


async def test_who_left_is_let_go_of_while_the_others_talk_on(host: MediaHost) -> None:
    hub = MixingHub(host)
    conference = hub.open()
    try:
        one, two = (Phone(host, conference, PCMU) for _ in range(2))
        one.say(wave(500))
        await until(lambda: two.hears(500))
        three = Phone(host, conference, PCMU)
        three.say(wave(900))
        await until(lambda: two.hears(500, 900))
        left = weakref.ref(three.seat)
        conference.leave(three.seat)
        del three.seat
        await until(lambda: gc.collect() is not None and left() is None)
        await until(lambda: two.hears(500) and two.level(900) < -55)
    finally:
        hub.close()


async def test_a_notice_is_heard_by_all(host: MediaHost) -> None:
    hub = MixingHub(host)
    conference = hub.open()
    try:
        phones = [Phone(host, conference, codec) for codec in (PCMU, OPUS)]
        await until(lambda: all(len(phone.heard) > 20 for phone in phones))
        conference.play(beep(frequency=2000, seconds=1.0))
        for phone in phones:
            await until(lambda phone=phone: phone.level(2000, 20) > -25)  # type: ignore[misc]
        hub.end(conference)
        hub.end(conference)
        assert conference.seats == ()
    finally:
        hub.close()


def tone(frequency: float, level: float) -> Pcm:
    """20 ms."""
    times = np.arange(320) / RATE
    return np.rint(np.sin(2 * np.pi * frequency * times) * level * 32767).astype(np.int16)


def test_of_many_the_loudest_three_are_heard() -> None:
    mixer: Mixer[int] = Mixer(320)
    frames = {number: tone(400 + 100 * number, 0.05 * (number + 1)) for number in range(6)}
    for _ in range(3):
        mix = mixer.mix(frames)
    assert set(mix.talkers) == {3, 4, 5}
    assert set(mix.own) == {3, 4, 5}
    assert np.array_equal(mix.shared, frames[3] + frames[4] + frames[5])
    assert np.array_equal(mix.own[4], frames[3] + frames[5])


def test_a_pause_between_words_cuts_nobody_off_and_room_noise_is_no_voice() -> None:
    mixer: Mixer[str] = Mixer(320)
    quiet = np.full(320, int(AUDIBLE**0.5 / 2), np.int16)
    for _ in range(3):
        mixer.mix({"a": tone(500, 0.2), "noise": quiet})
    for _ in range(20):
        assert mixer.mix({"a": quiet, "noise": quiet}).talkers == ("a",)
    for _ in range(10):
        last = mixer.mix({"a": quiet, "noise": quiet})
    assert last.talkers == ()
    assert not last.shared.any()


def test_who_comes_and_goes_is_faded() -> None:
    mixer: Mixer[str] = Mixer(320)
    first = mixer.mix({"a": np.full(320, 10000, np.int16)})
    assert first.shared[0] == 0
    assert first.shared[-1] == 10000
    assert np.all(np.diff(first.shared.astype(int)) >= 0)
    mixer.mix({"a": np.full(320, 10000, np.int16)})
    loud = {name: np.full(320, 20000, np.int16) for name in "bcd"}
    mix = mixer.mix({"a": np.full(320, 100, np.int16), **loud})
    assert "a" in mix.talkers or mix.own.get("a") is not None


def test_too_loud_sums_are_cut_and_never_wrap() -> None:
    mixer: Mixer[int] = Mixer(320)
    frames = {number: np.full(320, 30000, np.int16) for number in range(3)}
    for _ in range(2):
        mix = mixer.mix(frames)
    assert mix.shared.max() == mix.shared.min() == 32767


def test_the_leader_changes_when_silent_or_drowned_not_with_every_word() -> None:
    mixer: Mixer[str] = Mixer(320)
    leaders = [mixer.mix({"a": tone(500, 0.2), "b": tone(600, 0.21)}).talkers[0] for _ in range(50)]
    assert len(set(leaders)) == 1
    other = "b" if leaders[0] == "a" else "a"
    frames = {leaders[0]: tone(500, 0.05), other: tone(600, 0.5)}
    after = [mixer.mix(frames).talkers[0] for _ in range(60)]
    assert after[0] == leaders[0]
    assert after[-1] == other
    assert sum(one != later for one, later in itertools.pairwise(after)) == 1


class Camera:
    """A party with pictures of VP8: a whole one when asked for, else changes."""

    def __init__(self, host: MediaHost, switch: VideoSwitch, mark: int) -> None:
        self.mark = mark
        settings = audio(kind="video", clock_rate=90000)
        self.phone, self.leg = (host.open_leg(settings) for _ in range(2))
        point(self.phone, self.leg)
        self.seen: list[RtpPacket] = []
        self.asked = 0
        self.phone.on_rtp = lambda packet, _: self.seen.append(packet)
        self.phone.on_event = self._event
        self.viewer = switch.join(self.leg, {"VP8": 96})
        self.count = 0

    def _event(self, event: object) -> None:
        feedback = getattr(event, "feedback", None)
        self.asked += isinstance(feedback, rtcp.PictureLoss)

    def shoot(self, *, whole: bool = False) -> None:
        """One picture of one packet."""
        self.count += 1
        payload = bytes([0x10, 0 if whole else 1, self.mark, self.count & 0xFF])
        self.phone.send(payload, 96, self.count * 3000, marker=True)

    def last_seen(self) -> int | None:
        """Whose picture came last."""
        return self.seen[-1].payload[2] if self.seen else None


async def test_everybody_sees_who_talks_from_a_whole_picture_on(host: MediaHost) -> None:
    switch = VideoSwitch()
    cameras = [Camera(host, switch, mark) for mark in range(3)]
    one, two, three = cameras

    async def film(who: Camera, *by: Camera) -> None:
        for camera in cameras:
            camera.shoot(whole=True)
        await until(lambda: all(viewer.last_seen() == who.mark for viewer in by))

    switch.talks(one.viewer)
    await film(one, two, three)
    await until(lambda: one.asked)
    switch.talks(two.viewer)
    await until(lambda: two.asked)
    seen = len(three.seen)
    two.shoot()  # no whole picture: the old one stays
    one.shoot()
    await until(lambda: len(three.seen) > seen)
    assert three.last_seen() == one.mark
    await film(two, one, three)
    assert two.last_seen() == one.mark  # who talks sees who talked before
    numbers = [packet.sequence_number for packet in three.seen]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == list(range(len(numbers)))
    assert {packet.ssrc for packet in three.seen} == {three.leg.ssrc}

    before = two.asked

    def wish() -> bool:
        three.phone.request_picture()
        return two.asked > before

    await until(wish)  # repeated as viewers do: wishes soon after another are not passed on

    count = len(three.seen)
    lost = three.seen[-1].sequence_number
    three.phone.send_feedback(rtcp.Nack(three.phone.ssrc, three.leg.ssrc, (lost,)))
    await until(lambda: three.phone.counters().duplicates == 1)  # it was not lost really: a copy came
    assert len(three.seen) == count

    switch.leave(two.viewer)
    switch.leave(two.viewer)
    await until(lambda: one.asked > 1)
    one.shoot(whole=True)
    await until(lambda: three.last_seen() == one.mark)


@pytest.mark.parametrize("codec", _EVERY, ids=lambda codec: f"{codec.name}-{codec.rate}")
async def test_a_leg_that_left_can_be_used_on(host: MediaHost, codec: Codec) -> None:
    hub = MixingHub(host)
    conference = hub.open()
    try:
        phone = Phone(host, conference, codec)
        leg: RtpLeg = phone.seat.leg
        await until(lambda: phone.phone.counters().figures.received.packets > 5)
        conference.leave(phone.seat)
        conference.leave(phone.seat)
        Player(host, leg, wave(700), codec, phone.type)
        await until(lambda: phone.hears(700))
        assert phone.phone.counters().figures.received.lost == 0
    finally:
        hub.close()
