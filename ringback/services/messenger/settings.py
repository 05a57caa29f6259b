"""What the answerer of the cloud look-up is told."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.net.tls import Identity


@dataclass(frozen=True, slots=True)
class MessengerSettings:
    """One node. ``domains`` are in the cloud, those of ``single_sign_on`` sign in at an identity provider.

    ``port`` 0 lets the system choose. Without ``identity`` it answers plain HTTP, which older clients ask for;
    ``http_port`` adds plain HTTP beside HTTPS (None: not).
    """

    node: str
    address: str
    port: int
    domains: frozenset[str] = frozenset()
    single_sign_on: frozenset[str] = frozenset()
    identity: Identity | None = None
    http_port: int | None = None
