"""Calls through the edge: sound of phones outside, opened and closed again by the inner proxy, beside the relay of a
call manager and rtpengine, which are one process. CPU is told for each proxy."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.media.generator import Phone, talk
from bench.media.rtpengine import rtpengine
from bench.media.workloads import KEYS, ringback
from bench.report import Result
from bench.workloads import Measured

_TITLE = "calls through the edge"
_UNIT, _MEASURE = "call second", "% of a core per call"
_ENDED = 10.0  # seconds for a process to end


def results(folder: Path, rounds: int, wanted: Sequence[str], *, short: bool) -> list[Result]:
    """The rows of the table: each proxy, and the same calls through one relay."""
    calls, seconds = (5, 1.0) if short else (50, 8.0)
    note = f"{calls} calls, PCMU"
    found: list[Result] = []

    def row(workload: str, target: str, configuration: str) -> Result:
        found.append(Result(workload, _UNIT, target, configuration, None, measure=_MEASURE))
        return found[-1]

    ours = not wanted or "ringback" in wanted
    ways: list[tuple[str, bool]] = [("SRTP inside", True), ("RTP inside", False)] if ours else []
    rows = {
        (way, role): row(f"{_TITLE}, {role} proxy", "ringback", f"SRTP outside, {way}, {note}")
        for way, _ in ways
        for role in ("outer", "inner")
    }
    relays: list[
        tuple[Result, Callable[[Path, list[tuple[Phone, Phone]]], contextlib.AbstractContextManager[int]]]
    ] = []
    if ours:
        relays.append((row(f"{_TITLE}: a relay alone", "ringback", f"SRTP to SRTP, {note}"), _relay))
    if not wanted or "rtpengine" in wanted:
        relays.append((row(f"{_TITLE}: a relay alone", "rtpengine", f"SRTP to SRTP, user space, {note}"), rtpengine))
    for number in range(rounds):
        for way, secure in ways:
            measured = _through(calls, seconds, secure=secure)
            for role, cpu in measured.cpu.items():
                rows[way, role].values.append(100 * cpu / measured.units)
                rows[way, role].details.append(measured)
            _say(f"{_TITLE}, {way}, round {number + 1}", measured)
        for result, relay in relays:
            phones = _phones(2 * calls, secure=True)
            with relay(
                folder / f"relay-{result.target}-{number}", list(zip(phones[::2], phones[1::2], strict=True))
            ) as pid:
                measured = talk(phones, {"relay": pid}, seconds, share=2, missing=0.005)
            result.values.append(measured.per_thousand / 10)
            result.details.append(measured)
            _say(f"{_TITLE}: {result.target} alone, round {number + 1}", measured)
    return found


def _relay(folder: Path, pairs: list[tuple[Phone, Phone]]) -> contextlib.AbstractContextManager[int]:
    return ringback(pairs, "relay", "PCMU")


def _say(what: str, measured: Measured) -> None:
    shares = ", ".join(f"{role} {100 * cpu / measured.units:.3f} %" for role, cpu in measured.cpu.items())
    print(f"{what}: {shares} of a core per call", file=sys.stderr)


def _phones(count: int, *, secure: bool) -> list[Phone]:
    payloads = [bytes([number]) * 160 for number in range(50)]
    return [Phone(payloads, key=KEYS[0] if secure else None) for _ in range(count)]


def _through(calls: int, seconds: float, *, secure: bool) -> Measured:
    outside, inside = _phones(calls, secure=True), _phones(calls, secure=secure)
    with _process("outer") as outer, _process("inner") as inner:
        port = int(_line(outer))
        wish = {
            "words": port,
            "keys": [key.hex() for key in KEYS],
            "secure": secure,
            "phones": [phone.port for phone in inside],
        }
        _tell(inner, json.dumps(wish))
        for client, phone, places in zip(outside, inside, json.loads(_line(inner)), strict=True):
            client.destination, phone.destination = tuple(places[0]), tuple(places[1])
        phones = [phone for pair in zip(outside, inside, strict=True) for phone in pair]
        return talk(phones, {"outer": outer.pid, "inner": inner.pid}, seconds, share=2, missing=0.005)


@contextlib.contextmanager
def _process(role: str) -> Iterator[subprocess.Popen[str]]:
    words = (sys.executable, "-m", "bench.media.edge_server", role)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            _tell(process, "")
            process.wait(_ENDED)
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        raise RuntimeError("no pipe")
    return process.stdout.readline()


def _tell(process: subprocess.Popen[str], text: str) -> None:
    if process.stdin is None:
        raise RuntimeError("no pipe")
    process.stdin.write(text + "\n")
    process.stdin.flush()
