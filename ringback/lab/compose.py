"""From a deployment to running services: the one place that knows every role.

Names come first, since services find each other by name; then the call managers, which the presence service asks for
passwords; then everything else; the web client last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ringback.deployment import Deployment, Node
from ringback.deployment.authority import Authority
from ringback.deployment.ports import bindable
from ringback.lab import roles
from ringback.lab.apart import ApartWeb
from ringback.lab.roles import Context, DeploymentFile
from ringback.lab.runner import Runner
from ringback.lab.state import DataFolder
from ringback.lab.web import WebRole
from ringback.net.service import Endpoint, Service

_WAVES: tuple[tuple[str, ...], ...] = (
    ("names", "messenger", "identity-provider"),
    ("call-manager",),
    ("presence", "voicemail", "edge-outer"),
    ("edge-inner",),
    ("web",),
)


@dataclass(slots=True)
class Composition:
    """The services of a deployment, or of one of its nodes, ready to start."""

    deployment: Deployment
    ca_file: Path
    name_servers: dict[str, str]
    runner: Runner
    web: tuple[WebRole | ApartWeb, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All that is bound."""
        return self.runner.endpoints

    @property
    def web_urls(self) -> dict[str, str]:
        """The addresses of the web clients with their tokens, by network."""
        return {role.network: role.url for role in self.web}

    def fork(self) -> None:
        """Make the processes of those that are held to a network: before any loop and thread of this one."""
        for role in self.web:
            if isinstance(role, ApartWeb):
                role.fork()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Composition]:
        """Start on entry, stop on exit. Raises StartError."""
        await self.runner.start()
        self.notes = [role.note for role in self.web if role.note]
        try:
            yield self
        finally:
            await self.runner.stop()


def compose(
    deployment: Deployment,
    folder: DataFolder,
    *,
    base: Path,
    only: frozenset[str] = frozenset(),
    web_token: str = "",
    file: DeploymentFile | None = None,
) -> Composition:
    """Make the services of all nodes, or only those named in ``only``. Photos of the file are beside ``base``.
    ``file``: where the deployment comes from, for those that take in its changes while they run.

    Raises DeploymentError for what only shows when records and photos are read.
    """
    authority = Authority(folder.certificates, organisation=deployment.organisation or deployment.domain)
    context = Context(_with_bindable_ports(deployment), folder, authority, base, web_token, file)
    makers: dict[str, Callable[[Node], Service]] = {
        "names": context.names,
        "messenger": context.messenger,
        "identity-provider": context.identity_provider,
        "voicemail": context.voicemail,
        "call-manager": context.call_manager,
        "presence": context.presence,
        "edge-outer": context.edge_outer,
        "edge-inner": context.edge_inner,
        "web": context.web,
    }
    chosen = [node for node in context.deployment.node if not only or node.name in only]
    waves: list[list[Service]] = [
        [makers[role](node) for role in wave for node in nodes if role in node.roles]
        for wave in _WAVES
        for nodes in _turns(wave, chosen)
    ]
    web = tuple(service for service in waves[-1] if isinstance(service, WebRole | ApartWeb))
    return Composition(context.deployment, authority.ca_file, context.name_servers, Runner(waves), web)


def _turns(wave: tuple[str, ...], nodes: list[Node]) -> list[list[Node]]:
    """The nodes of a wave in the turns in which they start: of a cluster the first node makes the store, hashes
    passwords and so on, which the others then find done."""
    if "call-manager" not in wave:
        return [nodes]
    first = {node.cluster: node.name for node in reversed(nodes) if "call-manager" in node.roles}
    publishers = [node for node in nodes if node.name == first.get(node.cluster)]
    return [publishers, [node for node in nodes if node not in publishers]]


def _with_bindable_ports(deployment: Deployment) -> Deployment:
    return roles.with_ports(deployment, bindable)
