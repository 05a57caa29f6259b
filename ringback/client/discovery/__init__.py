"""From a typed address to a person's servers: ``discover`` gathers evidence, the rules decide, the trace tells why."""

from ringback.client.discovery.locating import Located, locate
from ringback.client.discovery.look import discover
from ringback.client.discovery.model import (
    DOCUMENTED_CLOUD_URL,
    CachedDiscovery,
    Discovery,
    DiscoverySettings,
    HomeCluster,
    OnEntry,
    Remembered,
)

__all__ = [
    "DOCUMENTED_CLOUD_URL",
    "CachedDiscovery",
    "Discovery",
    "DiscoverySettings",
    "HomeCluster",
    "Located",
    "OnEntry",
    "Remembered",
    "discover",
    "locate",
]
