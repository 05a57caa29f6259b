"""Who may ask: digest authentication of phones, trust in connections that proved themselves, and in other systems.

A request that begins something is looked at before any state is made of it (``gate``). It passes when it comes from a
peer of the deployment, over a connection on which its device has registered (TCP, TLS: nobody else can write there),
with a good answer to a challenge, or, on TLS, with an access token (``bearer``). A UDP address proves nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import structlog
from msgspec import Struct

from ringback.protocols.oauth.tokens import Claims, TokenError
from ringback.protocols.sip.agent import Refusal
from ringback.protocols.sip.digest import Guard, Verdict
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.flows import Flow
from ringback.protocols.sip.message import Request
from ringback.services.callmanager.calls.bearer import Bearer, stands_bearer
from ringback.services.callmanager.calls.core import Core
from ringback.services.callmanager.calls.peers import Peer
from ringback.storage.callmanager.call_rows import Phone

_OPEN: Final = frozenset({"OPTIONS"})
_DEVICE_PARAM: Final = "+u.sip!devicename.ccm.cisco.com"
_KEPT: Final = 4096
_SEVERAL: Final = ("Ringback", "Cisco", "Linphone", "baresip", "PJSUA")
"""Products that are known to choose among several challenges (RFC 8760)."""
_ONLY_MD5: Final = ("baresip v0", "baresip v1")
"""Products that give up where any challenge names another algorithm than MD5, instead of passing it over."""

_log: Final = structlog.get_logger("ringback.callmanager.calls")


class Sender(Struct, frozen=True):
    """Who sent a request: a phone, another system, or (both None) somebody unknown. ``claims``: of the token that
    proved it."""

    phone: Phone | None = None
    peer: Peer | None = None
    claims: Claims | None = None


NOBODY: Final = Sender()


class Access:
    """The gate of the agent."""

    def __init__(self, core: Core, key: bytes, bearer: Bearer) -> None:
        """``key`` signs nonces; the same on all nodes of the cluster."""
        self._core = core
        self._bearer = bearer
        self._guard = Guard(core.domain, key)
        self._flows: dict[Flow, str] = {}
        self._passed: OrderedDict[int, tuple[Request, Sender]] = OrderedDict()

    def gate(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        """See ``Agent.gate``."""
        if request.method in _OPEN:
            return None
        try:
            sender = self._sender(request, flow, now)
        except MalformedMessage as error:
            return Refusal(error.status, "Bad Request")
        if isinstance(sender, Refusal):
            return sender
        self._passed[id(request)] = (request, sender)
        if len(self._passed) > _KEPT:
            self._passed.popitem(last=False)
        return None

    def who(self, request: Request) -> Sender:
        """Who sent a request that passed the gate; once."""
        kept = self._passed.pop(id(request), None)
        return kept[1] if kept is not None and kept[0] is request else NOBODY

    def proved(self, flow: Flow, device: str, claims: Claims | None = None) -> None:
        """A device has registered over a flow, with a token or without: further requests over a connection need no
        digest."""
        flow.protected = True
        if flow.reliable:
            self._flows[flow] = device
        if claims is not None:
            self._bearer.registered(flow, device, claims)
        else:
            self._bearer.forget(flow)

    def unproved(self, flow: Flow) -> None:
        """The device of a flow is no longer registered over it."""
        flow.protected = False
        self._flows.pop(flow, None)
        self._bearer.forget(flow)

    def look_after(self, now: float) -> None:
        """Once a second: who registered with a token that is over has to prove anew who they are."""
        for flow in self._bearer.over(now):
            self.unproved(flow)

    def closed(self, flow: Flow) -> None:
        """A connection is gone."""
        self._flows.pop(flow, None)
        self._bearer.forget(flow)

    def _sender(self, request: Request, flow: Flow, now: float) -> Sender | Refusal:
        peer = self._core.peers.of_flow(flow)
        if peer is not None and request.method != "REGISTER":
            flow.protected = True
            return Sender(peer=peer)
        known = self._flows.get(flow)
        if known is not None and request.method != "REGISTER":
            return Sender(self._core.lines.phone(known))
        if self._core.settings.authentication == "none" and self._core.settings.edges.isdisjoint(
            (flow.remote[0], *flow.peer_names)
        ):
            phone = self._named(request)
            return Sender(phone) if phone is not None else Refusal(403, "Unknown Device")
        if flow.secure and (token := self._bearer.token(request, flow)):
            try:
                proved, claims = self._bearer.prove(token, request, now)
            except TokenError as error:
                _log.info("a token was refused", device=str(request.from_.uri.user), why=str(error))
                return self._challenge(request, flow, now, stale=False, error="invalid_token")
            return Sender(proved, claims=claims)
        answer = self._guard.answer([*request.all("Authorization"), *request.all("Proxy-Authorization")])
        if answer is None:
            return self._challenge(request, flow, now, stale=False)
        hashes = self._core.lines.digest(answer.username)
        ha1 = hashes.ha1(answer.algorithm.value) if hashes is not None and answer.algorithm is not None else None
        verdict = self._guard.verify(answer, request.method, ha1, now + self._core.wall, request.body)
        if verdict is Verdict.STALE:
            return self._challenge(request, flow, now, stale=True)
        phone = self._core.lines.phone_of_user(answer.username) if verdict is Verdict.GOOD else None
        if phone is None:
            return Refusal(
                403, "Wrong User Name Or Password", (("Warning", self._warning("TLS authentication failure")),)
            )
        if self._bearer.refuses(phone):
            return Refusal(403, "Deactivated", (("Warning", self._warning("The account is deactivated")),))
        return Sender(phone)

    def _challenge(self, request: Request, flow: Flow, now: float, *, stale: bool, error: str = "") -> Refusal:
        values = self._guard.challenges(now + self._core.wall, stale=stale)
        product = request.get("User-Agent") or ""
        if product.startswith(_ONLY_MD5):
            values = [value for value in values if "algorithm=MD5" in value]
        elif not product.startswith(_SEVERAL):
            values.reverse()  # old phones look at the first challenge only, and know MD5 only
        if flow.secure and self._bearer.offered(flow) and (error or stands_bearer(product)):
            values.append(self._bearer.challenge(error))
        # calls are asked for as a proxy asks, which phones of the field expect of a server that others stand behind
        status, name = (401, "WWW-Authenticate") if request.method == "REGISTER" else (407, "Proxy-Authenticate")
        return Refusal(status, "", tuple((name, value) for value in values))

    def _named(self, request: Request) -> Phone | None:
        """The device that a request names, where the deployment trusts names."""
        for contact in request.contacts:
            name = (contact.params.get(_DEVICE_PARAM) or "").strip('"')
            if name and (phone := self._core.lines.phone(name)):
                return phone
        user = request.from_.uri.number
        phone = self._core.lines.phone(user) or self._core.lines.phone_of_user(user)
        if phone is not None:
            return phone
        having = self._core.lines.phones_of(user)
        return having[0] if having else None

    def _warning(self, text: str) -> str:
        return f'399 {self._core.node} "{text}"'
