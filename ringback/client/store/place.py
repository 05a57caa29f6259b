"""Where an account's store lies, and the claim on it: one running engine per file, across processes too."""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ringback.client.store.errors import StoreFileError

_COPIES = 16  # engines of one account that may run at once on one data folder


def file_name(address: str) -> str:
    """The name of an account's store: it does not tell whose it is to somebody who only sees the folder."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Claim:
    """A store file that is ours until ``release``. ``first``: it is the account's main one."""

    path: Path
    first: bool
    descriptor: int

    def release(self) -> None:
        """Let another engine have the file."""
        os.close(self.descriptor)


def claim(folder: Path, address: str) -> Claim:
    """Claim the account's store, or a copy of its own where another engine holds that. Blocks for an instant.

    Raises StoreFileError where the folder can't be written or too many engines run.
    """
    name = file_name(address)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in range(_COPIES):
            path = folder / (f"{name}.db" if number == 0 else f"{name}-{number + 1}.db")
            descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return Claim(path, number == 0, descriptor)
    except OSError as error:
        raise StoreFileError(f"The data folder {folder} can't be used: {error.strerror}") from error
    raise StoreFileError(f"{_COPIES} sessions of this account are open already")
