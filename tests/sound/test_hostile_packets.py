"""No sequence of packets raises anything, or makes the play-out grow."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.media.codecs import ALL
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.media.playout.buffer import MOST, PacketBuffer, Waiting
from ringback.protocols.rtp.packet import RtpPacket

TYPES = dict(enumerate(ALL))
FORMATS = PlayOutFormats(TYPES, red=frozenset({63}), comfort_noise=frozenset({13}))

NUMBERS = st.one_of(st.integers(0, 0xFFFF), st.integers(0, 40), st.integers(65500, 65535))
STAMPS = st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 200).map(lambda number: number * 160))
PACKETS = st.builds(
    RtpPacket,
    st.sampled_from([*TYPES, 13, 63, 63, 101]),
    NUMBERS,
    STAMPS,
    st.sampled_from([1, 1, 1, 2]),
    st.one_of(st.binary(max_size=200), st.binary(max_size=40).map(lambda rest: b"\x80\x00\x28\x0a" + rest)),
)
STEPS = st.lists(
    st.one_of(PACKETS, st.floats(0, 0.1), st.sampled_from([0.02, 0.02, 0.02, 5.0])), min_size=1, max_size=80
)


@given(STEPS, st.sampled_from([8000, 48000]), st.sampled_from([10, 20]))
@settings(max_examples=250)
def test_any_packets_at_any_time(steps: list[RtpPacket | float], rate: int, frame: int) -> None:
    play_out = PlayOut(FORMATS, PlayOutSettings(rate=rate, frame=frame))
    now = 100.0
    for step in steps:
        if isinstance(step, RtpPacket):
            play_out.push(step, now)
            continue
        now += step
        pcm = play_out.pull(now)
        assert pcm.size == play_out.frame
        assert pcm.dtype.name == "int16"
    facts = play_out.statistics
    assert 0 <= facts.concealed <= facts.played + 1e-6
    assert facts.target_delay <= 0.5 + 0.041


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 4)), max_size=1500))
@settings(max_examples=30)
def test_the_buffer_never_holds_more_than_its_number(entries: list[tuple[int, int]]) -> None:
    buffer = PacketBuffer()
    for start, level in entries:
        buffer.add(Waiting(start, b"x", 0, 0, level, 0.0))
    assert len(buffer) <= MOST
    taken = [buffer.pop().start for _ in range(len(buffer))]
    assert taken == sorted(taken)


def test_a_flood_that_nobody_listens_to_stays_small() -> None:
    play_out = PlayOut(FORMATS)
    for number in range(20_000):
        play_out.push(RtpPacket(2, number & 0xFFFF, number * 160 & 0xFFFFFFFF, 1, bytes(160)), number * 0.02)
    delays = []
    for number in range(200):
        play_out.pull(400.0 + number * 0.02)
        delays.append(play_out.statistics.delay)
    assert max(delays[20:]) < 5.0
    assert play_out.statistics.late + play_out.statistics.received >= 20_000
