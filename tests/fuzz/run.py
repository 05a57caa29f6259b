"""``python -m tests.fuzz.run HARNESS SECONDS FOLDER``: fuzz one harness with atheris for so many seconds.

Ends with status 0 where nothing was found; else the traceback is printed and the input kept in the folder. An input
that was kept is tried again with ``python -m tests.fuzz.run HARNESS FILE``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ringback", "tests.fuzz.harnesses"]):
    from tests.fuzz.harnesses import HARNESSES


def main() -> None:
    """Fuzz; does not return."""
    harness = HARNESSES[sys.argv[1]]
    if len(sys.argv) == 3:
        harness.run(Path(sys.argv[2]).read_bytes())
        return
    seconds, folder = sys.argv[2], Path(sys.argv[3])
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(harness.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0")
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], harness.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
