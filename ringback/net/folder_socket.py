"""A socket in a folder, for those who may read the folder. Names of such sockets may have 107 octets only; folders are
longer than that at times, so they are reached by their descriptor where the system has a way for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LONGEST: Final = 100  # octets; the limit of systems is 103 to 107


@contextmanager
def reachable(file: Path) -> Iterator[str]:
    """A short name for a socket file. Raises OSError where its folder is not there."""
    if len(os.fsencode(file)) <= _LONGEST:
        yield str(file)
        return
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{file.name}"
    finally:
        os.close(descriptor)


def listen(file: Path) -> socket.socket:
    """A listening socket that only the owner reaches; one that a process left behind is replaced. Raises OSError."""
    with suppress(FileNotFoundError):
        file.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(file) as name:
            bound.bind(name)
            os.chmod(name, 0o600)
        bound.listen(16)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
