"""Starting and stopping a set of services as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from ringback.net.service import Endpoint, Service

_STOP_SECONDS = 1.5  # a service that takes longer is left behind, so that Ctrl-C ends in 2 seconds

_CUT_SECONDS = 0.5  # what it may still tidy up then

_log = structlog.get_logger("ringback.runner")


class StartError(Exception):
    """A service did not start; the message names it and why. Those already running were stopped."""


class Runner:
    """Starts services in waves (those of a wave side by side) and stops them in the opposite order."""

    def __init__(self, waves: Sequence[Sequence[Service]]) -> None:
        self._waves = waves
        self._running: list[list[Service]] = []

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All that is bound, in the order of the start."""
        return tuple(endpoint for wave in self._running for service in wave for endpoint in service.endpoints)

    async def start(self) -> None:
        """Start everything. Raises StartError after stopping what had started."""
        for wave in self._waves:
            started: list[Service] = []
            self._running.append(started)
            results = await asyncio.gather(*(service.start() for service in wave), return_exceptions=True)
            failures: list[tuple[Service, BaseException]] = []
            for service, result in zip(wave, results, strict=True):
                if isinstance(result, BaseException):
                    failures.append((service, result))
                else:
                    started.append(service)
            if failures:
                await self.stop()
                service, failure = failures[0]
                if not isinstance(failure, Exception):
                    raise failure
                raise StartError(f"{type(service).__name__} did not start: {failure}") from failure

    async def stop(self) -> None:
        """Stop everything that runs; a service that fails or lingers does not keep the others."""
        while self._running:
            wave = self._running.pop()
            await self._stop_wave({asyncio.create_task(service.stop()): type(service).__name__ for service in wave})

    @staticmethod
    async def _stop_wave(ends: dict[asyncio.Task[None], str]) -> None:
        if not ends:
            return
        _, late = await asyncio.wait(ends, timeout=_STOP_SECONDS)
        for end in late:
            end.cancel()
        if late:
            await asyncio.wait(late, timeout=_CUT_SECONDS)
        for end, service in ends.items():
            if not end.done() or end.cancelled():
                _log.warning("service did not stop in time", service=service, seconds=_STOP_SECONDS)
            elif (failure := end.exception()) is not None:
                _log.warning("service did not stop cleanly", service=service, why=repr(failure))
