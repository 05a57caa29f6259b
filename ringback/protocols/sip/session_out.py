"""The side that calls: responses, forks, reliable provisional responses, ACK, CANCEL (RFC 3261 section 13.2, RFC 3262).

An INVITE may be answered by several: each To tag makes an early dialog. The first 2xx confirms one of them; every
further 2xx is acknowledged and its dialog ended at once.
"""

from __future__ import annotations

from ringback.protocols.sip.core import content_of
from ringback.protocols.sip.dialog import Dialog
from ringback.protocols.sip.events import Accepted, Failed, Progressed
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Content, Flow, Headers, Outgoing, Way
from ringback.protocols.sip.message import Response
from ringback.protocols.sip.session_base import SessionBase
from ringback.protocols.sip.transactions import Why


class OutgoingSide(SessionBase):
    """See ``Session``."""

    __slots__ = ()

    def _begin(self, uri: str, rows: list[tuple[str, str]], sdp: Content, ways: tuple[Way, ...], now: float) -> None:
        """Send the INVITE."""
        core = self._core
        dialog = self.dialog
        more, body = content_of(sdp)
        rows.extend(more)
        self._remember(sdp)
        self._offer = "sent" if sdp is not None else ""

        def next_seq() -> int:
            dialog.local_seq += 1
            return dialog.local_seq

        self._exchange = exchange = Exchange(core, self, "INVITE", uri, rows, body, ways, next_seq, self._answerer)
        exchange.send(now)

    # --- what comes back

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """A response to the first INVITE."""
        status = response.status
        if status < 200:
            self._on_provisional(response, flow, now)
        elif status < 300:
            self._on_success(exchange, response, flow, now)
        elif self.state not in ("confirmed", "ended"):
            self._on_refused(exchange, response, flow, now)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """No final response came."""
        if self.state in ("confirmed", "ended"):
            return
        status, reason = (408, "Request Timeout") if why == "timeout" else (503, "Service Unavailable")
        self._over(now)
        self._core.emit(Failed(self._public(), status, reason, None))

    def _on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        if self.state not in ("calling", "proceeding", "early", "ending"):
            return
        if self.state == "calling":
            self.state = "proceeding"
        self._ring_again(now)
        if self.state == "ending":
            self._send_cancel(now)
            return
        if response.status == 100:
            return
        self._learn(response, flow)
        tag = response.to_tag
        reliable = bool(tag) and "100rel" in response.require and response.rseq is not None
        if tag:
            self.state = "early"
            fork = self._fork(tag, response, flow)
            if not self.dialog.remote_tag:
                self._choose(fork)
            if reliable and not self._in_order(tag, response.rseq or 0):
                return
        sdp = self._sdp(response)
        offer = reliable and sdp is not None and self._offer == "" and not self._answered_by_1xx
        if reliable and sdp is not None and self._offer == "sent":
            self._answered_by_1xx = True
            self._offer = ""
        if offer:
            self._offer = "received"
            self._pending_answer = (tag, response)
        self._core.emit(Progressed(self._public(), response, sdp, tag, offer))
        if reliable and not offer:
            self._send_prack(tag, response, None, (), now)

    def _fork(self, tag: str, response: Response, flow: Flow) -> Dialog:
        fork = self._forks.get(tag)
        if fork is None:
            fork = self.dialog.fork(tag)
            self._forks[tag] = fork
            fork.learn_as_caller(response, flow)
        elif response.has("Contact"):
            fork.learn_as_caller(response, flow)
        return fork

    def _choose(self, fork: Dialog) -> None:
        """The dialog that requests before the answer use: the first, until another one is confirmed."""
        fork.local_seq = max(fork.local_seq, self.dialog.local_seq)
        self.dialog = fork

    def _in_order(self, tag: str, rseq: int) -> bool:
        """Only the next in order counts (RFC 3262 section 4); a repeated one has been acknowledged."""
        seen = self._seen_rseq.get(tag)
        if seen is not None and rseq != seen + 1:
            return False
        self._seen_rseq[tag] = rseq
        return True

    def _send_prack(self, tag: str, response: Response, sdp: Content, headers: Headers, now: float) -> None:
        seq = response.cseq.number
        rows = [("RAck", f"{response.rseq} {seq} INVITE"), *headers]
        self._send(_Prack(self), "PRACK", rows, sdp, now, self._forks[tag])

    # --- the answer

    def _on_success(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        tag = response.to_tag
        seq = response.cseq.number
        if self.state in ("confirmed", "ended") and tag == self.dialog.remote_tag and tag not in self._dead_forks:
            if seq == self._acked_seq:
                self._repeat_ack()
            return
        dead = self._dead_forks.get(tag)
        if dead is not None:
            self._core.send(Outgoing(dead[0], dead[1], None, flow))
            return
        fork = self._fork(tag, response, flow)
        fork.learn_as_caller(response, flow)
        if self.state in ("confirmed", "ended", "ending"):
            self._end_fork(fork, seq, now)
            if self.state == "ending":  # the 2xx crossed our CANCEL (RFC 3261 section 15)
                self._choose(fork)
                self._over(now)
                self._core.emit(Failed(self._public(), 487, "Request Terminated", response))
            return
        self._learn(response, flow)
        self._core.timers.cancel(self._ring_timer)
        self._choose(fork)
        self._forks = {tag: fork}
        self._confirmed(response, tag, seq, now)

    def _confirmed(self, response: Response, tag: str, seq: int, now: float) -> None:
        self.state = "confirmed"
        self._invite_seq = seq
        self._timer.take_answer(response)
        self._arm_session_timer(now)
        sdp = self._sdp(response)
        offer = self._offer == "" and not self._answered_by_1xx and sdp is not None
        if self._offer == "sent":
            self._offer = ""
        if offer:
            self._offer = "received"
            self._expect_ack_from_us = seq
        else:
            self._ack, self._ack_way = self._send_ack(seq, self.dialog, now)
            self._acked_seq = seq
        self._core.emit(Accepted(self._public(), response, sdp, tag, offer))

    def _repeat_ack(self) -> None:
        if self._ack and self._ack_way is not None:
            self._core.send(Outgoing(self._ack, self._ack_way, None, self.flow))

    def _end_fork(self, fork: Dialog, seq: int, now: float) -> None:
        """Acknowledge an answer that comes too late, and end it."""
        fork.local_seq = max(fork.local_seq, seq)
        data, way = self._send_ack(seq, fork, now)
        self._dead_forks[fork.remote_tag] = (data, way)
        self._send_bye(now, [("Reason", 'SIP;cause=487;text="Answered elsewhere"')], None, fork)

    def _on_refused(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        if response.status == 422 and self.state != "ending" and self._timer.take_too_small(response):
            for name, value in self._timer.request_headers(first=True):
                exchange.replace(name, value)
            exchange.over = False
            self._invite_again(exchange, now)
            return
        self._learn(response, flow)
        self._over(now)
        self._core.emit(Failed(self._public(), response.status, response.reason, response))

    @staticmethod
    def _invite_again(exchange: Exchange, now: float) -> None:
        exchange.send(now)

    # --- ringing for too long, giving up

    def _ring_again(self, now: float) -> None:
        """Timer C: each provisional response gives the other side more time (RFC 3261 section 16.7 step 2)."""
        timers = self._core.timers
        timers.cancel(self._ring_timer)
        self._ring_timer = timers.at(now + self._core.durations.c, self._on_ring_timer)

    def _on_ring_timer(self, now: float) -> None:
        if self.state in ("proceeding", "early"):
            self.state = "ending"
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        """CANCEL, once, and only after a provisional response (RFC 3261 section 9.1)."""
        exchange = self._exchange
        if self._cancel_sent or exchange is None or exchange.transaction is None:
            return
        transaction = exchange.transaction
        if transaction.state != "proceeding":
            return
        self._cancel_sent = True
        self._core.cancel_invite(transaction, self._cancel_headers, now)
        timers = self._core.timers
        timers.cancel(self._ring_timer)
        self._ring_timer = timers.at(now + self._core.durations.timeout, self._on_cancel_unanswered)

    def _on_cancel_unanswered(self, now: float) -> None:
        """No 487 came within 64 T1 of the CANCEL: the INVITE counts as cancelled (section 9.1)."""
        exchange = self._exchange
        if self.state != "ending":
            return
        if exchange is not None and exchange.transaction is not None:
            exchange.transaction.end(now)
        self._over(now)
        self._core.emit(Failed(self._public(), 408, "Request Timeout", None))

    # --- actions

    def cancel(self, now: float, *, headers: Headers = ()) -> None:
        """Give up before the answer; a 2xx that crosses is acknowledged and ended. ``Failed`` (487) follows."""
        if self.state == "ended":
            return
        if self.direction != "out" or self.state not in ("calling", "proceeding", "early"):
            raise self._wrong("cancel")
        calling = self.state == "calling"
        self.state = "ending"
        self._cancel_headers = list(headers)
        if self._exchange is not None:
            self._exchange.give_up()
        if not calling:
            self._send_cancel(now)

    def ack(self, now: float, sdp: Content = None, *, headers: Headers = ()) -> None:
        """Acknowledge a 2xx that brought an offer (``Accepted`` or ``OfferAnswered`` with ``offer``) with the
        answer."""
        if self.state == "ended":
            return
        seq = self._expect_ack_from_us
        if seq is None or self.state != "confirmed":
            raise self._wrong("ack")
        self._expect_ack_from_us = None
        self._offer = ""
        self._ack, self._ack_way = self._send_ack(seq, self.dialog, now, sdp, headers)
        self._acked_seq = seq

    def _answer_in_prack(self, sdp: Content, headers: Headers, now: float) -> None:
        pending = self._pending_answer
        if pending is None:
            raise self._wrong("answer_offer")
        self._pending_answer = None
        self._offer = ""
        self._answered_by_1xx = True
        self._remember(sdp)
        self._send_prack(pending[0], pending[1], sdp, headers, now)


class _Prack:
    """A PRACK of ours. Its failure is the INVITE's business: the other side gives up by itself."""

    __slots__ = ("_session",)

    def __init__(self, session: OutgoingSide) -> None:
        self._session = session

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """The session learns where the other side is."""

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """The INVITE will fail by itself."""
