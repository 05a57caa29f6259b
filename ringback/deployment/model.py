"""The deployment as value types. Field names are those of the TOML file, with ``-`` written ``_``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from ringback.deployment.calls import CallOptions, DeviceRow, DialPlanRows, PickupGroupRow, TrunkRow
from ringback.deployment.directory_sync import DirectorySearch, FeatureGroup, LdapDirectory, UserSearch
from ringback.deployment.edge import Edge
from ringback.deployment.entity import Entity
from ringback.deployment.identity_provider import IdentityProviderRows, SingleSignOnRows
from ringback.deployment.ldap_authentication import LdapAuthentication
from ringback.deployment.networks import Network, NetworkName, View
from ringback.deployment.remote_access import AccessOf, UserProfile
from ringback.deployment.security import SecurityOptions
from ringback.deployment.sign_in import SignIn
from ringback.deployment.voicemail import VoicemailOptions

Role = Literal[
    "names",
    "call-manager",
    "identity-provider",
    "presence",
    "voicemail",
    "messenger",
    "edge-outer",
    "edge-inner",
    "web",
]


class Cluster(Entity, frozen=True, kw_only=True):
    """A call manager cluster: the home of people.

    ``country`` (ISO 3166) is that of national numbers; none: that of its people's numbers. ``emergency_to`` overrides
    the dial plan's, ``sign_in`` the method of ``[sign-in]``.
    """

    name: str
    version: str = "14.0.1"
    country: str = ""
    emergency_to: str = ""
    sign_in: Literal["", "password", "sso"] = ""


class Ports(Entity, frozen=True, kw_only=True):
    """Ports other than the documented ones; 0 lets the system choose (for tests)."""

    dns: int = 53
    https: int = 8443
    files: int = 6970
    files_tls: int = 6972
    xmpp: int = 5222
    xmpp_tls: int = 5223
    login: int = 8443
    sip: int = 5060
    sip_tls: int = 5061
    cas: int = 443
    identity: int = 443
    vmrest: int = 443
    notify: int = 7080
    notify_tls: int = 7443
    link: int = 7001
    media: int = 7002
    web: int = 8080


class Node(Entity, frozen=True, kw_only=True):
    """A machine (in the lab: a loopback address) with its roles.

    ``name`` is the full host name, ``aliases`` are further ones; its certificate carries all of them. ``view`` tells
    which zones a names role answers and which name server a web role asks; ``database`` is a SQLAlchemy URL in place
    of a file in the data folder. An outer edge proxy awaits the links of inner ones at ``link_address``, which the
    world should not reach; none: at its ``address``. ``public_address`` is what the world has in its place, where a
    router translates it.
    """

    name: str
    address: str
    roles: list[Role]
    aliases: list[str] = field(default_factory=list)
    network: NetworkName = "office"
    cluster: str = ""
    view: View = "inside"
    ports: Ports = field(default_factory=Ports)
    database: str = ""
    link_address: str = ""
    public_address: str = ""


class Zone(Entity, frozen=True, kw_only=True):
    """A DNS zone in a view.

    ``publish`` derives records from the nodes: their addresses and, for call managers and presence services of the
    view's network, the SRV records that clients look for; ``edge``: those of the outer proxies, with their
    addresses. ``records`` are further ones in the words of a zone file.
    """

    name: str
    view: View = "inside"
    publish: list[Literal["call-manager", "presence", "edge", "addresses"]] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    ttl: int = 300


class Person(Entity, frozen=True, kw_only=True):
    """Somebody who signs in.

    ``password`` is the first password: it is hashed at the first start and never kept. ``portrait`` draws a picture
    for a lab (a seed word); ``photo`` is a picture file beside the deployment file. ``extension`` is the number inside;
    none: the end of ``number``, as the dial plan says. Who is not ``active`` stays in the directory, but can't sign in.
    ``ldap``: the password is that of ``[ldap-authentication]``, and none stands here.
    ``second_factor`` is the secret of one-time codes (base32), asked for by the deployment's identity provider. ``pin``
    opens the person's mailbox by telephone; like the password it is hashed at the first start. ``locale`` (``de_DE``)
    is the language that the mailbox speaks; ``voicemail`` False: there is no mailbox. What may be used from outside is
    said by ``remote_access`` (and ``remote_access_on`` for kinds of clients), else by ``user_profile``.
    """

    user: str
    first: str
    last: str
    cluster: str = ""
    password: str = ""
    number: str = ""
    extension: str = ""
    mobile: str = ""
    home: str = ""
    title: str = ""
    department: str = ""
    manager: str = ""
    mail: str = ""
    photo: str = ""
    portrait: str = ""
    devices: list[Literal["CSF", "TAB", "BOT", "TCT"]] = field(default_factory=lambda: ["CSF"])
    configuration_file: str = ""
    presence: bool = True
    active: bool = True
    second_factor: str = ""
    ldap: bool = False
    pin: str = ""
    locale: str = ""
    voicemail: bool = True
    user_profile: str = ""
    remote_access: AccessOf = ""
    remote_access_on: dict[Literal["desktop", "phone", "tablet"], AccessOf] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


class Team(Entity, frozen=True, kw_only=True):
    """People who have each other in their contact lists, in a group of the team's name, from the first start on."""

    name: str
    members: list[str]


class PresenceOptions(Entity, frozen=True, kw_only=True):
    """Rules of the presence service for everybody.

    ``several_clients``: ``documented`` sends an answer to the client that answered last, ``all`` to every client.
    ``archive``: keep messages, so that clients catch up with what they missed.
    """

    several_clients: Literal["documented", "all"] = "documented"
    archive: bool = True
    conference_domain: str = ""


class Cloud(Entity, frozen=True, kw_only=True):
    """What the cloud look-up (CAS) answers: domains that are in the cloud."""

    domains: list[str] = field(default_factory=list)
    single_sign_on: list[str] = field(default_factory=list)


class Web(Entity, frozen=True, kw_only=True):
    """The web client host.

    ``token`` fixed for scripts; otherwise made at each start. ``address_books``: files and folders of vCards and CSV
    that its people search, too; ``system``: those of the user who runs it.
    """

    token: str = ""
    address_books: list[str] = field(default_factory=list)


class ServerRow(Entity, frozen=True, kw_only=True):
    """A service of a service profile, as the client is told: up to three hosts."""

    hosts: list[str]
    port: int = 0
    protocol: str = ""


class Profile(Entity, frozen=True, kw_only=True):
    """A service profile. Services left out are set from the nodes of the deployment."""

    name: str = "SPDefault"
    presence: bool = True
    services: dict[
        Literal["Voicemail", "MailStore", "Conferencing", "Directory", "IMandPresence", "CTI"], ServerRow
    ] = field(default_factory=dict)


class Deployment(Entity, frozen=True, kw_only=True):
    """An enterprise: all that its nodes need to know.

    ``configuration`` holds ``jabber-config.xml`` by section and parameter, ``group_configurations`` further files by
    name.
    """

    domain: str
    organisation: str = ""
    voice_domain: str = ""
    cluster: list[Cluster] = field(default_factory=list)
    node: list[Node]
    network: list[Network] = field(default_factory=list)
    zone: list[Zone] = field(default_factory=list)
    person: list[Person] = field(default_factory=list)
    team: list[Team] = field(default_factory=list)
    device: list[DeviceRow] = field(default_factory=list)
    trunk: list[TrunkRow] = field(default_factory=list)
    pickup_group: list[PickupGroupRow] = field(default_factory=list)
    dial_plan: DialPlanRows = field(default_factory=DialPlanRows)
    calls: CallOptions = field(default_factory=CallOptions)
    presence: PresenceOptions = field(default_factory=PresenceOptions)
    voicemail: VoicemailOptions = field(default_factory=VoicemailOptions)
    edge: Edge = field(default_factory=Edge)
    sign_in: SignIn = field(default_factory=SignIn)
    ldap_authentication: LdapAuthentication = field(default_factory=LdapAuthentication)
    ldap_directory: list[LdapDirectory] = field(default_factory=list)
    feature_group: list[FeatureGroup] = field(default_factory=list)
    user_profile: list[UserProfile] = field(default_factory=list)
    directory_search: DirectorySearch = field(default_factory=DirectorySearch)
    user_search: UserSearch = field(default_factory=UserSearch)
    single_sign_on: SingleSignOnRows = field(default_factory=SingleSignOnRows)
    identity_provider: IdentityProviderRows = field(default_factory=IdentityProviderRows)
    cloud: Cloud = field(default_factory=Cloud)
    security: SecurityOptions = field(default_factory=SecurityOptions)
    web: Web = field(default_factory=Web)
    profile: list[Profile] = field(default_factory=list)
    configuration: dict[str, dict[str, str | bool | int]] = field(default_factory=dict)
    group_configurations: dict[str, dict[str, dict[str, str | bool | int]]] = field(default_factory=dict)

    def nodes(self, role: Role) -> tuple[Node, ...]:
        """The nodes that have a role, in the order of the file."""
        return tuple(node for node in self.node if role in node.roles)

    def call_managers(self, cluster: str) -> tuple[Node, ...]:
        """The call managers of a cluster, in the order of the file: the first is the publisher."""
        return tuple(node for node in self.nodes("call-manager") if node.cluster == cluster)

    def home_of(self, person: Person) -> str:
        """The cluster of a person; empty where the file has none."""
        return person.cluster or (self.cluster[0].name if self.cluster else "")

    @property
    def conference_domain(self) -> str:
        """The domain of group chats."""
        return self.presence.conference_domain or f"conference.{self.domain}"
