"""A dialog: what two user agents share between requests (RFC 3261 section 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.flows import Flow, Target, Transport, Way
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.uri import Uri

if TYPE_CHECKING:
    from ringback.protocols.sip.message import Message, Request, Response

# Requests that carry a Contact, and so may move the other end (RFC 3261 section 12.2, RFC 3311, RFC 6665, RFC 3515)
TARGET_REFRESH: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})


class Dialog:
    """One dialog, from our viewpoint. ``local`` and ``remote`` are From/To values without tags, as text."""

    __slots__ = (
        "call_id",
        "contact",
        "local",
        "local_seq",
        "local_tag",
        "remote",
        "remote_seq",
        "remote_tag",
        "remote_target",
        "route",
        "way",
    )

    def __init__(self, call_id: str, local: str, local_tag: str, remote: str, contact: str, way: Way) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = ""
        self.remote_target = ""
        self.route: tuple[str, ...] = ()
        self.local_seq = 0
        self.remote_seq = -1
        self.contact = contact
        self.way = way

    def fork(self, remote_tag: str) -> Dialog:
        """The same for another remote tag."""
        other = Dialog(self.call_id, self.local, self.local_tag, self.remote, self.contact, self.way)
        other.remote_tag = remote_tag
        other.remote_target = self.remote_target
        other.local_seq = self.local_seq
        return other

    def learn_as_caller(self, response: Response, flow: Flow) -> None:
        """Take route set and remote target from a response that makes or confirms the dialog (section 12.1.2)."""
        routes = response.record_routes
        self.route = tuple(str(route) for route in reversed(routes))
        self.learn_target(response)
        if not self.remote_target:
            self.remote_target = str(response.to.uri)
        self._choose_way(flow, direct=not isinstance(self.way, Flow) or self.way is flow)

    def learn_as_called(self, request: Request, flow: Flow) -> None:
        """Take route set and remote target from the request that begins the dialog (section 12.1.1)."""
        if "Record-Route" in request.names():
            self.route = tuple(str(route) for route in request.record_routes)
        self.remote_tag = request.from_tag
        self.remote_seq = request.cseq.number
        self.learn_target(request)
        if not self.remote_target:  # callers of RFC 2543 have no Contact, nor has one that shall never be called back
            self.remote_target = str(request.from_.uri)
        self._choose_way(flow, direct=len(request.all("Via")) == 1 and "," not in request.all("Via")[0])

    def learn_target(self, message: Message) -> None:
        """Take the remote target from a target refresh."""
        try:
            contact = message.contact
        except MalformedMessage:
            return
        if contact is not None and (contact.uri.is_sip or contact.uri.scheme == "tel"):
            self.remote_target = str(contact.uri)

    def _choose_way(self, flow: Flow, *, direct: bool) -> None:
        """Where requests of this dialog go: over the flow where its other end is the next hop, which is the only way
        through address translation, else to the address of the next hop (RFC 3263, RFC 5626)."""
        self.way = flow
        hop = self.next_hop()
        if hop is None:
            return
        if self.route:
            direct = hop.host == flow.remote[0] or flow.transport != "udp"
        if not direct and (hop.host, hop.port or default_port(flow.transport)) != flow.remote:
            self.way = target_of(hop, flow.transport)

    def next_hop(self) -> Uri | None:
        """The URI of the next hop: the first route, else the remote target; None where it can't be read."""
        try:
            return NameAddr.parse(self.route[0]).uri if self.route else Uri.parse(self.remote_target)
        except MalformedMessage:
            return None

    def way_without_flow(self) -> Way:
        """How to reach the next hop when the flow is gone."""
        hop = self.next_hop()
        if hop is None or not hop.is_sip:
            return self.way
        return target_of(hop, self.way.transport)

    def addressing(self) -> tuple[str, list[tuple[str, str]]]:
        """Request-URI and From, To, Call-ID and Route of a request in this dialog (section 12.2.1.1)."""
        remote = f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote
        headers = [("From", f"{self.local};tag={self.local_tag}"), ("To", remote), ("Call-ID", self.call_id)]
        uri = self.remote_target
        route = self.route
        if route:
            first = self.next_hop()
            if first is not None and not first.loose:  # a strict router: it wants itself in the Request-URI
                headers.extend(("Route", value) for value in (*route[1:], f"<{uri}>"))
                return str(first), headers
            headers.extend(("Route", value) for value in route)
        return uri, headers


def default_port(transport: str) -> int:
    """5061 for TLS, else 5060 (RFC 3261 section 19.1.2)."""
    return 5061 if transport == "tls" else 5060


def target_of(uri: Uri, transport: Transport) -> Target:
    """Where a URI points to. ``transport`` is what is used where the URI does not say."""
    wanted = uri.transport
    chosen: Transport = transport
    if uri.scheme == "sips" or wanted == "tls":
        chosen = "tls"
    elif wanted == "tcp":
        chosen = "tls" if transport == "tls" and uri.port == 5061 else "tcp"
    elif wanted == "udp":
        chosen = "udp"
    return Target(chosen, uri.params.get("maddr") or uri.host, uri.port or 0)
