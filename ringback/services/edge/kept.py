"""The file in which the inner proxy keeps its blocks over a restart: whole or not at all, and only for its owner."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from ringback.rules.edge_protection import Block, Exemption, LetIn, Remembered

_NAME: Final = "protection.json"

_log = structlog.get_logger("ringback.edge.protection")


class _File(msgspec.Struct):
    version: int = 1
    blocks: list[Block] = []
    exempt: list[tuple[str, float | None]] = []
    let_in: list[tuple[str, str, float]] = []


class Kept:
    """``folder`` is that of the node. No password, token or hash of one is ever in the file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _NAME

    def read(self) -> Remembered:
        """What was kept; nothing where there is no file. One that can't be read is set aside and told, since an edge
        that does not start helps nobody. Raises OSError."""
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return Remembered()
        try:
            return decode(content)
        except ValueError as error:
            _log.error("edge.kept_unreadable", file=self._file.name, why=str(error))
            self._file.replace(self._file.with_suffix(".unreadable"))
            return Remembered()

    def write(self, remembered: Remembered) -> None:
        """Replace the file. Raises OSError."""
        draft = self._file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(encode(remembered))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(self._file)


def encode(remembered: Remembered) -> bytes:
    """As it is written."""
    return msgspec.json.encode(
        _File(
            blocks=list(remembered.blocks),
            exempt=[(str(one.network), one.until) for one in remembered.exemptions],
            let_in=[(one.household, one.person, one.at) for one in remembered.let_in],
        )
    )


def decode(content: bytes) -> Remembered:
    """Mirror of ``encode``. Raises ValueError."""
    found = msgspec.json.decode(content, type=_File)
    exempt = tuple(Exemption(ipaddress.ip_network(network), until) for network, until in found.exempt)
    return Remembered(tuple(found.blocks), exempt, tuple(LetIn(*one) for one in found.let_in))
