"""What has to know at once who came from a directory and who went: the dial plan, and the check of passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from ringback.rules.dial_plan import DialPlan
from ringback.rules.tls_modes import TlsMode
from ringback.services.callmanager.synchronisation.agreement import SynchronisationSettings
from ringback.services.callmanager.synchronisation.keeper import SyncKeeper, at_home, plan_with
from ringback.storage.callmanager.synced import SyncedPlace, SyncStore


class Newcomers:
    """Make it with ``open``, which also closes it; ``start`` when the node serves."""

    def __init__(
        self,
        plan: DialPlan,
        cluster: str,
        use_plan: Callable[[DialPlan], None] | None,
        bring: Callable[[Iterable[str]], None] | None,
    ) -> None:
        self._fixed = plan
        self._plan = plan
        self._cluster = cluster
        self._use_plan = use_plan
        self._bring = bring
        self._keeper: SyncKeeper | None = None
        self._forget: Callable[[str], None] | None = None
        self._here: frozenset[str] = frozenset()

    @classmethod
    async def open(
        cls,
        stack: AsyncExitStack,
        settings: SynchronisationSettings | None,
        store: SyncStore,
        mode: TlsMode,
        *,
        plan: DialPlan,
        cluster: str,
        use_plan: Callable[[DialPlan], None] | None,
        bring: Callable[[Iterable[str]], None] | None,
    ) -> Newcomers:
        """``plan`` is that of the deployment; ``use_plan`` and ``bring`` are told the dial plan and who has their
        password in the directory (None: nobody needs to). Raises sqlalchemy.exc.SQLAlchemyError."""
        made = cls(plan, cluster, use_plan, bring)
        # Without agreements those of before are looked after too: they have to go.
        made._keeper = await SyncKeeper.open(settings or SynchronisationSettings(), store, mode)
        stack.push_async_callback(made._keeper.close)
        await made._keeper.listen(made._told)
        return made

    def start(self) -> None:
        """Synchronise from now on."""
        if self._keeper is not None:
            self._keeper.start()

    def on_left(self, forget: Callable[[str], None]) -> None:
        """Call this with everybody (folded user name) who is here no more, or inactive."""
        self._forget = forget

    def plan(self) -> DialPlan:
        """The dial plan with everybody in it."""
        return self._plan

    async def _told(self, places: tuple[SyncedPlace, ...]) -> None:
        home = at_home(places)
        here = frozenset(user for user, active in home.items() if active)
        left, self._here = self._here - here, here
        if self._bring is not None:
            self._bring(home)
        if self._forget is not None:
            for user in left:
                self._forget(user)
        plan = await asyncio.to_thread(plan_with, self._fixed, places, self._cluster)
        if plan != self._plan:
            self._plan = plan
            if self._use_plan is not None:
                self._use_plan(plan)
