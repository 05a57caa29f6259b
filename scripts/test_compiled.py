"""Run the tests of SIP and of the call manager against the compiled copy of the package (``build_compiled.py``)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = ("sip", "sip_messages", "sdp", "calls", "callmanager", "sip_oauth", "dial_plan")
_IS_COMPILED = "from ringback.protocols.sip import agent; raise SystemExit(not agent.__file__.endswith('.so'))"


def main(arguments: list[str]) -> int:
    """Run them. Returns the exit status."""
    root = Path(__file__).resolve().parent.parent
    # the copy comes first; neither the folder we are in nor pytest's may stand before it
    path = os.pathsep.join((str(root / ".compiled"), str(root)))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    if subprocess.run([sys.executable, "-c", _IS_COMPILED], env=environment, check=False).returncode:
        print("There is no compiled copy: run make compiled", file=sys.stderr)
        return 1
    tests = [f"tests/{name}" for name in TESTS]
    words = [sys.executable, "-m", "pytest", "--import-mode=append", *tests, *arguments]
    return subprocess.run(words, cwd=root, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
