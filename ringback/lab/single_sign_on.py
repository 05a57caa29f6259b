"""Single sign-on of a deployment: its own identity provider, and what each service is told of the one it trusts."""

from __future__ import annotations

from pathlib import Path

from ringback.deployment import Deployment, DeploymentError, Node, Problem
from ringback.deployment.identity_provider import ROLE, by_single_sign_on
from ringback.lab.state import DataFolder
from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.net.single_sign_on.keys import SigningKey
from ringback.net.single_sign_on.service_provider import consumer_of
from ringback.net.tls import Identity
from ringback.protocols.edge import Target
from ringback.protocols.saml.metadata import ServiceProvider, read_service, write_provider
from ringback.protocols.saml.xml import SamlError
from ringback.rules.addresses import HostPort
from ringback.services.identity.forms import SIGN_OUT_PATH
from ringback.services.identity.service import IdentityService, base_of, describe
from ringback.services.identity.settings import Account, IdentitySettings, Kerberos


class SingleSignOnParts:
    """Makes both sides of single sign-on from a deployment. ``base`` is the folder of the deployment file."""

    def __init__(self, deployment: Deployment, folder: DataFolder, ca_file: Path, base: Path) -> None:
        self._deployment = deployment
        self._folder = folder
        self._ca_file = ca_file
        self._base = base

    def provider(self, node: Node, identity: Identity) -> IdentityService:
        """The identity provider: it vouches for the people of the clusters that use it, to the services of the
        deployment and those of its metadata files. Raises DeploymentError for a file that does not serve."""
        rows = self._deployment.identity_provider
        keytab = self._base / rows.keytab if rows.keytab else None
        if keytab is not None and not keytab.is_file():
            raise DeploymentError(ROLE, (Problem(0, f"There is no keytab {rows.keytab}"),))
        return IdentityService(
            IdentitySettings(
                node=node.name,
                address=node.address,
                port=node.ports.identity,
                identity=identity,
                data=self._data(node),
                accounts=self._accounts(),
                services=(*self._services(), *map(self._further, rows.services)),
                methods=tuple(rows.methods),
                client_ca=self._ca_file if "certificate" in rows.methods else None,
                kerberos=Kerberos(keytab, rows.realm) if keytab is not None and "kerberos" in rows.methods else None,
                session_seconds=rows.session_minutes * 60.0,
            )
        )

    def service(self, node: Node, port: int, cluster: str, *, always: bool = False) -> SingleSignOnSettings | None:
        """What a service of a node on an https port is told; None where the people of its cluster sign in otherwise.

        ``always``: the service is of no cluster, and takes part where any cluster does.
        """
        clusters = by_single_sign_on(self._deployment)
        if not clusters or (cluster not in clusters and not always):
            return None
        rows = self._deployment.single_sign_on
        return SingleSignOnSettings(
            entity_id=node.name,
            base=f"https://{node.name}:{port}",
            provider=rows.metadata if rows.metadata.startswith("https://") else self._metadata(rows.metadata),
            user_attribute=rows.user_attribute,
            keys=self._keys(node) if rows.signed_requests else None,
            ca_file=self._ca_file,
            name_server=self._name_server(node),
            sign_out=rows.sign_out or self._sign_out(),
            edges=self._edges(HostPort(node.name, port)),
        )

    def _edges(self, server: HostPort) -> tuple[str, ...]:
        """Where browsers outside find a service."""
        segment = Target(self._deployment.domain, "https", server).segment()
        outers = self._deployment.nodes("edge-outer")
        return tuple(f"https://{HostPort(outer.name, outer.ports.https)}/{segment}" for outer in outers)

    def _metadata(self, file: str) -> Path:
        """The provider's metadata as a file; that of our own is written here, before either side starts."""
        if file:
            if not (path := self._base / file).is_file():
                raise DeploymentError("single-sign-on", (Problem(0, f"There is no file {file}"),))
            return path
        node = self._deployment.nodes(ROLE)[0]
        key = SigningKey.open(self._data(node), node.name)
        document = write_provider(describe(base_of(node.name, node.ports.identity), key.certificate))
        path = self._data(node) / "metadata.xml"
        if not path.exists() or path.read_bytes() != document:
            path.write_bytes(document)
        return path

    def _accounts(self) -> tuple[Account, ...]:
        deployment = self._deployment
        clusters = by_single_sign_on(deployment)
        return tuple(
            Account(
                person.user,
                person.password,
                person.second_factor,
                person.mail or f"{person.user}@{deployment.domain}",
                person.name,
            )
            for person in deployment.person
            if person.active and deployment.home_of(person) in clusters
        )

    def _services(self) -> list[ServiceProvider]:
        found = [(node, node.ports.https) for node in self._deployment.nodes("call-manager")]
        found += [(node, node.ports.vmrest) for node in self._deployment.nodes("voicemail")]
        signed = self._deployment.single_sign_on.signed_requests
        services: list[ServiceProvider] = []
        for node, port in found:
            settings = self.service(node, port, node.cluster, always="voicemail" in node.roles)
            if settings is None:
                continue
            certificates = (SigningKey.open(settings.keys, node.name).certificate,) if settings.keys else ()
            consumers = tuple(consumer_of(base, node.name) for base in (settings.base, *settings.edges))
            services.append(ServiceProvider(node.name, consumers, certificates, signed))
        return services

    def _further(self, file: str) -> ServiceProvider:
        try:
            return read_service((self._base / file).read_bytes())
        except (OSError, SamlError) as error:
            raise DeploymentError(ROLE, (Problem(0, f"The metadata {file} does not serve: {error}"),)) from error

    def _sign_out(self) -> str:
        nodes = self._deployment.nodes(ROLE)
        if not nodes or self._deployment.single_sign_on.metadata:
            return ""
        return base_of(nodes[0].name, nodes[0].ports.identity) + SIGN_OUT_PATH

    def _name_server(self, node: Node) -> HostPort | None:
        servers = [each for each in self._deployment.nodes("names") if each.view == node.view]
        return HostPort(servers[0].address, servers[0].ports.dns) if servers else None

    def _data(self, node: Node) -> Path:
        return self._folder.node(node.name) / "identity-provider"

    def _keys(self, node: Node) -> Path:
        return self._folder.node(node.name) / "single-sign-on"
