"""Names of nodes that a deployment knows the addresses of; all others as the system says."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.rules.addresses import HostPort


class NodeResolver(AbstractResolver):
    """For an ``aiohttp.TCPConnector``: certificates are still checked for the name."""

    def __init__(self, addresses: Mapping[str, HostPort]) -> None:
        self._addresses = addresses
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See ``AbstractResolver``."""
        known = self._addresses.get(host)
        if known is None:
            return await self._system.resolve(host, port, family)
        address_family = socket.AF_INET6 if ":" in known.host else socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=known.host, port=port, family=address_family, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """See ``AbstractResolver``."""
        await self._system.close()


def local_address(source: str | None) -> tuple[str, int] | None:
    """Where connections leave from, as asyncio takes it; None: the system's choice."""
    return None if source is None else (source, 0)
