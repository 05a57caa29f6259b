"""A PostgreSQL server of our own for tests: Debian's binaries, a temporary folder, a Unix socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BINARIES = Path("/usr/lib/postgresql")
_PATIENCE = 60
_SETTINGS = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=40"


class PostgresMissingError(RuntimeError):
    """PostgreSQL cannot run here; the message says what to install or allow."""


@dataclass(slots=True)
class Postgres:
    """A running server; ``fresh_url`` makes an empty database and names it as SQLAlchemy wants it."""

    folder: Path
    binaries: Path
    made: int = 0

    def fresh_url(self) -> str:
        """The URL of a new, empty database."""
        self.made += 1
        name = f"ringback_{os.getpid()}_{self.made}"
        _run(f"{self.binaries}/createdb -h {self.folder} -U postgres {name}")
        return f"postgresql+asyncpg://postgres@/{name}?host={self.folder}"


def _run(command: str) -> None:
    """Run as the user postgres where we are root, because PostgreSQL refuses to run as root."""
    words = ["su", "postgres", "-s", "/bin/sh", "-c", command] if os.geteuid() == 0 else shlex.split(command)
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=_PATIENCE, check=False, cwd="/", stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise PostgresMissingError(f"PostgreSQL did not do {command!r}: {done.stderr.strip() or done.stdout.strip()}")


def _binaries() -> Path:
    found = sorted(_BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise PostgresMissingError("The tests need PostgreSQL's binaries: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server and stop it afterwards. Raises PostgresMissingError where that cannot be done."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="rb-pg-"))
    try:
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        _run(f"{binaries}/initdb --no-sync --auth=trust -U postgres -E UTF8 --locale=C.UTF-8 -D {data}")
        options = shlex.quote(f"{_SETTINGS} -c unix_socket_directories={folder}")
        _run(f"{binaries}/pg_ctl -w -t {_PATIENCE} -D {data} -l {folder}/log -o {options} start >{folder}/out 2>&1")
        try:
            yield Postgres(folder, binaries)
        finally:
            _run(f"{binaries}/pg_ctl -w -D {data} -m immediate stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
