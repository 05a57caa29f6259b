"""Keeps a way through the edge open for as long as a session lives: opened at the start, renewed before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

import structlog

from ringback.client.edge.asking import open_way
from ringback.client.edge.problems import EdgeProblemError
from ringback.client.edge.way import EdgeRoute, EdgeWay
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.rules.failover import Backoff, next_wait
from ringback.rules.reasons import Reason

_AGAIN = Backoff(first=1.0, longest=300.0)
_LOOK = 600.0  # seconds after which the wall clock is looked at anyway: a computer may have slept

log = structlog.get_logger(__name__)


class EdgeKeeper:
    """One session's. ``run`` it; ``hurry`` where the network changed or somebody asks."""

    def __init__(
        self,
        route: EdgeRoute,
        https: Https,
        credentials: Credentials,
        opened: Callable[[EdgeWay], None],
        failed: Callable[[EdgeWay, Reason], None],
        pick: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``opened`` hears of each configuration that was read, ``failed`` of each try that came to nothing."""
        self._route = route
        self._https = https
        self._credentials = credentials
        self._opened = opened
        self._failed = failed
        self._pick = pick
        self._clock = clock
        self._woken = asyncio.Event()

    def hurry(self) -> None:
        """Try at once what waits."""
        self._woken.set()

    async def run(self) -> None:
        """Keep whatever way counts open, until cancelled."""
        end = self._route.listen(self._woken.set)
        failures = 0
        try:
            while True:
                self._woken.clear()
                way, wait = self._route.now, _LOOK
                now = self._clock()
                if way is not None and (not way.opened or now >= way.refresh_at()):
                    if way.ages(now):
                        way.over(way.session)  # else the edge would go on with that one, which ends
                    try:
                        await open_way(way, self._https, self._credentials, clock=self._clock)
                    except EdgeProblemError as error:
                        failures += 1
                        wait = max(next_wait(failures, self._pick(), _AGAIN).seconds, error.wait)
                        log.info("edge.not_opened", reason=error.reason.id, seconds=round(wait))
                        self._failed(way, error.reason)
                    else:
                        failures = 0
                        self._opened(way)
                elif way is not None:
                    wait = min(_LOOK, max(1.0, way.refresh_at() - now))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
        finally:
            end()
