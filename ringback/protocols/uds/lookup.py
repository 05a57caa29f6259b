"""The documents asked before anybody signs in: home cluster, servers, version."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.uds.documents import head, read, truth, word


@dataclass(frozen=True, slots=True)
class ClusterUser:
    """``clusterUser``: whether a user exists and, if so, the host name of the home cluster's publisher.

    ``user_uri`` and ``servers_uri`` are addresses on the home cluster, with its port; empty where nobody was found.
    """

    found: bool
    home_cluster: str = ""
    servers_uri: str = ""
    user_uri: str = ""
    uri: str = ""
    version: str = ""
    self_provisioning_secure_mode: bool = False
    admin_provision_mode: bool = False

    @classmethod
    def parse(cls, data: bytes) -> ClusterUser:
        """Read the answer. Raises UdsError. Found without a home cluster counts as not found."""
        root = read(data, "clusterUser")
        result, cluster = root.child("result"), root.child("homeCluster")
        uri, version = root.attributes.get("uri", ""), root.attributes.get("version", "")
        found = result is not None and truth(result.attributes.get("found", ""))
        if result is None or cluster is None or not found or not cluster.text:
            return cls(False, uri=uri, version=version)
        return cls(
            True,
            home_cluster=cluster.text,
            servers_uri=cluster.attributes.get("serversUri", ""),
            user_uri=result.attributes.get("uri", ""),
            uri=uri,
            version=version,
            self_provisioning_secure_mode=truth(root.text_of("homeClusterDetails/selfProvisioningSecureMode")),
            admin_provision_mode=truth(root.text_of("homeClusterDetails/adminProvisionMode")),
        )

    def build(self) -> bytes:
        """The answer to send."""
        attributes = head(self.uri, self.version)
        if not self.found:
            return markup.build(Element("clusterUser", attributes, children=(Element("result", {"found": "false"}),)))
        details = (
            Element("selfProvisioningSecureMode", text=word(self.self_provisioning_secure_mode)),
            Element("adminProvisionMode", text=word(self.admin_provision_mode)),
        )
        children = (
            Element("result", {"found": "true", "uri": self.user_uri, "version": self.version}),
            Element("homeCluster", {"serversUri": self.servers_uri}, self.home_cluster),
            Element("homeClusterDetails", children=details),
        )
        return markup.build(Element("clusterUser", attributes, children=children))


@dataclass(frozen=True, slots=True)
class Servers:
    """``servers``: the host names of the nodes of a cluster; the first is asked first."""

    servers: tuple[str, ...]
    uri: str = ""
    version: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Servers:
        """Read the answer. Raises UdsError."""
        root = read(data, "servers")
        names = tuple(server.text for server in root.all("server") if server.text)
        return cls(names, root.attributes.get("uri", ""), root.attributes.get("version", ""))

    def build(self) -> bytes:
        """The answer to send."""
        children = tuple(Element("server", text=name) for name in self.servers)
        return markup.build(Element("servers", head(self.uri, self.version), children=children))


@dataclass(frozen=True, slots=True)
class Version:
    """``version``: the version of the call manager, such as ``14.0.1``."""

    version: str
    uri: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Version:
        """Read the answer. Raises UdsError."""
        root = read(data, "versionInformation")
        return cls(root.text_of("version") or root.attributes.get("version", ""), root.attributes.get("uri", ""))

    def build(self) -> bytes:
        """The answer to send."""
        children = (Element("version", text=self.version),)
        return markup.build(Element("versionInformation", head(self.uri, self.version), children=children))
