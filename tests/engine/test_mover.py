"""Who decides where a session is: the words of the name server come in as arguments, and no server is asked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.client.discovery import Located
from ringback.client.edge import EdgeWay
from ringback.client.engine.engine import Engine
from ringback.client.engine.moving import Means, Mover
from ringback.client.engine.settings import EngineSettings
from ringback.protocols.edge import EdgeConfiguration
from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import Location, LocationDecision, ServiceRecords

EDGES = (HostPort("edge.example.com", 8443), HostPort("edge2.example.com", 8443))
WHY = Reason.of("schedule.network", seconds=0)
TURNS = 30  # of the loop, in which everything that needs no waiting is done


class Session:
    """A session that goes wherever the mover says; the edge opens at once where ``opens``."""

    def __init__(self, clock: Iterator[float] | None = None) -> None:
        self.engine = Engine(EngineSettings(data=Path("unused")))
        self.says = Location.INSIDE
        self.went = 0
        self.opens = True
        self.network = "office"
        times = itertools.count(0.0, 60.0) if clock is None else clock
        means = Means(self._locate, self._way, self._go, self._reached, self._tell, lambda: self.network)
        self.mover = Mover(self.engine.route, self.engine.place, means, lambda: 0.5, lambda: next(times))
        self.engine.route.listen(self._keep)
        self.engine.place.set("inside")

    @property
    def where(self) -> str:
        """What the person is told."""
        return self.engine.place.now.where

    async def _locate(self) -> Located:
        decision = LocationDecision(self.says, (Reason.of("location.outside.edge"),))
        return Located(decision, ServiceRecords(), EDGES if self.says is Location.OUTSIDE else ())

    def _way(self, located: Located) -> EdgeWay:
        return EdgeWay("example.com", located.edges, located.location.reasons)

    def _go(self) -> None:
        self.went += 1

    async def _reached(self) -> None:
        """Messages are there at once."""

    def _tell(self) -> None:
        self.engine.place.set("outside" if self.engine.route.outside else "inside")

    def _keep(self) -> None:
        way = self.engine.route.now
        if way is not None and self.opens:
            way.open(EdgeConfiguration(), 0.0)
            asyncio.get_running_loop().call_soon(self.mover.opened, way)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the mover runs."""
        task = asyncio.create_task(self.mover.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def turns() -> None:
    """Let everything happen that needs no waiting."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def walk(steps: Iterable[tuple[Location, bool]]) -> None:
    """Each step: where one is then, and whether the network changed (else only servers did not answer)."""
    session, pending = Session(), False
    async with session.running():
        for where, changed in steps:
            before, went, way = session.where, session.went, session.engine.route.now
            session.says = where
            if changed:
                session.mover.changed(WHY)
                assert session.where == "moving"
            else:
                session.mover.doubt()
            await turns()
            pending = pending or changed
            if where is Location.UNKNOWN:
                assert session.engine.route.now is way, "nobody knows better: the way of before stays"
                assert session.went == went
                assert session.where == ("" if pending else before)
                continue
            assert session.engine.route.outside is (where is Location.OUTSIDE)
            assert session.where == where.value
            moved = session.engine.route.now is not way
            assert session.went == went + (moved or pending)
            if way is not None and where is Location.OUTSIDE:
                assert not moved, "the same edge keeps its session"
            pending = False


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(list(Location)), st.booleans()), max_size=8))
def test_one_is_where_the_records_say(steps: list[tuple[Location, bool]]) -> None:
    asyncio.run(walk(steps))


async def test_what_can_not_be_opened_is_told_and_gone_by_later() -> None:
    session = Session()
    session.opens = False
    async with session.running():
        session.says = Location.OUTSIDE
        session.mover.changed(WHY)
        await turns()
        way = session.engine.route.now
        assert way is not None
        assert (session.where, session.went) == ("moving", 0)
        blocked = Reason.of(
            "edge.problem.blocked", edge="edge.example.com", minutes=9, domain="example.com", server="-"
        )
        session.mover.failed(way, blocked)
        assert (session.where, session.engine.place.now.reasons[0]) == ("outside", blocked)
        way.open(EdgeConfiguration(), 0.0)
        assert session.mover.opened(way) is False
        await turns()
        assert (session.where, session.went) == ("outside", 1)
        # Back in the office while the edge still keeps one waiting.
        session.engine.route.change(None)
        session.says = Location.INSIDE
        session.mover.changed(WHY)
        await turns()
        assert (session.where, session.went) == ("inside", 2)


async def test_a_change_that_silent_servers_told_of_before_is_not_made_twice() -> None:
    session = Session(itertools.count(100.0, 0.1))
    async with session.running():
        session.says, session.network = Location.OUTSIDE, "cafe"
        session.mover.doubt()
        await turns()
        assert (session.went, session.where) == (1, "outside")
        session.mover.changed(WHY)  # seen a moment later
        await turns()
        await session.mover.settled()
        assert (session.went, session.where) == (1, "outside")
        session.network = "telephone"  # by another way, through the same edge
        session.mover.changed(WHY)
        await turns()
        assert (session.went, session.where) == (2, "outside")
