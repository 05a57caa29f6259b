"""The servers whose signalling is measured: Kamailio as registrar and proxy, our call manager as back-to-back agent."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.signalling.generator import Door, Phone
from tests.support.kamailio import running_kamailio
from tests.support.telephony import phones as plain_phones
from tests.support.telephony import running_telephony

_ROOT = Path(__file__).resolve().parent.parent.parent
_COMPILER = _ROOT / "scripts" / "build_compiled.py"
COMPILED = _ROOT / ".compiled"
PASSWORD = "bench-pass-phrase"  # sipp can't have blanks in it


@dataclass(frozen=True, slots=True)
class SignallingTarget:
    """A server under measurement with its phones and the process that does the work."""

    name: str
    configuration: str
    door: Door
    phones: Sequence[Phone]
    pid: int


@contextlib.contextmanager
def kamailio(folder: Path, phones: int) -> Iterator[SignallingTarget]:
    """Kamailio as a stateful proxy that challenges, stays in the dialog's way and keeps locations in memory."""
    with running_kamailio(folder, password=PASSWORD) as server:
        numbers = [str(20000 + number) for number in range(phones)]
        own = [Phone(number, number, PASSWORD) for number in numbers]
        yield SignallingTarget("kamailio", "proxy, one worker", Door(server.address, server.port), own, server.pid)


@contextlib.contextmanager
def ringback(folder: Path, phones: int) -> Iterator[SignallingTarget]:
    """Our call manager as it runs for everybody: back-to-back agent, dial plan, forwarding rules, call records."""
    with running_telephony(folder, plain_phones(phones, first=20000)) as server:
        own = [Phone(phone.number, phone.user, phone.password) for phone in server.phones]
        door = Door(server.address, server.port)
        yield SignallingTarget("ringback", "back-to-back agent, call records on", door, own, server.process.pid)


@contextlib.contextmanager
def ringback_compiled(folder: Path, phones: int) -> Iterator[SignallingTarget]:
    """The same from the compiled copy of the package."""
    with running_telephony(folder, plain_phones(phones, first=20000), compiled=COMPILED) as server:
        _check_compiled(server.process.pid)
        own = [Phone(phone.number, phone.user, phone.password) for phone in server.phones]
        door = Door(server.address, server.port)
        yield SignallingTarget("ringback-compiled", "the same, compiled", door, own, server.process.pid)


def is_compiled() -> bool:
    """Whether the compiled copy is there and of these sources."""
    return subprocess.run([sys.executable, str(_COMPILER), "--check"], check=False).returncode == 0


def _check_compiled(pid: int) -> None:
    """Raises RuntimeError where the process doesn't run what was compiled."""
    if str(COMPILED) not in Path(f"/proc/{pid}/maps").read_text():
        raise RuntimeError("The call manager does not run from the compiled copy")
