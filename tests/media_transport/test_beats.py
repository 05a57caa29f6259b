"""Legs that are read at the beat: their packets lose nothing, and what a host does in between goes on."""

from __future__ import annotations

import pytest

from ringback.media.transport import events
from ringback.media.transport.host import MediaHost
from ringback.protocols.rtp.packet import RtpPacket
from tests.media_transport.conftest import audio, point, share_keys
from tests.support.waiting import until


def beat(now: float) -> None:
    """Somebody who wants beats."""


@pytest.mark.parametrize("protocol", ["clear", "sdes"])
async def test_packets_wait_for_the_beat_and_tell_when_they_came(host: MediaHost, protocol: str) -> None:
    a, b = (host.open_leg(audio(protocol=protocol)) for _ in range(2))
    point(a, b)
    if protocol == "sdes":
        share_keys(a, b)
    heard: list[tuple[RtpPacket, float]] = []
    b.on_rtp = lambda packet, now: heard.append((packet, now))
    b.read_at_beats(wanted=True)
    began = host.time()
    for number in range(3):
        a.send(b"%d" % number, 0, 160 * number)
    ended = host.time()
    await until(lambda: len(heard) == 3)
    assert [packet.payload for packet, _ in heard] == [b"0", b"1", b"2"]
    assert all(began - 0.001 <= arrival <= ended + 0.001 for _, arrival in heard)
    b.read_at_beats(wanted=False)
    await until(lambda: not host.ticker.beats)
    a.send(b"3", 0, 480)
    await until(lambda: len(heard) == 4)


async def test_silence_and_reports_are_looked_after_at_beats_and_without_them(host: MediaHost) -> None:
    a, b = host.open_leg(audio()), host.open_leg(audio(silence=0.2))
    point(a, b)
    told: list[events.LegEvent] = []
    b.on_event = told.append
    b.on_rtp = lambda packet, now: None
    host.ticker.add(beat)
    await until(lambda: any(isinstance(one, events.Silent) for one in told))
    a.send(b"x", 0, 0)
    await until(lambda: isinstance(told[-1], events.Resumed | events.SourceChanged))
    await until(lambda: a.counters().figures.remote is not None)
    host.ticker.remove(beat)
    await until(lambda: not host.ticker.beats)
    told.clear()
    await until(lambda: any(isinstance(one, events.Silent) for one in told))


async def test_a_leg_that_closes_while_it_waits_for_the_beat_leaves_nothing_behind(host: MediaHost) -> None:
    leg = host.open_leg(audio())
    leg.read_at_beats(wanted=True)
    leg.close()
    leg.read_at_beats(wanted=False)
    assert not host.sockets.waits
    await until(lambda: not host.ticker.beats)
