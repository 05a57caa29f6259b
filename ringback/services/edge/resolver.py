"""Addresses of servers inside, checked against where the edge may go before anything is connected to them."""

from __future__ import annotations

import socket

import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.rules.edge_networks import Inside

_log = structlog.get_logger("ringback.edge.resolver")


class GuardedResolver(AbstractResolver):
    """Another resolver's answers, without addresses that names of the list must not lead to."""

    def __init__(self, inner: AbstractResolver, inside: Inside) -> None:
        self._inner = inner
        self.inside = inside
        """Where names may lead from the next look-up on."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError where nothing is left to connect to."""
        kept = []
        for row in await self._inner.resolve(host, port, family):
            fault = self.inside.fault(host, row["host"])
            if fault is None:
                kept.append(row)
            else:
                _log.warning("edge.address_refused", why=fault.id, **fault.values)
        if not kept:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} leads nowhere that the edge may go")
        return kept

    async def close(self) -> None:
        """End the other resolver."""
        await self._inner.close()
