"""What is asked of an edge, as lines of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ringback.rules.reasons import Reason
from ringback.rules.trace import Outcome

if TYPE_CHECKING:
    from ringback.client.discovery.ledger import Ledger


class Listener(Protocol):
    """Told of each question, and of its answer."""

    def asks(self, question: str, server: str) -> int:
        """A question goes out; gives its number."""

    def answered(self, number: int, answer: str, *, good: bool) -> None:
        """Its answer came; ``answer`` is literal."""


class Nobody:
    """Nobody wants to know."""

    def asks(self, question: str, server: str) -> int:
        """Not noted."""
        return 0

    def answered(self, number: int, answer: str, *, good: bool) -> None:
        """Not noted."""


class Telling:
    """Writes into a trace, with the sentence of the question: ``trace.asked.<what>``."""

    def __init__(self, ledger: Ledger, what: str) -> None:
        self._ledger = ledger
        self._what = what

    def asks(self, question: str, server: str) -> int:
        """An open line."""
        return self._ledger.ask(Reason.of(f"trace.asked.{self._what}", edge=server), question, server=server)

    def answered(self, number: int, answer: str, *, good: bool) -> None:
        """The line is complete."""
        self._ledger.answer(number, Outcome.OK if good else Outcome.FAILED, answer)
