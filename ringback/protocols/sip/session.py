"""A session: an INVITE dialog with its offers and answers, from either side (RFC 3261 sections 12 to 15)."""

from __future__ import annotations

from typing import Final

from ringback.protocols.sip.dialog import Dialog
from ringback.protocols.sip.events import Cancelled, InDialogRequest, InfoArrived, RequestAnswered, SubscribeArrived
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Body, Content, Flow, Headers
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.session_base import SessionState, WrongState
from ringback.protocols.sip.session_refer import Refers
from ringback.protocols.sip.subscription import Notifier, Subscription
from ringback.protocols.sip.transactions import ServerTransaction, Why


class Session(Refers):
    """One call leg. Made by ``Agent.invite`` or told by ``Invited``; every action takes ``now`` in seconds.

    Attributes to read: ``id`` (unique in this agent), ``direction`` ("out", "in"), ``state``, ``call_id``,
    ``local_tag``, ``remote_tag``, ``local_uri`` and ``remote_uri`` (From/To values without tags, as text),
    ``remote_target`` (Contact URI of the other side), ``request`` (the first INVITE), ``flow`` (over which the other
    side was last heard, or None), ``secure`` (our hop is TLS), ``remote_allow`` and ``remote_supported`` (tuples of
    texts), ``remote_product``, ``local_uuid`` and ``remote_uuid`` (RFC 7989; a back-to-back agent may set
    ``local_uuid`` of one leg to the ``remote_uuid`` of the other before it sends). ``owner`` belongs to the
    application; ``farewell`` gives the header fields of our 200 to a BYE (call quality).

    ``headers`` arguments are further header fields; ``sdp`` arguments are bytes (application/sdp) or a ``Body``.
    Actions raise WrongState where they don't fit; on a session that has ended they do nothing (its end may be an event
    that was not yet given). ``end`` never raises.
    """

    __slots__ = ()

    # --- actions of both sides

    def info(self, now: float, content_type: str, body: bytes, *, headers: Headers = ()) -> None:
        """Send INFO (RFC 6086); told by ``RequestAnswered``."""
        self.send_request(now, "INFO", headers=headers, body=Body(content_type, body))

    def notify(self, now: float, event: str, body: Content, state: str = "active", *, headers: Headers = ()) -> None:
        """Send NOTIFY in this dialog without a subscription of its own (what Cisco devices expect)."""
        rows = [("Event", event), ("Subscription-State", state), *headers]
        self.send_request(now, "NOTIFY", headers=rows, body=body)

    def send_request(self, now: float, method: str, *, headers: Headers = (), body: Content = None) -> None:
        """Send any other request in this dialog; told by ``RequestAnswered``."""
        if self.state == "ended":
            return
        if self.state == "ending" or not self.dialog.remote_tag:
            raise self._wrong(method)
        self._send(_Plain(self), method, headers, body, now)

    def subscribe(
        self, now: float, event: str, expires: int, *, headers: Headers = (), body: Content = None
    ) -> Subscription:
        """Subscribe inside of this dialog (kpml)."""
        if self.state in ("ended", "ending") or not self.dialog.remote_tag:
            raise self._wrong("subscribe")
        subscription = Subscription(self._core, self.dialog, event, expires, self._answerer, session=self)
        self._subscriptions.append(subscription)
        subscription.begin(list(headers), body, now)
        return subscription

    def bye(self, now: float, *, headers: Headers = (), body: Content = None) -> None:
        """End an answered session; ``Ended`` by "us" follows at once. Before the ACK came, the BYE waits for it."""
        if self.state == "ended":
            return
        if self.state == "answered":
            self._bye_wanted = (list(headers), body)
            self.state = "ending"
            self._tell_ended("us", "", None)
            return
        if self.state != "confirmed":
            raise self._wrong("bye")
        seq = self._expect_ack_from_us
        if seq is not None:
            self._expect_ack_from_us = None
            self._send_ack(seq, self.dialog, now)
        self._send_bye(now, headers, body)
        self._over(now)
        self._tell_ended("us", "", None)

    def end(self, now: float, *, status: int = 603, headers: Headers = ()) -> None:
        """End in whatever way the state asks for: reject, CANCEL or BYE; an ended one stays ended. Never raises."""
        if self.state in ("incoming", "ringing"):
            self.reject(now, status, headers=headers)
        elif self.state in ("calling", "proceeding", "early"):
            self.cancel(now, headers=headers)
        elif self.state in ("answered", "confirmed"):
            self.bye(now, headers=headers)

    # --- what comes in

    def on_request(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A request in the dialog other than ACK and CANCEL."""
        dialog = self._dialog_of(request)
        if dialog is None or (self.state == "ended" and request.method != "NOTIFY"):
            self._core.reply(transaction, 481, now)
            return
        seq = request.cseq.number
        if seq < dialog.remote_seq:
            self._reply(transaction, 500, now, reason="CSeq Out Of Order")  # section 12.2.2
            return
        dialog.remote_seq = seq
        self._learn(request, flow)
        if isinstance(dialog.way, Flow) and dialog.way is not flow and (dialog.way.closed or not dialog.route):
            dialog.way = flow
        handler = _HANDLERS.get(request.method)
        if handler is None:
            self._core.emit(InDialogRequest(self, transaction, request))
        else:
            handler(self, transaction, request, now)

    def _dialog_of(self, request: Request) -> Dialog | None:
        tag = request.from_tag
        if tag == self.dialog.remote_tag:
            return self.dialog
        return self._forks.get(tag)

    def on_forgotten(self) -> None:
        """Nothing more will come for the dialog: no circle of references stays behind for the collector."""
        self._exchange = self._offer_exchange = None
        self._transaction = None

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A connection is gone: what is answered stays and looks for another way when it has to say something."""
        if self.flow is flow and self.direction == "in" and self.state in ("incoming", "ringing"):
            self._transaction = None
            self._over(now)
            self._core.emit(Cancelled(self, 'SIP;cause=503;text="The connection was lost"'))

    def _on_invite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self._on_reinvite(transaction, request, now)

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        told_by_us = self.farewell() if self.farewell is not None else ()
        self._reply(transaction, 200, now, headers=told_by_us)
        reason = request.get("Reason") or ""
        if self.state in ("incoming", "ringing"):
            self._refuse_invite(487, "", (), None, now)
            self._core.emit(Cancelled(self, reason))
            return
        if self.state in ("calling", "proceeding", "early"):
            return  # it ends one early dialog; the INVITE goes on (section 15.1.1)
        told = self.state == "ending"
        self._over(now)
        if not told:
            self._tell_ended("them", reason, request)

    def _on_info(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self._reply(transaction, 200, now)
        self._core.emit(InfoArrived(self, request, request.get("Content-Type") or "", request.body))

    def _on_notify(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        event = request.event
        if event is None:
            self._reply(transaction, 489, now)
            return
        if event.value == "refer" and self._on_refer_notify(transaction, request, now):
            return
        for subscription in self._subscriptions:
            if subscription.wants(event):
                subscription.take_notify(transaction, request, now)
                return
        if self.state == "ended":
            self._reply(transaction, 481, now)
        else:
            self._core.emit(InDialogRequest(self, transaction, request))

    def _on_subscribe(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        event = request.event
        if event is None:
            self._reply(transaction, 489, now)
            return
        for notifier in self._notifiers:
            if notifier.wants(event):
                notifier.take_subscribe(transaction, request, now)
                return
        notifier = Notifier(self._core, self.dialog, transaction, session=self)
        self._notifiers.append(notifier)
        self._core.emit(SubscribeArrived(notifier, request, transaction.flow))

    def _on_options(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        accept = ("Accept", ", ".join(self._core.settings.accept))
        self._reply(transaction, 200, now, headers=[*self._core.abilities, accept])


class _Plain:
    """A request whose answer is only told."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """From the exchange."""
        if response.status >= 200:
            told = RequestAnswered(self._session, exchange.method, response, response.status)
            self._session._core.emit(told)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """From the exchange."""
        status = 408 if why == "timeout" else 503
        self._session._core.emit(RequestAnswered(self._session, exchange.method, None, status))


_HANDLERS: Final = {
    "INVITE": Session._on_invite,
    "BYE": Session._on_bye,
    "PRACK": Session._on_prack,
    "UPDATE": Session._on_update,
    "INFO": Session._on_info,
    "REFER": Session._on_refer,
    "NOTIFY": Session._on_notify,
    "SUBSCRIBE": Session._on_subscribe,
    "OPTIONS": Session._on_options,
}

__all__ = ["Session", "SessionState", "WrongState"]
