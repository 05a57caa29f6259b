"""Services stop side by side; one that lingers, or does not let itself be cut off, keeps nobody."""

from __future__ import annotations

import asyncio

from ringback.lab.runner import Runner
from ringback.net.service import Endpoint


class Lingering:
    """A service that stops when it is let go; it takes being cut off for nothing, once."""

    def __init__(self, *, stubborn: bool) -> None:
        self.let_go = asyncio.Event()
        self.ended = False
        self._stubborn = stubborn

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Nothing is bound."""
        return ()

    async def start(self) -> None:
        """At once."""

    async def stop(self) -> None:
        """When it is let go."""
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            if not self._stubborn:
                raise
            await self.let_go.wait()
        self.ended = True


async def test_whatever_lingers_keeps_nobody() -> None:
    patient, stubborn, ready, first = (Lingering(stubborn=stubborn) for stubborn in (False, True, False, False))
    ready.let_go.set()
    first.let_go.set()
    runner = Runner([[first], [patient, stubborn, ready]])
    await runner.start()
    await asyncio.wait_for(runner.stop(), 30)
    assert (first.ended, ready.ended) == (True, True)
    assert (patient.ended, stubborn.ended) == (False, False)
    stubborn.let_go.set()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    assert stubborn.ended
