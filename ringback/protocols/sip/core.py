"""The floor below sessions: transactions found by their keys, timers, bytes to send, events, addresses."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from ringback.protocols.sip.digest import Answerer
from ringback.protocols.sip.draft import Draft
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.exchange import Exchange, ExchangeUser
from ringback.protocols.sip.flows import Body, Content, Flow, Headers, Outgoing, Target, Way
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.settings import AgentSettings, Credential
from ringback.protocols.sip.timers import TimerQueue
from ringback.protocols.sip.transactions import ClientTransaction, Key, ServerTransaction, Why
from ringback.protocols.sip.uri import parse_host_port

if TYPE_CHECKING:
    from ringback.protocols.sip.events import Event
    from ringback.protocols.sip.session import Session
    from ringback.protocols.sip.session_base import SessionBase

COOKIE: Final = "z9hG4bK"  # RFC 3261 section 8.1.1.7
_ANSWERERS: Final = 256  # servers whose last challenge is remembered


class DialogUser(Protocol):
    """Who takes the requests of a dialog; found by Call-ID and our tag."""

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A request other than ACK and CANCEL."""

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """The ACK to a 2xx."""

    def on_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A CANCEL that belongs to an open INVITE of this dialog."""

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A connection is gone."""

    def on_forgotten(self) -> None:
        """Nothing more will come for the dialog."""


class Tokens:
    """Unguessable texts of 16 hexadecimal digits; the system is asked for 1,024 bytes at a time."""

    __slots__ = ("_pool", "_used")

    def __init__(self) -> None:
        self._pool = ""
        self._used = 0

    def __call__(self) -> str:
        """The next one."""
        used = self._used
        if used >= len(self._pool):
            self._pool = os.urandom(1024).hex()
            used = 0
        self._used = used + 16
        return self._pool[used : used + 16]


def ways_of(ways: Way | Sequence[Way]) -> tuple[Way, ...]:
    """One way or several as a tuple. Raises ValueError where there is none."""
    if isinstance(ways, (Flow, Target)):
        return (ways,)
    found = tuple(ways)
    if not found:
        raise ValueError("no way to send it is given")
    return found


def content_of(content: Content) -> tuple[list[tuple[str, str]], bytes]:
    """The header fields and the bytes of a body."""
    if content is None:
        return [], b""
    if isinstance(content, Body):
        return [("Content-Type", content.content_type), *content.headers], content.data
    return [("Content-Type", "application/sdp")], content


class Core:
    """Transactions and what they need. ``Agent`` puts dialogs and sessions on top of it."""

    def __init__(self, settings: AgentSettings, tokens: Callable[[], str] | None = None) -> None:
        """``tokens`` gives unguessable texts of 16 hexadecimal digits for tags, branches and Call-IDs."""
        self.settings = settings
        self.tokens = tokens or Tokens()
        self.timers = TimerQueue()
        self.durations = settings.durations
        self.addresses: dict[str, tuple[str, int]] = {str(name): place for name, place in settings.addresses.items()}
        self.bound: dict[str, tuple[str, int]] = {}  # what the driver listens on
        self.users: dict[tuple[str, str], DialogUser] = {}
        self.live: dict[str, Session] = {}
        self.clients: dict[Key, ClientTransaction] = {}
        self.servers: dict[Key, ServerTransaction] = {}
        self.merged: dict[tuple[str, str, int], ServerTransaction] = {}
        self.reworded: Callable[[Request, int, str, Headers], tuple[int, str, Headers]] | None = None
        self._out: list[Outgoing] = []
        self._events: deque[Event] = deque()
        self._lingering: deque[tuple[float, str, str]] = deque()  # until when, and the key of a user
        self._answerers: dict[tuple[tuple[Credential, ...], str, int], Answerer] = {}
        self._secret = self.tokens()
        self.allow = ", ".join(settings.allow)
        self.supported = ", ".join(settings.supported)
        self.abilities: list[tuple[str, str]] = [("Allow", self.allow), ("Supported", self.supported)]
        if settings.allow_events:
            self.abilities.append(("Allow-Events", ", ".join(settings.allow_events)))
        self.product: list[tuple[str, str]] = [("User-Agent", settings.product)] if settings.product else []
        self.server: list[tuple[str, str]] = [("Server", settings.product)] if settings.product else []

    # --- verbs that need nothing of the dialogs

    def data_to_send(self) -> list[Outgoing]:
        """What has to be sent, in order; each is given once."""
        out = self._out
        if out:
            self._out = []
        return out

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` must be called next."""
        return self.timers.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Let what is due happen."""
        self.timers.fire(now)

    def next_event(self) -> Event | None:
        """The oldest event not yet given, or None."""
        return self._events.popleft() if self._events else None

    def emit(self, event: Event) -> None:
        """Tell the application."""
        self._events.append(event)

    def send(self, outgoing: Outgoing) -> None:
        """Pass bytes on to the driver."""
        self._out.append(outgoing)

    def send_failed(self, outgoing: Outgoing, now: float) -> None:
        """``outgoing`` could not be sent: no connection, or the name has no address."""
        owner = outgoing.owner
        if isinstance(owner, (ClientTransaction, ServerTransaction)):
            owner.fail(now)

    # --- addresses

    def local_of(self, way: Way) -> tuple[str, int]:
        """The address and port by which we are known over a way."""
        transport = way.transport
        known = self.addresses.get(transport)
        if known is not None:
            return known
        if isinstance(way, Flow) and (way.inbound or transport == "udp" or transport not in self.bound):
            return way.local
        return self.bound.get(transport) or next(iter(self.bound.values()), ("127.0.0.1", 0))

    def new_via(self, way: Way) -> tuple[str, str]:
        """A Via value for a new request, and its branch."""
        host, port = self.local_of(way)
        branch = COOKIE + self.tokens()
        if ":" in host:
            host = f"[{host}]"
        sent_by = f"{host}:{port}" if port else host
        return f"SIP/2.0/{way.transport.upper()} {sent_by};branch={branch};rport", branch

    def contact(self, way: Way, user: str = "", params: str = "") -> str:
        """A Contact value (``<sip:user@host:port;transport=tcp>``) by which we can be reached over ``way``."""
        host, port = self.local_of(way)
        if ":" in host:
            host = f"[{host}]"
        place = f"{host}:{port}" if port else host
        user = user or self.settings.contact_user
        transport = f";transport={way.transport}" if way.transport != "udp" else ""
        return f"<sip:{user}@{place}{transport}>{params}" if user else f"<sip:{place}{transport}>{params}"

    def answerer(self, credentials: tuple[Credential, ...] | None, way: Way) -> Answerer | None:
        """What answers challenges of the server at ``way``; it remembers the last nonce."""
        chosen = self.settings.credentials if credentials is None else credentials
        if not chosen:
            return None
        host, port = way.remote if isinstance(way, Flow) else (way.host, way.port)
        key = (chosen, host, port)
        found = self._answerers.get(key)
        if found is None:
            if len(self._answerers) >= _ANSWERERS:
                del self._answerers[next(iter(self._answerers))]
            found = self._answerers[key] = Answerer(chosen)
        return found

    # --- client transactions

    def exchange(
        self,
        user: ExchangeUser,
        method: str,
        uri: str,
        headers: list[tuple[str, str]],
        body: bytes,
        ways: tuple[Way, ...],
        next_seq: Callable[[], int],
        answerer: Answerer | None,
        now: float,
    ) -> Exchange:
        """Begin a request of ours."""
        exchange = Exchange(self, user, method, uri, headers, body, ways, next_seq, answerer)
        exchange.send(now)
        return exchange

    def start_client(self, user: Exchange, draft: Draft, way: Way, branch: str, now: float) -> ClientTransaction:
        """Send a request in a transaction of its own."""
        key = (branch, "", draft.method)
        transaction = ClientTransaction(self, user, draft, way, key, now)
        self.clients[key] = transaction
        return transaction

    def forget_client(self, transaction: ClientTransaction) -> None:
        """From the transaction: it is over."""
        self.clients.pop(transaction.key, None)

    # --- server transactions

    def start_server(self, request: Request, flow: Flow, key: Key, local_tag: str, now: float) -> ServerTransaction:
        """Begin a transaction for a request of the other side."""
        transaction = ServerTransaction(self, request, flow, self.way_back(request, flow), key, local_tag, now)
        self.servers[key] = transaction
        return transaction

    def forget_server(self, transaction: ServerTransaction) -> None:
        """From the transaction: it is over."""
        self.servers.pop(transaction.key, None)
        if transaction.merge_key is not None:
            self.merged.pop(transaction.merge_key, None)

    @staticmethod
    def way_back(request: Request, flow: Flow) -> Way:
        """Where responses go: the way the request came, or over UDP without rport the port in Via (section 18.2.2)."""
        if flow.transport != "udp":
            return flow
        _, sent_by, rport = request.hop
        if rport or sent_by.endswith(f":{flow.remote[1]}"):
            return flow
        port = parse_host_port(sent_by)[1] or 5060
        return flow if port == flow.remote[1] else Target("udp", flow.remote[0], port)

    def reply(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> bool:
        """Send a response in a transaction; False where it is too late for it."""
        if not transaction.open:
            return False
        tag = transaction.local_tag if status > 100 else ""
        data = transaction.request.answer(status, reason, to_tag=tag, headers=headers, body=body)
        return transaction.respond(status, data, now)

    def reply_stateless(
        self, request: Request, flow: Flow, status: int, reason: str = "", headers: Headers = ()
    ) -> None:
        """Answer without keeping anything (section 8.2.7): a repeated request gets the same again. ``reworded`` may
        make another answer of a 403 or 481."""
        if self.reworded is not None and status in (403, 481):
            status, reason, headers = self.reworded(request, status, reason, headers)
        tag = f"{hash((self._secret, request.call_id, request.get('Via'))) & 0xFFFFFFFFFFFFFFFF:016x}"
        try:
            data = request.answer(status, reason, to_tag=tag, headers=(*headers, *self.server))
            self._out.append(Outgoing(data, self.way_back(request, flow), None, flow))
        except MalformedMessage:
            return

    def cancel_invite(self, invite: ClientTransaction, headers: list[tuple[str, str]], now: float) -> None:
        """CANCEL an INVITE of ours: its branch, its route, its number (RFC 3261 section 9.1)."""
        sent = invite.request
        rows = [("Via", sent.all("Via")[0])]
        rows += [(name, value) for name in ("From", "To", "Call-ID", "Route") for value in sent.all(name)]
        rows += [("CSeq", f"{sent.cseq.number} CANCEL"), ("Max-Forwards", str(self.settings.max_forwards)), *headers]
        draft = Draft("CANCEL", sent.raw_uri, rows)
        self.clients[invite.key[0], "", "CANCEL"] = ClientTransaction(
            self, _Unheard(), draft, invite.way, (invite.key[0], "", "CANCEL"), now
        )

    # --- endings

    def session_over(self, session: SessionBase, now: float, *, linger: bool) -> None:
        """From the session: it has ended; with ``linger`` its dialog goes on for NOTIFYs to come."""
        self.live.pop(session.id, None)
        if not linger and session.direction == "in":
            self.forget_user(session.call_id, session.local_tag)
            return
        # late 2xx of other forks belong to it, and reports about a REFER
        if not self._lingering:
            self.timers.at(now + self.durations.timeout, self._forget_lingering)
        self._lingering.append((now + self.durations.timeout, session.call_id, session.local_tag))

    def _forget_lingering(self, now: float) -> None:
        lingering = self._lingering
        while lingering and lingering[0][0] <= now:
            _, call_id, local_tag = lingering.popleft()
            self.forget_user(call_id, local_tag)
        if lingering:
            self.timers.at(lingering[0][0], self._forget_lingering)

    def forget_user(self, call_id: str, local_tag: str) -> None:
        """Nobody takes requests of this dialog any more."""
        user = self.users.pop((call_id, local_tag), None)
        if user is not None:
            user.on_forgotten()


class _Unheard:
    """The answer to a CANCEL says nothing: the INVITE's own does."""

    __slots__ = ()

    def on_response(self, transaction: ClientTransaction, response: Response, flow: Flow, now: float) -> None:
        """Nothing to do."""

    def on_failure(self, transaction: ClientTransaction, why: Why, now: float) -> None:
        """Nothing to do."""
