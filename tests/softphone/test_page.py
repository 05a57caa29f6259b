"""The sound of calls in pages: WebRTC to the engine, SRTP to the other side, without transcoding where codecs fit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.client.calling import service
from tests.softphone.conftest import SECONDS, calls, heard, measured, person, rings, tone, until
from tests.softphone.page import page_at
from tests.support.lab import RunningLab


async def test_two_pages_hear_each_other(lab: RunningLab) -> None:
    """Sound goes from page to page, and the codec is the same all the way."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        desk, other = anita.engine.signed_in().calling.desk, bruno.engine.signed_in().calling.desk
        out = await desk.start("2002")
        into = await rings(bruno)
        assert out.media == 1
        await other.answer(into.id)
        async with page_at(anita, out.id, 440) as left, page_at(bruno, into.id, 700) as right:
            await asyncio.gather(left.more(2.0), right.more(2.0))
            for page, frequency in ((left, 700), (right, 440)):
                loudest, level = measured(page.last(1.0), page.rate)
                assert abs(loudest - frequency) < 5
                assert 0.1 < level < 0.25
            await until(anita, lambda: calls(anita)[0].quality.codec == "opus")
            sound = desk.call(out.id).media.sound
            assert sound is not None
            assert not sound.transcodes
            assert calls(anita)[0].secure == calls(bruno)[0].secure == "all"
            desk.mute(out.id, muted=True)
            await right.more(1.5)
            assert measured(right.last(0.5), right.rate)[1] < 0.001
            desk.mute(out.id, muted=False)
            await right.more(1.5)
            assert measured(right.last(0.5), right.rate)[1] > 0.1
        desk.end(out.id)
        await until(bruno, lambda: not calls(bruno))


async def test_a_reloaded_page_takes_the_sound_over(lab: RunningLab, tmp_path: Path) -> None:
    """The last page that connects carries the sound; the call itself goes on all the time."""
    file = tmp_path / "bruno.wav"
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        desk = anita.engine.signed_in().calling.desk
        waits = asyncio.create_task(bruno.next_call(play=tone(700), record=file, seconds=SECONDS))
        out = await desk.start("2002")
        into = await waits
        await into.answer()
        async with page_at(anita, out.id, 440) as first:
            await first.more(1.0)
            async with page_at(anita, out.id, 550) as second:
                await second.more(2.0)
                assert abs(measured(second.last(1.0), second.rate)[0] - 700) < 5
                assert calls(anita)[0].state == "active"
                desk.end(out.id)
                await into.over(SECONDS)
    loudest, _ = heard(file)
    assert abs(loudest - 550) < 5


async def test_a_closed_page_ends_the_call_after_a_while(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens any more: the call waits for a page, then ends with that reason, on both sides."""
    monkeypatch.setattr(service, "PAGE_SECONDS", 2.0)
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        desk = anita.engine.signed_in().calling.desk
        waits = asyncio.create_task(bruno.next_call(seconds=SECONDS))
        out = await desk.start("2002")
        into = await waits
        await into.answer()
        async with page_at(anita, out.id, 440) as page:
            await until(anita, lambda: calls(anita)[0].quality.codec)
            await page.close()
            await until(anita, lambda: not calls(anita))
        recent = anita.engine.signed_in().calling.recent(out.id)
        assert recent is not None
        assert recent.story[-1].text.id == "calls.ended.page_closed"
        await into.over(SECONDS)


async def test_two_pages_see_each_other(lab: RunningLab) -> None:
    """Pictures go from page to page without being decoded, and they move; the call says which codec."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        desk, other = anita.engine.signed_in().calling.desk, bruno.engine.signed_in().calling.desk
        out = await desk.start("2002", video=True)
        into = await rings(bruno)
        assert into.asks_video
        await other.answer(into.id, video=True)
        await until(anita, lambda: calls(anita)[0].video == "both")
        async with (
            page_at(anita, out.id, 440, video=True) as left,
            page_at(bruno, into.id, 700, video=True) as right,
        ):
            await asyncio.gather(left.pictures(20), right.pictures(20))
            for page in (left, right):
                assert len(set(map(round, page.seen[-10:]))) > 3
            await until(anita, lambda: calls(anita)[0].quality.video_codec in ("H264", "VP8"))
            await desk.set_video(out.id, on=False)
            await until(bruno, lambda: calls(bruno)[0].video == "sending")
            assert calls(anita)[0].video == "receiving"
        desk.end(out.id)
        await until(bruno, lambda: not calls(bruno))


async def test_low_bandwidth_takes_fewer_bits_in_the_call(lab: RunningLab) -> None:
    """Pictures end, the page is asked to connect anew with a lower rate, and the sound goes on."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        calling = anita.engine.signed_in().calling
        waits = asyncio.create_task(bruno.next_call(play=tone(700), seconds=SECONDS))
        out = await calling.desk.start("2002", video=True)
        into = await waits
        await into.answer(video=True)
        async with page_at(anita, out.id, 440, video=True) as page:
            await page.more(1.0)
            before = calls(anita)[0].media
            await calling.set_low_bandwidth(on=True)
            assert calls(anita)[0].low
            assert calls(anita)[0].video == "none"
            assert calls(anita)[0].media > before
            wish = calling.desk.call(out.id).media.wish()
            assert "maxaveragebitrate=16000" in wish.audio[0].fmtp
            async with page_at(anita, out.id, 440) as again:
                await again.more(1.5)
                assert abs(measured(again.last(0.7), again.rate)[0] - 700) < 5
        calling.desk.end(out.id)
        await into.over(SECONDS)
