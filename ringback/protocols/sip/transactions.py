"""Transactions: the machines of ``tables`` with their timers (RFC 3261 section 17, RFC 6026).

A transaction knows how to send, retransmit and end; what a message means is its user's business. The ``Layer`` (the
agent) gives it timers and a way out, and forgets it when it says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from ringback.protocols.sip.draft import Draft
from ringback.protocols.sip.flows import Flow, Outgoing, Way
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.tables import CLIENT, INVITE_CLIENT, INVITE_SERVER, SERVER, Table
from ringback.protocols.sip.timers import Durations, Timer, TimerQueue

Key = tuple[str, str, str]
"""What finds a transaction: branch, sent-by (empty for our own requests) and method."""

Why = Literal["timeout", "unreachable"]
Step = Callable[[Any, float], None]
Machine = dict[tuple[str, str], tuple[str, tuple[Step, ...]]]


class Layer(Protocol):
    """What transactions need of the agent."""

    timers: TimerQueue
    durations: Durations

    def send(self, outgoing: Outgoing) -> None:
        """Pass bytes on."""

    def forget_client(self, transaction: ClientTransaction) -> None:
        """The transaction is over."""

    def forget_server(self, transaction: ServerTransaction) -> None:
        """The transaction is over."""


class ClientUser(Protocol):
    """Who sent a request."""

    def on_response(self, transaction: ClientTransaction, response: Response, flow: Flow, now: float) -> None:
        """A response that is news: each provisional one, the final one, and for INVITE each further 2xx."""

    def on_failure(self, transaction: ClientTransaction, why: Why, now: float) -> None:
        """No final response will come."""


def _machine(owner: type, table: Table) -> Machine:
    """Put the functions in the place of the names of the actions."""
    return {
        key: (state, tuple(getattr(owner, f"_{action}") for action in actions))
        for key, (state, actions) in table.items()
    }


class _Transaction:
    __slots__ = ("_interval", "_layer", "_machine", "_retransmit", "_timeout", "key", "state", "way")

    _machine: Machine
    _interval: float
    _retransmit: Timer | None
    _timeout: Timer | None
    key: Key
    state: str
    way: Way
    _layer: Layer

    def _step(self, what: str, now: float) -> bool:
        found = self._machine.get((self.state, what))
        if found is None:
            return False
        self.state = found[0]
        for action in found[1]:
            action(self, now)
        return True

    def _disarm(self, _now: float) -> None:
        timers = self._layer.timers
        if self._retransmit is not None:
            timers.cancel(self._retransmit)
            self._retransmit = None
        if self._timeout is not None:
            timers.cancel(self._timeout)
            self._timeout = None

    def _end_after(self, seconds: float, fire: Callable[[float], None], now: float) -> None:
        """Arm what ends the transaction; over reliable transports there is nothing to wait for."""
        self._timeout = self._layer.timers.at(now + seconds, fire)

    @property
    def _reliable(self) -> bool:
        return self.way.transport != "udp"


class ClientTransaction(_Transaction):
    """A request of ours."""

    __slots__ = ("_data", "_deadline", "_draft", "response", "user")

    def __init__(self, layer: Layer, user: ClientUser, draft: Draft, way: Way, key: Key, now: float) -> None:
        self._layer = layer
        self._retransmit = self._timeout = None
        self.user = user
        self._draft = draft
        self.way = way
        self.key = key
        self.response: Response | None = None
        self._data = draft.encode()
        self._interval = layer.durations.t1
        invite = draft.method == "INVITE"
        self._machine = _INVITE_CLIENT if invite else _CLIENT
        self.state = "calling" if invite else "trying"
        layer.send(Outgoing(self._data, way, self))
        self._deadline = now + layer.durations.timeout
        # one timer repeats the request and, at the deadline, gives up: nearly always it is cancelled before
        first = now + self._interval if way.transport == "udp" else self._deadline
        self._retransmit = layer.timers.at(first, self._on_retransmit)

    @property
    def request(self) -> Request:
        """The request."""
        return self._draft.request

    @property
    def invite(self) -> bool:
        """Whether this is an INVITE's."""
        return self._machine is _INVITE_CLIENT

    @property
    def open(self) -> bool:
        """Whether a final response is still awaited."""
        return self.state in ("calling", "trying", "proceeding")

    def receive(self, response: Response, flow: Flow, now: float) -> None:
        """Take a response that matches by branch and method."""
        status = response.status
        found = self._machine.get((self.state, "1xx" if status < 200 else "2xx" if status < 300 else "final"))
        if found is None:
            return
        self.response = response
        self.state = found[0]
        for action in found[1]:
            if action is _TELL:
                self.user.on_response(self, response, flow, now)
            else:
                action(self, now)
        if self.state != "proceeding":
            self._settle()

    def _settle(self) -> None:
        """The final response is there: for the rest of its time the transaction keeps only what it may still need."""
        self._data = b""
        if self.state == "accepted":
            self.response = None
        elif self._machine is _CLIENT:  # nothing is told or sent any more
            self.response = None
            self._draft = _NO_DRAFT
            self.user = _NOBODY

    def let_go(self) -> None:
        """From the user of an accepted INVITE: the request is not asked for any more."""
        if self.state == "accepted":
            self._draft = _NO_DRAFT

    def fail(self, now: float) -> None:
        """Nothing can be sent over ``way``."""
        self._step("error", now)

    def end(self, now: float) -> None:
        """Stop without telling anybody."""
        self.state = "terminated"
        self._forget(now)

    def _on_retransmit(self, now: float) -> None:
        if now >= self._deadline:
            self._step("timer B" if self.invite else "timer F", now)
        else:
            self._step("timer A" if self.invite else "timer E", now)

    def _on_end(self, now: float) -> None:
        self._step(_CLIENT_ENDS[self.state] if self.invite else "timer K", now)

    # --- actions

    def _tell(self, _now: float) -> None:
        """Stands for telling the response; ``receive`` does it, since only it knows the flow."""

    def _resend(self, _now: float) -> None:
        self._layer.send(Outgoing(self._data, self.way, self))

    def _arm_a(self, now: float) -> None:
        self._interval *= 2
        self._retransmit = self._layer.timers.at(min(now + self._interval, self._deadline), self._on_retransmit)

    def _arm_e(self, now: float) -> None:
        t2 = self._layer.durations.t2
        self._interval = t2 if self.state == "proceeding" else min(self._interval * 2, t2)
        self._retransmit = self._layer.timers.at(min(now + self._interval, self._deadline), self._on_retransmit)

    def _arm_d(self, now: float) -> None:
        self._end_after(0.0 if self._reliable else self._layer.durations.d, self._on_end, now)

    def _arm_k(self, now: float) -> None:
        if self._reliable:
            self.state = "terminated"
            self._forget(now)
        else:
            self._end_after(self._layer.durations.t4, self._on_end, now)

    def _arm_m(self, now: float) -> None:
        self._end_after(self._layer.durations.timeout, self._on_end, now)

    def _ack(self, _now: float) -> None:
        if self.response is not None:
            self._layer.send(Outgoing(acknowledgement(self.request, self.response).encode(), self.way, self))

    def _time_out(self, now: float) -> None:
        self.user.on_failure(self, "timeout", now)

    def _fail(self, now: float) -> None:
        self.user.on_failure(self, "unreachable", now)

    def _forget(self, now: float) -> None:
        self._disarm(now)
        self._layer.forget_client(self)
        self.user = _NOBODY  # no circle stays behind for the collector


class ServerTransaction(_Transaction):
    """A request of the other side until its final response is done. ``request`` and ``flow`` as they came;
    ``local_tag`` is the To tag of our responses; ``owner`` belongs to the application."""

    __slots__ = ("_last", "flow", "local_tag", "merge_key", "owner", "request")

    def __init__(
        self, layer: Layer, request: Request, flow: Flow, way: Way, key: Key, local_tag: str, now: float
    ) -> None:
        self._layer = layer
        self._retransmit = self._timeout = None
        self.request = request
        self.flow = flow
        self.way = way
        self.key = key
        self.local_tag = local_tag
        self.owner: object = None
        self.merge_key: tuple[str, str, int] | None = None
        self._last = b""
        self._interval = layer.durations.t1
        invite = key[2] == "INVITE"
        self._machine = _INVITE_SERVER if invite else _SERVER
        self.state = "proceeding" if invite else "trying"
        if not invite:
            self._timeout = layer.timers.at(now + layer.durations.timeout, self._on_timeout)

    @property
    def open(self) -> bool:
        """Whether no final response was sent."""
        return self.state in ("trying", "proceeding")

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """Send a response that is encoded already; False where none fits any more."""
        what = "send 1xx" if status < 200 else "send 2xx" if status < 300 else "send final"
        if (self.state, what) not in self._machine:
            return False
        if self._retransmit is not None:  # 100 is not needed any more
            self._layer.timers.cancel(self._retransmit)
            self._retransmit = None
        self._last = data
        done = self._step(what, now)
        if status >= 200 and self.key[2] in _SETTLED:
            self.request = _NO_REQUEST  # what is left to do takes the bytes of the response
        return done

    def try_after(self, seconds: float, now: float) -> None:
        """Send 100 to an INVITE unless something else was sent by then (section 17.2.1)."""
        self._retransmit = self._layer.timers.at(now + seconds, self._on_trying)

    def end(self, now: float) -> None:
        """Stop: the connection that the request came by is gone."""
        self.state = "terminated"
        self._forget(now)

    def _on_trying(self, now: float) -> None:
        self._retransmit = None
        if not self._last:
            self.respond(100, self.request.answer(100), now)

    def repeated(self, now: float) -> None:
        """The request came again."""
        self._step("request", now)

    def acknowledged(self, now: float) -> None:
        """The ACK to a final response other than 2xx came."""
        self._step("ACK", now)

    def fail(self, now: float) -> None:
        """A response could not be sent."""
        self._step("error", now)

    def _on_retransmit(self, now: float) -> None:
        self._step("timer G", now)

    def _on_timeout(self, now: float) -> None:
        self._step("timer F", now)

    def _on_end(self, now: float) -> None:
        self._step(_SERVER_ENDS[self.state] if self._machine is _INVITE_SERVER else "timer J", now)

    # --- actions

    def _send(self, _now: float) -> None:
        self._layer.send(Outgoing(self._last, self.way, self, self.flow))

    def _resend(self, _now: float) -> None:
        if self._last:
            self._layer.send(Outgoing(self._last, self.way, self, self.flow))

    def _arm_g(self, now: float) -> None:
        if not self._reliable:
            self._retransmit = self._layer.timers.at(now + self._interval, self._on_retransmit)
            self._interval = min(self._interval * 2, self._layer.durations.t2)

    def _arm_h(self, now: float) -> None:
        self._end_after(self._layer.durations.timeout, self._on_end, now)

    def _arm_i(self, now: float) -> None:
        self._end_after(0.0 if self._reliable else self._layer.durations.t4, self._on_end, now)

    def _arm_l(self, now: float) -> None:
        self._end_after(self._layer.durations.timeout, self._on_end, now)

    def _arm_j(self, now: float) -> None:
        if self._reliable:
            self.state = "terminated"
            self._forget(now)
        else:
            self._end_after(self._layer.durations.timeout, self._on_end, now)

    def _forget(self, now: float) -> None:
        self._disarm(now)
        self._layer.forget_server(self)


class _Nobody:
    """The user of a transaction that is over."""

    __slots__ = ()

    def on_response(self, transaction: ClientTransaction, response: Response, flow: Flow, now: float) -> None:
        """Too late."""

    def on_failure(self, transaction: ClientTransaction, why: Why, now: float) -> None:
        """Too late."""


_NOBODY: Final = _Nobody()
_NO_DRAFT: Final = Draft("ACK", "sip:invalid.invalid", [])
_NO_REQUEST: Final = Request("ACK", "sip:invalid.invalid")
_SETTLED: Final = frozenset({"INVITE", "BYE", "REGISTER", "OPTIONS", "INFO", "UPDATE", "PRACK", "CANCEL", "MESSAGE"})
"""Requests that nobody asks for once they are answered (the number of a REFER names its subscription)."""
_INVITE_CLIENT: Final = _machine(ClientTransaction, INVITE_CLIENT)
_CLIENT: Final = _machine(ClientTransaction, CLIENT)
_INVITE_SERVER: Final = _machine(ServerTransaction, INVITE_SERVER)
_SERVER: Final = _machine(ServerTransaction, SERVER)
_TELL: Final = ClientTransaction._tell
_CLIENT_ENDS: Final = {"completed": "timer D", "accepted": "timer M"}
_SERVER_ENDS: Final = {"completed": "timer H", "confirmed": "timer I", "accepted": "timer L"}


def acknowledgement(request: Request, response: Response) -> Request:
    """The ACK to a final response other than 2xx: same hop, same branch (RFC 3261 section 17.1.1.3)."""
    headers = [("Via", request.all("Via")[0]), ("From", request.get("From") or "")]
    headers.append(("To", response.get("To") or request.get("To") or ""))
    headers.append(("Call-ID", request.call_id))
    headers.append(("CSeq", f"{request.cseq.number} ACK"))
    headers.extend(("Route", value) for value in request.all("Route"))
    headers.append(("Max-Forwards", "70"))
    return Request("ACK", request.raw_uri, headers)
