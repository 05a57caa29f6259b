"""Anything that phones do in any order, clients and links that die in between: nothing is left over in the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from ringback.protocols.sip.errors import WrongState
from ringback.protocols.sip.events import Invited
from ringback.protocols.sip.session import Session
from tests.edge.sip_world import SipWorld, start_sip_world
from tests.edge.test_sip_pipe import KEY, Handset, handset
from tests.support.soak import often
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
STEPS = often(12, 60)
_INSIDE = "2003"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipWorld]:
    async with AsyncExitStack() as stack:
        yield await start_sip_world(tmp_path_factory.mktemp("random"), stack)


class Chance:
    """Phones that do what comes to mind."""

    def __init__(self, world: SipWorld, phones: dict[str, Handset], seed: int) -> None:
        self.world = world
        self.phones = phones
        self.random = random.Random(seed)
        self.sessions: list[tuple[Handset, Session]] = []

    async def step(self) -> None:
        choose = self.random.choice
        action = choose(("dial", "dial", "take", "end", "end", "end", "again", "drop", "links"))
        number, phone = choose(list(self.phones.items()))
        with contextlib.suppress(WrongState, RuntimeError):  # nothing that this phone can do now
            match action:
                case "dial" if phone.state == "registered":
                    key = None if number == _INSIDE else KEY
                    self.sessions.append((phone, phone.dial(choose(("2001", "2002", "2003", "2999")), key)))
                case "take":
                    phone.takes = not phone.takes
                case "end" | "again":
                    self._within(action)
                case "drop" if number != _INSIDE and self.random.random() < 0.5:
                    await phone.node.stop()
                case "links" if self.random.random() < 0.2:
                    self.world.kill_links()
        for one in self.phones.values():
            one.node.flush()
        await asyncio.sleep(self.random.choice((0.0, 0.0, 0.005, 0.02)))

    def end_all(self) -> None:
        """Everybody ends every call."""
        for _, session in self._live():
            with contextlib.suppress(WrongState):  # over meanwhile
                session.end(time.monotonic())
        for phone in self.phones.values():
            phone.node.flush()

    def _live(self) -> list[tuple[Handset, Session]]:
        invited = [
            (phone, event.session)
            for phone in self.phones.values()
            for event in phone.events
            if isinstance(event, Invited)
        ]
        return [(phone, session) for phone, session in (*self.sessions, *invited) if session.state != "ended"]

    def _within(self, action: str) -> None:
        """End a call from either side in whatever way fits, or offer anew in it."""
        found = self._live()
        if found:
            phone, session = self.random.choice(found)
            if action == "end":
                session.end(time.monotonic())
            else:
                session.reinvite(time.monotonic(), phone.described(None if phone is self.phones[_INSIDE] else KEY))


@pytest.mark.parametrize("seed", range(often(6, 100)))
async def test_nothing_is_left_of_whatever_happened(world: SipWorld, seed: int) -> None:
    async with (
        handset(world, "2001", outside=True) as anita,
        handset(world, "2002", outside=True) as bram,
        handset(world, _INSIDE, outside=False) as clara,
    ):
        for phone in (anita, bram):
            phone.key = KEY
        chance = Chance(world, {"2001": anita, "2002": bram, _INSIDE: clara}, seed)
        for _ in range(STEPS):
            await chance.step()

        def all_is_over() -> bool:
            chance.end_all()
            return world.allocations == (0, 0)

        await until(all_is_over, pause=0.05)  # calls end, connections stay
    await until(lambda: world.front.connections == 0)
    await until(lambda: world.media.ready("outer.example.com"))
    assert world.front.calls.now == 0
    assert world.front.figures.cut == 0
