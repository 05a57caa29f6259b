"""Moving between networks while signed in: where one is gets decided anew, and every service goes there.

Theory of operation. The network changed, or the servers of a session don't answer any more: three questions to the name
server tell whether this computer is inside or outside (``discovery.locate``). Where another way counts from now on, it
becomes the way of the session (``EdgeRoute``) in one assignment; through an edge, once the session's ``EdgeKeeper`` has
opened it. Then everything connects anew by it: the stream of messages goes on where it was (XEP-0198), the phone
registers and takes its calls along. Nobody is asked to sign in, nothing is forgotten; while the name server says
nothing, it is asked again, ever more seldom.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from ringback.client.discovery import Located
from ringback.client.edge import EdgeRoute, EdgeWay
from ringback.client.engine.place import PlaceBoard
from ringback.rules.failover import Backoff, next_wait
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import Location

REACHED_SECONDS = 15.0  # how long one is shown as moving, at most
DOUBT_SECONDS = 5.0  # between two looks because servers don't answer
_AGAIN = Backoff(first=1.0, longest=60.0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What a mover moves with.

    ``locate``: asks where this computer is; ``way``: a way through the edges found; ``go``: lets every service connect
    by the way of now; ``reached``: returns when messages are there again; ``tell``: tells where the person is;
    ``here``: what the network of now is known by.
    """

    locate: Callable[[], Awaitable[Located]]
    way: Callable[[Located], EdgeWay]
    go: Callable[[], None]
    reached: Callable[[], Awaitable[object]]
    tell: Callable[[], None]
    here: Callable[[], object] = object


class Mover:
    """One session's. ``run`` it until cancelled."""

    def __init__(
        self,
        route: EdgeRoute,
        place: PlaceBoard,
        means: Means,
        pick: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pick`` gives random numbers from 0 up to 1, ``clock`` seconds."""
        self._route = route
        self._place = place
        self._means = means
        self._pick = pick
        self._clock = clock
        self._woken = asyncio.Event()
        self._changed: Reason | None = None
        self._doubted = -DOUBT_SECONDS
        self._waits_for: EdgeWay | None = None
        self._went: tuple[object, float] = (None, -DOUBT_SECONDS)
        self._on_the_way = False
        self._settled = asyncio.Event()
        self._settled.set()

    def changed(self, why: Reason) -> None:
        """The network is another one."""
        self._changed = why
        self._settled.clear()
        self._place.moving(why)
        self._woken.set()

    def doubt(self) -> None:
        """The servers don't answer: one may be elsewhere, though no address changed."""
        if self._clock() - self._doubted >= DOUBT_SECONDS:
            self._doubted = self._clock()
            self._woken.set()

    def opened(self, way: EdgeWay) -> bool:
        """The session's way through the edge was opened. False where one moves there now: that is told later."""
        if way is not self._waits_for:
            return True
        self._woken.set()
        return False

    def failed(self, way: EdgeWay, reason: Reason) -> None:
        """The session's way through the edge could not be opened; its keeper goes on trying."""
        if way is self._route.now:
            self._place.set("outside", edge=str(way.edge), reasons=(reason, *way.reasons))
            self._settled.set()

    async def settled(self, seconds: float = REACHED_SECONDS) -> None:
        """Wait until a change is dealt with, for so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settled.wait()

    async def run(self) -> None:
        """Move whenever it is due."""
        failures, wait = 0, None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            self._woken.clear()
            why = self._take()
            way = self._waits_for
            if why is None and way is not None and way is self._route.now and way.opened:
                await self._arrive()
                failures, wait = 0, None
                continue
            if await self._look(why):
                failures, wait = 0, None
            else:
                failures += 1
                wait = next_wait(failures, self._pick(), _AGAIN).seconds
                if why is not None and not self._woken.is_set():
                    self._changed = why  # a change stays one until it is known where one is

    def _take(self) -> Reason | None:
        why, self._changed = self._changed, None
        return why

    async def _look(self, why: Reason | None) -> bool:
        """Find out where one is and go there. ``why``: the network changed. False where nobody could say."""
        located = await self._means.locate()
        where, reasons = located.location.location, located.location.reasons
        if where is Location.UNKNOWN:
            if why is not None:
                self._place.set("", reasons=(*reasons, why))
            return False
        before = self._route.now
        way = self._way(located)
        if way is before and (why is None or self._just_went()):
            if self._on_the_way or why is not None:
                await self._be_there()
            return True  # the servers are away, but one is where one was
        log.info("engine.moves", where=where, again=way is before)
        if way is not before:
            self._place.moving(why or reasons[0])
            self._route.change(way)
        if way is not None and not way.opened:
            self._waits_for = way
            return True
        await self._arrive()
        return True

    async def _arrive(self) -> None:
        """Let everything connect by the way of now, and tell where one is once messages are there."""
        self._waits_for = None
        self._on_the_way = True
        self._went = (self._means.here(), self._clock())
        self._means.go()
        await self._be_there()

    def _just_went(self) -> bool:
        """Whether everything connects from this very network already: silent servers told of the change before it was
        seen."""
        network, at = self._went
        return self._clock() - at < DOUBT_SECONDS and network == self._means.here()

    async def _be_there(self) -> None:
        waits = [
            asyncio.ensure_future(self._means.reached()),
            asyncio.ensure_future(self._woken.wait()),  # one is elsewhere again
        ]
        try:
            await asyncio.wait(waits, timeout=REACHED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if not self._woken.is_set():
            self._on_the_way = False
            self._means.tell()
            self._settled.set()

    def _way(self, located: Located) -> EdgeWay | None:
        """The way to the servers from where one is: the one of before, where it leads through the same edges."""
        if located.location.location is Location.INSIDE:
            return None
        now = self._route.now
        if now is not None and (now.by_hand or set(located.edges) <= set(now.edges)):
            return now
        return self._means.way(located)
