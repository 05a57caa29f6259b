"""What the identity provider is told at its start. The deployment makes these from its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ringback.net.tls import Identity
from ringback.protocols.saml.metadata import ServiceProvider

Method = Literal["form", "basic", "certificate", "kerberos"]


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who signs in. ``password`` is clear here only; what is kept is its hash, and an empty one leaves what is
    kept. ``second_factor`` is the secret of one-time codes in base32 (RFC 6238), empty where there is none."""

    user: str
    password: str = field(default="", repr=False)
    second_factor: str = field(default="", repr=False)
    mail: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Hashing:
    """The cost of argon2id (defaults after OWASP); ``memory`` is in KiB."""

    time_cost: int = 2
    memory: int = 19 * 1024
    parallelism: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps guessing slow and memory small. A password or code may be tried ``tries`` times at once, then once
    every ``seconds_per_try``; after ``lock_after`` wrong ones in a row nobody gets in as that person for
    ``lock_seconds``. A sign-in may take ``sign_in_seconds``, ``open_limit`` may be under way."""

    tries: int = 6
    seconds_per_try: float = 20.0
    lock_after: int = 20
    lock_seconds: float = 900.0
    sign_in_seconds: float = 600.0
    open_limit: int = 10_000


@dataclass(frozen=True, slots=True)
class Kerberos:
    """A keytab with the key of ``HTTP/<host name>``, and the realm whose people are ours."""

    keytab: Path
    realm: str


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """One identity provider.

    ``node`` is its host name, ``port`` 0 lets the system choose. Its own folder ``data`` holds the signing key, the
    hashes and which codes were used. Answers go to ``services`` only and only to their own addresses. ``client_ca`` is
    the authority of people's certificates. A session lives ``session_seconds`` from the proof on. ``public_port`` is
    the port in its addresses, where that differs from the one bound.
    """

    node: str
    address: str
    port: int
    identity: Identity
    data: Path
    accounts: tuple[Account, ...] = ()
    services: tuple[ServiceProvider, ...] = ()
    methods: tuple[Method, ...] = ("form", "basic")
    client_ca: Path | None = None
    kerberos: Kerberos | None = None
    session_seconds: float = 8 * 3600.0
    hashing: Hashing = Hashing()
    limits: Limits = Limits()
    public_port: int | None = None
