"""Names as the person wants them asked: over one internet protocol only, where that was chosen (A9)."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Literal

from ringback.net.names import TIMEOUT, GivenServer, NameAnswer, NameClient, NameOutcome

InternetProtocol = Literal["both", "ipv4", "ipv6"]
_VERSIONS = {"ipv4": 4, "ipv6": 6}


class ChosenNames(NameClient):
    """A name client that knows addresses of the chosen protocol only, so that every connection keeps to it."""

    def __init__(
        self, nameserver: GivenServer, protocol: InternetProtocol = "both", *, timeout: float = TIMEOUT
    ) -> None:
        """``timeout`` is in seconds for each try with a server."""
        super().__init__(nameserver, timeout=timeout)
        self._protocol = protocol

    async def addresses(self, host: str) -> NameAnswer:
        """The addresses of a host, without those of the other protocol."""
        answer = await super().addresses(host)
        version = _VERSIONS.get(self._protocol)
        if version is None or not answer.addresses:
            return answer
        kept = tuple(one for one in answer.addresses if ipaddress.ip_address(one).version == version)
        if kept:
            return replace(answer, addresses=kept)
        return replace(answer, outcome=NameOutcome.NO_DATA, addresses=(), detail=f"no {self._protocol} address")
