"""The user agent core: transactions, dialogs, sessions, subscriptions; no socket, no loop, no clock.

Five verbs: ``receive``, ``data_to_send``, ``next_deadline``, ``handle_timer``, ``next_event``. ``ringback.net.sip``
drives it.

What is cheap (for a registrar or a back-to-back agent): ``gate`` refuses a request statelessly, without a transaction,
for the price of a parse and a response, so challenge there; header values that are passed as text and never asked for
as types; ``request.get(...)`` rather than typed values for what is only passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ringback.protocols.sip.core import COOKIE, Core, content_of, ways_of
from ringback.protocols.sip.dialog import Dialog
from ringback.protocols.sip.errors import MalformedMessage, UnbuildableMessage
from ringback.protocols.sip.events import (
    Answered,
    InDialogRequest,
    Invited,
    RequestArrived,
    SubscribeArrived,
    Unanswered,
)
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Content, Flow, Headers, Outgoing, Target, Way
from ringback.protocols.sip.headers import Replaces, without_tag
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.registration import Registration, RegistrationSettings
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings, Credential
from ringback.protocols.sip.subscription import Notifier, Subscription
from ringback.protocols.sip.transactions import Key, ServerTransaction, Why

_TRYING_AFTER: Final = 0.2  # seconds, RFC 3261 section 17.2.1


class Handle:
    """A request under way, from ``Agent.send_request``; ``owner`` belongs to the application."""

    __slots__ = ("_agent", "call_id", "local_tag", "method", "owner")

    def __init__(self, agent: Agent, method: str, call_id: str, local_tag: str) -> None:
        self._agent = agent
        self.method = method
        self.call_id = call_id
        self.local_tag = local_tag
        self.owner: object = None

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """From the exchange."""
        if response.status >= 200:
            self._agent.emit(Answered(self, response, flow))

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """From the exchange."""
        self._agent.emit(Unanswered(self, why))


class Refusal(Struct, frozen=True):
    """What a ``gate`` answers: a final status with header fields (WWW-Authenticate, Retry-After, Warning)."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()


Gate = Callable[[Request, Flow, float], "Refusal | None"]


class Agent(Core):
    """A SIP user agent for any number of sessions.

    ``gate``: called for every new request that begins something (outside of dialogs, except ACK and CANCEL) before any
    state is made; a Refusal is sent statelessly. ``addresses``: see settings;
    ``bound``: the address that the driver listens on for each transport. ``on_closed``: called after a connection is
    gone, when its sessions know.
    """

    def __init__(self, settings: AgentSettings, tokens: Callable[[], str] | None = None) -> None:
        """``tokens`` gives unguessable texts of 16 hexadecimal digits for tags, branches and Call-IDs."""
        super().__init__(settings, tokens)
        self.gate: Gate | None = None
        self.on_closed: Callable[[Flow, float], None] | None = None
        self._registrations: list[Registration] = []
        self._understood = frozenset(settings.supported)
        self._methods = frozenset(settings.allow)

    @property
    def sessions(self) -> Mapping[str, Session]:
        """Sessions that are not over, by id."""
        return self.live

    # --- what comes in

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that the driver read. What is malformed is answered (400 ...) or dropped."""
        try:
            if isinstance(message, Response):
                self._receive_response(message, flow, now)
            else:
                self._receive_request(message, flow, now)
        except MalformedMessage as error:
            self.receive_malformed(error, message, flow)
        except UnbuildableMessage as error:  # what it says can't be put into an answer
            self.receive_malformed(MalformedMessage(400, str(error)), message, flow)

    def receive_malformed(self, error: MalformedMessage, message: Request | Response | None, flow: Flow) -> None:
        """Answer a request that can't be read, statelessly, where enough of it can (RFC 3261 section 16.3)."""
        if not isinstance(message, Request) or message.method == "ACK":
            return
        try:
            _ = message.via, message.call_id
        except MalformedMessage:
            return
        self.reply_stateless(message, flow, error.status, error.text)

    def _receive_response(self, response: Response, flow: Flow, now: float) -> None:
        branch = response.hop[0]
        method = (response.get("CSeq") or "").rpartition(" ")[2]
        transaction = self.clients.get((branch, "", method))
        if transaction is not None:
            response.check()  # a malformed one is dropped (section 18.1.2) before anybody keeps it
            transaction.receive(response, flow, now)

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        branch, sent_by, rport = request.hop
        method = request.method
        matched = "INVITE" if method == "ACK" else method
        key: Key
        if branch.startswith(COOKIE):
            key = (branch, sent_by, matched)
        else:  # RFC 2543 (section 17.2.3)
            tag = "" if method in ("INVITE", "ACK") else request.to_tag
            number = request.cseq.number
            key = (f"{request.call_id} {number} {request.from_tag} {tag}", sent_by, matched)
        transaction = self.servers.get(key)
        if method == "ACK":
            self._receive_ack(transaction, request, flow, now)
            return
        if transaction is not None:
            transaction.repeated(now)
            return
        if rport or not sent_by.startswith(flow.remote[0]):
            _mark_source(request, flow)
        if request.cseq.method != method:
            raise MalformedMessage(400, "The CSeq names another method than the request line")
        if method == "CANCEL":
            self._receive_cancel(key, request, flow, now)
            return
        tag = request.to_tag
        if tag:
            self._in_dialog(key, tag, request, flow, now)
        else:
            self._new(key, request, flow, now)

    def _receive_ack(self, transaction: ServerTransaction | None, request: Request, flow: Flow, now: float) -> None:
        if transaction is not None and transaction.state != "accepted":
            transaction.acknowledged(now)
            return
        user = self.users.get((request.call_id, request.to_tag))
        if user is not None:
            user.on_ack(request, flow, now)

    def _receive_cancel(self, key: Key, request: Request, flow: Flow, now: float) -> None:
        invite = self.servers.get((key[0], key[1], "INVITE"))
        tag = invite.local_tag if invite is not None else self.tokens()
        transaction = self.start_server(request, flow, key, tag, now)
        if invite is None:
            self.reply(transaction, 481, now, headers=self.server)
            return
        self.reply(transaction, 200, now, headers=self.server)
        user = self.users.get((request.call_id, invite.local_tag))
        if user is not None and invite.open:
            user.on_cancel(invite, request, now)

    def _in_dialog(self, key: Key, tag: str, request: Request, flow: Flow, now: float) -> None:
        user = self.users.get((request.call_id, tag))
        if user is None:
            self.reply_stateless(request, flow, 481)
            return
        transaction = self.start_server(request, flow, key, tag, now)
        missing = request.require - self._understood if request.has("Require") else None
        if missing:
            self.reply(transaction, 420, now, headers=[("Unsupported", ", ".join(sorted(missing)))])
            return
        try:
            request.check()  # the session keeps the request for later, when nobody could answer 400 any more
            user.on_request(transaction, request, flow, now)
        except MalformedMessage as error:
            self.reply(transaction, error.status, now, reason=error.text)

    def _new(self, key: Key, request: Request, flow: Flow, now: float) -> None:
        """A request outside of dialogs (section 8.2), refused without keeping anything where it can be."""
        method = request.method
        request.check()
        if method not in self._methods:
            self.reply_stateless(request, flow, 405, headers=[("Allow", self.allow)])
            return
        if request.has("Require"):
            missing = request.require - self._understood
            if missing:
                self.reply_stateless(request, flow, 420, headers=[("Unsupported", ", ".join(sorted(missing)))])
                return
        if method == "OPTIONS" and self.settings.answer_options:
            self._answer_options(request, flow)
            return
        if self.settings.forwards and request.max_forwards == 0:
            self.reply_stateless(request, flow, 483)
            return
        if self.gate is not None:
            refusal = self.gate(request, flow, now)
            if refusal is not None:
                self.reply_stateless(request, flow, refusal.status, refusal.reason, refusal.headers)
                return
        merge_key = (request.from_tag, request.call_id, request.cseq.number)
        if merge_key in self.merged:  # section 8.2.2.2
            self.reply_stateless(request, flow, 482, "Merged Request")
            return
        if len(self.servers) >= self.settings.max_transactions:
            self.reply_stateless(request, flow, 503, headers=[("Retry-After", "5")])
            return
        if method == "INVITE":
            self._new_invite(key, merge_key, request, flow, now)
            return
        if method in ("BYE", "PRACK", "UPDATE", "INFO"):
            self.reply_stateless(request, flow, 481)
            return
        transaction = self.start_server(request, flow, key, self.tokens(), now)
        transaction.merge_key = merge_key
        self.merged[merge_key] = transaction
        if method == "SUBSCRIBE":
            self._new_subscribe(transaction, request, flow, now)
            return
        self.emit(RequestArrived(transaction, request, flow))

    def _answer_options(self, request: Request, flow: Flow) -> None:
        rows = [*self.abilities, ("Accept", ", ".join(self.settings.accept)), ("Contact", self.contact(flow))]
        self.reply_stateless(request, flow, 200, headers=rows)

    # --- sessions that others begin

    def _new_invite(self, key: Key, merge_key: tuple[str, str, int], request: Request, flow: Flow, now: float) -> None:
        if len(self.live) >= self.settings.max_sessions:
            self.reply_stateless(request, flow, 503, headers=[("Retry-After", "10")])
            return
        replaced, joined = self._named_session(request, "Replaces"), self._named_session(request, "Join")
        for found in (replaced, joined):
            if isinstance(found, int):
                self.reply_stateless(request, flow, found)
                return
        tag = self.tokens()
        transaction = self.start_server(request, flow, key, tag, now)
        transaction.merge_key = merge_key
        self.merged[merge_key] = transaction
        local = request.get("To") or ""
        remote = without_tag(request.get("From") or "")
        dialog = Dialog(request.call_id, local, tag, remote, self.contact(flow), flow)
        dialog.learn_as_called(request, flow)
        session = Session(self, "in", dialog, request)
        session.begin_incoming(transaction, flow)
        if session._timer.too_small(request):
            self.reply(transaction, 422, now, headers=[("Min-SE", str(self.settings.min_se)), *self.server])
            return
        self.users[request.call_id, tag] = session
        self.live[session.id] = session
        transaction.try_after(_TRYING_AFTER, now)
        self.emit(
            Invited(
                session,
                request,
                flow,
                session._description,
                replaced if isinstance(replaced, Session) else None,
                joined if isinstance(joined, Session) else None,
            )
        )

    def _named_session(self, request: Request, name: str) -> Session | int | None:
        """The session that Replaces or Join names, or the status to refuse with (RFC 3891 section 3)."""
        if not request.has(name):
            return None
        if len(request.all(name)) > 1 or (request.has("Replaces") and request.has("Join")):
            return 400
        named = request.replaces if name == "Replaces" else request.join
        if named is None:
            return 400
        session = self.find_replaced(named)
        if session is None:
            return 481
        if session.state in ("ended", "ending"):
            return 603
        early = session.state not in ("confirmed", "answered")
        if early and (session.direction == "in" or name == "Join"):
            return 481
        if named.early_only and not early:
            return 486
        return session

    def find_session(self, call_id: str, local_tag: str, remote_tag: str) -> Session | None:
        """By dialog id, from our viewpoint."""
        user = self.users.get((call_id, local_tag))
        if isinstance(user, Session) and user.state != "ended" and (user.remote_tag == remote_tag):
            return user
        return None

    def find_replaced(self, named: Replaces) -> Session | None:
        """The session that a Replaces or Join value names (``to_tag`` is ours), confirmed or early."""
        user = self.users.get((named.call_id, named.to_tag))
        if not isinstance(user, Session):
            return None
        known = user.remote_tag == named.from_tag or named.from_tag in user._forks
        return user if known or (named.from_tag == "0" and not user.remote_tag) else None

    def _new_subscribe(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        if request.event is None or request.contact is None:
            self.reply(transaction, 489 if request.event is None else 400, now, headers=self.server)
            return
        local = request.get("To") or ""
        remote = without_tag(request.get("From") or "")
        dialog = Dialog(request.call_id, local, transaction.local_tag, remote, self.contact(flow), flow)
        dialog.learn_as_called(request, flow)
        notifier = Notifier(self, dialog, transaction)
        self.users[request.call_id, transaction.local_tag] = notifier
        self.emit(SubscribeArrived(notifier, request, flow))

    # --- actions outside of dialogs

    def send_request(
        self,
        now: float,
        method: str,
        uri: str,
        ways: Way | Sequence[Way],
        *,
        from_: str,
        to: str = "",
        headers: Headers = (),
        body: Content = None,
        credentials: tuple[Credential, ...] | None = None,
        call_id: str = "",
        cseq: int = 0,
        from_tag: str = "",
    ) -> Handle:
        """Send a request; challenges are answered with ``credentials`` (None: those of the settings) and the next of
        ``ways`` is tried after 503, a time-out or a failed connection (RFC 3263 section 4.3).
        ``from_`` and ``to`` are header values without tags (``to`` ``""``: the URI); Contact is among ``headers`` where
        wanted (``contact``). ``cseq``: the number before the one to use."""
        chosen = ways_of(ways)
        tag = from_tag or self.tokens()
        call_id = call_id or self.tokens() + self.tokens()
        rows = [("From", f"{from_};tag={tag}"), ("To", to or f"<{uri}>"), ("Call-ID", call_id)]
        rows.append(("Max-Forwards", str(self.settings.max_forwards)))
        rows.extend(self.product)
        rows.extend(headers)
        more, data = content_of(body)
        rows.extend(more)
        handle = Handle(self, method, call_id, tag)
        counter = _Counter(cseq)
        self.exchange(handle, method, uri, rows, data, chosen, counter, self.answerer(credentials, chosen[0]), now)
        return handle

    def respond(
        self,
        now: float,
        transaction: ServerTransaction,
        status: int,
        reason: str = "",
        *,
        headers: Headers = (),
        body: Content = None,
    ) -> None:
        """Answer a ``RequestArrived`` or ``InDialogRequest``. A second final response changes nothing."""
        more, data = content_of(body)
        rows = [*self.server, *headers, *more]
        self.reply(transaction, status, now, reason=reason, headers=rows, body=data)

    def invite(
        self,
        now: float,
        uri: str,
        ways: Way | Sequence[Way],
        *,
        from_: str,
        to: str = "",
        sdp: Content = None,
        headers: Headers = (),
        credentials: tuple[Credential, ...] | None = None,
        route: tuple[str, ...] = (),
        contact: str = "",
        call_id: str = "",
        replaces: str = "",
        local_uuid: str = "",
        remote_uuid: str = "",
        max_forwards: int | None = None,
        owner: object = None,
    ) -> Session:
        """Call somebody. ``sdp`` None: delayed offer. ``route``: Route values to begin with (service route, proxy).
        ``contact``: a Contact value (``""``: made). ``replaces``: a Replaces value. ``local_uuid`` and ``remote_uuid``:
        see Session. ``max_forwards``: for a back-to-back agent, one less than what came (loops end so)."""
        chosen = ways_of(ways)
        dialog = Dialog(
            call_id or self.tokens() + self.tokens(),
            from_,
            self.tokens(),
            to or f"<{uri}>",
            contact or self.contact(chosen[0]),
            chosen[0],
        )
        dialog.remote_target = uri
        session = Session(self, "out", dialog, _NO_REQUEST)
        session.owner = owner
        session.local_uuid, session.remote_uuid = local_uuid, remote_uuid
        session._answerer = self.answerer(credentials, chosen[0])
        self.users[dialog.call_id, dialog.local_tag] = session
        self.live[session.id] = session
        rows = [("From", f"{from_};tag={dialog.local_tag}"), ("To", dialog.remote), ("Call-ID", dialog.call_id)]
        rows.append(("Max-Forwards", str(self.settings.max_forwards if max_forwards is None else max_forwards)))
        rows.append(("Contact", dialog.contact))
        rows.extend(("Route", value) for value in route)
        rows.extend(self.abilities)
        rows.extend(self.product)
        rows.extend(session._timer.request_headers(first=True))
        rows.extend(session._session_id())
        if replaces:
            rows.append(("Replaces", replaces))
        rows.extend(headers)
        session._begin(uri, rows, sdp, chosen, now)
        return session

    def subscribe(
        self,
        now: float,
        uri: str,
        ways: Way | Sequence[Way],
        *,
        event: str,
        from_: str,
        to: str = "",
        expires: int = 3600,
        headers: Headers = (),
        body: Content = None,
        credentials: tuple[Credential, ...] | None = None,
        route: tuple[str, ...] = (),
        contact: str = "",
        owner: object = None,
    ) -> Subscription:
        """Subscribe (RFC 6665) and keep it refreshed."""
        chosen = ways_of(ways)
        call_id, tag = self.tokens() + self.tokens(), self.tokens()
        dialog = Dialog(call_id, from_, tag, to or f"<{uri}>", contact or self.contact(chosen[0]), chosen[0])
        dialog.remote_target = uri
        answerer = self.answerer(credentials, chosen[0])
        subscription = Subscription(self, dialog, event, expires, answerer)
        subscription.owner = owner
        self.users[call_id, tag] = subscription
        rows = [("From", f"{from_};tag={tag}"), ("To", dialog.remote), ("Call-ID", call_id)]
        rows += [("Max-Forwards", str(self.settings.max_forwards)), ("Contact", dialog.contact)]
        rows += [("Route", value) for value in route]
        rows += [*self.product, ("Event", event), ("Expires", str(expires)), *headers]
        more, data = content_of(body)

        def next_seq() -> int:
            dialog.local_seq += 1
            return dialog.local_seq

        exchange = Exchange(self, subscription, "SUBSCRIBE", uri, [*rows, *more], data, chosen, next_seq, answerer)
        subscription.begin_outside(exchange, list(headers), body, now)
        return subscription

    def register(self, settings: RegistrationSettings) -> Registration:
        """A registration, not yet started."""
        registration = Registration(self, settings)
        self._registrations.append(registration)
        return registration

    def forget(self, registration: Registration) -> None:
        """Let go of a registration that was stopped for good."""
        if registration in self._registrations:
            self._registrations.remove(registration)

    # --- endings

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection is gone: what waits for an answer over it fails, the rest looks for another way when needed."""
        flow.closed = True
        for client in [each for each in self.clients.values() if each.way is flow]:
            client.fail(now)
        for server in [each for each in self.servers.values() if each.flow is flow]:
            server.end(now)
        for user in list(self.users.values()):
            user.on_flow_closed(flow, now)
        for registration in list(self._registrations):
            registration.on_flow_closed(flow, now)
        if self.on_closed is not None:
            self.on_closed(flow, now)


class _Counter:
    """CSeq numbers of requests that share no dialog."""

    __slots__ = ("_last",)

    def __init__(self, last: int) -> None:
        self._last = last

    def __call__(self) -> int:
        """The next number."""
        self._last += 1
        return self._last


_NO_REQUEST: Final = Request("INVITE", "sip:invalid.invalid")


def _mark_source(request: Request, flow: Flow) -> None:
    """Say in the topmost Via where the request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    host, port = flow.remote
    values = request.all("Via")
    first, comma, rest = values[0].partition(",")
    if first.endswith(";rport"):
        first = f"{first}={port};received={host}"
    elif ";rport;" in first:
        first = first.replace(";rport;", f";rport={port};received={host};", 1)
    else:
        first = f"{first};received={host}"
    request.set_all("Via", [first + comma + rest, *values[1:]])


__all__ = ["Agent", "AgentSettings", "Credential", "Gate", "Handle", "InDialogRequest", "Outgoing", "Refusal", "Target"]
