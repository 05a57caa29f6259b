"""What every service looks like to the one who starts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service can be reached: a row of ``lab.json`` and of the table that the lab prints.

    ``role`` and ``node`` as in the deployment file, ``service`` one of dns, uds, ccmcip, files, files-tls, sip,
    sip-tls, xmpp, xmpp-tls, login, vmrest, notify, notify-tls, cas; ``scheme`` the URL scheme or transport (https,
    http, xmpp, xmpps, dns).
    """

    role: str
    node: str
    service: str
    scheme: str
    address: str
    port: int


class Service(Protocol):
    """A role that runs: made from its settings, started once, stopped once; ``stop`` mirrors ``start``."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is bound, with the real ports; empty before ``start``."""

    async def start(self) -> None:
        """Bind and serve. Raises OSError with the address in its text where a port is taken."""

    async def stop(self) -> None:
        """End all connections and tasks, and keep what was acknowledged."""
