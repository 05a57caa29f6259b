"""The progress of a sign-in as the page shows it: five steps at most, each with the names that are asked."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from ringback.client.host.wire_sign_in import SignIn, Step, StepState
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry, Fault, Kind, Outcome

STEPS = ("services", "home", "identity", "connecting", "ready")


class Progress:
    """Holds the ``SignIn`` and the trace of the running attempt; tells of every change."""

    def __init__(
        self,
        changed: Callable[[], None],
        grew: Callable[[int, Entry], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changed = changed
        self._grew = grew
        self._clock = clock
        self._began = clock()
        self._step_began: dict[str, float] = {}
        self.now = SignIn()
        self.entries: list[Entry] = []

    @property
    def seconds(self) -> float:
        """Seconds since the attempt began."""
        return self._clock() - self._began

    def begin(self, address: str, steps: tuple[str, ...] = STEPS) -> None:
        """A new attempt: steps and trace begin anew."""
        self._began = self._clock()
        self._step_began.clear()
        self.entries.clear()
        rows = [Step(id=name, state="todo", text=Reason.of(f"engine.step.{name}.todo")) for name in steps]
        self.set(
            phase="finding", address=address, name="", steps=rows, asks="password", who_asks="",
            why=[], signed_out=None, fault=None, wrong_password=None, user="",
            certificate=None, suggestion="", questions=0, decisions=0, seconds=0.0,
        )  # fmt: skip

    def set(self, **fields: object) -> None:
        """Change fields of the sign-in and tell."""
        self.now = msgspec.structs.replace(self.now, **fields)
        self._changed()

    def step(self, name: str, state: StepState, *names: str, text: Reason | None = None) -> None:
        """A step goes on. ``names`` are added to those that it shows."""
        if state == "active":
            self._step_began.setdefault(name, self._clock())
        seconds = self._clock() - self._step_began.get(name, self._clock()) if state in ("done", "failed") else None
        rows = []
        for row in self.now.steps:
            if row.id != name:
                rows.append(row)
                continue
            shown = [*row.names, *(one for one in names if one and one not in row.names)]
            words = text or Reason.of(f"engine.step.{name}.{state}")
            rows.append(Step(id=name, state=state, text=words, names=shown[-6:], seconds=seconds))
        self.set(steps=rows, seconds=self.seconds)

    def failed(self, fault: Fault) -> None:
        """The attempt ended with a fault; the step that ran carries the mark."""
        rows = [
            msgspec.structs.replace(row, state="failed", text=Reason.of(f"engine.step.{row.id}.failed"))
            if row.state == "active"
            else row
            for row in self.now.steps
        ]
        self.set(phase="failed", fault=fault, steps=rows, seconds=self.seconds)

    # --- the trace

    def wrote(self, index: int, entry: Entry) -> None:
        """A line of the trace was written, or written again under its index."""
        if index < len(self.entries):
            self.entries[index] = entry
        else:
            self.entries.append(entry)
        asked = sum(1 for one in self.entries if one.kind is Kind.ASKED)
        decided = sum(1 for one in self.entries if one.kind is Kind.DECIDED)
        if (asked, decided) != (self.now.questions, self.now.decisions):
            self.set(questions=asked, decisions=decided, seconds=self.seconds)
        self._grew(index, entry)

    def note(
        self, kind: Kind, text: Reason, *, outcome: Outcome = Outcome.INFO, question: str = "", server: str = "",
        answer: str = "", took: float | None = None, reasons: tuple[Reason, ...] = (),
    ) -> None:  # fmt: skip
        """A line that is complete."""
        entry = Entry(self.seconds, kind, text, outcome, question, server, answer, took, reasons)
        self.wrote(len(self.entries), entry)
