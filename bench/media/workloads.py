"""Relayed calls and conferences: ours beside rtpengine and Janus, in turns, CPU of the server's process per second."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.media.generator import Phone, talk
from bench.media.janus import janus
from bench.media.rtpengine import rtpengine
from bench.media.server import CODECS
from bench.report import Result
from bench.sound import voice
from bench.workloads import Measured

_SKIPPED = 0.1  # of the beats of a mixer, on a machine with more to do than it can: left out rather than made late
_SKIPPED_SHORT = 0.6  # the same in a second beside other tests, where no figure counts
KEYS = (bytes(range(30)), bytes(range(30, 60)))  # what phones send with, what we send with


@contextlib.contextmanager
def ringback(groups: Sequence[Sequence[Phone]], what: str, codec: str) -> Iterator[int]:
    """Our media side in a process of its own; gives its id."""
    secure = groups[0][0].key is not None
    wish = {
        "what": what,
        "codec": codec,
        "phones": [[phone.port for phone in group] for group in groups],
        "keys": [key.hex() for key in KEYS] if secure else [],
    }
    with subprocess.Popen(
        (sys.executable, "-m", "bench.media.server"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        process.stdin.write(json.dumps(wish) + "\n")
        process.stdin.flush()
        for group, ports in zip(groups, json.loads(process.stdout.readline()), strict=True):
            for phone, port in zip(group, ports, strict=True):
                phone.destination = ("127.0.0.1", port)
        yield process.pid
        process.stdin.close()


@dataclass(frozen=True, slots=True)
class _Row:
    workload: str
    unit: str
    measure: str
    goal: float  # percent of a core
    target: str
    configuration: str
    run: Callable[[Path], Measured]


def _relayed(folder: Path, *, target: str, secure: bool, calls: int, seconds: float) -> Measured:
    payloads = [bytes([number]) * 160 for number in range(50)]
    phones = [Phone(payloads, key=KEYS[0] if secure else None) for _ in range(2 * calls)]
    pairs = list(zip(phones[::2], phones[1::2], strict=True))
    started: AbstractContextManager[int] = (
        ringback(pairs, "relay", "PCMU") if target == "ringback" else rtpengine(folder, pairs)
    )
    with started as pid:
        return talk(phones, {"relay": pid}, seconds, share=2, missing=0.005)


def _conference(folder: Path, *, target: str, codec: str, conferences: int, parties: int, seconds: float) -> Measured:
    kind, number = CODECS[codec]
    phones = []
    for party in range(conferences * parties):
        encoder = kind.encoder()
        pcm = np.roll(voice(kind.rate, 4.0, seed=party + 1), party * 3000)
        payloads = [encoder.encode(np.ascontiguousarray(frame)) for frame in pcm.reshape(-1, encoder.frame)]
        phones.append(Phone(payloads, number, kind.clock // 50))
    rooms = [phones[place : place + parties] for place in range(0, len(phones), parties)]
    started: AbstractContextManager[int] = (
        ringback(rooms, "conference", codec) if target == "ringback" else janus(folder, rooms, codec)
    )
    with started as pid:
        return talk(phones, {"mixer": pid}, seconds, share=1, missing=_SKIPPED if seconds > 2 else _SKIPPED_SHORT)


def _rows(*, short: bool) -> list[_Row]:
    calls, parties, seconds = (5, 4, 1.0) if short else (50, 10, 8.0)
    rows = []
    for secure, goal in ((False, 0.1), (True, 0.2)):
        kind = "SRTP" if secure else "RTP"
        rows += [
            _Row(
                f"relayed calls, {kind}",
                "call second",
                "% of a core per call",
                goal,
                target,
                f"{calls} calls, user space",
                partial(_relayed, target=target, secure=secure, calls=calls, seconds=seconds),
            )
            for target in ("ringback", "rtpengine")
        ]
    # One alone shows mostly what it costs to wake up every 20 ms; a node that is worth having carries several.
    for conferences, (codec, goal) in itertools.product((1,) if short else (1, 5), (("opus", 0.7), ("PCMU", 0.2))):
        rows += [
            _Row(
                f"{'conference' if conferences == 1 else f'{conferences} conferences'}, all talk, {codec}",
                "party second",
                "% of a core per party",
                goal,
                target,
                f"{parties} parties each, 16 kHz",
                partial(
                    _conference,
                    target=target,
                    codec=codec,
                    conferences=conferences,
                    parties=parties,
                    seconds=seconds,
                ),
            )
            for target in ("ringback", "janus")
        ]
    return rows


def results(folder: Path, rounds: int, wanted: Sequence[str], *, short: bool) -> list[Result]:
    """All rows, the targets of each in turns."""
    rows = [row for row in _rows(short=short) if not wanted or row.target in wanted]
    found = [
        Result(row.workload, row.unit, row.target, row.configuration, row.goal, measure=row.measure) for row in rows
    ]
    for workload in dict.fromkeys(row.workload for row in rows):
        places = [place for place, row in enumerate(rows) if row.workload == workload]
        for number in range(rounds):
            for place in random.sample(places, len(places)):
                row = rows[place]
                measured = row.run(folder / f"{row.target}-{place}-{number}")
                share = measured.per_thousand / 10  # CPU seconds of 1,000 seconds, in percent
                found[place].values.append(share)
                found[place].details.append(measured)
                print(f"{workload}, round {number + 1}, {row.target}: {share:.3f} % of a core", file=sys.stderr)
    return found
