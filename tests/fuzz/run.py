"""``python -m tests.fuzz.run HARNESS SECONDS FOLDER``: fuzz one harness with atheris for so many seconds.

Ends with status 0 where nothing was found; else the traceback is printed and the input kept in the folder. An input
that was kept is tried again with ``python -m tests.fuzz.run HARNESS FILE``. Without arguments, lines of these three
words and the most inputs to try (-1: any number) come from the input, and the statuses go to the output: everything is
instrumented once for all of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ringback", "tests.fuzz.harnesses"]):
    from tests.fuzz.harnesses import HARNESSES


def fuzz(name: str, seconds: str, folder: Path, runs: str = "-1") -> None:
    """Fuzz; does not return."""
    harness = HARNESSES[name]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(harness.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        "-max_len=4096",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-verbosity=0",
    )
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], harness.run)
    atheris.Fuzz()


def serve() -> None:
    """A child for each line; what it prints goes to ``output`` beside its folder."""
    for line in sys.stdin:
        name, seconds, folder, runs = line.split()
        child = os.fork()
        if not child:
            output = os.open(f"{folder}.output", os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
            fuzz(name, seconds, Path(folder), runs)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def main() -> None:
    """One, one again, or many."""
    match sys.argv[1:]:
        case [name, seconds, folder]:
            fuzz(name, seconds, Path(folder))
        case [name, file]:
            HARNESSES[name].run(Path(file).read_bytes())
        case _:
            serve()


if __name__ == "__main__":
    main()
