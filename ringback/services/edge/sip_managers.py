"""Connections from the inner proxy to call managers: the one that a client names first, then those that stand in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final

import structlog

from ringback.services.edge.settings import SipManager, SipSettings

_CONNECT: Final = 3.0  # seconds
_SHUN: Final = 10.0  # seconds for which one that did not answer is tried last
_LIMIT: Final = 64 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_log = structlog.get_logger("ringback.edge.sip")


class Managers:
    """All call managers that SIP of the world may reach."""

    def __init__(self, settings: SipSettings) -> None:
        self._settings = settings
        self._failed: dict[str, float] = {}

    def order(self, host: str, now: float) -> list[SipManager]:
        """Whom to try for a Request-URI: the one that it names, then others of its cluster; for a domain all of them
        in their order. Who did not answer lately comes last."""
        host = host.lower().rstrip(".")
        every = self._settings.managers
        named = next((one for one in every if host in (one.name.lower(), one.address.host)), None)
        found: Iterable[SipManager] = every
        if named is not None:
            found = (named, *(one for one in every if one is not named and one.cluster == named.cluster))
        return sorted(found, key=lambda one: now - self._failed.get(one.name, -_SHUN) < _SHUN)

    def failed(self, name: str, now: float) -> None:
        """One did not answer."""
        self._failed[name] = now

    async def reach(self, host: str) -> tuple[SipManager, Streams] | None:
        """The first one that answers."""
        loop = asyncio.get_running_loop()
        for manager in self.order(host, loop.time()):
            try:
                async with asyncio.timeout(_CONNECT):
                    streams = await asyncio.open_connection(
                        manager.address.host,
                        manager.address.port,
                        ssl=self._settings.context if manager.tls else None,
                        server_hostname=manager.name if manager.tls else None,
                        limit=_LIMIT,
                        local_addr=(self._settings.address, 0),
                    )
            except (OSError, ssl.SSLError, TimeoutError) as error:
                self.failed(manager.name, loop.time())
                _log.warning("edge.next_hop", server=manager.name, error=type(error).__name__)
                continue
            self._failed.pop(manager.name, None)
            return manager, streams
        return None
