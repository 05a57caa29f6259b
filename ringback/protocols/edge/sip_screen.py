"""What of SIP may pass the edge, and how messages change on their way: no socket, no clock.

A connection of a client is joined to one of a call manager, like a pipe: transactions, dialogs and digest stay between
the two. The edge takes itself out of Route on the way in, puts itself into Record-Route on the way out (only the client
has to come back through it), and lets nobody ask for anything before a REGISTER was answered with 2xx.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from ringback.protocols.sip.digest import Answer
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.headers import NameAddr, Via
from ringback.protocols.sip.message import Request, Response
from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason

ALLOWED: Final = (
    *("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO"),
    *("REFER", "SUBSCRIBE", "NOTIFY", "OPTIONS", "REGISTER"),
)
HEADERS: Final = 120
"""Header lines of a message."""
HOPS: Final = 8
"""Members of Via, Route and Record-Route."""

_DEVICE: Final = "+u.sip!devicename.ccm.cisco.com"
_DIALOGS: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})
_WITH_MEDIA: Final = frozenset({"INVITE", "ACK", "PRACK", "UPDATE"})
_ANONYMOUS: Final = "anonymous.invalid"
_UNDER_WAY: Final = 16  # REGISTERs whose answer is awaited
_TAKEN: Final = "Registration is active for another client"


@dataclass(frozen=True, slots=True)
class Served:
    """Whose SIP passes: ``domains`` of people, ``hosts`` of call managers (names and addresses), ``names`` that stand
    for the edge itself; all in lower case."""

    domains: frozenset[str]
    hosts: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Registering:
    """A REGISTER that passes: ``user`` of its credentials (empty: none yet), the ``device`` that it names, and the
    ``host`` of its Request-URI."""

    user: str
    device: str
    host: str


@dataclass(frozen=True, slots=True)
class Registered:
    """How a REGISTER was answered: ``in``, ``wrong`` (the credentials, or nobody is known by them), or ``other``."""

    outcome: Literal["in", "wrong", "other"]
    asked: Registering
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that does not pass. ``status`` 0: it is dropped without an answer. ``suspicious``: honest clients don't
    send it."""

    status: int
    reason: Reason
    suspicious: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class SipScreen:
    """One connection of a client. ``peer`` is the client's address as the world sees it, ``listener`` where it came."""

    def __init__(self, served: Served, listener: HostPort, peer: HostPort) -> None:
        self._served = served
        self._listener = listener
        self._peer = peer
        self._route = f"<sip:{listener};transport=tls;lr>"
        self._asked: OrderedDict[tuple[str, int], Registering] = OrderedDict()
        self._answered: OrderedDict[str, None] = OrderedDict()
        self.registered = False
        """Whether a REGISTER was answered with 2xx."""

    # --- on the way in

    def request_in(self, request: Request) -> Registering | Refused | None:
        """A request of the client, changed for the way inside: what it registers, why it does not pass, or None where
        it passes. Raises MalformedMessage."""
        request.check()
        if request.method not in ALLOWED:
            allow = (("Allow", ", ".join(ALLOWED)),)
            return Refused(405, Reason.of("edge.sip.method", method=request.method[:20]), True, allow)
        if request.method == "ACK" and request.branch in self._answered:
            return Refused(0, Reason.of("edge.sip.own_answer"))
        if fault := self._shape(request):
            return fault
        if request.method == "OPTIONS" and not self.registered:
            return Refused(200, Reason.of("edge.sip.options"), headers=(("Allow", ", ".join(ALLOWED)),))
        if request.method != "REGISTER" and not self.registered:
            return Refused(0 if request.method == "ACK" else 403, Reason.of("edge.sip.unregistered"), True)
        if fault := self._whom(request) or self._body(request):
            return fault
        if route := self._unrouted(request):
            return route
        return self._registering(request) if request.method == "REGISTER" else None

    def response_in(self, response: Response) -> Refused | None:
        """A response of the client, changed for the way inside. Raises MalformedMessage."""
        response.check()
        if fault := self._shape(response):
            return fault
        if not self.registered:
            return Refused(0, Reason.of("edge.sip.unregistered"), True)
        response.remove("Record-Route")
        if response.cseq.method in _WITH_MEDIA and not _is_plain(response):
            response.body = b""
            response.remove("Content-Type")
        return None

    def answered(self, request: Request) -> None:
        """A request was answered by the edge: the ACK that follows is for nobody else."""
        if request.method == "INVITE":
            self._answered[request.branch] = None
            if len(self._answered) > _UNDER_WAY:
                self._answered.popitem(last=False)

    # --- on the way out

    def request_out(self, request: Request) -> None:
        """A request of the call manager, changed for the way to the client. Raises MalformedMessage."""
        request.check()
        if request.method in _DIALOGS and not request.to_tag:
            request.prepend("Record-Route", self._route)

    def response_out(self, response: Response) -> Registered | None:
        """A response of the call manager, changed for the way to the client; how a REGISTER was answered. Raises
        MalformedMessage."""
        response.check()
        self._seen_from(response)
        method = response.cseq.method
        if method in _DIALOGS and 100 < response.status < 300:
            response.prepend("Record-Route", self._route)
        return self._outcome(response) if method == "REGISTER" and response.status >= 200 else None

    # --- looking

    def _shape(self, message: Request | Response) -> Refused | None:
        lines = message.items()
        hops = max(len(message.members(name)) for name in ("Via", "Route", "Record-Route"))
        if len(lines) > HEADERS or hops > HOPS:
            return Refused(0 if isinstance(message, Response) else 513, Reason.of("edge.sip.size"), True)
        return None

    def _whom(self, request: Request) -> Refused | None:
        """Whose people this is about. In a dialog the call manager knows; its own address is all that is asked."""
        uri = request.uri
        if request.to_tag or request.method in ("CANCEL", "ACK"):
            wanted = tuple(one.host for one in (uri,) if one.is_sip)
        else:
            writer = request.from_.uri
            wanted = tuple(one.host for one in (uri, request.to.uri) if one.is_sip)
            if writer.is_sip and writer.host != _ANONYMOUS:
                wanted = (*wanted, writer.host)
        strange = next((host for host in wanted if not self._known(host)), None)
        if strange is None:
            return None
        return Refused(403, Reason.of("edge.sip.domain", domain=strange[:80]), not self.registered)

    def _known(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        return host in self._served.domains or host in self._served.hosts

    @staticmethod
    def _body(request: Request) -> Refused | None:
        """Calls have a description that the edge can read, or none: nothing else could be encrypted."""
        if request.method in _WITH_MEDIA and not _is_plain(request):
            accept = (("Accept", "application/sdp"),)
            return Refused(0 if request.method == "ACK" else 415, Reason.of("edge.sip.multipart"), headers=accept)
        return None

    def _unrouted(self, request: Request) -> Refused | None:
        """Take off the Routes that led here; others lead nowhere."""
        routes = request.members("Route")
        for text in routes:
            route = NameAddr.parse(text)
            host = route.uri.host.lower().rstrip(".")
            if host in self._served.names or host == self._listener.host:
                self._route = f"<{route.uri}>"
            elif not self._known(host):
                return Refused(403, Reason.of("edge.sip.route", host=host[:80]), True)
        if routes:
            request.remove("Route")
        for name in ("Path", "Record-Route"):
            if request.has(name):
                request.remove(name)
        return None

    def _registering(self, request: Request) -> Registering:
        contact = request.contact
        device = (contact.params.get(_DEVICE) or "").strip('"') if contact is not None else ""
        found = Registering(_user(request), device, request.uri.host)
        self._asked[request.call_id, request.cseq.number] = found
        if len(self._asked) > _UNDER_WAY:
            self._asked.popitem(last=False)
        return found

    def _outcome(self, response: Response) -> Registered | None:
        asked = self._asked.pop((response.call_id, response.cseq.number), None)
        if asked is None:
            return None
        if response.is_success:
            self.registered = True
            return Registered("in", asked, response.expires or 0)
        stale = any("stale=true" in one.lower().replace(" ", "") for one in response.all("WWW-Authenticate"))
        wrong = response.status == 404 or (
            bool(asked.user)
            and ((response.status == 401 and not stale) or (response.status == 403 and not _taken(response)))
        )
        return Registered("wrong" if wrong else "other", asked)

    def _seen_from(self, response: Response) -> None:
        """The call manager saw the request come from the inner proxy; the client is told what the world sees."""
        values = response.members("Via")
        via = Via.parse(values[0])
        if "received" not in via.params and "rport" not in via.params:
            return
        seen: dict[str, str | None] = {"received": self._peer.host}
        if "rport" in via.params:
            seen["rport"] = str(self._peer.port)
        response.set_all("Via", [str(via.with_params(**seen)), *values[1:]])


def _user(request: Request) -> str:
    """Who is named by the credentials; empty without any that can be read."""
    for value in request.all("Authorization"):
        try:
            return Answer.parse(value).username
        except MalformedMessage:
            continue  # a token, or something that the call manager refuses
    return ""


def _is_plain(message: Request | Response) -> bool:
    kind = message.content_type
    return not message.body or (
        kind is not None and kind.kind == "application/sdp" and not message.has("Content-Encoding")
    )


def _taken(response: Response) -> bool:
    return any(_TAKEN in text for text in response.all("Warning"))


__all__ = ["ALLOWED", "MalformedMessage", "Refused", "Registered", "Registering", "Served", "SipScreen"]
