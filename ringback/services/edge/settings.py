"""What the two proxies are told."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from aiohttp.abc import AbstractResolver

from ringback.net.tls import Identity
from ringback.protocols.traversal.opening import Service
from ringback.rules.addresses import HostPort
from ringback.rules.edge_paths import Allowed
from ringback.rules.edge_protection import ProtectionRules
from ringback.services.edge.http_limits import HttpLimits

_Settings = TypeVar("_Settings")


class NotTakenInError(Exception):
    """The deployment file can't be taken in as it is now; the message says why."""


@dataclass(frozen=True, slots=True)
class Again(Generic[_Settings]):
    """How a proxy that runs gets its settings from the deployment ``file`` as it is now. ``read`` is called in a thread
    of its own, and raises NotTakenInError."""

    file: str
    read: Callable[[], _Settings]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one address, and all together, may use of the outer proxy. ``an_address`` and ``in_all``: connections at
    once; ``burst`` new ones of an address at once, then one every ``seconds``; an IPv6 address counts with its
    neighbours of the same /64, which are one household's."""

    an_address: int = 200
    in_all: int = 20_000
    burst: int = 100
    seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class OuterMediaSettings:
    """Media at the outer proxy: clients send to ``ports`` (first, last; (0, 0): any) of ``address``, which the world
    knows as ``public`` where that is another; inner proxies send ``frames`` to this UDP port."""

    address: str
    frames: HostPort
    ports: tuple[int, int] = (20_000, 29_998)
    public: str = ""


@dataclass(frozen=True, slots=True)
class OuterSettings:
    """The outer proxy. ``identity`` and ``ca_file`` are for links only: clients never see them. ``inner_names`` are
    those that the certificate of an inner proxy may carry. ``listeners``: where the world comes to, by service.
    ``folder`` has the socket of commands (None: there is none)."""

    node: str
    address: str
    identity: Identity
    ca_file: Path
    link: HostPort
    inner_names: frozenset[str]
    listeners: tuple[tuple[Service, HostPort], ...]
    limits: Limits = Limits()
    media: OuterMediaSettings | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class OuterPeer:
    """An outer proxy as an inner one sees it: its ``name`` must stand in its certificate."""

    name: str
    link: HostPort


@dataclass(frozen=True, slots=True)
class HttpsSettings:
    """What HTTPS may reach: the ``domains`` that are served, what of which servers is ``allowed``, how they are found
    and trusted, and what one client may ask. ``source``: the address to ask them from (None: the system's choice)."""

    domains: frozenset[str]
    allowed: tuple[Allowed, ...]
    tls: ssl.SSLContext = field(repr=False, compare=False)
    resolver: AbstractResolver = field(repr=False, compare=False)
    limits: HttpLimits = field(default_factory=HttpLimits)
    source: str | None = None


@dataclass(frozen=True, slots=True)
class XmppSettings:
    """Where XMPP goes: the presence services of ``domain`` by name, in order, with the addresses to reach them at;
    certificates are checked for the name with ``tls``. ``before_tls``: seconds until TLS must stand; ``source``: as in
    ``HttpsSettings``."""

    domain: str
    nodes: tuple[tuple[str, HostPort], ...]
    tls: ssl.SSLContext = field(repr=False, compare=False)
    before_tls: float = 20.0
    source: str | None = None


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """What the edge says of itself: ``call_managers`` by name, with the addresses to reach them at; ``files``: servers
    of configuration files; ``places``: where the world reaches each service; ``route``: of SIP requests; ``source``: as
    in ``HttpsSettings``, also for keys, policies and passwords."""

    call_managers: tuple[tuple[str, HostPort], ...]
    files: tuple[str, ...]
    places: Mapping[str, tuple[HostPort, ...]]
    route: str
    tls: ssl.SSLContext = field(repr=False, compare=False)
    source: str | None = None


InnerMedia = Literal["best-effort", "secure", "clear"]
"""How media go on inside: keys beside a plain profile, so that phones with and without encryption answer each in their
way (RFC 8643); always encrypted; never."""


@dataclass(frozen=True, slots=True)
class SipManager:
    """A call manager as SIP of the world reaches it: by TLS, whose certificate names ``name``, else by TCP (``tls``
    False). ``cluster``: which others may stand in for it."""

    name: str
    address: HostPort
    cluster: str = ""
    tls: bool = True


@dataclass(frozen=True, slots=True)
class SipSettings:
    """SIP of the world: ``domains`` are those whose people are served, ``managers`` in the order in which they are
    tried; ``context`` shows the inner proxy's identity to them, and ``node`` is its name for clients. Media inside use
    ``ports`` (first, last; (0, 0): any) of ``address``. ``names`` are those that clients may write for the edge in a
    Route."""

    node: str
    domains: frozenset[str]
    managers: tuple[SipManager, ...]
    address: str
    context: ssl.SSLContext = field(repr=False, compare=False)
    names: frozenset[str] = frozenset()
    ports: tuple[int, int] = (30_000, 39_998)
    media: InnerMedia = "best-effort"


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A company that the edge serves. ``names``: those by which its clients ask for it in TLS; ``public`` is what they
    see; the application user fetches keys and policies from its call managers, whose certificates are of ``ca_file``.
    ``realm`` stands behind the ids of its people in logs and blocks; empty for the company that the edge belongs to.
    ``poll``: seconds between two questions to a call manager."""

    names: frozenset[str]
    public: Identity
    ca_file: Path
    name_server: HostPort | None
    application_user: str
    application_password: str = field(repr=False)
    own: OwnSettings
    https: HttpsSettings
    xmpp: XmppSettings | None = None
    sip: SipSettings | None = None
    realm: str = ""
    poll: float = 2.0


@dataclass(frozen=True, slots=True)
class InnerSettings:
    """The inner proxy. ``identity`` is its own at links, ``public`` what clients see; the application user fetches the
    keys of tokens and the policies of people. These and what follows are of the company that the edge belongs to;
    ``tenants`` are further ones. ``folder`` keeps blocks over a restart and has the socket of commands (None: neither);
    ``shared_secret`` is what all inner proxies of the edge have (empty: there is one only)."""

    node: str
    identity: Identity
    public: Identity
    ca_file: Path
    outers: tuple[OuterPeer, ...]
    name_server: HostPort | None
    application_user: str
    application_password: str = field(repr=False)
    own: OwnSettings
    https: HttpsSettings
    xmpp: XmppSettings | None = None
    sip: SipSettings | None = None
    protection: ProtectionRules = field(default_factory=ProtectionRules)
    tenants: tuple[TenantSettings, ...] = ()
    poll: float = 2.0
    folder: Path | None = None
    shared_secret: str = field(default="", repr=False)
    most: int = 20_000

    @property
    def home(self) -> TenantSettings:
        """The company that the edge belongs to."""
        return TenantSettings(
            names=self.https.domains | {one.host for found in self.own.places.values() for one in found},
            public=self.public,
            ca_file=self.ca_file,
            name_server=self.name_server,
            application_user=self.application_user,
            application_password=self.application_password,
            own=self.own,
            https=self.https,
            xmpp=self.xmpp,
            sip=self.sip,
            poll=self.poll,
        )
