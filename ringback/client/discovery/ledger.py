"""Writes the trace of an attempt: a line when a question is asked, the same line again when it is answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ringback.client.discovery.model import OnEntry
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry, Kind, Outcome


class Ledger:
    """The lines of one attempt, told to a listener as they come."""

    def __init__(
        self, on_entry: OnEntry | None = None, entries: tuple[Entry, ...] = (), elapsed: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """``entries`` and ``elapsed`` (seconds) go on with an earlier attempt; ``clock`` never goes back."""
        self._on_entry = on_entry
        self._clock = clock
        self._began = clock() - elapsed
        self._entries: list[Entry] = list(entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All lines so far."""
        return tuple(self._entries)

    @property
    def seconds(self) -> float:
        """Seconds since the attempt began."""
        return self._clock() - self._began

    def note(
        self, kind: Kind, text: Reason, *, outcome: Outcome = Outcome.INFO, answer: str = "", server: str = "",
        reasons: tuple[Reason, ...] = (), question: str = "",
    ) -> None:  # fmt: skip
        """A line that is complete."""
        self._put(
            len(self._entries),
            Entry(self.seconds, kind, text, outcome, question, server, answer, None, reasons),
        )

    def ask(self, text: Reason, question: str, *, server: str = "", group: str = "", kind: Kind = Kind.ASKED) -> int:
        """A question that is now asked; its number is for ``answer``."""
        index = len(self._entries)
        self._put(index, Entry(self.seconds, kind, text, Outcome.INFO, question, server, group=group))
        return index

    def answer(
        self, index: int, outcome: Outcome, answer: str, *, server: str = "", reasons: tuple[Reason, ...] = ()
    ) -> None:
        """The answer to an open question."""
        asked = self._entries[index]
        self._put(
            index,
            replace(
                asked,
                outcome=outcome,
                answer=answer,
                server=server or asked.server,
                took=self.seconds - asked.at,
                reasons=reasons or asked.reasons,
            ),
        )

    def _put(self, index: int, entry: Entry) -> None:
        if index == len(self._entries):
            self._entries.append(entry)
        else:
            self._entries[index] = entry
        if self._on_entry is not None:
            self._on_entry(index, entry)
