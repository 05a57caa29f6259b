"""What the company changed, found while somebody is signed in (features A12, C3).

Looks for servers and settings again without disturbing what works, and judges the difference by
``rules.config_changes``: what counts at once is used and told, what needs a new sign-in or a reset waits for the
person's word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from ringback.client.configuration.plan import Plan
from ringback.client.engine.errors import EngineError
from ringback.client.engine.questions import QuestionBoard, configuration_change
from ringback.client.engine.services import ServiceBoard
from ringback.client.engine.signin import Proven
from ringback.rules.config_changes import Configured, Effect, judge_changes
from ringback.rules.reasons import Reason


class Refetch:
    """One session's. ``counts`` is what the session goes by; None where nothing was kept to compare with."""

    def __init__(
        self,
        board: ServiceBoard,
        questions: QuestionBoard,
        fetch: Callable[[], Awaitable[Proven]],
        use: Callable[[Plan, Configured], Awaitable[None]],
        counts: Configured | None,
    ) -> None:
        """``fetch`` asks for everything anew and raises EngineError; ``use`` lets a plan count from now on."""
        self._board = board
        self._questions = questions
        self._fetch = fetch
        self._use = use
        self._counts = counts
        self._told: Configured | None = None
        self._postponed: Configured | None = None

    async def look(self, plan: Plan, why: Reason, warning: Reason | None) -> None:
        """Look once. A look that fails leaves what works."""
        try:
            proven = await self._fetch()
        except EngineError as error:
            self._board.set("configuration", "waiting", text=error.reason, reasons=(error.reason, why))
            return
        self._board.set("configuration", "up", text=warning, reasons=(why,))
        await self._judge(plan, proven)

    async def _judge(self, plan: Plan, proven: Proven) -> None:
        found = proven.configured
        decision = judge_changes(self._counts or found, found)
        if decision.effect in (Effect.SIGN_OUT, Effect.RESET):
            # Servers that moved are found all the same; everything else waits for the person.
            await self._use(_moved(plan, proven.plan), self._counts or found)
            self._told = found
            if found != self._postponed:
                self._questions.tell_changes(configuration_change(decision))
            return
        self._counts, self._postponed = found, None
        await self._use(proven.plan, found)
        self._questions.tell_changes(configuration_change(decision))

    def postpone(self) -> None:
        """The person goes on as before; the same changes are not told again in this session."""
        self._postponed = self._told
        self._questions.tell_changes(None)


def _moved(plan: Plan, found: Plan) -> Plan:
    return msgspec.structs.replace(plan, presence=found.presence, call_managers=found.call_managers, edge=found.edge)
