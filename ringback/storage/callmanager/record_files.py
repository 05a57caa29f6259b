"""Files of call records in a folder: ``cdr_<cluster>_<node>_<YYYYMMDDHHMM>_<count>`` and ``cmr_...``.

A file grows under a name that ends in ``.part`` and gets its real one when it is complete: after some seconds, at some
size, or when the node ends. What a node left behind as ``.part`` is completed at its next start, without a line that
was cut. Nothing is ever removed here. All methods wait for the disk: call them in a thread.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from ringback.protocols.call_records import CDR_COLUMNS, CMR_COLUMNS, cdr_line, cmr_line, head
from ringback.storage.callmanager.record_store import Row

Kind = Literal["cdr", "cmr"]
_PART = ".part"
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
_HEADS = {"cdr": head(CDR_COLUMNS).encode(), "cmr": head(CMR_COLUMNS).encode()}


@dataclass(slots=True)
class _Growing:
    path: Path
    file: IO[bytes]
    began: float
    octets: int


class RecordFiles:
    """The files of one node. ``octets`` and ``seconds``: a file is complete when it is this large or old."""

    def __init__(self, folder: Path, cluster: str, node: int, *, seconds: float, octets: int) -> None:
        """Open the folder, and complete what was left. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._stem = f"{_UNSAFE.sub('-', cluster)}_{node:02d}"
        self._seconds = seconds
        self._octets = octets
        self._growing: dict[Kind, _Growing] = {}
        self._count = self._last_count()
        for left in sorted(folder.glob(f"*{_PART}")):
            _complete(left)

    def append(self, kind: Kind, records: Iterable[Row], now: float) -> None:
        """Add records; they are on the disk when this returns. ``now`` in Unix seconds. Raises OSError."""
        line = cdr_line if kind == "cdr" else cmr_line
        octets = "".join(line(record) for record in records).encode()
        if not octets:
            return
        growing = self._growing.get(kind) or self._begin(kind, now)
        _write(growing.file.fileno(), octets)
        growing.octets += len(octets)
        if growing.octets >= self._octets:
            self._end(kind)

    def rotate(self, now: float) -> None:
        """Complete the files that are old enough. Raises OSError."""
        for kind, growing in list(self._growing.items()):
            if now - growing.began >= self._seconds:
                self._end(kind)

    def close(self) -> None:
        """Complete all files. Raises OSError."""
        for kind in list(self._growing):
            self._end(kind)

    def _begin(self, kind: Kind, now: float) -> _Growing:
        self._count += 1
        minute = time.strftime("%Y%m%d%H%M", time.gmtime(now))
        path = self._folder / f"{kind}_{self._stem}_{minute}_{self._count}{_PART}"
        file = path.open("xb", buffering=0)
        _write(file.fileno(), _HEADS[kind])
        growing = _Growing(path, file, now, len(_HEADS[kind]))
        self._growing[kind] = growing
        return growing

    def _end(self, kind: Kind) -> None:
        growing = self._growing.pop(kind)
        growing.file.close()
        growing.path.rename(growing.path.with_name(growing.path.name.removesuffix(_PART)))

    def _last_count(self) -> int:
        counts = (path.name.removesuffix(_PART).rpartition("_")[2] for path in self._folder.iterdir())
        return max((int(count) for count in counts if count.isdigit()), default=0)


def _write(descriptor: int, octets: bytes) -> None:
    """Write all of it onto the disk, or nothing: half a record would spoil the file. Raises OSError."""
    begin = os.fstat(descriptor).st_size
    rest = memoryview(octets)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, begin)
        os.lseek(descriptor, begin, os.SEEK_SET)
        raise


def _complete(left: Path) -> None:
    """Give a file that was left behind its name, up to the end of its last whole line."""
    content = left.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with left.open("r+b") as file:
            file.truncate(len(whole))
    left.rename(left.with_name(left.name.removesuffix(_PART)))
