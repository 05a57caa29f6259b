"""What a deployment keeps between starts: the data folder with its authority, databases and secrets."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path


class DataFolder:
    """The folder that ``--data`` names. Everything in it is only for its owner (mode 700)."""

    def __init__(self, path: Path, *, kept: bool = True) -> None:
        """Open or make the folder; ``kept`` is False where it goes at the end. Raises OSError."""
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path.resolve()
        self.kept = kept

    @property
    def certificates(self) -> Path:
        """Where the private authority and the certificates of the nodes are."""
        return self.path / "certificates"

    def node(self, name: str) -> Path:
        """The folder of a node."""
        folder = self.path / "nodes" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def database(self, node: str, role: str) -> str:
        """The SQLAlchemy URL of the file that a role of a node keeps."""
        return f"sqlite+aiosqlite:///{self.node(node) / role}.db"

    def secret(self, name: str) -> str:
        """A random secret that services of this deployment share, made when first asked for."""
        folder = self.path / "secrets"
        folder.mkdir(exist_ok=True, mode=0o700)
        file = folder / name
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text("ascii")
        secret = secrets.token_urlsafe(32)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secret)
        return secret

    def write_json(self, name: str, content: object) -> Path:
        """Write a file for outside programs, whole or not at all; nodes that share the folder may do so at once."""
        target = self.path / name
        draft = target.with_suffix(f".{os.getpid()}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(content, out, indent=2, ensure_ascii=False)
        draft.replace(target)
        return target
