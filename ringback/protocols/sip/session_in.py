"""The side that is called: ringing, answering, PRACK and ACK (RFC 3261 section 13.3, RFC 3262 section 3)."""

from __future__ import annotations

from ringback.protocols.sip.core import content_of
from ringback.protocols.sip.events import Acked, Cancelled, OfferAnswered, OfferArrived
from ringback.protocols.sip.flows import Content, Flow, Headers, Outgoing
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.session_base import AckWait, Reliable
from ringback.protocols.sip.session_out import OutgoingSide
from ringback.protocols.sip.transactions import ServerTransaction


class IncomingSide(OutgoingSide):
    """See ``Session``."""

    __slots__ = ()

    def begin_incoming(self, transaction: ServerTransaction, flow: Flow) -> None:
        """From the agent: the INVITE that began it."""
        request = transaction.request
        self._transaction = transaction
        self._learn(request, flow)
        self._description = self._sdp(request)
        self._offer = "received" if self._description is not None else ""

    # --- actions before the answer

    def ring(
        self,
        now: float,
        status: int = 180,
        sdp: Content = None,
        *,
        reliable: bool | None = None,
        headers: Headers = (),
        reason: str = "",
    ) -> None:
        """Send a provisional response (101 to 199), with early media where ``sdp`` is given. ``reliable`` None: as the
        settings and the other side want it (RFC 3262)."""
        if self.state == "ended":
            return
        if self.state not in ("incoming", "ringing") or not 100 < status < 200:
            raise self._wrong("ring")
        self.state = "ringing"
        if self._reliably(reliable, sdp):
            self._queued.append((status, sdp, list(headers), reason, True))
            self._send_queued(now)
            return
        if sdp is not None:
            self._remember(sdp)
        self._respond_provisional(status, sdp, list(headers), reason, now)

    def _reliably(self, wanted: bool | None, sdp: Content) -> bool:
        required = "100rel" in self.request.require
        if required or self._core.settings.reliable == "always":
            return required or "100rel" in self.remote_supported
        if wanted is None:
            wanted = self._core.settings.reliable == "media" and sdp is not None
        return wanted and "100rel" in self.remote_supported

    def _respond_provisional(
        self, status: int, sdp: Content, headers: list[tuple[str, str]], reason: str, now: float
    ) -> None:
        transaction = self._invite_transaction()
        rows = [("Contact", self.dialog.contact), *self._core.abilities, *headers]
        self._reply(transaction, status, now, reason=reason, headers=rows, content=sdp)

    def _invite_transaction(self) -> ServerTransaction:
        if self._transaction is None:
            raise self._wrong("answering")
        return self._transaction

    def _send_queued(self, now: float) -> None:
        """Reliable responses go one at a time, the answer last (RFC 3262 section 3)."""
        if self._reliable is not None or not self._queued or self.state not in ("ringing", "incoming"):
            return
        status, sdp, headers, reason, _ = self._queued.pop(0)
        if status >= 200:
            self._answer_now(sdp, headers, now)
            return
        transaction = self._invite_transaction()
        self._rseq = self._rseq + 1 if self._rseq else 1 + int(self._core.tokens()[:6], 16)
        offered = False
        if sdp is not None:
            self._remember(sdp)
            offered = self._offer == ""
            self._offer = "sent" if offered else ""
        rows = [("Require", "100rel"), ("RSeq", str(self._rseq)), ("Contact", self.dialog.contact)]
        rows += [*self._core.server, *self._core.abilities, *self._session_id(), *headers]
        more, body = content_of(sdp)
        rows += more
        data = transaction.request.answer(status, reason, to_tag=self.local_tag, headers=rows, body=body)
        transaction.respond(status, data, now)
        t1 = self._core.durations.t1
        waiting = self._reliable = Reliable(self._rseq, data, t1, now, offered=offered)
        waiting.retransmit = self._core.timers.at(now + t1, self._on_unpracked)

    def _on_unpracked(self, now: float) -> None:
        """Over any transport, as a hop further on may lose it; after 64 T1 the INVITE is refused."""
        waiting = self._reliable
        if waiting is None or self._transaction is None:
            return
        last = waiting.started + self._core.durations.timeout
        if now >= last:
            self._refuse_invite(504, "No PRACK", (), None, now)
            self._core.emit(Cancelled(self._public(), 'SIP;cause=504;text="No PRACK came"'))
            return
        waiting.interval *= 2
        self._core.send(Outgoing(waiting.data, self._transaction.way, self._transaction, self._transaction.flow))
        waiting.retransmit = self._core.timers.at(min(now + waiting.interval, last), self._on_unpracked)

    def answer(self, now: float, sdp: Content = None, *, headers: Headers = ()) -> None:
        """Send 200. ``sdp``: the answer, or our offer where the INVITE had none (the answer comes with ``Acked``)."""
        if self.state == "ended":
            return
        if self.state not in ("incoming", "ringing"):
            raise self._wrong("answer")
        if self._reliable is not None or self._queued:
            self._queued.append((200, sdp, list(headers), "", False))
            return
        self._answer_now(sdp, list(headers), now)

    def _answer_now(self, sdp: Content, headers: list[tuple[str, str]], now: float) -> None:
        transaction = self._invite_transaction()
        if self._settled:
            sdp = None  # the answer went before, in a reliable provisional response (RFC 3262 section 5)
        self._remember(sdp)
        offered = self._offer == "" and sdp is not None and self._description is None
        self._offer = "sent" if offered else ""
        self._settled = True
        self._queued.clear()
        self.state = "answered"
        rows = [("Contact", self.dialog.contact), *self._core.abilities]
        rows += self._timer.answer_headers(transaction.request)
        rows += [*self._core.server, *self._session_id(), *headers]
        self._succeed(transaction, rows, sdp, now, offered=offered)
        self._arm_session_timer(now)

    def _succeed(
        self,
        transaction: ServerTransaction,
        rows: list[tuple[str, str]],
        sdp: Content,
        now: float,
        *,
        offered: bool,
    ) -> None:
        """200 to an INVITE, repeated until the ACK comes (RFC 3261 section 13.3.1.4)."""
        more, body = content_of(sdp)
        rows += more
        data = transaction.request.answer(200, to_tag=self.local_tag, headers=rows, body=body)
        core = self._core
        durations, seq = core.durations, transaction.request.cseq.number
        transaction.respond(200, data, now)
        self._drop_ack_wait()
        wait = AckWait(seq, data, transaction, durations.t1, now + durations.timeout, offered=offered)
        self._ack_wait = wait
        wait.retransmit = core.timers.at(now + wait.interval, self._on_unacked)

    def _on_unacked(self, now: float) -> None:
        wait = self._ack_wait
        if wait is None:
            return
        if now >= wait.until:
            self._on_never_acked(now)
            return
        transaction = wait.transaction
        self._core.send(Outgoing(wait.data, transaction.way, transaction, transaction.flow))
        wait.interval = min(wait.interval * 2, self._core.durations.t2)
        wait.retransmit = self._core.timers.at(min(now + wait.interval, wait.until), self._on_unacked)

    def _on_never_acked(self, now: float) -> None:
        if self.state == "ending":
            self._send_bye(now)
            self._over(now)
            return
        self._end("timer", 'SIP;cause=408;text="No ACK came"', now, bye=True)

    def reject(self, now: float, status: int, reason: str = "", *, headers: Headers = (), body: Content = None) -> None:
        """Refuse with 3xx to 6xx; ends the session without an event."""
        if self.state == "ended":
            return
        if self.state not in ("incoming", "ringing") or not 300 <= status <= 699:
            raise self._wrong("reject")
        self._refuse_invite(status, reason, headers, body, now)

    def redirect(self, now: float, contacts: tuple[str, ...], status: int = 302, *, headers: Headers = ()) -> None:
        """Refuse and say where else to try (Contact values)."""
        self.reject(now, status, headers=[*(("Contact", contact) for contact in contacts), *headers])

    def _refuse_invite(self, status: int, reason: str, headers: Headers, body: Content, now: float) -> None:
        self._reply(self._invite_transaction(), status, now, reason=reason, headers=headers, content=body)
        self._over(now)

    # --- what comes in

    def on_cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """CANCEL of the first INVITE, or of a re-INVITE."""
        if transaction is self._transaction and self.state in ("incoming", "ringing"):
            self._refuse_invite(487, "", (), None, now)
            self._core.emit(Cancelled(self._public(), request.get("Reason") or ""))
        elif transaction is self._offer_transaction and transaction.open:
            self._reply(transaction, 487, now)
            self._offer_transaction = None
            self._offer = ""

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """The ACK to a 2xx of ours."""
        wait = self._ack_wait
        if wait is None or request.cseq.number != wait.seq:
            return
        self._drop_ack_wait()
        self.flow = flow
        sdp = self._sdp(request)
        if wait.offered:
            self._offer = ""
        if self.state == "answered":
            self.state = "confirmed"
            self._core.emit(Acked(self._public(), sdp if wait.offered else None))
        elif wait.offered:
            self._core.emit(OfferAnswered(self._public(), None, sdp))
        wanted = self._bye_wanted
        if wanted is not None:
            self._bye_wanted = None
            self._send_bye(now, wanted[0], wanted[1])
            self._over(now)

    def _on_prack(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """PRACK: what it does not match gets 481 (RFC 3262 section 3)."""
        rack = request.rack
        waiting = self._reliable
        invite = self._transaction
        if (
            rack is None
            or waiting is None
            or invite is None
            or (rack.rseq, rack.cseq) != (waiting.rseq, invite.request.cseq.number)
        ):
            self._reply(transaction, 481 if rack is not None else 400, now)
            return
        self._drop_reliable()
        sdp = self._sdp(request)
        if waiting.offered:
            self._offer = ""
            self._settled = True
            self._reply(transaction, 200, now)
            self._core.emit(OfferAnswered(self._public(), None, sdp))
        elif sdp is not None:
            self._offer = "received"
            self._offer_transaction = transaction
            self._core.emit(OfferArrived(self._public(), request, sdp, "PRACK"))
        else:
            self._settled = True
            self._reply(transaction, 200, now)
        self._send_queued(now)
