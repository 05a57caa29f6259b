"""Compile the hot part of Ringback to machine code, from the very same sources, with mypyc.

What runs for every SIP message is typed Python that mypyc can turn into C. That is optional: nothing needs it. Two
ways: ``RINGBACK_COMPILED=1 pip install .`` (the hatch build hook of ``build_page.py``), and ``python
scripts/build_compiled.py``, by which make puts a whole compiled copy of the package into ``.compiled/``; ``--check``
tells by its status whether that is of these sources. It needs a C compiler and Python's headers
(``scripts/system_packages.sh compiled``) and takes two minutes of a core.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(".compiled")
_STAMP = ".stamp"
GROUP = "ringback_compiled"
_CALLS = "ringback/services/callmanager/calls"
COMPILED = (
    "ringback/protocols/sip",
    "ringback/protocols/sdp",
    "ringback/protocols/call_records.py",
    "ringback/net/sip/datagrams.py",
    "ringback/net/sip/limits.py",
    "ringback/net/sip/loops.py",
    "ringback/net/sip/node.py",
    "ringback/net/sip/peers.py",
    _CALLS,
    "ringback/services/callmanager/record_columns.py",
    "ringback/rules/call_forwarding.py",
    "ringback/rules/dial_plan.py",
    "ringback/storage/callmanager/call_rows.py",
)
INTERPRETED = {
    "ringback/protocols/sip/errors.py": "native classes can't have two built-in exceptions as bases",
    "ringback/protocols/sip/events.py": "msgspec's classes are native already",
    "ringback/protocols/sip/quoted.py": "native classes can't be a kind of str",
    f"{_CALLS}/assembly.py": "runs once",
    f"{_CALLS}/facts.py": "msgspec reads records by its annotations, of which compiled classes keep less",
    f"{_CALLS}/desk.py": "its work is done by asyncio and the media",
    f"{_CALLS}/relaying.py": "its work is done by the media",
    f"{_CALLS}/service.py": "its work is done by asyncio and the store",
}
"""What stays as it is within ``COMPILED``, and why."""
_OPTIMISED = "2"


class CompileError(Exception):
    """The compiler or its tools failed or are missing; their own output came before."""


def modules(root: Path) -> list[str]:
    """The files that are compiled, relative to ``root``."""
    found: list[str] = []
    for name in COMPILED:
        path = root / name
        files = [path] if path.is_file() else sorted(one for one in path.rglob("*.py") if one.name != "__init__.py")
        found += [file.relative_to(root).as_posix() for file in files]
    return [name for name in found if name not in INTERPRETED]


def compile_into(root: Path, folder: Path) -> list[Path]:
    """Compile the modules of the checkout ``root`` into ``folder``, each beside where its source belongs; the files
    made, relative to ``folder``. Raises CompileError."""
    with tempfile.TemporaryDirectory(prefix="ringback-compiled-") as work:
        # mypyc and setuptools read the settings of the folder that they run in, and ours are hatch's
        command = [sys.executable, str(Path(__file__).resolve()), "--build", work, str(folder.resolve())]
        if subprocess.run(command, cwd=root, check=False).returncode:
            raise CompileError("Ringback could not be compiled: see above, and docs/administrators/compiled.md")
    return sorted(path.relative_to(folder) for path in folder.rglob("*.so"))


def _build(work: Path, folder: Path) -> None:
    """In a process of its own, in the checkout: Python to C to machine code."""
    from mypyc.build import mypycify  # noqa: PLC0415 - needed to compile only
    from setuptools import Distribution  # noqa: PLC0415

    extensions = mypycify(
        ["--cache-dir", str(work / "types"), *modules(Path())],
        opt_level=_OPTIMISED,
        debug_level="0",
        multi_file=True,
        group_name=GROUP,
        target_dir=str(work / "c"),
    )
    built = Distribution({"name": "ringback", "ext_modules": extensions}).get_command_obj("build_ext")
    built.build_lib = str(folder)
    built.build_temp = str(work / "objects")
    built.ensure_finalized()
    built.run()


def sources_stamp(root: Path) -> str:
    """A hash over all that the copy is made of, and over the Python that it is for."""
    digest = hashlib.sha256(repr((sys.version, modules(root), _OPTIMISED)).encode())
    for path in sorted((root / "ringback").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_current(root: Path) -> bool:
    """Whether ``.compiled/`` is there and made of these sources."""
    stamp = root / FOLDER / _STAMP
    return stamp.exists() and stamp.read_text() == sources_stamp(root)


def build_copy(root: Path) -> bool:
    """Make ``.compiled/`` anew if anything changed since the last time. Returns whether it did. Raises CompileError."""
    if is_current(root):
        return False
    folder, wanted = root / FOLDER, sources_stamp(root)
    print("Compiling what runs for every SIP message (minutes, once)", flush=True)
    with tempfile.TemporaryDirectory(prefix=".compiled-", dir=root) as made:
        copy = Path(made) / "copy"
        shutil.copytree(root / "ringback", copy / "ringback", ignore=shutil.ignore_patterns("__pycache__"))
        compile_into(root, copy)
        shutil.rmtree(folder, ignore_errors=True)
        copy.rename(folder)
    (folder / _STAMP).write_text(wanted)
    return True


def main(arguments: list[str]) -> int:
    """Make the copy. Returns the exit status."""
    if arguments[:1] == ["--build"]:
        _build(Path(arguments[1]), Path(arguments[2]))
        return 0
    root = Path(__file__).resolve().parent.parent
    if "--check" in arguments:
        return 0 if is_current(root) else 1
    try:
        build_copy(root)
    except (CompileError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
