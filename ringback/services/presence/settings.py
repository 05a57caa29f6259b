"""What a presence node is told at its start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.net.tls import Identity
from ringback.rules.addresses import HostPort
from ringback.rules.session_routing import DeliveryRule


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, address or account may use. Sizes in bytes, times in seconds, rates per second.

    ``rate`` and ``burst`` are the token bucket of a connection's input: above it reading pauses, nobody else waits.
    ``stanza_cost`` is what a stanza counts beside its bytes. ``outgoing`` is how much may wait for a client that does
    not read; ``unacknowledged`` how many stanzas for one that does not acknowledge, or is away.
    ``resume_time`` is how long a session waits for its client to come back, ``token_life`` how long a one-time token of
    the log-in service can be used.
    """

    stanza: int = 262_144
    unauthenticated_stanza: int = 16_384
    depth: int = 64
    rate: float = 524_288.0
    burst: float = 262_144.0
    stanza_cost: float = 256.0
    negotiation_time: float = 30.0
    outgoing: int = 2_097_152
    unacknowledged: int = 2_000
    resume_time: float = 300.0
    token_life: float = 60.0
    connections_per_address: int = 20_000
    unauthenticated_per_address: int = 1_500
    sessions_per_account: int = 20
    roster: int = 2_000
    offline_messages: int = 1_000
    pending_requests: int = 64
    storage_backlog: int = 20_000


_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """Settings of a presence node.

    ``call_managers`` are names with the addresses to reach them at, asked in order; certificates are checked for the
    name. ``application_user`` may ask for SCRAM verifiers there, and for the keys of access tokens, which is done every
    ``token_poll`` seconds. ``tls_required`` False allows SCRAM and tokens
    without TLS: only for measurements on a loopback address. ``archive`` False keeps no messages. ``edges`` are the
    addresses of inner edge proxies, through which people outside come: many from one address, and without a channel
    binding. A port of 0 takes a free one.
    """

    node: str
    address: str
    domain: str
    conference_domain: str
    identity: Identity
    database_url: str
    call_managers: tuple[tuple[str, HostPort], ...]
    application_user: str = ""
    application_password: str = ""
    ca_file: Path | None = None
    xmpp_port: int = 5222
    xmpps_port: int = 5223
    login_port: int = 8443
    delivery_rule: DeliveryRule = DeliveryRule.DOCUMENTED
    tls_required: bool = True
    archive: bool = True
    token_poll: float = 2.0
    edges: frozenset[str] = frozenset()
    limits: Limits = _LIMITS

    def __repr__(self) -> str:
        return f"PresenceSettings(node={self.node!r}, domain={self.domain!r}, address={self.address!r})"
