"""sipp as the load: phones that register, call and are called, at a rate, a number of times."""

from __future__ import annotations

import asyncio
import contextlib
import csv
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.foreign import free_ports

_SCENARIOS = Path(__file__).parent
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone: the number or user that it is called by, and its digest account."""

    number: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server takes SIP over UDP."""

    address: str
    port: int


class LoadError(Exception):
    """sipp did not come to its end, or some of its calls failed; the text is its own."""


async def register(door: Door, phones: Sequence[Phone], folder: Path, *, contact: int, rate: int) -> None:
    """Every phone registers once, with a contact on the port where calls are answered. Raises LoadError."""
    rows = [(phone.number, _account(phone)) for phone in phones]
    await _run(door, "register.xml", _table(folder, "register", rows), len(phones), rate, {"contact_port": contact})


async def call(door: Door, pairs: Sequence[tuple[Phone, Phone]], folder: Path, *, rate: int, hold_ms: int = 20) -> Path:
    """A call for each pair of caller and called one; gives the file of response times. Raises LoadError."""
    rows = [(caller.number, _account(caller), called.number) for caller, called in pairs]
    table = _table(folder, "call", rows)
    await _run(door, "call.xml", table, len(pairs), rate, {}, "-d", str(hold_ms), "-trace_rtt", "-rtt_freq", "1")
    return _newest(folder)


def _newest(folder: Path) -> Path:
    return max(folder.glob("call_*_rtt.csv"), key=lambda path: path.stat().st_mtime)


def set_up_times(file: Path) -> list[float]:
    """Milliseconds from the INVITE with credentials to its 200, of every call, from sipp's file."""
    with file.open(newline="") as lines:
        rows = csv.reader(lines, delimiter=";")
        next(rows)
        return [float(row[1]) for row in rows if len(row) > 2 and row[2].strip() == "2"]


@contextlib.asynccontextmanager
async def answering(address: str, folder: Path) -> AsyncIterator[int]:
    """Phones that answer every call, on a port of their own."""
    (port,) = free_ports(1, address)
    words = ["-sf", str(_SCENARIOS / "answer.xml"), "-i", address, "-p", str(port), "-nostdin"]
    process = await _start(words, folder)
    try:
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _account(phone: Phone) -> str:
    return f"[authentication username={phone.user} password={phone.password}]"


def _table(folder: Path, name: str, rows: Sequence[Sequence[str]]) -> Path:
    path = folder / f"{name}.csv"
    path.write_text("SEQUENTIAL\n" + "".join(";".join(row) + ";\n" for row in rows))
    return path


async def _run(door: Door, scenario: str, table: Path, count: int, rate: int, keys: dict[str, int], *more: str) -> None:
    words = [f"{door.address}:{door.port}", "-sf", str(_SCENARIOS / scenario), "-inf", str(table)]
    words += ["-i", door.address, "-m", str(count), "-r", str(rate), "-nostdin", "-timeout", f"{_SECONDS}s", *more]
    words += ["-l", str(max(count, 10)), "-timeout_error", "-trace_err", "-error_file", str(table.with_suffix(".err"))]
    for key, value in keys.items():
        words += ["-key", key, str(value)]
    process = await _start(words, table.parent)
    async with asyncio.timeout(_SECONDS + 30):
        _, errors = await process.communicate()
    if process.returncode:
        log = table.with_suffix(".err")
        text = log.read_text(errors="replace")[:2000] if log.exists() else errors.decode(errors="replace")[-2000:]
        raise LoadError(f"sipp ended with {process.returncode}: {text}")


async def _start(words: list[str], folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "sipp",
        *words,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
    )
