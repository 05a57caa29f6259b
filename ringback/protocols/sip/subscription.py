"""Subscriptions (RFC 6665): ours at somebody else's, and those of others at ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from ringback.protocols.sip.core import Core, content_of
from ringback.protocols.sip.dialog import Dialog
from ringback.protocols.sip.events import (
    Notified,
    NotifierEnded,
    NotifierRefreshed,
    SubscriptionChanged,
)
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Content, Flow, Headers, Way
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.timers import Timer
from ringback.protocols.sip.transactions import ServerTransaction, Why

if TYPE_CHECKING:
    from ringback.protocols.sip.digest import Answerer
    from ringback.protocols.sip.headers import Parametered
    from ringback.protocols.sip.session import Session

_LONGEST: Final = 3600  # seconds granted when more is asked for


def _in_dialog(
    core: Core, user: Subscription | Notifier, dialog: Dialog, method: str, headers: Headers, content: Content,
    answerer: Answerer | None, now: float,
) -> Exchange:  # fmt: skip
    uri, rows = dialog.addressing()
    rows.append(("Max-Forwards", str(core.settings.max_forwards)))
    rows.append(("Contact", dialog.contact))
    rows.extend(core.product)
    rows.extend(headers)
    more, body = content_of(content)
    rows.extend(more)
    way: Way = dialog.way
    if isinstance(way, Flow) and way.closed:
        way = dialog.way = dialog.way_without_flow()

    def next_seq() -> int:
        dialog.local_seq += 1
        return dialog.local_seq

    return core.exchange(user, method, uri, rows, body, (way,), next_seq, answerer, now)


class Subscription:
    """Ours: made by ``Agent.subscribe`` or ``Session.subscribe``; refreshed by itself until ``end``.

    Attributes: ``id``, ``event`` (the Event value), ``state`` ("new", "pending", "active", "ending", "ended"),
    ``expires`` (seconds granted), ``owner`` (of the application). Told by ``SubscriptionChanged`` and ``Notified``.
    """

    __slots__ = (
        "_answerer",
        "_body",
        "_core",
        "_exchange",
        "_headers",
        "_session",
        "_timer",
        "_wanted",
        "dialog",
        "event",
        "expires",
        "id",
        "owner",
        "state",
    )

    def __init__(
        self,
        core: Core,
        dialog: Dialog,
        event: str,
        expires: int,
        answerer: Answerer | None,
        session: Session | None = None,
    ) -> None:
        self._core = core
        self.dialog = dialog
        self.event = event
        self.id = f"{dialog.local_tag}.{event}" if session is not None else dialog.local_tag
        self.state: Literal["new", "pending", "active", "ending", "ended"] = "new"
        self.expires = expires
        self.owner: object = None
        self._wanted = expires
        self._answerer = answerer
        self._session = session
        self._headers: list[tuple[str, str]] = []
        self._body: Content = None
        self._timer: Timer | None = None
        self._exchange: Exchange | None = None

    def begin(self, headers: list[tuple[str, str]], body: Content, now: float) -> None:
        """Send the first SUBSCRIBE of one that shares a session's dialog."""
        self._headers = headers
        self._body = body
        self._subscribe(now)

    def begin_outside(self, exchange: Exchange, headers: list[tuple[str, str]], body: Content, now: float) -> None:
        """Send the first SUBSCRIBE, which makes a dialog."""
        self._headers = headers
        self._body = body
        self._exchange = exchange
        exchange.send(now)
        self._arm(now + self._core.durations.timeout, self._on_no_notify)

    def end(self, now: float) -> None:
        """Unsubscribe. ``SubscriptionChanged`` "ended" follows."""
        if self.state in ("ended", "ending"):
            return
        if not self.dialog.remote_tag:
            self._over("ended", 487, "Given up", None, now)
            return
        self.state = "ending"
        self._wanted = 0
        self._subscribe(now)
        self._arm(now + self._core.durations.timeout, self._on_no_notify)

    def refresh(self, now: float) -> None:
        """Ask for the state again now."""
        if self.state in ("active", "pending"):
            self._subscribe(now)

    def wants(self, event: Parametered) -> bool:
        """Whether a NOTIFY's Event belongs to it (package and id, RFC 6665 section 8.2.1)."""
        return self.state != "ended" and _same_event(self.event, event)

    # --- what comes back

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """The answer to a SUBSCRIBE."""
        status = response.status
        if status < 200 or self.state == "ended":
            return
        if status < 300:
            if not self.dialog.remote_tag:
                self.dialog.remote_tag = response.to_tag
                self.dialog.learn_as_caller(response, flow)
            granted = response.expires
            if granted is not None and self._wanted:
                self.expires = min(granted, self._wanted)
            if self.state == "new":
                self.state = "pending"
            elif self.state in ("active", "pending"):
                self._arm_refresh(now)
            return
        if status == 423 and self.state != "ending":
            least = response.get("Min-Expires") or ""
            if least.isdigit() and len(least) < 9 and int(least) > self._wanted:
                self._wanted = int(least)
                exchange.over = False
                exchange.replace("Expires", least)
                exchange.send(now)
                return
        self._over("ended", status, response.reason, _retry_after(response), now)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """No answer to a SUBSCRIBE."""
        self._over("ended", 408 if why == "timeout" else 503, "", None, now)

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A request in its own dialog."""
        dialog = self.dialog
        if request.method != "NOTIFY":
            self._core.reply(transaction, 405, now, headers=[("Allow", "NOTIFY")])
            return
        event = request.event
        if event is None or not self.wants(event):
            self._core.reply(transaction, 489 if event is None else 481, now)
            return
        if not dialog.remote_tag:  # NOTIFY may overtake the 200 (RFC 6665 section 4.1.2.4)
            dialog.learn_as_called(request, flow)
        elif dialog.remote_tag != request.from_tag:
            self._core.reply(transaction, 481, now)
            return
        self.take_notify(transaction, request, now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK belongs to no subscription."""

    def on_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A CANCEL belongs to no subscription."""

    def on_forgotten(self) -> None:
        """Nothing more will come for the dialog."""

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """The next refresh finds another way."""

    def take_notify(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A NOTIFY that belongs to it."""
        seq = request.cseq.number
        if self._session is None:
            if seq < self.dialog.remote_seq:
                self._core.reply(transaction, 500, now, reason="CSeq Out Of Order")
                return
            self.dialog.remote_seq = seq
            self.dialog.learn_target(request)
        told = request.subscription_state
        if told is None:
            self._core.reply(transaction, 400, now, reason="Missing Subscription-State header")
            return
        self._core.reply(transaction, 200, now, headers=self._core.server)
        kind = request.get("Content-Type") or ""
        self._core.emit(Notified(self, request, kind, request.body, str(told)))
        if told.state == "terminated":
            self._over("ended", 200, told.reason, told.retry_after, now)
            return
        if self.state == "ending":
            return
        if told.expires is not None:
            self.expires = min(told.expires, self._wanted)
        state: Literal["pending", "active"] = "pending" if told.state == "pending" else "active"
        changed = state != self.state or self._exchange is not None
        self.state = state
        self._exchange = None
        self._arm_refresh(now)
        if changed:
            self._core.emit(SubscriptionChanged(self, state, 200, ""))

    def dialog_gone(self, now: float) -> None:
        """The session that it shares the dialog with has ended."""
        self._over("ended", 481, "The call has ended", None, now)

    # --- by itself

    def _subscribe(self, now: float) -> None:
        rows = [("Event", self.event), ("Expires", str(self._wanted)), *self._headers]
        _in_dialog(self._core, self, self.dialog, "SUBSCRIBE", rows, self._body, self._answerer, now)

    def _arm(self, when: float, action: Callable[[float], None]) -> None:
        self._core.timers.cancel(self._timer)
        self._timer = self._core.timers.at(when, action)

    def _arm_refresh(self, now: float) -> None:
        margin = min(self._core.durations.subscription_margin, self.expires / 2)
        self._arm(now + max(self.expires - margin, 1.0), self._on_refresh)

    def _on_refresh(self, now: float) -> None:
        self._subscribe(now)
        self._arm(now + self._core.durations.timeout, self._on_no_notify)

    def _on_no_notify(self, now: float) -> None:
        """Timer N (RFC 6665 section 4.1.2.4): without a NOTIFY there is no subscription."""
        if self.state == "ending":
            self._over("ended", 200, "Unsubscribed", None, now)
        else:
            self._over("ended", 408, "No NOTIFY came", None, now)

    def _over(self, state: Literal["ended"], status: int, reason: str, retry_after: float | None, now: float) -> None:
        if self.state == "ended":
            return
        self.state = state
        self._core.timers.cancel(self._timer)
        self._timer = None
        if self._session is None:
            self._core.forget_user(self.dialog.call_id, self.dialog.local_tag)
        elif self in self._session._subscriptions:
            self._session._subscriptions.remove(self)
        self._core.emit(SubscriptionChanged(self, state, status, reason, retry_after))


class Notifier:
    """Somebody's: told by ``SubscribeArrived``.

    Attributes: ``id``, ``event`` (package name in lower case), ``event_value`` (the whole Event value), ``request``
    (the first SUBSCRIBE), ``expires`` (seconds granted), ``state`` ("new", "active", "pending", "ended"), ``owner`` (of
    the application).
    """

    __slots__ = (
        "_busy",
        "_core",
        "_ends_at",
        "_last",
        "_next",
        "_session",
        "_timer",
        "_transaction",
        "dialog",
        "event",
        "event_value",
        "expires",
        "flow",
        "id",
        "owner",
        "request",
        "state",
    )

    def __init__(
        self, core: Core, dialog: Dialog, transaction: ServerTransaction, session: Session | None = None
    ) -> None:
        self._core = core
        self.dialog = dialog
        self.request = transaction.request
        self.flow = transaction.flow
        event = self.request.event
        self.event = event.value if event is not None else ""
        self.event_value = self.request.get("Event") or ""
        self.id = f"{dialog.local_tag}.{self.event_value}" if session is not None else dialog.local_tag
        self.state: Literal["new", "active", "pending", "ended"] = "new"
        self.expires = 0
        self.owner: object = None
        self._transaction = transaction
        self._session = session
        self._timer: Timer | None = None
        self._ends_at = 0.0
        self._busy = False
        self._next: tuple[Content, list[tuple[str, str]], str] | None = None
        self._last: Content = None

    @property
    def asked(self) -> int:
        """Seconds that the subscriber asks for."""
        asked = self.request.expires
        return _LONGEST if asked is None else asked

    # --- actions

    def accept(
        self, now: float, *, expires: int | None = None, pending: bool = False, status: int = 200, headers: Headers = ()
    ) -> None:
        """Grant. ``expires`` None: what was asked (at most an hour). Then ``notify`` must follow at once; with nothing
        granted (a fetch) that first one is the last."""
        if self.state != "new":
            return
        self.expires = min(self.asked, _LONGEST) if expires is None else min(expires, self.asked)
        self.state = "pending" if pending else "active"
        rows = [("Expires", str(self.expires)), ("Contact", self.dialog.contact), *self._core.server, *headers]
        self._core.reply(self._transaction, status, now, headers=rows)
        self._arm(now)

    def refuse(self, now: float, status: int, reason: str = "", *, headers: Headers = ()) -> None:
        """Refuse (489 for an unknown package, 403, 423 with Min-Expires ...)."""
        if self.state != "new":
            return
        self._core.reply(self._transaction, status, now, reason=reason, headers=[*self._core.server, *headers])
        self._over()

    def notify(self, now: float, body: Content = None, *, pending: bool = False, headers: Headers = ()) -> None:
        """Send the state. While a NOTIFY is unanswered, only the newest further one is kept and sent after it."""
        if self.state in ("new", "ended"):
            return
        self.state = "pending" if pending else "active"
        self._last = body
        if self.expires == 0:
            self.end(now, "timeout", body, headers=headers)
            return
        self._post(body, list(headers), "", now)

    def end(self, now: float, reason: str = "noresource", body: Content = None, *, headers: Headers = ()) -> None:
        """NOTIFY with Subscription-State terminated."""
        if self.state == "ended":
            return
        if self.state == "new":
            self.refuse(now, 480)
            return
        self._core.timers.cancel(self._timer)
        self._post(body, list(headers), f"terminated;reason={reason}", now)

    # --- what comes in

    def wants(self, event: Parametered) -> bool:
        """Whether a SUBSCRIBE's Event is this subscription's."""
        return self.state != "ended" and _same_event(self.event_value, event)

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A request in its own dialog."""
        event = request.event
        if request.method != "SUBSCRIBE":
            self._core.reply(transaction, 405, now, headers=[("Allow", "SUBSCRIBE")])
        elif event is None or not self.wants(event) or request.from_tag != self.dialog.remote_tag:
            self._core.reply(transaction, 481, now)
        elif request.cseq.number < self.dialog.remote_seq:
            self._core.reply(transaction, 500, now, reason="CSeq Out Of Order")
        else:
            self.dialog.remote_seq = request.cseq.number
            self.dialog.learn_target(request)
            if isinstance(self.dialog.way, Flow) and (self.dialog.way.closed or not self.dialog.route):
                self.dialog.way = flow
            self.flow = flow
            self.take_subscribe(transaction, request, now)

    def take_subscribe(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A refresh, or the end."""
        if self.state == "new":
            self._core.reply(transaction, 500, now, headers=[("Retry-After", "1")])
            return
        asked = request.expires
        self.expires = _LONGEST if asked is None else min(asked, _LONGEST)
        rows = [("Expires", str(self.expires)), ("Contact", self.dialog.contact), *self._core.server]
        self._core.reply(transaction, 200, now, headers=rows)
        if self.expires == 0:
            self._core.timers.cancel(self._timer)
            self._core.emit(NotifierEnded(self, "unsubscribed"))
            self._post(self._last, [], "terminated;reason=timeout", now)
            return
        self._arm(now)
        self._core.emit(NotifierRefreshed(self, request))

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK belongs to no subscription."""

    def on_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A CANCEL belongs to no subscription."""

    def on_forgotten(self) -> None:
        """Nothing more will come for the dialog."""

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A NOTIFY that can't be sent ends it; the subscriber comes again over its next connection."""

    def dialog_gone(self, now: float) -> None:
        """The session that it shares the dialog with has ended."""
        if self.state == "ended":
            return
        if self._transaction.open:
            self._core.reply(self._transaction, 481, now)
        self._over()
        self._core.emit(NotifierEnded(self, "unsubscribed"))

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """The answer to a NOTIFY."""
        if response.status < 200:
            return
        self._busy = False
        if response.status >= 300 and response.status not in (401, 407, 480, 500, 503):
            self._failed("refused")
            return
        waiting = self._next
        self._next = None
        if waiting is not None:
            self._post(*waiting, now)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """No answer to a NOTIFY."""
        self._busy = False
        self._failed("timeout")

    # --- by itself

    def _arm(self, now: float) -> None:
        self._ends_at = now + self.expires
        self._core.timers.cancel(self._timer)
        self._timer = self._core.timers.at(now + self.expires + 1.0, self._on_expired) if self.expires else None

    def _on_expired(self, now: float) -> None:
        if self.state != "ended":
            self._core.emit(NotifierEnded(self, "expired"))
            self._post(self._last, [], "terminated;reason=timeout", now)

    def _post(self, body: Content, headers: list[tuple[str, str]], final: str, now: float) -> None:
        if self.state == "ended":
            return
        if self._busy:
            self._next = (body, headers, final)
            return
        self._busy = True
        state = final or f"{self.state};expires={max(int(self._ends_at - now), 0)}"
        rows = [("Event", self.event_value), ("Subscription-State", state), *headers]
        if final:
            self._over()
        _in_dialog(self._core, self, self.dialog, "NOTIFY", rows, body, None, now)

    def _failed(self, why: Literal["refused", "timeout"]) -> None:
        if self.state != "ended":
            self._over()
            self._core.emit(NotifierEnded(self, why))

    def _over(self) -> None:
        self.state = "ended"
        self._next = None
        self._core.timers.cancel(self._timer)
        self._timer = None
        if self._session is None:
            self._core.forget_user(self.dialog.call_id, self.dialog.local_tag)
        elif self in self._session._notifiers:
            self._session._notifiers.remove(self)


def _same_event(ours: str, theirs: Parametered) -> bool:
    package, _, params = ours.partition(";")
    wanted = next((part.partition("=")[2] for part in params.split(";") if part.strip().lower().startswith("id=")), "")
    return package.strip().lower() == theirs.value and wanted.strip() == theirs.param("id")


def _retry_after(response: Response) -> float | None:
    seconds = response.retry_after
    return None if seconds is None else float(seconds)
