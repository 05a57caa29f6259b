"""Asks the name servers what ``protocols.sip.location`` wants to know, and remembers which targets failed lately."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from ringback.net.names import NameAnswer, NameClient, NameOutcome
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.location import COOL_DOWN, Location, Question, Wanted, after_failures, locate

_ROUNDS = 4  # NAPTR, SRV, addresses; one more for answers that raise new questions
_WAIT = 10.0  # seconds for a whole look-up, whatever the servers do


class Locator:
    """Finds targets for hosts by one name client. Times are those of ``clock``, in seconds."""

    def __init__(
        self,
        names: NameClient,
        *,
        pick: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wait: float = _WAIT,
    ) -> None:
        """The client stays the caller's. ``wait`` bounds a look-up, in seconds."""
        self._names = names
        self._pick = pick
        self._clock = clock
        self._wait = wait
        self._failed: dict[Target, float] = {}

    async def locate(self, wanted: Wanted) -> Location:
        """The targets in the order to try, with reasons; those that failed lately last. Never raises for a name that
        cannot be looked up: then there are no targets, and the reasons say why."""
        answers: dict[Question, NameAnswer] = {}
        found = locate(wanted, answers, self._pick)
        deadline = self._clock() + self._wait
        for _ in range(_ROUNDS):
            if not found.questions:
                break
            rows = await asyncio.gather(*(self._answer(each, deadline) for each in found.questions))
            answers.update(zip(found.questions, rows, strict=True))
            found = locate(wanted, answers, self._pick)
        return Location(after_failures(found.targets, self._failed, self._clock()), found.reasons, found.questions)

    def failed(self, target: Target) -> None:
        """A target did not answer or refused the connection: for half a minute the others go before it."""
        now = self._clock()
        self._failed = {each: at for each, at in self._failed.items() if now - at < COOL_DOWN}
        self._failed[target] = now

    def succeeded(self, target: Target) -> None:
        """A target works again."""
        self._failed.pop(target, None)

    async def _answer(self, question: Question, deadline: float) -> NameAnswer:
        ask = {"NAPTR": self._names.naptr, "SRV": self._names.srv, "A": self._names.addresses}[question.kind]
        try:
            async with asyncio.timeout(max(deadline - self._clock(), 0.0)):
                return await ask(question.name)
        except TimeoutError:
            return NameAnswer(f"{question.name} {question.kind}", "", NameOutcome.TIMED_OUT)
