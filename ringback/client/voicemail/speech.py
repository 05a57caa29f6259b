"""Writing down what is said in a message, by a speech model on this machine (optional extra ``speech``).

Nothing is sent anywhere: the model comes with the package PocketSphinx. It runs in a process of its own, started for
each message and at low priority, so that neither its memory nor its work weighs on calls; without the person's wish
nothing is loaded. The model knows English; what it makes of a telephone's sound is a help for finding a message again,
not a record.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import sys
from typing import Any, Final

from ringback.media.codecs import Resampler
from ringback.media.players.sound import SoundFileError, parse_sound

PACKAGE: Final = "pocketsphinx"
_RATE: Final = 16_000
_SECONDS: Final = 600.0  # how long a message may take
_LONGEST: Final = 20_000  # characters


def available() -> bool:
    """Whether a model is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


async def write_down(wav: bytes) -> str:
    """What is said in a WAV file; empty where nothing was understood, or the model failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            out, _ = await process.communicate(wav)
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode("utf-8", "replace").strip()[:_LONGEST] if process.returncode == 0 else ""


def understood(wav: bytes) -> str:
    """The same in this process. Blocks for about half of the sound's length. Raises SoundFileError, ImportError."""
    sound = parse_sound(wav)
    pcm = Resampler(sound.rate, _RATE).process(sound.pcm)
    # Imported here: the package is optional, and its model is to be loaded only when somebody wants it.
    decoder: Any = importlib.import_module(PACKAGE).Decoder(samprate=float(_RATE), loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(pcm.astype("<i2").tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return str(found.hypstr) if found is not None else ""


def main() -> int:
    """Read a WAV file from the input and write what is said to the output."""
    with contextlib.suppress(OSError):
        os.nice(15)
    try:
        sys.stdout.write(understood(sys.stdin.buffer.read()))
    except SoundFileError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
