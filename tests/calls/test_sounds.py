"""Music and tones for those who are held or wait: made once, and again where the file of the music changed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ringback.media.codecs import codec_named
from ringback.media.transport.host import MediaHost
from ringback.services.callmanager.calls.desk import Studio
from ringback.services.callmanager.settings import CallSettings
from tests.support.tones import write_tone


async def test_music_is_read_and_encoded_once_until_its_file_changes(tmp_path: Path) -> None:
    file = write_tone(tmp_path / "music.wav", 440, seconds=1)
    studio = Studio(replace(CallSettings(), music=file), MediaHost("127.0.0.1"))
    codec = codec_named("PCMU")
    first = studio.sound("music")
    assert studio.sound("music").frames(codec) is first.frames(codec)
    os.utime(write_tone(file, 880, seconds=1), (1, 1))
    assert studio.sound("music").frames(codec) != first.frames(codec)
    assert studio.sound("ringback") is studio.sound("ringback")
    await studio.close()
