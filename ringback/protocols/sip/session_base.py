"""What both sides of a session share: its identity, its dialog, its ending (RFC 3261 sections 12 and 15)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from ringback.protocols.sip.core import Core, content_of
from ringback.protocols.sip.descriptions import description_in
from ringback.protocols.sip.dialog import TARGET_REFRESH, Dialog
from ringback.protocols.sip.draft import Draft
from ringback.protocols.sip.errors import WrongState
from ringback.protocols.sip.events import Ended, EndedBy, QualityTold
from ringback.protocols.sip.exchange import Exchange, ExchangeUser
from ringback.protocols.sip.flows import Body, Content, Flow, Headers, Outgoing, Way
from ringback.protocols.sip.message import Message, Request, Response
from ringback.protocols.sip.session_timer import SessionTimer
from ringback.protocols.sip.timers import Timer
from ringback.protocols.sip.transactions import ServerTransaction
from ringback.protocols.sip.uri import keep

if TYPE_CHECKING:
    from ringback.protocols.sip.digest import Answerer
    from ringback.protocols.sip.subscription import Notifier, Subscription

SessionState = Literal[
    "calling", "proceeding", "early", "incoming", "ringing", "answered", "confirmed", "ending", "ended"
]
"""Out: calling (nothing heard), proceeding (100), early (a tagged 1xx), confirmed. In: incoming, ringing (a 1xx was
sent), answered (2xx sent, no ACK yet), confirmed. Both: ending (CANCEL under way, or a BYE that waits for the ACK),
ended."""

NO_UUID: Final = "0" * 32  # RFC 7989 section 5


_LISTS: Final[dict[str, tuple[str, ...]]] = {}


def _words(text: str) -> tuple[str, ...]:
    """The words of a list; the same few lists come again and again."""
    found = _LISTS.get(text)
    if found is None:
        words = [word for part in text.split(",") if (word := part.strip())]
        found = keep(_LISTS, text, tuple(words), 512)
    return found


class AckWait:
    """A 2xx of ours to an INVITE that waits for its ACK (RFC 3261 section 13.3.1.4)."""

    __slots__ = ("data", "interval", "offered", "retransmit", "seq", "transaction", "until")

    def __init__(
        self, seq: int, data: bytes, transaction: ServerTransaction, interval: float, until: float, *, offered: bool
    ) -> None:
        self.seq = seq
        self.data = data
        self.transaction = transaction
        self.interval = interval
        self.until = until
        self.offered = offered
        self.retransmit: Timer | None = None


class Reliable:
    """A reliable provisional response of ours that waits for its PRACK (RFC 3262)."""

    __slots__ = ("data", "interval", "offered", "retransmit", "rseq", "started")

    def __init__(self, rseq: int, data: bytes, interval: float, started: float, *, offered: bool) -> None:
        self.rseq = rseq
        self.data = data
        self.interval = interval
        self.started = started
        self.offered = offered
        self.retransmit: Timer | None = None


class SessionBase(ABC):
    """State and what every part of a session uses. See ``Session``."""

    __slots__ = (
        "_ack",
        "_ack_wait",
        "_ack_way",
        "_acked_seq",
        "_answered_by_1xx",
        "_answerer",
        "_bye_wanted",
        "_cancel_headers",
        "_cancel_sent",
        "_core",
        "_dead_forks",
        "_description",
        "_exchange",
        "_expect_ack_from_us",
        "_forks",
        "_glare",
        "_invite_seq",
        "_last_sdp",
        "_notifiers",
        "_offer",
        "_offer_exchange",
        "_offer_internal",
        "_offer_transaction",
        "_pending_answer",
        "_queued",
        "_refer_exchanges",
        "_refers_in",
        "_reliable",
        "_request",
        "_ring_timer",
        "_rseq",
        "_seen_rseq",
        "_settled",
        "_subscriptions",
        "_timer",
        "_transaction",
        "dialog",
        "direction",
        "farewell",
        "flow",
        "id",
        "local_uuid",
        "owner",
        "remote_allow",
        "remote_product",
        "remote_supported",
        "remote_uuid",
        "state",
    )

    def __init__(self, core: Core, direction: Literal["in", "out"], dialog: Dialog, request: Request) -> None:
        self._core = core
        self.direction: Literal["in", "out"] = direction
        self.dialog = dialog
        self._request = request
        self.id = dialog.local_tag
        self.state: SessionState = "calling" if direction == "out" else "incoming"
        self.flow: Flow | None = None
        self.owner: object = None
        self.farewell: Callable[[], Headers] | None = None
        self.local_uuid = ""
        self.remote_uuid = ""
        self.remote_allow: tuple[str, ...] = ()
        self.remote_supported: tuple[str, ...] = ()
        self.remote_product = ""
        self._answerer: Answerer | None = None
        self._exchange: Exchange | None = None  # the INVITE that we sent
        self._transaction: ServerTransaction | None = None  # the INVITE that we received
        self._forks: dict[str, Dialog] = {}
        self._dead_forks: dict[str, tuple[bytes, Way]] = {}
        self._seen_rseq: dict[str, int] = {}
        self._cancel_sent = False
        self._cancel_headers: list[tuple[str, str]] = []
        self._ring_timer: Timer | None = None
        self._answered_by_1xx = False
        self._pending_answer: tuple[str, Response] | None = None  # a reliable 1xx with an offer: (tag, response)
        self._ack: bytes = b""
        self._ack_way: Way | None = None
        self._acked_seq = -1
        self._expect_ack_from_us: int | None = None  # CSeq of a 2xx whose offer the application answers
        self._invite_seq = 0
        self._ack_wait: AckWait | None = None
        self._bye_wanted: tuple[list[tuple[str, str]], Content] | None = None
        self._reliable: Reliable | None = None
        self._queued: list[tuple[int, Content, list[tuple[str, str]], str, bool]] = []
        self._rseq = 0
        self._description: bytes | None = None  # the offer of an INVITE that we received
        self._settled = False  # whether the first offer has its answer
        self._offer: Literal["", "sent", "received"] = ""
        self._offer_exchange: Exchange | None = None
        self._offer_internal = False
        self._offer_transaction: ServerTransaction | None = None
        self._glare: Timer | None = None
        self._last_sdp: Content = None
        self._timer = SessionTimer(core.settings)
        self._refer_exchanges: dict[int, Exchange] = {}
        self._refers_in: dict[int, ReferNotifier] = {}
        self._subscriptions: list[Subscription] = []
        self._notifiers: list[Notifier] = []

    # --- what can be read

    @property
    def request(self) -> Request:
        """The first INVITE, with what was learnt from challenges to it."""
        exchange = self._exchange
        if exchange is not None and exchange.transaction is not None:
            return exchange.transaction.request
        return self._request

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.dialog.call_id

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return self.dialog.local_tag

    @property
    def remote_tag(self) -> str:
        """The other side's tag; empty while there is no dialog."""
        return self.dialog.remote_tag

    @property
    def local_uri(self) -> str:
        """Our From or To value without tag."""
        return self.dialog.local

    @property
    def remote_uri(self) -> str:
        """The other side's From or To value without tag."""
        return self.dialog.remote

    @property
    def remote_target(self) -> str:
        """The other side's Contact URI."""
        return self.dialog.remote_target

    @property
    def secure(self) -> bool:
        """Whether our hop of the signalling is TLS."""
        way = self.flow or self.dialog.way
        return way.transport == "tls"

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return self.state == "ended"

    @property
    def session_expires(self) -> int:
        """The agreed session timer in seconds; 0 without (RFC 4028)."""
        return self._timer.interval

    def move(self, flow: Flow, contact: str, route: tuple[str, ...] = ()) -> None:
        """Go on over another connection, which leads to the same server another way: directly in place of through an
        edge, or the other way round. The route set of the way before is left behind with it (chosen: RFC 3261 lets it
        stand for the dialog's life, but an edge takes its own route off, so the server never saw it). The other side
        learns of ``contact`` by the next offer."""
        self.flow = self.dialog.way = flow
        self.dialog.contact = contact
        self.dialog.route = route

    # --- for the parts

    def _wrong(self, action: str) -> WrongState:
        return WrongState(f"{action} does not fit a session that is {self.state}")

    def _learn(self, message: Message, flow: Flow) -> None:
        """Take what every message of the other side tells."""
        self.flow = flow
        value = message.get("Session-ID")
        if value is not None:
            self.remote_uuid = value[:32]
        value = message.get("Allow")
        if value is not None:
            self.remote_allow = _words(", ".join(message.all("Allow")))
        value = message.get("Supported")
        if value is not None:
            self.remote_supported = _words(", ".join(message.all("Supported")).lower())
        if not self.remote_product:
            self.remote_product = message.get("User-Agent") or message.get("Server") or ""

    def _session_id(self) -> list[tuple[str, str]]:
        if not self._core.settings.session_id:
            return []
        if not self.local_uuid:
            self.local_uuid = self._core.tokens() + self._core.tokens()
        return [("Session-ID", f"{self.local_uuid};remote={self.remote_uuid or NO_UUID}")]

    def _send(
        self,
        user: ExchangeUser,
        method: str,
        headers: Headers,
        content: Content,
        now: float,
        dialog: Dialog | None = None,
    ) -> Exchange:
        """Send a request in the dialog."""
        dialog = dialog or self.dialog
        core = self._core
        uri, rows = dialog.addressing()
        rows.append(("Max-Forwards", str(core.settings.max_forwards)))
        if method in TARGET_REFRESH:
            rows.append(("Contact", dialog.contact))
        if method in ("INVITE", "UPDATE"):
            rows.extend(core.abilities)
        rows.extend(core.product)
        rows.extend(self._session_id())
        rows.extend(headers)
        more, body = content_of(content)
        rows.extend(more)

        def next_seq() -> int:
            dialog.local_seq += 1
            return dialog.local_seq

        return core.exchange(user, method, uri, rows, body, (self._way(dialog),), next_seq, self._answerer, now)

    def _way(self, dialog: Dialog) -> Way:
        """The dialog's way; its flow may be gone, and then the next hop's address is all that is left."""
        way = dialog.way
        if isinstance(way, Flow) and way.closed:
            newer = self.flow
            way = newer if newer is not None and not newer.closed else dialog.way_without_flow()
            dialog.way = way
        return way

    def _reply(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Headers = (),
        content: Content = None,
    ) -> bool:
        rows = [*self._core.server, *self._session_id(), *headers]
        more, body = content_of(content)
        rows.extend(more)
        return self._core.reply(transaction, status, now, reason=reason, headers=rows, body=body)

    def _remember(self, sdp: Content) -> None:
        if sdp is not None:
            self._last_sdp = sdp

    def _send_ack(
        self, seq: int, dialog: Dialog, now: float, sdp: Content = None, headers: Headers = ()
    ) -> tuple[bytes, Way]:
        """ACK a 2xx: a request of its own outside of transactions (RFC 3261 section 13.2.2.4)."""
        core = self._core
        uri, rows = dialog.addressing()
        way = self._way(dialog)
        via, _ = core.new_via(way)
        exchange = self._exchange
        rows.insert(0, ("Via", via))
        rows.append(("CSeq", f"{seq} ACK"))
        rows.append(("Max-Forwards", str(core.settings.max_forwards)))
        if exchange is not None and exchange.answerer and exchange.transaction is not None and exchange.cseq == seq:
            sent = exchange.transaction.request
            for name in ("Authorization", "Proxy-Authorization"):
                rows.extend((name, value) for value in sent.all(name))
        rows.extend(core.product)
        rows.extend(self._session_id())
        rows.extend(headers)
        more, body = content_of(sdp)
        rows.extend(more)
        data = Draft("ACK", uri, rows, body).encode()
        core.send(Outgoing(data, way, None, self.flow))
        self._remember(sdp)
        return data, way

    # --- ending

    def _over(self, now: float) -> None:
        """Let go of everything: timers, the place in the agent."""
        if self.state == "ended":
            return
        self.state = "ended"
        timers = self._core.timers
        timers.cancel(self._ring_timer)
        timers.cancel(self._glare)
        self._ring_timer = self._glare = None
        self._timer.stop(timers)
        self._drop_ack_wait()
        self._drop_reliable()
        self._queued.clear()
        for subscription in tuple(self._subscriptions):
            subscription.dialog_gone(now)
        for notifier in tuple(self._notifiers):
            notifier.dialog_gone(now)
        transaction = self._offer_transaction
        if transaction is not None and transaction.open:
            self._reply(transaction, 487, now)
        self._offer_transaction = None
        exchange = self._exchange
        if exchange is not None and exchange.answerer is None:
            exchange.let_go()
        self._core.session_over(self, now, linger=bool(self._refer_exchanges))

    def _drop_ack_wait(self) -> None:
        wait = self._ack_wait
        if wait is not None:
            self._core.timers.cancel(wait.retransmit)
            self._ack_wait = None

    def _drop_reliable(self) -> None:
        waiting = self._reliable
        if waiting is not None:
            self._core.timers.cancel(waiting.retransmit)
            self._reliable = None

    def _send_bye(self, now: float, headers: Headers = (), body: Content = None, dialog: Dialog | None = None) -> None:
        self._send(_Parting(self._public()), "BYE", headers, body, now, dialog)

    def _end(self, by: EndedBy, reason: str, now: float, *, bye: bool, request: Request | None = None) -> None:
        """The session is over and the application is told."""
        if self.state == "ended":
            return
        if bye:
            headers = [("Reason", reason)] if reason.startswith(("SIP;", "Q.850;")) else []
            self._send_bye(now, headers)
        self._over(now)
        self._tell_ended(by, reason, request)

    def _tell_ended(self, by: EndedBy, reason: str, request: Request | None) -> None:
        self._core.emit(Ended(self._public(), by, reason, request))

    def _public(self) -> Session:
        return self  # type: ignore[return-value]  # only Session is ever made

    @staticmethod
    def _sdp(message: Message) -> bytes | None:
        return description_in(message)

    @abstractmethod
    def _arm_session_timer(self, now: float) -> None:
        """Begin a new interval of the session timer; what is done at its end takes offers, made elsewhere."""


_QUALITY: Final = ("RTP-RxStat", "P-RTP-Stat")


class _Parting:
    """Our BYE: its answer may tell the quality of the call, and changes nothing."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """From the exchange."""
        if response.status == 200 and any(response.get(name) is not None for name in _QUALITY):
            self._session._core.emit(QualityTold(self._session, response))

    def on_failure(self, exchange: Exchange, why: str, now: float) -> None:
        """Nothing to do."""


if TYPE_CHECKING:
    from ringback.protocols.sip.session import Session
    from ringback.protocols.sip.session_refer import ReferNotifier

__all__ = ["AckWait", "Body", "Reliable", "SessionBase", "SessionState", "WrongState"]
