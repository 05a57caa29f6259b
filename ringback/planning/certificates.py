"""What the running services of a deployment show: each of their TLS ports looked at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ringback.deployment import Deployment, Node
from ringback.net.certificates import ReadCertificate, look, read_certificate
from ringback.net.tls_checks import CheckedContext

_PORTS: dict[str, tuple[str, ...]] = {
    "call-manager": ("https", "files_tls", "sip_tls"),
    "identity-provider": ("identity",),
    "presence": ("xmpp_tls", "login"),
    "voicemail": ("vmrest", "notify_tls"),
    "messenger": ("cas",),
    "edge-outer": ("https", "sip_tls"),
}
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """What a port of a node shows; ``read`` is None where nothing was seen, and ``problems`` say why."""

    node: str
    service: str
    port: int
    read: ReadCertificate | None
    problems: tuple[str, ...] = ()


async def served(deployment: Deployment, bindable: Callable[[str, int], int]) -> tuple[ServedCertificate, ...]:
    """Look at every TLS port of the deployment's nodes. ``bindable(address, port)`` is the port that is really bound,
    where the user may not bind a privileged one."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(node: Node, name: str) -> ServedCertificate:
        async with limit:
            port = await asyncio.to_thread(bindable, node.address, getattr(node.ports, name))
            return await _look(node, name, port)

    places = [(node, name) for node in deployment.node for role in node.roles for name in _PORTS.get(role, ())]
    return tuple(await asyncio.gather(*(one(node, name) for node, name in places)))


async def _look(node: Node, name: str, port: int) -> ServedCertificate:
    shown = await look(node.address, port, node.name, CheckedContext(ssl.PROTOCOL_TLS_CLIENT))
    service = name.replace("_", "-")
    if shown is None:
        return ServedCertificate(node.name, service, port, None, ("shows no certificate",))
    try:
        return ServedCertificate(node.name, service, port, read_certificate(shown.chain[0]))
    except ValueError as error:
        return ServedCertificate(node.name, service, port, None, (str(error),))
