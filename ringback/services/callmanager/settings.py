"""What a call manager node is told at its start. The deployment makes these from its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ringback.net.tls import Identity
from ringback.protocols.service_profile import ServiceProfile
from ringback.rules.addresses import HostPort
from ringback.rules.call_forwarding import NO_FORWARDING, Forwarding
from ringback.rules.dial_plan import DialPlan
from ringback.rules.dial_rules import DialRule
from ringback.rules.edge_access import AccessPolicy
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.directory_passwords import DirectorySettings
from ringback.services.callmanager.synchronisation.agreement import DirectorySearch, SynchronisationSettings


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A directory number on a device. ``label`` is shown beside the key, ``display_name`` to the called.

    Devices with the same number share the line. ``pickup_group`` is the name of a group whose members may take each
    other's calls; ``forwarding`` is what a new line begins with. A device takes ``max_calls`` calls on the line at most
    and is busy from ``busy_trigger`` on; a call rings ``ring_seconds`` before it counts as not answered.
    """

    number: str
    label: str = ""
    display_name: str = ""
    voicemail_pilot: str = ""
    pickup_group: str = ""
    forwarding: Forwarding = NO_FORWARDING
    max_calls: int = 4
    busy_trigger: int = 2
    ring_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device: its name says its kind (CSF desktop, BOT Android, TCT iPhone, TAB tablet, SEP desk phone).

    ``owner`` is a user id or empty. ``support_field`` is the text of the *Cisco Support Field*, for instance
    ``configurationfile=sales/jabber.xml``. ``model`` is filled from the name where empty. ``user`` (empty: the name)
    and ``password`` are what a plain phone registers with; the password is clear here only, what is stored are its
    digest hashes. Softphones need none: theirs is derived from the cluster's key (``CallSettings.credential_key``).
    ``encrypted``: the device is told to use TLS and SRTP.
    """

    name: str
    owner: str = ""
    model: str = ""
    description: str = ""
    lines: tuple[LineRecord, ...] = ()
    support_field: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person in the directory of this cluster. ``password`` is clear here only; what is stored are its hashes.

    An empty password leaves what is stored. ``service_profile`` names an entry of
    ``CallManagerSettings.service_profiles`` (empty: the first). ``photo`` is a JPEG file.
    ``home`` is False for people of other clusters: they are found by searches here, and sign in there. Who is not
    ``active`` is found as well, and gets in nowhere. ``in_directory``: the password is asked of the directory, and none
    is kept here.
    ``imp_servers`` are the presence servers of the person, first choice first. ``phone_number`` is also the number that
    searches find; the numbers of the person's devices are found as well. ``remote_access``: what may be used outside,
    as ``rules.edge_access`` writes it, or ``@`` and a name of ``CallManagerSettings.user_profiles``.
    """

    user: str
    password: str = field(default="", repr=False)
    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    nick_name: str = ""
    display_name: str = ""
    title: str = ""
    department: str = ""
    manager: str = ""
    email: str = ""
    directory_uri: str = ""
    ms_uri: str = ""
    phone_number: str = ""
    home_number: str = ""
    mobile_number: str = ""
    pager: str = ""
    locale: str = "English United States"
    im_and_presence: bool = True
    calendar_presence: bool = False
    imp_servers: tuple[str, ...] = ()
    service_profile: str = ""
    photo: Path | None = None
    home: bool = True
    active: bool = True
    in_directory: bool = False
    remote_access: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationUser:
    """A program that may ask for what ``rights`` name: ``credentials`` (verifiers of passwords), ``token-keys`` (the
    key document), ``people`` (revoke tokens, deactivate, unlock: an administrator), ``remote-access`` (the edge's
    policies)."""

    user: str
    password: str = field(repr=False)
    rights: frozenset[str] = frozenset({"credentials"})


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A node of another cluster. ``address`` is where to connect if the system's name server does not know ``host``."""

    host: str
    port: int = 8443
    address: str = ""


@dataclass(frozen=True, slots=True)
class RemoteCluster:
    """Another cluster whose users are looked up, its servers in the order in which they are asked."""

    name: str
    servers: tuple[RemoteServer, ...]


@dataclass(frozen=True, slots=True)
class NamedServiceProfile:
    """A service profile under its name; its file is ``<name>.cnf.xml``, for instance ``SPDefault.cnf.xml``."""

    name: str
    profile: ServiceProfile


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A client configuration file: its path (``jabber-config.xml``, ``sales/jabber.xml``) and its parameters.

    ``sections`` is section name → parameter name → value, e.g. ``{"Directory": {"DirectoryServerType": "UDS"}}``.
    """

    path: str
    sections: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PasswordHashing:
    """The cost of argon2id (defaults after OWASP) and of the SCRAM verifier. ``memory`` is in KiB."""

    time_cost: int = 2
    memory: int = 19 * 1024
    parallelism: int = 1
    scram_iterations: int = 10_000


@dataclass(frozen=True, slots=True)
class SearchPolicy:
    """The enterprise parameters of user search: whether a search without any filter lists everybody, the page limit
    (1 to 500), the digits compared when a number is resolved, and whether a search needs a sign-in."""

    all_users: bool = True
    limit: int = 64
    digits_to_match: int = 4
    needs_sign_in: bool = False


@dataclass(frozen=True, slots=True)
class SipPeer:
    """A host that SIP is spoken with: a node of this or another cluster, a gateway, a voicemail server. ``address`` is
    where to connect (empty: look ``host`` up); requests from there come from this address too."""

    host: str
    address: str = ""
    port: int = 5061
    transport: Literal["udp", "tcp", "tls"] = "tls"


@dataclass(frozen=True, slots=True)
class Trunk:
    """A way out of the cluster, by the name that the dial plan uses: to another ``cluster`` (the name is the
    cluster's), to a ``gateway``, or to the ``voicemail``. ``peers`` in the order in which they are tried. ``srtp``:
    media must be encrypted there."""

    name: str
    kind: Literal["cluster", "gateway", "voicemail"]
    peers: tuple[SipPeer, ...]
    srtp: bool = False


@dataclass(frozen=True, slots=True)
class Sibling(SipPeer):
    """Another node of the same cluster: ``host`` is its name, ``port`` the one for TLS, which calls between nodes take;
    ``sip_port`` is the other one, for device files."""

    sip_port: int = 5060

    @property
    def node(self) -> str:
        """The name of the node."""
        return self.host

    @property
    def peer(self) -> SipPeer:
        """Where calls to the node go."""
        return self


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How a node carries calls.

    ``sip_port`` is bound for UDP and TCP, ``sip_tls_port`` for TLS; 0 takes a free one. ``domain`` stands in the SIP
    addresses of the cluster's people and is the realm of digest; ``domains`` are all whose addresses are ours.
    ``authentication`` ``none`` trusts a device by its name (what real ones do by default). ``credential_key`` derives
    the digest secrets of softphones and is the same on all nodes of a cluster. ``siblings`` are the other nodes of this
    cluster. ``node_number`` counts the nodes of the cluster from 1 and stands in call detail records.
    ``keep_alive_seconds`` is the interval after which a device notices a dead node. ``records_folder`` takes the files
    of call records (None: none are written), a new one each ``records_seconds`` or ``records_octets``. Media ports come
    from ``media_ports`` (first, last). ``music`` is a WAV file for callers on hold (None: the built-in one).
    Hosts of other companies are looked up at ``name_server`` (None: the system's). ``edges`` are names and addresses of
    inner edge proxies: behind each of them are many clients of the world, who always have to prove who they are.
    """

    sip_port: int = 5060
    sip_tls_port: int = 5061
    domain: str = ""
    domains: frozenset[str] = frozenset()
    authentication: Literal["digest", "none"] = "digest"
    credential_key: bytes = field(default=b"", repr=False)
    plan: DialPlan = field(default_factory=DialPlan)
    dial_rules: tuple[DialRule, ...] = ()
    look_up_rules: tuple[DialRule, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    node_number: int = 1
    keep_alive_seconds: int = 120
    register_seconds: int = 3600
    park_reminder_seconds: float = 60.0
    media_ports: tuple[int, int] = (16384, 32766)
    music_on_hold: bool = True
    music: Path | None = None
    tone_country: str = "CH"
    records_folder: Path | None = None
    records_seconds: float = 60.0
    records_octets: int = 1_000_000
    name_server: HostPort | None = None
    edges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CallManagerSettings:
    """One call manager node.

    ``node`` is its DNS name, as it stands in the certificate and in every URL it hands out; ``address`` is what it
    binds. A port of 0 takes a free one, which then stands in the URLs. ``servers`` are the names of all nodes of the
    cluster, the publisher first (empty: this node); all of them share ``database_url``. ``files`` are further
    files served as they are, by path. ``idle_seconds`` is how long a connection may take for a request, from its start
    or its last answer on; a session ends ``session_seconds`` after its last use. ``trusted_addresses`` are those of
    presence nodes, which ask with the passwords of everybody and slow down those who guess by themselves: from there
    wrong passwords are not counted, or a stranger could keep a person out by guessing at a presence node.
    Without ``calls`` the node serves data and files, but no SIP; without ``sign_in`` it gives and takes no tokens;
    ``directory`` knows the passwords of people who have theirs there, and of all whom ``synchronisation`` brings;
    with ``directory_search`` searches look there. ``user_profiles``: what people of each may use from outside.
    """

    node: str
    address: str
    identity: Identity
    database_url: str
    ca_file: Path | None = None
    https_port: int = 8443
    files_port: int = 6970
    files_tls_port: int = 6972
    cluster: str = "cluster1"
    version: str = "14.0.1"
    servers: tuple[str, ...] = ()
    remote_clusters: tuple[RemoteCluster, ...] = ()
    people: tuple[PersonRecord, ...] = ()
    devices: tuple[DeviceRecord, ...] = ()
    application_users: tuple[ApplicationUser, ...] = ()
    service_profiles: tuple[NamedServiceProfile, ...] = ()
    configuration: ConfigurationFile = ConfigurationFile("jabber-config.xml")
    group_configurations: tuple[ConfigurationFile, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    photos_in_configuration: bool = True
    hashing: PasswordHashing = PasswordHashing()
    search: SearchPolicy = SearchPolicy()
    session_seconds: float = 1800.0
    idle_seconds: float = 30.0
    trusted_addresses: frozenset[str] = frozenset()
    calls: CallSettings | None = None
    sign_in: SignInSettings | None = None
    directory: DirectorySettings | None = None
    synchronisation: SynchronisationSettings | None = None
    directory_search: DirectorySearch | None = None
    user_profiles: Mapping[str, AccessPolicy] = field(default_factory=dict)
