"""The play-out on links of all kinds: delay, silence, other senders, drift, bursts. Seeded, and no clock runs."""

import itertools

import numpy as np
import pytest

from ringback.media.codecs import ALL, G722, OPUS, PCMU, Codec, EncoderSettings, Pcm
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.protocols.rtp.packet import RtpPacket
from tests.sound.link import SOUND, Heard, Link, Sender, call, listen
from tests.sound.speech import converted, speech
from tests.support import tones

START = 1000.0
LEVEL = 8000.0


def tone(rate: int, seconds: float, hertz: float = 440) -> Pcm:
    """A sine."""
    return (LEVEL * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def loudness(pcm: Pcm, rate: int, piece: float = 0.005) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Root mean square of each piece of that many seconds."""
    size = int(rate * piece)
    usable = pcm[: pcm.size - pcm.size % size].astype(float).reshape(-1, size)
    return np.asarray(np.sqrt((usable**2).mean(axis=1)))


def longest_gap(pcm: Pcm, rate: int) -> float:
    """Seconds of the longest stretch that is 20 dB below a tone of LEVEL."""
    quiet = loudness(pcm, rate) < LEVEL / np.sqrt(2) / 10
    return max((sum(1 for _ in run) for low, run in itertools.groupby(quiet) if low), default=0) * 0.005


def settled(heard: Heard, seconds: float = 2.0) -> list[float]:
    """The delays once the link is known, without the end of the call."""
    return list(heard.delays)[int(seconds / 0.02) : -30]


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
@pytest.mark.parametrize("phase", [0.0005, 0.007, 0.0125, 0.0195])
def test_a_clean_link_costs_no_more_delay_than_the_clocks_demand(codec: Codec, phase: float) -> None:
    heard = call(tone(codec.rate, 6), Sender(codec), Link(), phase=phase)
    assert max(settled(heard)) <= 0.0245, "a packet waits for the next pull, and little more"
    facts = heard.play_out.statistics
    assert (facts.lost, facts.late, facts.concealed, facts.undecodable) == (0, 0, 0.0, 0)
    assert facts.codec == codec.name
    spoken = heard.pcm[48000 * 2 : 48000 * 5]
    assert np.sqrt(np.mean(spoken.astype(float) ** 2)) == pytest.approx(LEVEL / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_gap_is_longer_than_60_ms_at_5_percent_loss(codec: Codec, seed: int) -> None:
    heard = call(tone(codec.rate, 20), Sender(codec), Link(loss=0.05, jitter=0.002, seed=seed))
    facts = heard.play_out.statistics
    assert facts.lost > 20
    assert longest_gap(heard.pcm[48000 : 48000 * 19], 48000) <= 0.06


@pytest.mark.parametrize("codec", [OPUS, PCMU], ids=lambda codec: codec.name)
def test_jitter_is_waited_for_and_no_longer_than_needed(codec: Codec) -> None:
    heard = call(tone(codec.rate, 20), Sender(codec), Link(jitter=0.015))
    facts = heard.play_out.statistics
    assert facts.concealed / facts.played < 0.03
    assert 0.03 < float(np.mean(settled(heard))) < 0.13


def test_packets_that_overtake_each_other_are_put_right() -> None:
    heard = call(tone(8000, 10), Sender(PCMU), Link(reorder=0.1))
    facts = heard.play_out.statistics
    assert (facts.lost, facts.restarts) == (0, 0)
    assert facts.concealed < 0.2
    assert longest_gap(heard.pcm[48000 : 48000 * 9], 48000) <= 0.02


@pytest.mark.parametrize("codec", [OPUS, PCMU], ids=lambda codec: codec.name)
@pytest.mark.parametrize("held", [0.1, 0.3, 0.5, 1.0, 1.5])
def test_after_a_burst_the_delay_is_normal_again_within_two_seconds(codec: Codec, held: float) -> None:
    outage = (START + 6.0, START + 6.0 + held)
    link = Link(jitter=0.002, keeps_order=True, outages=(outage,))
    heard = call(speech_twice(codec), Sender(codec), link)
    normal = float(np.mean(heard.delays[250:295]))
    end = int((6.0 + held + 0.05) / 0.02)
    assert max(heard.delays[end : end + 10]) > normal + 0.05, "the burst did delay"
    assert max(heard.delays[end + 100 : end + 400]) < normal + 0.015


def speech_twice(codec: Codec) -> Pcm:
    """Speech long enough for a burst in the middle."""
    once = speech(codec.rate)
    return np.concatenate([once, once])


def test_a_lost_burst_adds_no_delay_at_all() -> None:
    link = Link(outages=((START + 6.0, START + 6.4),), hold=False)
    heard = call(speech_twice(PCMU), Sender(PCMU), link)
    assert max(settled(heard)) < 0.05
    assert heard.play_out.statistics.concealed == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("drift", [300.0, -300.0])
def test_half_an_hour_of_drifting_clocks_moves_nothing(drift: float) -> None:
    encoder = PCMU.encoder()
    spoken = speech(8000)
    frames = [encoder.encode(spoken[at : at + 160]) for at in range(0, spoken.size - 159, 160)]
    play_out = PlayOut(PlayOutFormats({0: PCMU}))
    number, delays = 0, []
    step = 0.02 / (1 + drift * 1e-6)
    for turn in range(30 * 60 * 50):
        now = 50.0 + turn * 0.02
        while 50.0 + number * step + 0.03 <= now:
            packet = RtpPacket(0, number & 0xFFFF, (number * 160) & 0xFFFFFFFF, 5, frames[number % len(frames)])
            play_out.push(packet, 50.0 + number * step + 0.03)
            number += 1
        play_out.pull(now)
        if turn > 250 and turn % 50 == 0:
            delays.append(play_out.statistics.delay)
    facts = play_out.statistics
    assert max(delays) < 0.04
    assert facts.concealed < 0.1
    assert abs(facts.lengthened - facts.shortened) == pytest.approx(0.54, abs=0.08), "300 ppm of 1800 s"


def test_uneven_pulls_do_not_tear_the_sound() -> None:
    sent = Link(jitter=0.001).carry(Sender(PCMU).packets(tone(8000, 20)))
    random = np.random.default_rng(4)
    play_out = PlayOut(Sender(PCMU).formats)
    place, pieces = 0, []
    for turn in range(950):
        now = START + turn * 0.02 + random.uniform(0, 0.012)
        while place < len(sent) and sent[place][0] <= now:
            play_out.push(sent[place][1], sent[place][0])
            place += 1
        pieces.append(play_out.pull(now))
    assert play_out.statistics.concealed < 0.15
    assert longest_gap(np.concatenate(pieces)[96000:], 48000) <= 0.02


def test_silence_that_is_not_sent_is_silence_and_no_loss() -> None:
    spoken = np.concatenate([speech(48000), np.zeros(48000 * 4, np.int16), speech(48000, text=1)])
    heard = call(spoken, Sender(OPUS, EncoderSettings(dtx=True)), Link(jitter=0.004))
    facts = heard.play_out.statistics
    assert facts.lost == 0
    assert facts.concealed < 0.15
    assert facts.restarts == 0
    assert max(settled(heard)) < 0.08


def test_redundancy_brings_back_what_was_lost_and_is_waited_for() -> None:
    heard = call(tone(48000, 20), Sender(OPUS, red=2), Link(loss=0.15))
    facts = heard.play_out.statistics
    assert facts.recovered_by_copy > 100
    assert facts.concealed / facts.played < 0.012
    assert 0.04 <= float(np.mean(settled(heard))) < 0.08


def test_redundancy_that_nobody_needs_costs_no_delay_for_long() -> None:
    heard = call(tone(48000, 8), Sender(OPUS, red=2), Link())
    assert float(np.mean(heard.delays[-150:-30])) < 0.025


def test_the_coarse_copy_of_opus_is_used() -> None:
    heard = call(speech_twice(OPUS), Sender(OPUS, EncoderSettings(fec=True, expected_loss=0.2)), Link(loss=0.1))
    facts = heard.play_out.statistics
    assert facts.recovered_by_fec > facts.lost / 3


def packets(codec: Codec, seconds: float, *, payload_type: int = SOUND, ssrc: int = 0x1234) -> list[RtpPacket]:
    """Packets of a tone, without times."""
    sent = Sender(codec).packets(tone(codec.rate, seconds))
    return [packet._replace(payload_type=payload_type, ssrc=ssrc) for _, packet in sent]


def played(play_out: PlayOut, sent: list[RtpPacket], start: float) -> Pcm:
    """What comes out while packets come in every 20 ms."""
    pieces = []
    for number, packet in enumerate(sent):
        play_out.push(packet, start + number * 0.02)
        pieces.append(play_out.pull(start + number * 0.02 + 0.005))
    return np.concatenate(pieces)


def test_another_sender_takes_over_once_it_is_confirmed() -> None:
    play_out = PlayOut(PlayOutFormats({SOUND: PCMU}))
    played(play_out, packets(PCMU, 2), START)
    stray = packets(PCMU, 0.1, ssrc=9)[0]
    play_out.push(stray, START + 2.0)
    assert play_out.statistics.restarts == 0, "one stray packet ends nothing"
    heard = played(play_out, packets(PCMU, 2, ssrc=77), START + 2.02)
    assert play_out.statistics.restarts == 1
    assert loudness(heard[48000:], 48000).min() > LEVEL / 3


def test_a_jump_of_the_timestamps_is_a_new_stream() -> None:
    play_out = PlayOut(PlayOutFormats({SOUND: PCMU}))
    played(play_out, packets(PCMU, 2), START)
    jumped = [
        packet._replace(timestamp=(packet.timestamp + 3_000_000) & 0xFFFFFFFF, sequence_number=(n + 65100) & 0xFFFF)
        for n, packet in enumerate(packets(PCMU, 2))
    ]
    heard = played(play_out, jumped, START + 2)
    assert play_out.statistics.restarts == 1
    assert loudness(heard[48000:], 48000).min() > LEVEL / 3


@pytest.mark.parametrize(("before", "after"), [(PCMU, G722), (G722, OPUS), (OPUS, PCMU)])
def test_the_codec_changes_in_the_call(before: Codec, after: Codec) -> None:
    play_out = PlayOut(PlayOutFormats({1: before, 2: after}))
    first = packets(before, 1.5, payload_type=1)
    last = first[-1]
    second = [
        packet._replace(
            sequence_number=(last.sequence_number + 1 + number) & 0xFFFF,
            timestamp=(last.timestamp + (number + 1) * after.clock // 50) & 0xFFFFFFFF,
        )
        for number, packet in enumerate(packets(after, 1.5, payload_type=2))
    ]
    heard = played(play_out, first + second, START)
    assert heard.size == 150 * 960
    assert play_out.statistics.codec == after.name
    assert longest_gap(heard[48000 // 2 :], 48000) < 0.13
    assert loudness(heard[-24000:], 48000).min() > LEVEL / 3


def test_telephone_events_between_the_sound_are_no_loss() -> None:
    play_out = PlayOut(PlayOutFormats({SOUND: PCMU}))
    sent = packets(PCMU, 3)
    for number in range(60, 70):
        sent[number] = sent[number]._replace(
            payload_type=101, timestamp=sent[60].timestamp, payload=b"\x05\x0a\x00\xa0"
        )
    played(play_out, sent, START)
    facts = play_out.statistics
    assert (facts.lost, facts.concealed) == (0, 0.0)


def test_comfort_noise_is_heard_at_its_level() -> None:
    play_out = PlayOut(PlayOutFormats({SOUND: PCMU}, comfort_noise=frozenset({13})))
    sent = packets(PCMU, 3)
    sent[50] = sent[50]._replace(payload_type=13, payload=b"\x28")  # -40 dBov
    heard = played(play_out, sent[:51], START)
    rest = np.concatenate([play_out.pull(START + 1.02 + number * 0.02) for number in range(100)])
    assert loudness(heard, 48000)[-20:].max() > 0
    level = 20 * np.log10(np.sqrt(np.mean(rest[9600:].astype(float) ** 2)) / 32768)
    assert level == pytest.approx(-40, abs=3)
    assert play_out.statistics.concealed == 0


def test_nothing_at_all_is_silence_and_a_pause_ends_with_what_comes_next() -> None:
    play_out = PlayOut(PlayOutFormats({SOUND: PCMU}))
    assert not play_out.pull(1.0).any()
    played(play_out, packets(PCMU, 1), START)
    pause = np.concatenate([play_out.pull(START + 1 + n * 0.02) for n in range(500)])
    assert not pause[48000:].any()
    later = [one._replace(sequence_number=(one.sequence_number + 50) & 0xFFFF) for one in packets(PCMU, 1)]
    heard = played(play_out, later, START + 11)
    assert loudness(heard[24000:], 48000).min() > LEVEL / 3


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("frame", [10, 20])
def test_pulls_give_the_wanted_rate_and_length(rate: int, frame: int) -> None:
    options = PlayOutSettings(rate=rate, frame=frame)
    heard = listen(Link().carry(Sender(G722).packets(tone(16000, 3))), Sender(G722).formats, options)
    assert heard.play_out.frame == rate * frame // 1000
    assert heard.pcm.size % heard.play_out.frame == 0
    assert abs(tones.heard(heard.pcm[rate : rate * 2] / 32768, rate).frequency - 440) <= 2
    assert max(settled(heard)) < 0.05


def test_the_figures_of_concealment_are_those_of_the_records() -> None:
    sent = Sender(PCMU).packets(tone(8000, 12))
    kept = [one for number, one in enumerate(sent) if not (200 <= number < 205 or number == 400)]
    heard = listen([(at + 0.03, packet) for at, packet in kept], Sender(PCMU).formats)
    facts = heard.play_out.statistics
    assert facts.lost == 6
    assert facts.concealed == pytest.approx(0.12, abs=0.021)
    assert facts.concealed_seconds == 2
    assert facts.severely_concealed_seconds == 1
    assert facts.conceal_ratio == pytest.approx(0.01, abs=0.002)
    assert facts.interval_ratio == 0
    assert facts.interval_ratio_most == pytest.approx(0.1 / 3, abs=0.007)


def test_sound_of_sixty_milliseconds_a_packet_is_played_as_well() -> None:
    heard = call(converted(speech(48000), 48000, 8000), Sender(PCMU, EncoderSettings(ptime=60)), Link(jitter=0.003))
    assert heard.play_out.statistics.concealed <= 0.04
    assert max(settled(heard)) < 0.07
