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
    table = _table(folder, "register", rows)
    await _run(door, _SCENARIOS / "register.xml", table, len(phones), rate, "-key", "contact_port", str(contact))


async def call(
    door: Door, pairs: Sequence[tuple[Phone, Phone]], folder: Path, *, rate: int, hold_ms: int = 20, lost: int = 0
) -> Path:
    """A call for each pair of caller and called one; gives the file of response times. ``lost``: of 100 messages that
    many are lost on the way. Raises LoadError."""
    more = ("-d", str(hold_ms), "-trace_rtt", "-rtt_freq", "1", *_lossy(lost))
    await run(door, _SCENARIOS / "call.xml", pairs, folder, *more, rate=rate)
    return _newest(folder)


async def run(
    door: Door, scenario: Path, pairs: Sequence[tuple[Phone, Phone]], folder: Path, *more: str, rate: int
) -> None:
    """A scenario of a caller once for each pair: field0 and field1 are the caller's number and account, field2 the
    called number. Raises LoadError."""
    rows = [(caller.number, _account(caller), called.number) for caller, called in pairs]
    await _run(door, scenario, _table(folder, scenario.stem, rows), len(pairs), rate, *more)


def _newest(folder: Path) -> Path:
    return max(folder.glob("call_*_rtt.csv"), key=lambda path: path.stat().st_mtime)


def set_up_times(file: Path) -> list[float]:
    """Milliseconds from the INVITE with credentials to its 200, of every call, from sipp's file."""
    with file.open(newline="") as lines:
        rows = csv.reader(lines, delimiter=";")
        next(rows)
        return [float(row[1]) for row in rows if len(row) > 2 and row[2].strip() == "2"]


@contextlib.asynccontextmanager
async def answering(
    address: str, folder: Path, scenario: Path = _SCENARIOS / "answer.xml", *, count: int = 0
) -> AsyncIterator[int]:
    """Phones that answer every call, on a port of their own. Where a ``count`` of calls is given, all of them must have
    come to the end of their scenario when the block ends. Raises LoadError."""
    (port,) = free_ports(1, address)
    words = ["-sf", str(scenario), "-i", address, "-p", str(port), "-nostdin"]
    if count:
        words += ["-m", str(count), "-timeout", f"{_SECONDS}s", "-timeout_error"]
        words += ["-trace_err", "-error_file", str(folder / "answering.err")]
    process = await _start(words, folder)
    try:
        yield port
        if count:
            await _end(process, folder / "answering.err")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _lossy(lost: int) -> tuple[str, ...]:
    return ("-lost", str(lost)) if lost else ()


def _account(phone: Phone) -> str:
    return f"[authentication username={phone.user} password={phone.password}]"


def _table(folder: Path, name: str, rows: Sequence[Sequence[str]]) -> Path:
    path = folder / f"{name}.csv"
    path.write_text("SEQUENTIAL\n" + "".join(";".join(row) + ";\n" for row in rows))
    return path


async def _run(door: Door, scenario: Path, table: Path, count: int, rate: int, *more: str) -> None:
    words = [f"{door.address}:{door.port}", "-sf", str(scenario), "-inf", str(table)]
    words += ["-i", door.address, "-m", str(count), "-r", str(rate), "-nostdin", "-timeout", f"{_SECONDS}s", *more]
    words += ["-l", str(max(count, 10)), "-timeout_error", "-trace_err", "-error_file", str(table.with_suffix(".err"))]
    await _end(await _start(words, table.parent), table.with_suffix(".err"))


async def _end(process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(_SECONDS + 30):
        _, errors = await process.communicate()
    if process.returncode:
        raise LoadError(
            f"sipp ended with {process.returncode}: {_said(log) or errors.decode(errors='replace')[-2000:]}"
        )


def _said(log: Path) -> str:
    return log.read_text(errors="replace")[:2000] if log.exists() else ""


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
