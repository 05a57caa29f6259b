"""The trace of a sign-in: what was typed, asked, answered, checked and decided, in order.

The client writes it, the page and the doctor show it. It holds names and answers, never a password, token or message.
Times are seconds since the start of the attempt, on a monotonic clock given by the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ringback.rules.reasons import Reason


class Kind(StrEnum):
    """What sort of line a trace entry is."""

    TYPED = "typed"
    ASKED = "asked"
    DECIDED = "decided"
    CHECKED = "checked"


class Outcome(StrEnum):
    """How the entry turned out; ``info`` where nothing could go wrong."""

    OK = "ok"
    NONE = "none"
    FAILED = "failed"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trace.

    ``text`` is the sentence (a catalogue id with values); ``question`` the literal thing asked (a DNS name with its
    type, a URL), ``server`` whom, ``answer`` the literal answer; ``reasons`` why, in order; ``took`` seconds or None
    while open.
    ``group`` joins entries asked at once.
    """

    at: float
    kind: Kind
    text: Reason
    outcome: Outcome = Outcome.INFO
    question: str = ""
    server: str = ""
    answer: str = ""
    took: float | None = None
    reasons: tuple[Reason, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in a form that a person can act on: each part is a catalogue reason.

    ``what`` is the sentence of the failure, ``why`` the decisive evidence, ``do_first`` what this person can do,
    ``do_then`` what the IT department can do, ``change`` the one literal change that would have helped (a DNS record).
    """

    id: str
    what: Reason
    why: Reason
    do_first: Reason
    do_then: Reason
    change: str = ""


@dataclass(slots=True)
class Trace:
    """A growing list of entries."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self.entries.append(entry)
