"""Writing down what is said in a message, by a speech model on this machine (optional extra ``speech``).

Nothing is sent anywhere and nothing is fetched: the package is faster-whisper, the model a folder that somebody put
onto this machine (``speech-model`` in the data folder, or ``RINGBACK_SPEECH_MODEL``). It runs in a process of its own,
started for each message and at low priority, so that neither its memory nor its work weighs on calls; without the
person's wish nothing is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from ringback.media.codecs import Resampler
from ringback.media.players.sound import SoundFileError, parse_sound

PACKAGE: Final = "faster_whisper"
VARIABLE: Final = "RINGBACK_SPEECH_MODEL"
FOLDER: Final = "speech-model"
_RATE: Final = 16_000
_SECONDS: Final = 600.0  # how long a message may take
_LONGEST: Final = 20_000  # characters


def model(data: Path) -> Path | None:
    """The folder of the model that can be used now; None where model or package is missing. ``data``: the folder of
    what this machine keeps."""
    folder = Path(os.environ.get(VARIABLE) or data / FOLDER)
    # Without the second file the package would look for it on the internet.
    whole = all((folder / name).is_file() for name in ("model.bin", "tokenizer.json"))
    return folder if whole and importlib.util.find_spec(PACKAGE) is not None else None


async def write_down(wav: bytes, folder: Path) -> str:
    """What is said in a WAV file; empty where nothing was understood, or the model failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
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


def understood(wav: bytes, folder: Path) -> str:
    """The same in this process. Blocks. Raises SoundFileError, and ImportError or whatever the package raises for a
    folder that holds no model."""
    sound = parse_sound(wav)
    pcm = Resampler(sound.rate, _RATE).process(sound.pcm).astype(np.float32) / 32768
    # Imported here: the package is optional, and its model is to be loaded only when somebody wants it.
    whisper: Any = importlib.import_module(PACKAGE).WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
    )
    segments, _ = whisper.transcribe(pcm, beam_size=1)
    return " ".join(segment.text.strip() for segment in segments)


def main() -> int:
    """Read a WAV file from the input and write what is said to the output; the argument is the model's folder."""
    with contextlib.suppress(OSError):
        os.nice(15)
    try:
        sys.stdout.write(understood(sys.stdin.buffer.read(), Path(sys.argv[1])))
    except (SoundFileError, ImportError, ValueError, RuntimeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
