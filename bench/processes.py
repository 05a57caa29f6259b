"""What a process and its children used, read from /proc (proc(5)).

CPU time is taken per thread from ``schedstat``, in nanoseconds, where the kernel has it: ``stat`` counts in ticks of
10 ms, which a short run of a fast server hardly fills. Threads that ended
during a run are not seen then; servers keep theirs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class _Row:
    parent: int
    cpu: float
    of_children: float
    resident: int


def family(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    rows = {int(entry.name): _row(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    members = [pid]
    for member in members:
        members.extend(child for child, row in rows.items() if row is not None and row.parent == member)
    return members


def cpu_seconds(pid: int) -> float:
    """User and system seconds of the process and its children, those that ended and were waited for included."""
    return sum(_cpu(member) for member in family(pid))


def resident_bytes(pid: int) -> int:
    """Resident memory of the process and its children, in octets."""
    return sum(row.resident for member in family(pid) if (row := _row(member)) is not None)


def _cpu(pid: int) -> float:
    row = _row(pid)
    if row is None:
        return 0.0
    try:
        exact = sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        exact = 0.0
    return row.of_children + (exact or row.cpu)


def _row(pid: int) -> _Row | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return _Row(
        parent=int(fields[1]),
        cpu=sum(int(value) for value in fields[11:13]) / _TICKS,
        of_children=sum(int(value) for value in fields[13:15]) / _TICKS,
        resident=int(fields[21]) * _PAGE,
    )
