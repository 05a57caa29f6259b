"""Run the tests; what fails beside others is tried once more, alone, to tell where to look.

A failure stays one: the exit status is that of the first run. But whether a test fails alone, too, says whether to look
for a fault of its own, or for a race or a neighbour. More than a few failures are not tried again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
MOST = 3
_TESTS_FAILED = 1  # pytest's exit status


def pytest(*words: str) -> int:
    """The exit status of a run."""
    return subprocess.run((sys.executable, "-m", "pytest", *words), cwd=ROOT, check=False).returncode


def main(words: list[str]) -> int:
    """All, then those that failed."""
    FAILED.unlink(missing_ok=True)
    status = pytest(*words)
    if status != _TESTS_FAILED or not FAILED.exists():
        return status
    failed = sorted(json.loads(FAILED.read_text("utf-8")))
    if len(failed) > MOST:
        return status
    again = pytest("-n", "0", *failed)
    came = "failed alone, too" if again else "passed alone: look for a race, or for what others left behind"
    print(f"\nFailed beside others, {came}:", *(f"  {one}" for one in failed), sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
