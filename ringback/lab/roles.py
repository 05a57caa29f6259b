"""How each role of a node is made from the deployment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from ringback.client.contacts.system_books import address_books
from ringback.deployment import Deployment, DeploymentError, Node, Person, Problem
from ringback.deployment.authority import Authority
from ringback.deployment.certificate_plan import need_of
from ringback.deployment.checks import ROLE_PORTS
from ringback.deployment.ldap_authentication import uses_directory
from ringback.deployment.model import Profile, Role, ServerRow
from ringback.deployment.ports import bindable
from ringback.deployment.remote_access import access_of, policies
from ringback.lab import calls, directory_sync, edge, edge_tenants, portraits, sign_in, voicemail
from ringback.lab.apart import ApartWeb
from ringback.lab.places import is_fenced, places_of
from ringback.lab.presence import PresenceRole
from ringback.lab.single_sign_on import SingleSignOnParts
from ringback.lab.state import DataFolder
from ringback.lab.web import WebRole, WebSettings
from ringback.lab.zones import zones_of
from ringback.net.service import Service
from ringback.net.tls import Identity
from ringback.protocols.service_profile import Product, ServiceAddress, ServiceProfile, ServiceServers
from ringback.rules.addresses import HostPort
from ringback.rules.session_routing import DeliveryRule
from ringback.services.callmanager import settings as cm
from ringback.services.callmanager.service import CallManager
from ringback.services.edge.outer import OuterProxy
from ringback.services.edge.service import InnerProxy
from ringback.services.edge.settings import Again, InnerSettings, NotTakenInError, OuterSettings
from ringback.services.messenger.service import MessengerService
from ringback.services.messenger.settings import MessengerSettings
from ringback.services.names.errors import RecordError, ZoneError
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings
from ringback.services.presence.settings import PresenceSettings
from ringback.services.voicemail.service import VoicemailService
from ringback.storage.presence.seed import RosterSeed

_PRESENCE_APPLICATION = "presence-service"
_DELIVERY_RULES = {"documented": DeliveryRule.DOCUMENTED, "all": DeliveryRule.ALL}
_Settings = TypeVar("_Settings")


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """Where a deployment comes from. ``read`` gives it as the file is now; raises DeploymentError, OSError or
    ValueError."""

    path: Path
    read: Callable[[], Deployment]


class Context:
    """A deployment with its data folder and authority: makes the services of its nodes."""

    def __init__(
        self,
        deployment: Deployment,
        folder: DataFolder,
        authority: Authority,
        base: Path,
        web_token: str,
        file: DeploymentFile | None = None,
    ) -> None:
        """``file``: whence the proxies of the edge get the deployment anew while they run."""
        self.deployment = deployment
        self._file = file
        self._folder = folder
        self._authority = authority
        self._base = base
        self._web_token = web_token
        self._single_sign_on = SingleSignOnParts(deployment, folder, authority.ca_file, base)

    @property
    def name_servers(self) -> dict[str, str]:
        """The first name server of each view, as ``address:port``."""
        found: dict[str, str] = {}
        for node in self.deployment.nodes("names"):
            found.setdefault(node.view, str(HostPort(node.address, node.ports.dns)))
        return found

    def names(self, node: Node) -> Service:
        """A name server with the zones of its view."""
        try:
            zones = zones_of(self.deployment, node.view, node.name)
            return NamesService(NamesSettings(node.name, node.address, node.ports.dns, zones))
        except (RecordError, ZoneError) as error:
            raise DeploymentError("zone", (Problem(0, str(error)),)) from error

    def messenger(self, node: Node) -> Service:
        """The cloud look-up."""
        return MessengerService(
            MessengerSettings(
                node=node.name,
                address=node.address,
                port=node.ports.cas,
                identity=self._identity(node),
                domains=frozenset(self.deployment.cloud.domains),
                single_sign_on=frozenset(self.deployment.cloud.single_sign_on),
            )
        )

    def call_manager(self, node: Node) -> Service:
        """A call manager with the people of its cluster."""
        cluster = next(cluster for cluster in self.deployment.cluster if cluster.name == node.cluster)
        return CallManager(
            cm.CallManagerSettings(
                node=node.name,
                address=node.address,
                identity=self._identity(node),
                database_url=node.database or self._folder.database(cluster.name, "call-manager"),
                ca_file=self._authority.ca_file,
                https_port=node.ports.https,
                files_port=node.ports.files,
                files_tls_port=node.ports.files_tls,
                cluster=cluster.name,
                version=cluster.version,
                servers=tuple(peer.name for peer in self.deployment.call_managers(cluster.name)),
                remote_clusters=tuple(
                    cm.RemoteCluster(
                        other.name,
                        tuple(
                            cm.RemoteServer(peer.name, peer.ports.https, peer.address)
                            for peer in self.deployment.call_managers(other.name)
                        ),
                    )
                    for other in self.deployment.cluster
                    if other.name != cluster.name
                ),
                trusted_addresses=self._trusted_addresses(),
                # Everybody is found by a search in every cluster; only those at home sign in and have devices there.
                people=tuple(self._person(person, node.cluster) for person in self.deployment.person),
                devices=calls.devices(self.deployment, node.cluster),
                calls=self._calls(node),
                application_users=(
                    cm.ApplicationUser(
                        _PRESENCE_APPLICATION,
                        self._folder.secret(_PRESENCE_APPLICATION),
                        frozenset({"credentials", "token-keys"}),
                    ),
                    cm.ApplicationUser(
                        voicemail.APPLICATION,
                        self._folder.secret(voicemail.APPLICATION),
                        frozenset({"token-keys", "mailbox-owners"}),
                    ),
                    cm.ApplicationUser(
                        edge.APPLICATION,
                        self._folder.secret(edge.APPLICATION),
                        frozenset({"token-keys", "remote-access"}),
                    ),
                    sign_in.administrator(self._folder),
                ),
                directory=directory_sync.passwords(self.deployment, self._base),
                synchronisation=directory_sync.settings(self.deployment, node, self._base),
                directory_search=directory_sync.search(self.deployment, cluster.name, self._base),
                search=directory_sync.search_policy(self.deployment),
                sign_in=sign_in.settings(
                    self.deployment,
                    self._folder,
                    cluster.name,
                    self._single_sign_on.service(node, node.ports.https, cluster.name),
                ),
                service_profiles=self._profiles(),
                user_profiles=policies(self.deployment),
                configuration=cm.ConfigurationFile("jabber-config.xml", _texts(self.deployment.configuration)),
                group_configurations=tuple(
                    cm.ConfigurationFile(name, _texts(sections))
                    for name, sections in self.deployment.group_configurations.items()
                ),
            )
        )

    def presence(self, node: Node) -> Service:
        """A presence service with the contact lists of the teams."""
        return PresenceRole(
            PresenceSettings(
                node=node.name,
                address=node.address,
                xmpp_port=node.ports.xmpp,
                xmpps_port=node.ports.xmpp_tls,
                login_port=node.ports.login,
                domain=self.deployment.domain,
                conference_domain=self.deployment.conference_domain,
                identity=self._identity(node, self.deployment.domain, self.deployment.conference_domain),
                ca_file=self._authority.ca_file,
                database_url=node.database or self._folder.database(node.name, "presence"),
                call_managers=tuple(
                    (manager.name, HostPort(manager.address, manager.ports.https))
                    for manager in self.deployment.nodes("call-manager")
                ),
                application_user=_PRESENCE_APPLICATION,
                application_password=self._folder.secret(_PRESENCE_APPLICATION),
                edges=frozenset(
                    {*self.deployment.edge.served_from, *(one.address for one in self.deployment.nodes("edge-inner"))}
                ),
                delivery_rule=_DELIVERY_RULES[self.deployment.presence.several_clients],
                archive=self.deployment.presence.archive,
            ),
            self._roster_seeds(),
        )

    def identity_provider(self, node: Node) -> Service:
        """The identity provider."""
        return self._single_sign_on.provider(node, self._identity(node))

    def voicemail(self, node: Node) -> Service:
        """A voicemail service with a mailbox for everybody who has an extension."""
        return VoicemailService(
            voicemail.settings(
                self.deployment,
                node,
                identity=self._identity(node),
                ca_file=self._authority.ca_file,
                database_url=node.database or self._folder.database(node.name, "voicemail"),
                password=self._folder.secret(voicemail.APPLICATION),
                single_sign_on=self._single_sign_on.service(node, node.ports.vmrest, node.cluster, always=True),
            )
        )

    def edge_outer(self, node: Node) -> Service:
        """An outer edge proxy."""
        return OuterProxy(self._outer(node), self._again(node.name, "edge-outer", Context._outer))

    def edge_inner(self, node: Node) -> Service:
        """An inner edge proxy."""
        return InnerProxy(self._inner(node), self._again(node.name, "edge-inner", Context._inner))

    def _outer(self, node: Node) -> OuterSettings:
        try:
            folder: Path | None = self._folder.node(node.name)
        except OSError:  # a data folder that can only be read is enough, but for orders
            folder = None
        return edge.outer_settings(
            self.deployment,
            node,
            identity=self._identity(node),
            ca_file=self._authority.ca_file,
            folder=folder,
        )

    def _inner(self, node: Node) -> InnerSettings:
        server = self.name_servers.get(node.view)
        tenants = edge_tenants.tenants(
            self.deployment, node, self._base
        )  # first: what is wrong there leaves all as it is
        return edge.inner_settings(
            self.deployment,
            node,
            identity=self._identity(node),
            public=edge.public_identity(self.deployment, self._authority),
            ca_file=self._authority.ca_file,
            name_server=HostPort.parse(server) if server else None,
            password=self._folder.secret(edge.APPLICATION),
            folder=self._folder.node(node.name),
            shared_secret=self._folder.secret("edge-inner"),
            tenants=tenants,
        )

    def _again(self, name: str, role: Role, made: Callable[[Context, Node], _Settings]) -> Again[_Settings] | None:
        """How a proxy of the edge gets its settings from the file as it is then."""
        file = self._file
        if file is None:
            return None

        def read() -> _Settings:
            try:
                deployment = with_ports(file.read(), bindable)
                node = next((one for one in deployment.nodes(role) if one.name == name), None)
                if node is None:
                    raise NotTakenInError(f"{file.path} has no node {name} with the role {role} any more: stop it")
                if role == "edge-inner":
                    edge_tenants.check_folders(deployment, self._base)
                return made(Context(deployment, self._folder, self._authority, self._base, "", file), node)
            except (DeploymentError, OSError, ValueError) as error:
                raise NotTakenInError(str(error)) from error

        return Again(str(file.path), read)

    def web(self, node: Node) -> Service:
        """The web client of a network."""
        server = self.name_servers.get(node.view, "")
        cas = self.deployment.nodes("messenger")
        settings = WebSettings(
            node=node.name,
            network=node.network,
            address=node.address,
            port=node.ports.web,
            data=self._folder.node(node.name),
            token=self._web_token or self.deployment.web.token,
            name_server=HostPort.parse(server) if server else None,
            ca_file=self._authority.ca_file,
            cas_host=HostPort(cas[0].name, cas[0].ports.cas) if cas else None,
            use_keyring=self._folder.kept,
            address_books=address_books(self.deployment.web.address_books, self._base),
        )
        if is_fenced(self.deployment, node):
            return ApartWeb(settings, places_of(self.deployment, node, self.name_servers), self._folder.node(node.name))
        return WebRole(settings)

    def _identity(self, node: Node, *more: str) -> Identity:
        need = need_of(self.deployment, node)
        names = tuple(dict.fromkeys((*need.dns, *more)))
        identity = self._authority.issue(node.name, names, need.addresses, xmpp=need.xmpp, services=need.services)
        return replace(identity, mode=self.deployment.security.tls)

    def _trusted_addresses(self) -> frozenset[str]:
        """Where presence nodes and inner proxies of an edge ask from, but no web client does, whose users only the call
        manager slows down."""
        presence = {node.address for role in ("presence", "edge-inner") for node in self.deployment.nodes(role)}
        presence |= set(self.deployment.edge.served_from)
        return frozenset(presence - {node.address for node in self.deployment.nodes("web")})

    def _calls(self, node: Node) -> cm.CallSettings:
        music = self.deployment.calls.music
        if music and not (self._base / music).is_file():
            raise DeploymentError("calls", (Problem(0, f"There is no sound file {music}"),))
        return calls.settings(
            self.deployment,
            node,
            key=self._folder.secret(f"sip-credentials-{node.cluster}").encode(),
            records=self._folder.node(node.name) / "records",
            music=self._base / music if music else None,
            name_server=HostPort.parse(server) if (server := self.name_servers.get(node.view)) else None,
        )

    def _person(self, person: Person, cluster: str) -> cm.PersonRecord:
        is_home = self.deployment.home_of(person) == cluster
        presence = tuple(node.name for node in self.deployment.nodes("presence")) if person.presence else ()
        return cm.PersonRecord(
            user=person.user,
            home=is_home,
            active=person.active,
            in_directory=is_home and uses_directory(self.deployment, person),
            password=person.password if is_home else "",
            first_name=person.first,
            last_name=person.last,
            display_name=person.name,
            title=person.title,
            department=person.department,
            manager=person.manager,
            email=person.mail or f"{person.user}@{self.deployment.domain}",
            directory_uri=f"{person.user}@{self.deployment.domain}",
            phone_number=person.number,
            home_number=person.home,
            mobile_number=person.mobile,
            im_and_presence=bool(presence),
            imp_servers=presence,
            photo=self._photo(person),
            remote_access=access_of(person),
        )

    def _photo(self, person: Person) -> Path | None:
        if person.photo:
            path = self._base / person.photo
            if not path.is_file():
                raise DeploymentError("person", (Problem(0, f"{person.user}: there is no picture {person.photo}"),))
            return path
        if not person.portrait:
            return None
        drawn = self._folder.node("portraits") / f"{person.user}.jpg"
        if not drawn.exists():
            drawn.write_bytes(portraits.draw(person.portrait))
        return drawn

    def _profiles(self) -> tuple[cm.NamedServiceProfile, ...]:
        profiles = self.deployment.profile or [Profile()]
        return tuple(cm.NamedServiceProfile(profile.name, self._profile(profile)) for profile in profiles)

    def _profile(self, profile: Profile) -> ServiceProfile:
        presence = self.deployment.nodes("presence")
        mailboxes = self.deployment.nodes("voicemail")
        has_presence = profile.presence and bool(presence)
        # No port: clients know the documented ones of sign-in and messages, and the section has room for one only.
        made = _servers(ServerRow(hosts=[node.name for node in presence][:3])) if has_presence else ServiceServers()
        servers = {name: _servers(row) for name, row in profile.services.items()}
        return ServiceProfile(
            voicemail=servers.get("Voicemail", _voicemail(mailboxes)),
            mail_store=servers.get("MailStore", ServiceServers()),
            conferencing=servers.get("Conferencing", ServiceServers()),
            directory=servers.get("Directory", ServiceServers()),
            im_and_presence=servers.get("IMandPresence", made),
            cti=servers.get("CTI", ServiceServers()),
            presence_product=Product.ON_PREMISES if has_presence else Product.UNSET,
        )

    def _roster_seeds(self) -> list[RosterSeed]:
        people = {person.user: person for person in self.deployment.person}
        groups: dict[tuple[str, str], list[str]] = {}
        for team in self.deployment.team:
            for owner in team.members:
                for contact in team.members:
                    if owner != contact:
                        groups.setdefault((owner, contact), []).append(team.name)
        domain = self.deployment.domain
        return [
            RosterSeed(f"{owner}@{domain}", f"{contact}@{domain}", people[contact].name, tuple(names))
            for (owner, contact), names in groups.items()
        ]


def with_ports(deployment: Deployment, choose: Callable[[str, int], int]) -> Deployment:
    """The deployment with every port of a role replaced by ``choose(address, port)``."""
    nodes = []
    for node in deployment.node:
        names = {name for role in node.roles for name in ROLE_PORTS[role]}
        ports = {name: choose(node.address, getattr(node.ports, name)) for name in names}
        nodes.append(msgspec.structs.replace(node, ports=msgspec.structs.replace(node.ports, **ports)))
    return msgspec.structs.replace(deployment, node=nodes)


def _voicemail(nodes: Sequence[Node]) -> ServiceServers:
    """The voicemail servers; a port only where it is not the documented one."""
    rows = [(node.name, node.ports.vmrest) for node in nodes]
    return ServiceServers(*(ServiceAddress(name, 0 if port == 443 else port, "HTTPS") for name, port in rows[:3]))


def _servers(row: ServerRow) -> ServiceServers:
    addresses = [ServiceAddress(host, row.port, row.protocol) for host in row.hosts[:3]]
    return ServiceServers(*addresses)


def _texts(sections: dict[str, dict[str, str | bool | int]]) -> dict[str, dict[str, str]]:
    return {
        section: {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in rows.items()}
        for section, rows in sections.items()
    }
