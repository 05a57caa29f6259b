"""Cores without sockets: keys pressed, what is counted, what is reported, streams whose source changes."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.continuity import Continuity
from ringback.protocols.rtp.errors import TelephoneEventFormatError
from ringback.protocols.rtp.history import PacketHistory
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.reception import SourceStatistics
from ringback.protocols.rtp.reports import Reporter
from ringback.protocols.rtp.rtcp_wire import parse_compound, serialize_compound
from ringback.protocols.rtp.sequence import Unwrapper
from ringback.protocols.rtp.telephone_event import DIGITS, EventReceiver, EventSender, parse_events

RATE = 8000


@dataclass(frozen=True)
class Sent:
    """A packet on its way; ``payload`` is None for sound."""

    sequence: int
    timestamp: int
    payload: bytes | None
    at: float
    press: int | None = None


def dialled(digits: str, sequence: int = 65500, timestamp: int = 4294960000, interval: float = 0.05) -> list[Sent]:
    """What a sender sends for keys, with sound before, between and after."""
    sender = EventSender(RATE, interval=interval)
    sender.press(digits, 0.1)
    packets = []
    presses: list[int] = []
    for step in range(20000):
        now = step * 0.01
        stamp = (timestamp + int(now * RATE)) & 0xFFFFFFFF
        for one in sender.handle_timer(now, stamp):
            if one.marker:
                presses.append(one.timestamp)
            packets.append(Sent(sequence & 0xFFFF, one.timestamp, one.payload, now, len(presses) - 1))
            sequence += 1
        if not sender.active and step % 2 == 0:
            packets.append(Sent(sequence & 0xFFFF, stamp, None, now))
            sequence += 1
        if sender.next_deadline() is None and now > 0.4:
            break
    return packets


def heard(packets: list[Sent], delays: dict[int, float] | None = None) -> str:
    """The digits that a receiver tells of packets that arrive so."""
    receiver = EventReceiver()
    arrivals = sorted((one.at + (delays or {}).get(number, 0.0), number, one) for number, one in enumerate(packets))
    told = []
    for now, _, one in arrivals:
        deadline = receiver.next_deadline()
        if deadline is not None and deadline <= now:
            told += receiver.handle_timer(deadline)
        if one.payload is None:
            told += receiver.saw(one.sequence, now)
        else:
            told += receiver.receive(one.sequence, one.timestamp, one.payload, now)
    told += receiver.handle_timer(1e9)
    return "".join(one.digit or "?" for one in told)


def test_an_event_has_a_marker_growing_durations_and_three_ends() -> None:
    events = [one for one in dialled("5") if one.payload is not None]
    contents = [parse_events(one.payload)[0] for one in events if one.payload is not None]
    assert [one.duration for one in contents] == [400, 800, 800, 800]
    assert [one.end for one in contents] == [False, True, True, True]
    assert len({one.timestamp for one in events}) == 1
    assert {one.event for one in contents} == {5}


def test_an_event_longer_than_the_field_goes_on_in_segments() -> None:
    sender = EventSender(RATE)
    sender.press("1", 0.0, 10.0)
    packets = [one for step in range(1100) for one in sender.handle_timer(step * 0.01, 1000 + step * 80)]
    starts = sorted({one.timestamp for one in packets})
    assert starts == [1000, 1000 + 65535]
    assert sum(one.marker for one in packets) == 1
    last = parse_events(packets[-1].payload)[0]
    assert last.end
    assert last.duration == 80000 - 65535
    assert heard([Sent(n, one.timestamp, one.payload, n * 0.05) for n, one in enumerate(packets)]) == "1"


def test_what_is_no_key_is_refused_and_nothing_is_sent() -> None:
    sender = EventSender(RATE, limit=4)
    for wrong in ("1x", "12345"):
        with pytest.raises(TelephoneEventFormatError):
            sender.press(wrong, 0.0)
    assert sender.next_deadline() is None


digits = st.text(DIGITS, min_size=1, max_size=12)


@settings(max_examples=150)
@given(digits, st.randoms(use_true_random=False), st.floats(0, 0.95))
def test_digits_come_in_order_and_once_whatever_is_lost(text: str, rng: random.Random, loss: float) -> None:
    """Of every press, as long as one packet of it arrives; of the others nothing can be known."""
    kept = [one for one in dialled(text) if rng.random() >= loss]
    expected = "".join(text[number] for number in sorted({one.press for one in kept if one.press is not None}))
    assert heard(kept) == expected


@settings(max_examples=150)
@given(digits, st.randoms(use_true_random=False), st.floats(0, 0.4), st.floats(0, 0.09))
def test_digits_come_in_order_and_once_though_packets_overtake_and_double(
    text: str, rng: random.Random, loss: float, jitter: float
) -> None:
    sent = dialled(text)
    kept = [one for one in sent if rng.random() >= loss]
    doubled = [one for one in kept if rng.random() < 0.2]
    arriving = kept + doubled
    told = heard(arriving, {number: rng.uniform(0, jitter) for number in range(len(arriving))})
    expected = "".join(text[number] for number in sorted({one.press for one in kept if one.press is not None}))
    assert told == expected


def count(packets: list[tuple[int, float]]) -> SourceStatistics:
    """Statistics after packets (sequence number, arrival) of 20 ms each."""
    source = SourceStatistics(1, RATE)
    for sequence, arrival in packets:
        source.received(sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, 160, arrival)
    return source


def test_loss_is_counted_across_the_wrap_and_told_as_a_fraction() -> None:
    source = count([(n, n * 0.02) for n in range(65500, 65600) if n % 4])
    assert source.figures().expected == 99  # the first and the last multiples of four are at the edges
    assert source.figures().lost == 24
    block = source.report(0, 0)
    assert (block.packets_lost, block.fraction_lost) == (24, 24 * 256 // 99)
    assert block.highest_sequence == 65599
    assert source.report(0, 0).fraction_lost == 0


def test_copies_are_known_and_late_packets_count() -> None:
    source = SourceStatistics(1, RATE)
    order = [0, 1, 3, 2, 2, 3, 4]
    assert [source.received(n, n * 160, 160, n * 0.02) for n in order] == [True, True, True, True, False, False, True]
    figures = source.figures()
    assert (figures.packets, figures.duplicates, figures.lost) == (5, 2, 0)


def test_jitter_follows_the_formula_of_the_document() -> None:
    """RFC 3550 appendix A.8, computed here a second time in its own words."""
    rng = random.Random(5)
    arrivals = [n * 0.02 + rng.uniform(0, 0.01) for n in range(500)]
    source = count(list(enumerate(arrivals)))
    jitter, transit = 0.0, None
    for n, arrival in enumerate(arrivals):
        now = arrival * RATE - n * 160
        if transit is not None:
            jitter += (abs(now - transit) - jitter) / 16
        transit = now
    assert source.jitter * RATE == pytest.approx(jitter)
    assert 0.002 < source.jitter < 0.005


def test_a_source_that_starts_again_is_no_loss_of_thousands() -> None:
    source = count([(n, n * 0.02) for n in range(100)])
    for n in range(100):
        source.received((40000 + n) & 0xFFFF, n * 160, 160, 2 + n * 0.02)
    assert source.figures().lost == 0
    assert source.figures().packets == 200


def test_losses_close_together_are_a_burst_and_single_ones_belong_to_the_gap() -> None:
    lost = {50, 100, 101, 102, 104, 200}
    figures = count([(n, n * 0.02) for n in range(300) if n not in lost]).figures()
    assert (figures.bursts, figures.burst_packets, figures.burst_lost) == (1, 5, 4)
    assert figures.gap_lost == 2


def test_numbers_that_wrap_are_counted_on() -> None:
    unwrap = Unwrapper().unwrap
    assert [unwrap(n) for n in (65534, 65535, 0, 65533, 1, 40000)] == [65534, 65535, 65536, 65533, 65537, 40000]


def exchange(delay: float, seconds: float = 20.0, loss: float = 0.0) -> tuple[Reporter, Reporter]:
    """Two ends that talk over a link; time is only counted."""
    rng = random.Random(1)
    ends = [Reporter(ssrc, f"end {ssrc}", RATE, wall=1e9 + ssrc, interval=1.0, seed=ssrc) for ssrc in (11, 22)]
    flying: list[tuple[float, int, bytes]] = []
    for step in range(int(seconds * 1000)):
        now = step / 1000
        for number, end in enumerate(ends):
            if step % 20 == 0:
                sequence, stamp = step // 20, step * 8
                end.sent(stamp, 160, now)
                if rng.random() >= loss or number:
                    ends[1 - number].received(end.ssrc, sequence & 0xFFFF, stamp, 160, now + delay)
            packets = end.handle_timer(now)
            if packets:
                flying.append((now + delay, 1 - number, serialize_compound(packets)))
        while flying and flying[0][0] <= now:
            _, to, octets = flying.pop(0)
            ends[to].receive_rtcp(parse_compound(octets), now)
    return ends[0], ends[1]


def test_both_ends_measure_the_round_trip_and_learn_the_loss() -> None:
    one, other = exchange(0.04, loss=0.1)
    assert one.round_trip == pytest.approx(0.08, abs=0.005)
    assert other.round_trip == pytest.approx(0.08, abs=0.005)
    assert one.remote is not None
    assert one.remote.packets_lost == pytest.approx(100, abs=30)
    assert one.figures().remote_metrics is not None
    assert one.figures().remote_metrics == one.remote_metrics
    assert one.remote_metrics is not None
    assert 15 < one.remote_metrics.loss_rate < 40
    assert other.figures().received.loss == pytest.approx(0.1, abs=0.03)
    assert other.remote is not None
    assert other.remote.packets_lost == 0


def test_one_who_only_listens_measures_the_round_trip_too() -> None:
    sender = Reporter(1, "sender", RATE, wall=0, interval=1.0, seed=1)
    listener = Reporter(2, "listener", RATE, wall=5, interval=1.0, seed=2)
    for step in range(400):
        now = step * 0.02
        sender.sent(step * 160, 160, now)
        listener.received(1, step, step * 160, 160, now + 0.03)
        listener.receive_rtcp(sender.handle_timer(now), now + 0.03)
        sender.receive_rtcp(listener.handle_timer(now), now + 0.03)
    assert isinstance(listener.report(9.0)[0], rtcp.ReceiverReport)
    assert listener.round_trip == pytest.approx(0.06, abs=0.005)


@given(st.floats(0, 1e8))
def test_a_stream_that_begins_with_a_key_counts_on_from_there_however_long_the_machine_runs(began: float) -> None:
    stream = Continuity(1, 48_000, 7, 1_000)
    assert stream.insert(began) == (7, 1_000)
    _, stamp = stream.insert(began + 0.25)
    assert abs(stamp - 13_000) <= 1
    sequence, stamp, fresh = stream.place(1 << 32, 500, 0, began + 0.5) or (0, 0, False)
    assert (sequence, fresh) == (9, True)
    assert abs(stamp - 25_000) <= 1


def test_a_stream_goes_on_when_its_source_changes() -> None:
    stream = Continuity(99, RATE, sequence=1000, timestamp=5000)
    assert stream.place(1, 7, 160, 0.0) == (1000, 5000, True)
    assert stream.place(1, 8, 320, 0.02) == (1001, 5160, False)
    assert stream.place(2, 40000, 77, 1.02) == (1002, 5160 + 8000, True)  # a second later
    assert stream.place(1, 9, 480, 1.03) is None  # a late packet of the first does not take the stream back
    assert stream.place(2, 40002, 397, 1.06) == (1004, 5160 + 8320, False)
    assert stream.place(2, 40001, 237, 1.07) == (1003, 5160 + 8160, False)
    stream.allow(1)
    assert stream.place(1, 9, 480, 2.06) == (1005, 5160 + 8320 + 8000, True)
    assert stream.back(1005) == 9


def test_own_packets_between_and_packets_left_out_are_no_loss() -> None:
    stream = Continuity(99, RATE, sequence=10)
    stream.place(1, 100, 0, 0.0)
    assert stream.insert(0.02)[0] == 11
    stream.skip()
    assert stream.place(1, 102, 320, 0.04) is not None
    stream.insert(0.06)
    placed = stream.place(1, 103, 480, 0.06)
    assert placed is not None
    assert placed[0] == 14


def test_packets_are_sent_again_but_not_for_ever() -> None:
    history = PacketHistory(4)
    sent = [RtpPacket(96, n & 0xFFFF, 0, 1, bytes([n & 0xFF])) for n in range(65533, 65540)]
    for packet in sent:
        history.add(packet)
    assert history.wanted((65533, 1, 2)) == sent[4:6]
    assert history.wanted((1,)) == history.wanted((1,)) == [sent[4]]
    assert history.wanted((1,)) == []
