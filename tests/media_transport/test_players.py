"""Tones have the right frequencies and pauses, music is there and quiet, files are read and written, ends are told."""

from __future__ import annotations

import asyncio
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from ringback.media.codecs import G722, OPUS, PCMA, PCMU, Codec
from ringback.media.players import Player, Recorder, Sound, SoundFileError, Tone, beep, read_sound, tone
from ringback.media.players.music import music_on_hold
from ringback.media.players.recorder import WavWriter
from ringback.media.players.sound import parse_sound
from ringback.media.players.tones import COUNTRIES
from ringback.media.playout import PlayOutFormats
from ringback.media.transport.host import MediaHost
from tests.media_transport.conftest import audio, point
from tests.support.tones import heard, peaks, read_wave
from tests.support.waiting import until

RATE = 16000


@pytest.mark.parametrize(
    ("kind", "country", "frequencies", "on", "off"),
    [
        (Tone.RINGBACK, "US", {440, 480}, 2.0, 4.0),
        (Tone.BUSY, "US", {480, 620}, 0.5, 0.5),
        (Tone.RINGBACK, "DE", {425}, 1.0, 4.0),
        (Tone.BUSY, "GB", {400}, 0.375, 0.375),
        (Tone.REORDER, "FR", {440}, 0.25, 0.25),
        (Tone.CALL_WAITING, "NL", {425}, 0.5, 9.5),
        (Tone.RINGBACK, "XX", {425}, 1.0, 4.0),
    ],
)
def test_tones_follow_their_country(kind: Tone, country: str, frequencies: set[int], on: float, off: float) -> None:
    sound = tone(kind, country)
    assert sound.repeat
    assert sound.seconds == pytest.approx(on + off)
    assert peaks(sound.pcm[: int(on * RATE)].astype(float), RATE) == frequencies
    assert not sound.pcm[int(on * RATE) + 1 :].any()


def test_every_country_has_every_tone_and_a_steady_one_repeats_without_a_click() -> None:
    assert len(COUNTRIES) >= 20
    for country in COUNTRIES:
        for kind in Tone:
            sound = tone(kind, country)
            assert np.abs(sound.pcm).max() > 3000
    dial = tone(Tone.DIAL, "US").pcm.astype(int)
    assert abs(dial[0] - dial[-1]) < np.abs(np.diff(dial)).max() * 1.5


def test_music_is_quiet_varied_and_has_no_seam() -> None:
    music = music_on_hold(RATE)
    assert 30 < music.seconds < 90
    assert music.repeat
    assert 4000 < np.abs(music.pcm).max() < 10000
    seconds = music.pcm[: int(music.seconds) * RATE].reshape(-1, RATE).astype(float)
    levels = 20 * np.log10(np.sqrt((seconds**2).mean(axis=1)) / 32768)
    assert levels.min() > -45
    assert levels.max() < -15
    assert len({tuple(sorted(peaks(second.astype(float), RATE))) for second in seconds[::3]}) > 8
    samples = music.pcm.astype(int)
    assert abs(samples[0] - samples[-1]) < np.abs(np.diff(samples)).max()


@pytest.mark.parametrize(("codec", "number"), [(PCMU, 0), (PCMA, 8), (G722, 9), (OPUS, 111)])
async def test_what_is_played_is_what_is_recorded(host: MediaHost, tmp_path: Path, codec: Codec, number: int) -> None:
    a, b = (host.open_leg(audio(clock_rate=codec.clock)) for _ in range(2))
    point(a, b)
    path = tmp_path / "recorded.wav"
    recorder = Recorder(host, path, PlayOutFormats({number: codec}))
    b.on_rtp = recorder.push
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    player = Player(host, a, beep(frequency=700, seconds=1.0), codec, number, on_end=ended.set_result)
    assert await asyncio.wait_for(ended, 10)
    assert player.position == pytest.approx(1.0, abs=0.021)
    await until(lambda: recorder.seconds >= 1.2)
    await recorder.stop()
    await recorder.stop()
    samples, rate = read_wave(path)
    told = heard(samples[int(0.3 * rate) : int(0.9 * rate)], rate)
    assert told.frequency == pytest.approx(700, abs=3)
    assert told.share > 0.99
    assert told.level == pytest.approx(-15, abs=1)


async def test_a_player_ends_with_its_leg_and_tells_once(host: MediaHost) -> None:
    a, b = (host.open_leg(audio()) for _ in range(2))
    point(a, b)
    ends: list[bool] = []
    player = Player(host, a, tone(Tone.DIAL), PCMU, 0, on_end=ends.append)
    await until(lambda: player.position > 0.1)
    a.close()
    await until(lambda: ends)
    player.stop()
    assert ends == [False]


async def test_the_frames_of_a_sound_are_encoded_once() -> None:
    sound = music_on_hold(RATE)
    assert sound.frames(PCMU) is sound.frames(PCMU)
    assert len(sound.frames(PCMU)[0]) == 160


@pytest.mark.parametrize("law", [None, "mu", "A"])
def test_written_files_are_read_back(tmp_path: Path, law: str | None) -> None:
    path = tmp_path / "sound.wav"
    writer = WavWriter(path, 8000, law=law)
    pcm = (np.sin(np.arange(8000) * 0.3) * 10000).astype(np.int16)
    writer.write(pcm[:4000])
    assert len(read_sound(path).pcm) == 4000  # a crash now would lose nothing
    writer.write(pcm[4000:])
    writer.close()
    sound = read_sound(path)
    assert sound.rate == 8000
    assert np.abs(sound.pcm.astype(int) - pcm).max() <= (0 if law is None else 600)
    if law is None:
        with wave.open(str(path)) as other:
            assert (other.getframerate(), other.getnframes(), other.getnchannels()) == (8000, 8000, 1)


def riff(kind: int, channels: int, bits: int, content: bytes, rate: int = 8000) -> bytes:
    """A WAV file."""
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(content)) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", len(content)) + content
    )  # fmt: skip


def test_other_kinds_of_files_are_read() -> None:
    assert list(parse_sound(riff(1, 2, 16, struct.pack("<4h", 100, 200, -300, -100))).pcm) == [150, -200]
    assert list(parse_sound(riff(1, 1, 8, bytes([128, 255, 0]))).pcm) == [0, 127 << 8, -32768]
    assert list(parse_sound(riff(1, 1, 24, b"\0\1\2\xff\xff\xff")).pcm) == [0x0201, -1]
    assert list(parse_sound(riff(1, 1, 32, struct.pack("<2i", 1 << 16, -(1 << 31)))).pcm) == [1, -32768]
    assert list(parse_sound(riff(3, 1, 32, struct.pack("<3f", 1.0, -2.0, float("nan")))).pcm) == [32767, -32768, 0]
    for wrong in (b"", b"RIFF", riff(2, 1, 4, b"x"), riff(1, 0, 16, b"xx"), riff(1, 1, 16, b"xx", rate=1)):
        with pytest.raises(SoundFileError):
            parse_sound(wrong)


async def test_a_full_disk_is_told_at_the_end(host: MediaHost) -> None:
    full = Path("/dev/full")
    recorder = Recorder(host, full, PlayOutFormats({0: PCMU}))
    a, b = (host.open_leg(audio()) for _ in range(2))
    point(a, b)
    b.on_rtp = recorder.push
    Player(host, a, Sound(8000, np.zeros(800, np.int16), repeat=True), PCMU, 0)
    await until(lambda: recorder.seconds > 0.3)
    with pytest.raises(OSError, match="No space left"):
        await recorder.stop()
