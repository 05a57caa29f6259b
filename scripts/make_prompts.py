"""Speak the words of the voicemail service into sound files, with espeak-ng. Run it after a change of the words.

    scripts/make_prompts.py [language ...]

Each language has a file of words, ``NAME.json``, and a folder of sounds beside it; numbers from 0 to 99 are added.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import av

FOLDER = Path(__file__).parent.parent / "ringback/services/voicemail/telephone/prompts"
RATE = 16_000


def speak(language: str, words: str, target: Path) -> None:
    """One sound, as Opus in Ogg at 16 kbit/s."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        command = ["espeak-ng", "-v", language, "-s", "150", "-g", "4", "-w", str(spoken), words]
        subprocess.run(command, check=True, timeout=30)
        with av.open(str(spoken)) as source, av.open(str(target), "w", format="ogg") as sink:
            stream = sink.add_stream("libopus", rate=RATE, layout="mono")
            stream.bit_rate = 16_000
            resampler = av.AudioResampler("s16", "mono", RATE)
            for frame in source.decode(audio=0):
                for part in resampler.resample(frame):
                    sink.mux(stream.encode(part))
            for part in resampler.resample(None):
                sink.mux(stream.encode(part))
            sink.mux(stream.encode(None))


def main(languages: list[str]) -> None:
    """Speak the languages named, or all."""
    for file in sorted(FOLDER.glob("*.json")):
        if languages and file.stem not in languages:
            continue
        sounds = FOLDER / file.stem
        sounds.mkdir(exist_ok=True)
        words = json.loads(file.read_text()) | {f"number-{number}": str(number) for number in range(100)}
        for old in sounds.glob("*.ogg"):
            if old.stem not in words:
                old.unlink()
        for name, text in words.items():
            speak(file.stem, text, sounds / f"{name}.ogg")
        print(f"{file.stem}: {len(words)} sounds")


if __name__ == "__main__":
    main(sys.argv[1:])
