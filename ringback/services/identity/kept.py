"""What the identity provider keeps between starts: hashes of passwords, and the steps of the last one-time codes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec

_KEPT_STEPS = 10  # a code of so many steps ago is refused for its age alone


class Kept:
    """Two small files of mode 600 in a folder, each written whole or not at all."""

    def __init__(self, folder: Path, passwords: dict[str, str], steps: dict[str, int]) -> None:
        self._folder = folder
        self._passwords = passwords
        self._steps = steps
        self._changed = False
        self._writing = asyncio.Lock()

    @classmethod
    def open(cls, folder: Path) -> Kept:
        """What is kept in a folder, which is made where there is none. Raises OSError, msgspec.DecodeError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        passwords = msgspec.json.decode(_bytes(folder / "passwords.json"), type=dict[str, str])
        steps = msgspec.json.decode(_bytes(folder / "codes.json"), type=dict[str, int])
        return cls(folder, passwords, steps)

    def password(self, user: str) -> str | None:
        """The hash of a user's password."""
        return self._passwords.get(user)

    def keep(self, user: str, hashed: str) -> None:
        """A new hash; kept for good by ``write``."""
        self._passwords[user] = hashed
        self._changed = True

    def write(self) -> None:
        """Keep new hashes for good. Raises OSError."""
        if self._changed:
            _write(self._folder / "passwords.json", self._passwords)
            self._changed = False

    def last_step(self, user: str) -> int:
        """The step of the last code that a user used; -1 where that is long ago."""
        return self._steps.get(user, -1)

    async def use_step(self, user: str, step: int, current: int) -> None:
        """Remember that a code was used, at once for this process and for good when this returns. Raises OSError."""
        self._steps = {name: used for name, used in self._steps.items() if used > current - _KEPT_STEPS}
        self._steps[user] = step
        async with self._writing:
            await asyncio.to_thread(_write, self._folder / "codes.json", dict(self._steps))


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b"{}"


def _write(path: Path, content: object) -> None:
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.json.encode(content))
    draft.replace(path)
