"""Where names of the allow list may lead: what a name server answers is checked before anything is connected to it.

Whoever can change one record of a name server could else lead the edge to itself, to the neighbours of its machine or
to the services by which clouds tell machines their keys (DNS rebinding, forged requests).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from ringback.rules.reasons import Reason

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host (RFC 1122 section 3.2.1.3)
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "100.100.100.200/32",  # Alibaba's
        "168.63.129.16/32",  # Azure's
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/127",
        "64:ff9b::/96",  # IPv4 in other clothes: NAT64, 6to4, Teredo
        "2001::/32",
        "2002::/16",
        "fe80::/10",
        "fd00:ec2::254/128",  # Amazon's metadata service
        "ff00::/8",
    )
)


@dataclass(frozen=True, slots=True)
class Inside:
    """``hosts``: addresses of the deployment's own nodes, wherever they are. ``networks``: where given, other names may
    lead there only; else anywhere but to loopback, link-local, group and metadata addresses (chosen)."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def fault(self, host: str, address: str) -> Reason | None:
        """Why a name must not lead to an address; None where it may."""
        try:
            found = _plain(address)
        except ValueError:
            return Reason.of("edge.inside.unreadable", host=host, address=address)
        if str(found) in self.hosts:
            return None
        if self.networks:
            allowed = any(found.version == one.version and found in one for one in self.networks)
            return None if allowed else Reason.of("edge.inside.elsewhere", host=host, address=address)
        if any(found.version == one.version and found in one for one in _NEVER):
            return Reason.of("edge.inside.never", host=host, address=address)
        return None


def _plain(address: str) -> _Address:
    """Without the clothes of IPv6 around an IPv4 address. Raises ValueError."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
