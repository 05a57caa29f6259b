"""Where a node is reached: the bases of the addresses that it hands out. Never taken from what a client sends."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import uds
from ringback.services.callmanager.settings import CallManagerSettings


@dataclass(frozen=True, slots=True)
class Place:
    """Base addresses without a slash at the end; ``publisher`` is the host name of the cluster's first node."""

    https: str
    files: str
    files_tls: str
    publisher: str
    publisher_uds: str
    sip_port: int = 5060
    sip_tls_port: int = 5061

    @property
    def uds(self) -> str:
        """The base of UDS on this node."""
        return self.https + uds.documents.BASE

    @classmethod
    def of(
        cls,
        settings: CallManagerSettings,
        https_port: int,
        files_port: int,
        files_tls_port: int,
        sip_ports: tuple[int, int] = (5060, 5061),
    ) -> Place:
        """The place of a node with the ports that it bound; the other nodes of a cluster use the same."""
        node = f"[{settings.node}]" if ":" in settings.node else settings.node
        publisher = settings.servers[0] if settings.servers else settings.node
        return cls(
            https=f"https://{node}:{https_port}",
            files=f"http://{node}:{files_port}",
            files_tls=f"https://{node}:{files_tls_port}",
            publisher=publisher,
            publisher_uds=uds.home(publisher, https_port),
            sip_port=sip_ports[0],
            sip_tls_port=sip_ports[1],
        )
