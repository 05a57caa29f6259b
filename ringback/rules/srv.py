"""Answers of name servers as evidence, and the order in which SRV records are tried (RFC 2782)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.addresses import HostPort


class NameOutcome(StrEnum):
    """How a question to a name server turned out."""

    FOUND = "found"
    NO_SUCH_NAME = "no-such-name"
    NO_DATA = "no-data"
    REFUSED = "refused"
    TIMED_OUT = "timed-out"
    NO_ANSWER = "no-answer"


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """A row of an SRV answer. ``target`` has no last dot and is empty where the record says that there is no such
    service (a target of ``.``); ``ttl`` in seconds."""

    priority: int
    weight: int
    port: int
    target: str
    ttl: int = 0

    @property
    def server(self) -> HostPort:
        """The host and port to connect to."""
        return HostPort(self.target, self.port)

    def __str__(self) -> str:
        return f"{self.priority} {self.weight} {self.port} {self.target or '.'}"


@dataclass(frozen=True, slots=True, order=True)
class NaptrRecord:
    """A row of a NAPTR answer (RFC 3403 section 4.1), as SIP uses it (RFC 3263): ``flags`` is "s" where the
    replacement is the name of SRV records; ``service`` is for example ``SIP+D2U``."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """The answer to one question. ``question`` is ``name TYPE``, ``server`` who answered (or was asked last).

    ``srv``, ``addresses`` or ``naptr`` hold the records, by the type asked; ``took`` is in seconds.
    """

    question: str
    server: str
    outcome: NameOutcome
    srv: tuple[SrvRecord, ...] = ()
    addresses: tuple[str, ...] = ()
    took: float = 0.0
    detail: str = ""
    naptr: tuple[NaptrRecord, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether a server said something about the name, be it that there is none."""
        return self.outcome in (NameOutcome.FOUND, NameOutcome.NO_SUCH_NAME, NameOutcome.NO_DATA)


def order_srv(records: Sequence[SrvRecord], pick: Callable[[], float] = random.random) -> tuple[SrvRecord, ...]:
    """The order in which to try: by priority, and within one by weighted chance (RFC 2782, "Weight").

    ``pick`` gives numbers from 0 up to 1. A record without a target says that there is no such service: it is left out.
    """
    ordered: list[SrvRecord] = []
    for priority in sorted({record.priority for record in records}):
        # records of weight 0 stand first, which gives them the small chance that the RFC wants
        rest = sorted((r for r in records if r.priority == priority), key=lambda r: r.weight != 0)
        while rest:
            mark = pick() * sum(record.weight for record in rest)
            running = 0
            for record in rest:
                running += record.weight
                if running >= mark:
                    break
            rest.remove(record)
            ordered.append(record)
    return tuple(record for record in ordered if record.target)
