"""``python -m bench``: measure our services beside those of others. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from bench import bridge, edge, edge_calls, people, single_sign_on, sound, starts, targets, tokens, voicemail, workloads
from bench.media import workloads as media
from bench.report import Result, machine, save, show
from bench.session import Mechanism
from bench.signalling import workloads as signalling
from bench.targets import Start, Target
from bench.workloads import Measured
from ringback.cli.log import set_up_log

Run = Callable[[Target], Awaitable[Measured]]


@dataclass(frozen=True, slots=True)
class Workload:
    """A row group of the table. ``among`` tells which targets take part, by their key."""

    name: str
    unit: str
    goal: float | None
    run: Run
    among: tuple[str, ...]


_CLEAR = ("ringback", "ringback-archive", "prosody", "ejabberd")
_HASHED = ("ringback", "prosody-hashed", "ejabberd-hashed")


def _workloads(scale: float) -> list[Workload]:
    def units(target: Target, count: int) -> int:
        fast = 4 if target.name == "ringback" else 1  # about the same time for each, long enough for the clock
        return max(int(count * scale * fast), 50)

    def at(function: Callable[..., Awaitable[Measured]], count: int, *, tls: bool = False, **options: object) -> Run:
        return lambda target: function(target, target.tls if tls else target.plain, units(target, count), **options)

    def signs(count: int, mechanism: Mechanism | None, *, tls: bool = False) -> Run:
        return lambda target: workloads.sign_ins(
            target, target.tls if tls else target.plain, max(int(count * scale), 20), mechanism=mechanism
        )

    scram: Mechanism = "SCRAM-SHA-256"
    ours = ("ringback",)
    return [
        Workload("messages", "message", 0.02, at(workloads.messages, 30000), _CLEAR),
        Workload("messages, each alone", "message", None, at(workloads.messages, 10000, batch=1), _CLEAR),
        Workload("messages over TLS", "message", 0.028, at(workloads.messages, 30000, tls=True), _CLEAR),
        Workload("group deliveries", "delivery", 0.012, at(workloads.group, 60000), _CLEAR),
        Workload("group deliveries, each alone", "delivery", None, at(workloads.group, 30000, batch=1), _CLEAR),
        Workload("presence deliveries", "delivery", 0.015, at(workloads.presence, 40000), _CLEAR),
        Workload("presence deliveries, each alone", "delivery", None, at(workloads.presence, 30000, batch=1), _CLEAR),
        Workload("sign-ins, SCRAM", "sign-in", 1.0, signs(300, scram), _HASHED),
        Workload("sign-ins, PLAIN, clear store", "sign-in", None, signs(300, "PLAIN"), ("prosody", "ejabberd")),
        Workload("sign-ins, SCRAM over TLS", "sign-in", None, signs(300, scram, tls=True), _HASHED),
        Workload("sign-ins, token over TLS", "sign-in", 1.0, signs(300, None, tls=True), ours),
        Workload("sign-ins, OAUTHBEARER over TLS", "sign-in", None, signs(300, "OAUTHBEARER", tls=True), ours),
        Workload("sign-ins, PLAIN over TLS", "sign-in", None, signs(200, "PLAIN", tls=True), _HASHED),
    ]


def _starts(people: int, *, cheap: bool = False) -> dict[str, Start]:
    return {
        "ringback": partial(targets.ringback, people=people, archive=False, cheap=cheap),
        "ringback-archive": partial(targets.ringback, people=people, archive=True, cheap=cheap),
        "prosody": partial(targets.prosody, people=people),
        "prosody-hashed": partial(targets.prosody, people=people, hashed=True),
        "ejabberd": partial(targets.ejabberd, people=people),
        "ejabberd-hashed": partial(targets.ejabberd, people=people, hashed=True),
    }


async def _rounds(chosen: Sequence[Workload], running: dict[str, Target], rounds: int) -> list[Result]:
    results: list[Result] = []
    for workload in chosen:
        rows = {
            key: Result(workload.name, workload.unit, running[key].name, running[key].configuration, workload.goal)
            for key in workload.among
            if key in running
        }
        for number in range(rounds):
            for key in random.sample(list(rows), len(rows)):
                measured = await workload.run(running[key])
                rows[key].values.append(measured.per_thousand)
                rows[key].details.append(measured)
                print(
                    f"{workload.name}, round {number + 1}, {key}: {measured.per_thousand:.4f} s CPU, "
                    f"{measured.units / measured.seconds:,.0f}/s, "
                    f"generator {measured.generator / measured.seconds:.0%} of a core",
                    file=sys.stderr,
                )
        results.extend(rows.values())
    return results


def _idle(folder: Path, names: Sequence[str], connections: int, rounds: int) -> list[Result]:
    """Each count in a server just started: what an earlier workload left would hide the growth."""
    results = []
    starts = _starts(connections, cheap=True)
    for key in names:
        row: Result | None = None
        for number in range(rounds):
            with starts[key](folder / f"idle-{key}-{number}") as target:
                octets = uvloop.run(workloads.idle_bytes(target, target.plain, connections))
                row = row or Result(
                    "idle connection",
                    "connection",
                    target.name,
                    target.configuration,
                    34_000,
                    measure="octets per connection",
                )
                row.values.append(octets)
                print(f"idle, {key}: {octets:,.0f} octets", file=sys.stderr)
        if row is not None:
            results.append(row)
    return results


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of calls, measured together. ``words`` are what ``--workloads`` may name; ``run`` is given the folder, the
    rounds, the wanted servers (none: all) and whether it is the short form."""

    words: str
    run: Callable[[Path, int, Sequence[str], bool], list[Result]]


def _signalling(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return signalling.results(folder / "signalling", rounds, wanted, short=short)


def _media(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return media.results(folder / "media", rounds, wanted, short=short)


def _engine(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return [] if wanted and "ringback" not in wanted else bridge.results(rounds, 1.0 if short else 15.0)


def _sound(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return [] if wanted and "ringback" not in wanted else sound.results(rounds, 3.0 if short else 10.0)


def _tokens(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return [] if wanted and "ringback" not in wanted else tokens.results(folder / "tokens", rounds, short=short)


def _client_starts(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return [] if wanted and "ringback" not in wanted else starts.results(folder / "starts", rounds, short=short)


def _single_sign_on(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return single_sign_on.results(folder / "single-sign-on", rounds, list(wanted), short=short)


def _people(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    set_up_log("error")
    return people.results(folder / "people", rounds, wanted, short=short)


def _edge(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    if wanted and not {"ringback", "nginx"}.intersection(wanted):
        return []
    return edge.results(folder / "edge", rounds, wanted, short=short)


def _edge_calls(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return edge_calls.results(folder / "edge-calls", rounds, wanted, short=short)


def _voicemail(folder: Path, rounds: int, wanted: Sequence[str], short: bool) -> list[Result]:
    return [] if wanted and "ringback" not in wanted else voicemail.results(folder / "voicemail", rounds, short=short)


_PARTS = (
    Part("people: searches among 1,000, 16,000 and 160,000", _people),
    Part("tokens: checked, given, fetched by code, refreshed", _tokens),
    Part("starts: client, first and later start", _client_starts),
    Part("saml: answers checked and given, whole ways", _single_sign_on),
    Part("signalling: registrations, basic calls, call set-up, flood", _signalling),
    Part("media: relayed calls, conference", _media),
    Part("engine: forwarded audio call, delay", _engine),
    Part("sound: codecs, play-out", _sound),
    Part("edge: requests, answers, stanzas, connections, fail-over", _edge),
    Part("edge calls: relayed calls, each proxy", _edge_calls),
    Part("voicemail: recordings at once, messages listed, hang-up to badge", _voicemail),
)


def main() -> int:
    """Run as the arguments say; the exit status is 0 unless something was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one small round: does everything still work?")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--servers", default="", help="only these, joined by commas")
    parser.add_argument(
        "--workloads",
        default="",
        help="only those whose name, or part of the table (tokens, signalling, media, ...), contains one of these",
    )
    parser.add_argument("--connections", type=int, default=2000, help="idle connections (default 2000)")
    parser.add_argument("--results", type=Path, default=Path("bench-results"), help="folder for the JSON file")
    options = parser.parse_args()
    rounds = 1 if options.short else options.rounds
    connections = 200 if options.short else options.connections
    wanted = [name for name in options.servers.split(",") if name]
    words = [word for word in options.workloads.split(",") if word]
    starts = {
        key: start
        for key, start in _starts(40 if options.short else 200, cheap=options.short).items()
        if not wanted or key in wanted
    }
    chosen = [
        one for one in _workloads(0.05 if options.short else 1) if not words or any(word in one.name for word in words)
    ]
    idle = [key for key in _CLEAR if key in starts][: 1 if options.short else None]
    note = machine()
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        folder = Path(name)
        results: list[Result] = []
        if chosen:
            with contextlib.ExitStack() as stack:
                used = {key for one in chosen for key in one.among}
                running = {
                    key: stack.enter_context(start(folder / key)) for key, start in starts.items() if key in used
                }
                results = uvloop.run(_rounds(chosen, running, rounds))
        if not words or any(word in "idle connection" for word in words):
            results += _idle(folder, idle, connections, min(rounds, 3))
        for part in _PARTS:
            if not words or any(word in part.words for word in words):
                results += part.run(folder, min(rounds, 3), wanted, options.short)
    show(results, note)
    print(save(results, note, options.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
