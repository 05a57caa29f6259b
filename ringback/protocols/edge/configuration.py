"""The answer of ``get_edge_config``: the records of the name server inside, and where the edge takes each service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.rules.addresses import AddressError, HostPort

VERSION: Final = "1.0"
KIND_HEADER: Final = "Ringback-Client-Kind"
"""What a client says it runs on when it asks for this (chosen): ``desktop``, ``phone`` or ``tablet``."""
_ROOT: Final = "getEdgeConfigResponse"
_MOST: Final = 64  # servers of one kind that are read


class EdgeDocumentError(ValueError):
    """The bytes are not an answer of an edge; the message says why."""


@dataclass(frozen=True, slots=True)
class Located:
    """A record of a service inside, as RFC 2782 has it."""

    priority: int
    weight: int
    server: HostPort


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """What the name server inside says of ``name``, such as ``_cisco-uds``: ``servers``, or the ``error``."""

    name: str
    servers: tuple[Located, ...] = ()
    error: str = ""


EdgeServer = HostPort
"""A server of the edge, with its port for TLS."""


@dataclass(frozen=True, slots=True)
class EdgeConfiguration:
    """``files``: servers of configuration files. ``route``: what SIP requests through the edge carry as Route.
    ``users``: the call managers at which the person's own settings are."""

    services: tuple[ServiceRecord, ...] = ()
    files: tuple[str, ...] = ()
    sip: tuple[EdgeServer, ...] = ()
    route: str = ""
    xmpp: tuple[EdgeServer, ...] = ()
    https: tuple[EdgeServer, ...] = ()
    turn: tuple[EdgeServer, ...] = ()
    users: tuple[EdgeServer, ...] = ()

    def build(self) -> bytes:
        """The document to send."""
        services = [_service(one) for one in self.services]
        services.append(
            Element("service", children=(_text("name", "tftpServer"), *(_text("address", one) for one in self.files)))
        )
        request = (Element("sipRequest", children=(_text("route", self.route),)),) if self.route else ()
        edge = (
            _servers("sipEdgeServer", self.sip),
            *request,
            _servers("xmppEdgeServer", self.xmpp),
            _servers("httpEdgeServer", self.https),
            _servers("turnEdgeServer", self.turn),
            _servers("userUdsServer", self.users),
        )
        return markup.build(
            Element(
                _ROOT,
                {"version": VERSION},
                children=(Element("serviceConfig", children=tuple(services)), Element("edgeConfig", children=edge)),
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> EdgeConfiguration:
        """Read an answer; what is not known, and servers that can't be read, are left out. Raises EdgeDocumentError."""
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise EdgeDocumentError(str(error)) from error
        if root.name != _ROOT:
            raise EdgeDocumentError(f"The answer is a {root.name}, not a {_ROOT}")
        services = root.at("serviceConfig") or Element("serviceConfig")
        edge = root.at("edgeConfig") or Element("edgeConfig")
        rows = [one for one in services.all("service") if one.text_of("name")][:_MOST]
        files = next((one for one in rows if one.text_of("name") == "tftpServer"), Element("service"))
        return cls(
            services=tuple(_read_service(one) for one in rows if one.text_of("name") != "tftpServer"),
            files=tuple(one.text for one in files.all("address") if one.text)[:_MOST],
            sip=_read_servers(edge, "sipEdgeServer"),
            route=edge.text_of("sipRequest/route"),
            xmpp=_read_servers(edge, "xmppEdgeServer"),
            https=_read_servers(edge, "httpEdgeServer"),
            turn=_read_servers(edge, "turnEdgeServer"),
            users=_read_servers(edge, "userUdsServer"),
        )


def _text(name: str, text: str) -> Element:
    return Element(name, text=text)


def _service(record: ServiceRecord) -> Element:
    if record.error:
        return Element("service", children=(_text("name", record.name), _text("error", record.error)))
    servers = tuple(
        Element(
            "server",
            children=(
                _text("priority", str(one.priority)),
                _text("weight", str(one.weight)),
                _text("port", str(one.server.port)),
                _text("address", one.server.host),
            ),
        )
        for one in record.servers
    )
    return Element("service", children=(_text("name", record.name), *servers))


def _servers(name: str, servers: tuple[EdgeServer, ...]) -> Element:
    return Element(
        name,
        children=tuple(
            Element("server", children=(_text("address", one.host), _text("tlsPort", str(one.port)))) for one in servers
        ),
    )


def _read_service(row: Element) -> ServiceRecord:
    servers = []
    for one in list(row.all("server"))[:_MOST]:
        server = _address(one.text_of("address"), one.text_of("port"))
        priority, weight = one.text_of("priority"), one.text_of("weight")
        if server is not None and _is_number(priority) and _is_number(weight):
            servers.append(Located(int(priority), int(weight), server))
    return ServiceRecord(row.text_of("name"), tuple(servers), row.text_of("error"))


def _read_servers(edge: Element, name: str) -> tuple[EdgeServer, ...]:
    group = edge.child(name) or Element(name)
    found = (_address(one.text_of("address"), one.text_of("tlsPort")) for one in list(group.all("server"))[:_MOST])
    return tuple(one for one in found if one is not None)


def _address(host: str, port: str) -> HostPort | None:
    try:
        return HostPort.parse(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except AddressError:
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5
