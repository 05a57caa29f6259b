"""Our own programs, forked from a process that has imported them: a start costs a fraction of one from nothing.

Each test process has one nursery, made at the first start and ended with it. Where there is none (the benchmarks, and
the tests of ``ringback lab`` itself), a program is started as everybody starts it.
Run as ``python -m tests.support.nursery`` it is that process: lines of requests come in, lines of events go out.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

import msgspec

_ROOT = Path(__file__).resolve().parents[2]
_COMMAND, _SERVICES = "ringback.cli.main", "tests.support.services"
# What these programs import once they know what to do is imported before, too.
_BEFORE = (
    "ringback.cli.main", "ringback.cli.deployment", "tests.support.services", "aiosqlite", "alembic.command",
    "sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.ext.asyncio", "rich.table", "asyncpg",
)  # fmt: skip
_BORN_SECONDS = 60.0
_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET


class Process(Protocol):
    """What tests do with a program that runs: the part of ``subprocess.Popen`` that they need."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """The status where it ended; negative: the signal."""

    def wait(self, timeout: float | None = None) -> int:
        """The status, once it ended. Raises subprocess.TimeoutExpired after so many seconds."""

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it ended."""

    def kill(self) -> None:
        """End it as a power cut would."""


class _Order(msgspec.Struct):
    """``module`` is run as the main one, with these words, in a network namespace where one is named."""

    module: str
    words: list[str]
    folder: str
    output: str
    environment: dict[str, str]
    apart: bool
    network: str = ""


class _Event(msgspec.Struct):
    """A process was born (in the order of the requests), or it ended with a status."""

    pid: int
    ended: int | None = None


class _Child:
    """A program that was forked in the nursery."""

    def __init__(self, nursery: _Nursery, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        self._nursery.hear(0)
        self.returncode = self._nursery.ended.get(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            left = 0.1 if end is None else min(0.1, end - time.monotonic())
            if left <= 0:
                raise subprocess.TimeoutExpired(f"process {self.pid} of the nursery", timeout or 0)
            self._nursery.hear(left)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Nursery:
    """The process that forks, and what it told."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}
        self._born: list[int] = []
        self._part = b""
        self._lock = threading.RLock()
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.support.nursery"),
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": _path(os.environ),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            },
        )

    def start(self, order: _Order) -> _Child:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
            end = time.monotonic() + _BORN_SECONDS
            while not self._born:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the nursery did not start {order.module} {order.words}")
                self.hear(1.0)
            return _Child(self, self._born.pop())

    def hear(self, seconds: float) -> None:
        """Take what was told, after so many seconds at the latest."""
        with self._lock:
            assert self._process.stdout is not None
            while select.select([self._process.stdout], [], [], seconds)[0]:
                seconds = 0
                read = os.read(self._process.stdout.fileno(), 65536)
                if not read:
                    raise RuntimeError("the nursery ended")
                *lines, self._part = (self._part + read).split(b"\n")
                for event in (msgspec.json.decode(line, type=_Event) for line in lines):
                    if event.ended is None:
                        self._born.append(event.pid)
                    else:
                        self.ended[event.pid] = event.ended

    def close(self) -> None:
        """End it, with whatever still runs there."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()


class _Holder:
    """Whether there may be a nursery here, and the one that there is."""

    open: bool = False
    nursery: _Nursery | None = None


@contextlib.contextmanager
def nursery() -> Iterator[None]:
    """Programs are forked as long as the context lasts."""
    _Holder.open = True
    try:
        yield
    finally:
        _Holder.open = False
        if _Holder.nursery is not None:
            _Holder.nursery.close()
            _Holder.nursery = None


@contextlib.contextmanager
def as_everybody_does() -> Iterator[None]:
    """Programs are started from nothing as long as the context lasts."""
    before, _Holder.open = _Holder.open, False
    try:
        yield
    finally:
        _Holder.open = before


def start_ringback(
    words: Sequence[str], output: Path, environment: Mapping[str, str] | None = None, network: str = ""
) -> Process:
    """``ringback WORDS``, with what it says added to ``output``; ``network``: the namespace in which it runs."""
    return _start(_COMMAND, words, output, environment or {}, apart=False, network=network)


def start_module(module: str, words: Sequence[str], output: Path, network: str = "") -> Process:
    """``python -m MODULE WORDS``, as above."""
    return _start(module, words, output, {}, apart=False, network=network)


def start_services(words: Sequence[str], output: Path) -> Process:
    """``python -m tests.support.services WORDS`` in the folder of ``output``, in a group of processes of its own."""
    return _start(_SERVICES, words, output, {}, apart=True)


def _start(
    module: str,
    words: Sequence[str],
    output: Path,
    environment: Mapping[str, str],
    *,
    apart: bool,
    network: str = "",
) -> Process:
    folder = output.parent if apart else Path.cwd()
    whole = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", **environment}
    if _Holder.open:
        if _Holder.nursery is None:
            _Holder.nursery = _Nursery()
        return _Holder.nursery.start(_Order(module, list(words), str(folder), str(output), whole, apart, network))
    program = ("-c", "from ringback.cli.main import main; main()") if module == _COMMAND else ("-m", module)
    with output.open("ab") as out:
        return subprocess.Popen(
            (*(("ip", "netns", "exec", network) if network else ()), sys.executable, *program, *words),
            cwd=folder,
            env={**whole, "PYTHONPATH": _path(whole)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=apart,
        )


def _path(environment: Mapping[str, str]) -> str:
    """Where modules are looked for: where the caller wants it (a compiled copy of the package), then here."""
    return os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), str(_ROOT))))


def _tell(event: _Event) -> None:
    os.write(1, msgspec.json.encode(event) + b"\n")


def _serve() -> None:
    for name in _BEFORE:
        import_module(name)
    gc.collect()
    gc.freeze()
    here, there = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs the tests, who ends this one
    signal.set_wakeup_fd(there)
    alive: set[int] = set()
    part = b""
    while True:
        ready = select.select([0, here], [], [])[0]
        if here in ready:
            os.read(here, 65536)
            for pid, status in _gone(alive):
                _tell(_Event(pid, status))
        if 0 in ready:
            if not (read := os.read(0, 65536)):
                break
            *lines, part = (part + read).split(b"\n")
            for order in (msgspec.json.decode(line, type=_Order) for line in lines):
                if not (pid := os.fork()):
                    _live(order, (here, there))
                alive.add(pid)
                _tell(_Event(pid))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _gone(alive: set[int]) -> Iterator[tuple[int, int]]:
    while alive:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        alive.discard(pid)
        yield pid, os.waitstatus_to_exitcode(status)


def _live(order: _Order, pipe: tuple[int, int]) -> None:
    """As the program; never returns."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in pipe:
            os.close(number)
        if order.apart:
            os.setsid()
        os.chdir(order.folder)
        os.environ.clear()
        os.environ.update(order.environment)
        output = os.open(order.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, place in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, place)
        if order.network:
            _enter(order.network)
        sys.argv = ["ringback" if order.module == _COMMAND else order.module, *order.words]
        import_module(order.module).main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does at the end of a program
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _enter(network: str) -> None:
    """Into a network namespace, as ``ip netns exec`` does it. (``os.setns`` is there from Python 3.12 on.)"""
    place = os.open(f"/run/netns/{network}", os.O_RDONLY | os.O_CLOEXEC)
    system = ctypes.CDLL(None, use_errno=True)
    if system.setns(place, _NETWORK_NAMESPACE):
        raise OSError(ctypes.get_errno(), f"{network} can't be entered")
    os.close(place)


if __name__ == "__main__":
    _serve()
