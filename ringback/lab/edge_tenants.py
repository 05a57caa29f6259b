"""Other companies behind the same edge: each is a deployment of its own, with its own file, data folder and authority.

The file of the edge's own company names them; nothing of theirs is copied into it, and nothing of it into theirs. The
inner proxy has to be able to read their data folders, since the password with which it asks their call managers, and
the keys of the certificates that their clients see, are there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ringback.deployment import Deployment, DeploymentError, Node, Problem, load
from ringback.deployment.authority import Authority
from ringback.deployment.certificate_plan import edge_names
from ringback.lab import edge
from ringback.lab.state import DataFolder
from ringback.rules.addresses import HostPort
from ringback.services.edge.settings import TenantSettings


def check_folders(host: Deployment, base: Path) -> None:
    """Raises DeploymentError where a company has no data folder yet: beside an edge that runs, its services do so, too,
    so that a name is wrong."""
    for row in host.edge.tenant:
        if not (base / row.data).is_dir():
            problem = Problem(0, f"{row.file}: there is no data folder {row.data}, or it can't be read here")
            raise DeploymentError("edge", (problem,))


def tenants(host: Deployment, node: Node, base: Path) -> tuple[TenantSettings, ...]:
    """The companies that an inner proxy serves beside its own. ``base``: the folder of the deployment file. Raises
    DeploymentError, OSError."""
    found: list[TenantSettings] = []
    taken = set(edge_names(host))
    for row in host.edge.tenant:
        tenant = _tenant(host, node, load(base / row.file), DataFolder(base / row.data))
        if both := sorted(taken & tenant.names):
            problem = Problem(0, f"{row.file}: {', '.join(both)} belongs to another company of this edge already")
            raise DeploymentError("edge", (problem,))
        taken |= tenant.names
        found.append(tenant)
    return tuple(found)


def _tenant(host: Deployment, node: Node, theirs: Deployment, folder: DataFolder) -> TenantSettings:
    names = edge_names(theirs)
    authority = Authority(folder.certificates)
    identity = replace(authority.issue(f"edge-{node.name}", [node.name]), mode=theirs.security.tls)
    servers = [one for one in theirs.nodes("names") if one.view == "inside"]
    settings = edge.inner_settings(
        theirs,
        node,
        identity=identity,
        public=edge.public_identity(theirs, authority),
        ca_file=authority.ca_file,
        name_server=HostPort(servers[0].address, servers[0].ports.dns) if servers else None,
        password=folder.secret(edge.APPLICATION),
    ).home
    ports = [one.ports for one in host.nodes("edge-outer")[:1]]
    hosts = theirs.edge.names or [theirs.domain]
    places = {
        service: tuple(HostPort(name, getattr(found, port)) for found in ports for name in hosts)
        for service, port in (("https", "https"), ("xmpp", "xmpp"), ("sip", "sip_tls"))
    }
    sip = places["sip"]
    route = f"<sip:{sip[0]};transport=tls;lr>" if sip else ""
    return replace(
        settings, names=frozenset(names), realm=theirs.domain, own=replace(settings.own, places=places, route=route)
    )
