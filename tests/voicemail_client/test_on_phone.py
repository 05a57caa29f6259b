"""A message heard on a phone of the house: the voicemail calls it, plays once somebody answered, and can be paused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from ringback.client.voicemail.service import Voicemail
from ringback.media.players.sound import read_sound
from tests.softphone.conftest import person, until
from tests.support.lab import RunningLab
from tests.support.tones import heard
from tests.voicemail.conftest import recorded


def state(voicemail: Voicemail) -> str:
    """What is shown of playing on a phone; empty: nothing."""
    now = voicemail.mailbox.playing
    return now.state if now is not None else ""


async def test_a_message_is_played_on_a_phone_that_is_called(shared_lab: RunningLab, tmp_path: Path) -> None:
    said, kept = tmp_path / "said.wav", tmp_path / "heard.wav"
    said.write_bytes(recorded(3.0))
    async with person(shared_lab, "kenji") as kenji, person(shared_lab, "ivan") as ivan:
        await ivan.voicemail.send(["kenji@example.com"], said, subject="For the phone")
        voicemail = await kenji.voicemail.ready()
        await until(kenji, lambda: voicemail.mailbox.new)
        message = next(row for row in voicemail.newest() if row.subject == "For the phone")
        playing = asyncio.create_task(voicemail.play_on_phone(message.id, "2009"))
        talk = await ivan.next_call(record=kept, seconds=15)
        await talk.answer()
        await playing
        assert state(voicemail) == "playing"
        assert not voicemail.message(message.id).new
        await until(ivan, lambda: kept.stat().st_size > 2 * 16_000 * 2)  # two seconds, told by each second's quality
        await voicemail.control_phone("pause")
        assert state(voicemail) == "paused"
        await voicemail.control_phone("resume")
        await voicemail.control_phone("stop")
        await talk.over(15.0)
        assert state(voicemail) == ""
    sound = read_sound(kept)
    told = heard(sound.pcm[-sound.rate :].astype(np.float64) / 32768, sound.rate)
    assert abs(told.frequency - 440) < 10
