"""Offers while a session lasts: re-INVITE, UPDATE, glare, refreshing (RFC 3261 section 14, RFC 3311, RFC 4028, RFC
6141)."""

from __future__ import annotations

from typing import Final

from ringback.protocols.sip.events import OfferAnswered, OfferArrived, OfferRefused
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Content, Flow, Headers
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.session_in import IncomingSide
from ringback.protocols.sip.transactions import ServerTransaction, Why

_GLARE_TRIES: Final = 5


class Offers(IncomingSide):
    """See ``Session``."""

    __slots__ = ()

    # --- actions

    def reinvite(self, now: float, sdp: Content, *, headers: Headers = ()) -> None:
        """Offer anew, or with None ask the other side to offer. Glare is retried (491)."""
        if self.state == "ended":
            return
        if self.state != "confirmed" or self._busy():
            raise self._wrong("reinvite" if self.state != "confirmed" else "a second offer")
        self._reoffer("INVITE", sdp, list(headers), now)

    def update(self, now: float, sdp: Content = None, *, headers: Headers = ()) -> None:
        """UPDATE (RFC 3311), with or without an offer; works before the answer too once the dialog is early."""
        if self.state == "ended":
            return
        if self.state not in ("confirmed", "early", "ringing") or not self.dialog.remote_tag:
            raise self._wrong("update")
        if sdp is not None and self._busy():
            raise self._wrong("a second offer")
        self._reoffer("UPDATE", sdp, list(headers), now)

    def answer_offer(self, now: float, sdp: Content, *, headers: Headers = ()) -> None:
        """Accept ``OfferArrived`` (or a ``Progressed`` with offer) with an answer."""
        if self.state == "ended":
            return
        if self._pending_answer is not None:
            self._answer_in_prack(sdp, headers, now)
            return
        transaction = self._open_offer("answer_offer")
        self._offer_transaction = None
        request = transaction.request
        offered = self._sdp(request) is None
        self._offer = "sent" if offered and sdp is not None else ""
        self._remember(sdp)
        if request.method == "PRACK":
            self._settled = True
            self._reply(transaction, 200, now, headers=headers, content=sdp)
            self._send_queued(now)
            return
        rows = [("Contact", self.dialog.contact), *self._core.abilities]
        if self.state in ("confirmed", "answered"):
            rows += self._timer.answer_headers(request)
            self._arm_session_timer(now)
        rows += [*self._core.server, *self._session_id(), *headers]
        if request.method == "INVITE":
            self._succeed(transaction, rows, sdp, now, offered=offered and sdp is not None)
        else:
            self._reply(transaction, 200, now, headers=[row for row in rows if row[0] not in _REPLIED], content=sdp)

    def refuse_offer(self, now: float, status: int = 488, reason: str = "", *, headers: Headers = ()) -> None:
        """Refuse ``OfferArrived``; what was agreed before stays."""
        if self.state == "ended":
            return
        transaction = self._open_offer("refuse_offer")
        self._offer_transaction = None
        self._offer = ""
        self._reply(transaction, status, now, reason=reason, headers=headers)
        self._send_queued(now)

    def _open_offer(self, action: str) -> ServerTransaction:
        transaction = self._offer_transaction
        if transaction is None or not transaction.open:
            raise self._wrong(action)
        return transaction

    # --- ours

    def _busy(self) -> bool:
        """Whether an offer of either side is open, or a re-INVITE not yet acknowledged."""
        return (
            self._offer != ""
            or self._offer_exchange is not None
            or self._offer_transaction is not None
            or (self._ack_wait is not None and self._ack_wait.transaction is not self._transaction)
        )

    def _reoffer(
        self, method: str, sdp: Content, rows: list[tuple[str, str]], now: float, *, silent: bool = False
    ) -> None:
        timers = self._core.timers
        timers.cancel(self._glare)
        self._glare = None
        if self.state == "confirmed":
            rows = [*self._timer.request_headers(first=False), *rows]
        user = _Offer(self, sdp, rows, silent=silent)
        if sdp is not None:
            self._offer = "sent"
        exchange = self._send(user, method, rows, sdp, now)
        if method == "INVITE" or sdp is not None:
            self._offer_exchange = exchange

    def _on_offer_response(self, user: _Offer, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        status = response.status
        if status < 200 or self.state in ("ended", "ending"):
            if self.state == "ended" and exchange.method == "INVITE" and 200 <= status < 300:
                self._send_ack(exchange.cseq, self.dialog, now)
            return
        if 200 <= status < 300:
            self._on_offer_success(user, exchange, response, flow, now)
            return
        if self._offer_exchange is exchange:
            self._offer_exchange = None
            self._offer = ""
        if status == 491 and user.tries < _GLARE_TRIES:
            self._retry_later(user, exchange.method, now)
        elif status == 422 and self._timer.take_too_small(response):
            self._reoffer(exchange.method, user.sdp, user.plain, now, silent=user.silent)
        elif status in (408, 481) and self.state == "confirmed":
            self._end("failure", f'SIP;cause={status};text="{response.reason}"', now, bye=True)
        elif not user.silent:
            self._core.emit(OfferRefused(self._public(), status, response.reason, response))

    def _on_offer_success(self, user: _Offer, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        seq = exchange.cseq
        if exchange.method == "INVITE" and self._acked_seq == seq and self._ack_way is not None:
            self._repeat_ack()
            return
        if self._expect_ack_from_us == seq:
            return
        self._learn(response, flow)
        self.dialog.learn_target(response)
        sdp = self._sdp(response)
        asked = user.sdp is None
        if self._offer_exchange is exchange:
            self._offer_exchange = None
            self._offer = ""
        self._remember(user.sdp)
        if self.state == "confirmed":
            self._timer.take_answer(response)
            self._arm_session_timer(now)
        offer = False
        if exchange.method == "INVITE":
            offer = asked and sdp is not None
            if offer:
                self._offer = "received"
                self._expect_ack_from_us = seq
            else:
                self._ack, self._ack_way = self._send_ack(seq, self.dialog, now)
                self._acked_seq = seq
        if not user.silent:
            self._core.emit(OfferAnswered(self._public(), response, sdp, offer))

    def _on_offer_failure(self, user: _Offer, exchange: Exchange, why: Why, now: float) -> None:
        if self.state in ("ended", "ending"):
            return
        if self._offer_exchange is exchange:
            self._offer_exchange = None
            self._offer = ""
        if self.state == "confirmed" and why == "timeout":
            self._end("failure", f'SIP;cause=408;text="No answer to {exchange.method}"', now, bye=True)
        elif not user.silent:
            self._core.emit(OfferRefused(self._public(), 408 if why == "timeout" else 503, "", None))
        elif self.state == "confirmed":
            # no way there just now, which ends no call (RFC 5057 section 5.1)
            self._timer.arm_again(self._core.timers, now, self._on_refresh_due, self._on_expired)

    def _retry_later(self, user: _Offer, method: str, now: float) -> None:
        """Glare: who chose the Call-ID waits 2.1 to 4 s, the other up to 2 s, by chance (RFC 3261 section 14.1)."""
        chance = int(self._core.tokens()[:4], 16) / 0xFFFF
        wait = 2.1 + 1.9 * chance if self.direction == "out" else 2.0 * chance

        def again(at: float) -> None:
            self._glare = None
            if self.state not in ("confirmed", "early", "ringing"):
                return
            if self._busy():
                self._glare = self._core.timers.at(at + 1.0, again)
                return
            self._reoffer(method, user.sdp, user.plain, at, silent=user.silent)
            newer = self._offer_exchange
            if newer is not None and isinstance(newer.user, _Offer):
                newer.user.tries = user.tries + 1

        self._glare = self._core.timers.at(now + wait, again)

    # --- theirs

    def _on_reinvite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if self.state == "ended":
            self._reply(transaction, 481, now)
        elif self._offer_exchange is not None or self._offer == "sent":
            self._reply(transaction, 491, now)
        elif self._offer_transaction is not None or self.state != "confirmed":
            # The ACK to our own 2xx may still be under way (RFC 3261 section 14.2)
            self._reply(transaction, 500, now, headers=[("Retry-After", "1")])
        elif self._timer.too_small(request):
            self._reply(transaction, 422, now, headers=[("Min-SE", str(self._core.settings.min_se))])
        else:
            self.dialog.learn_target(request)
            sdp = self._sdp(request)
            self._offer = "received" if sdp is not None else ""
            self._offer_transaction = transaction
            self._core.emit(OfferArrived(self._public(), request, sdp, "INVITE"))

    def _on_update(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        sdp = self._sdp(request)
        if self._timer.too_small(request):
            self._reply(transaction, 422, now, headers=[("Min-SE", str(self._core.settings.min_se))])
        elif sdp is None:
            self.dialog.learn_target(request)
            rows = [("Contact", self.dialog.contact), *self._core.abilities]
            if self.state == "confirmed":
                rows += self._timer.answer_headers(request)
                self._arm_session_timer(now)
            self._reply(transaction, 200, now, headers=rows)
        elif self._offer == "sent" or self._offer_exchange is not None:
            self._reply(transaction, 491, now)
        elif self._offer == "received" or self._offer_transaction is not None:
            self._reply(transaction, 500, now, headers=[("Retry-After", "1")])
        else:
            self.dialog.learn_target(request)
            self._offer = "received"
            self._offer_transaction = transaction
            self._core.emit(OfferArrived(self._public(), request, sdp, "UPDATE"))

    # --- refreshing

    def _arm_session_timer(self, now: float) -> None:
        self._timer.arm(self._core.timers, now, self._on_refresh_due, self._on_expired)

    def _on_refresh_due(self, now: float) -> None:
        """UPDATE where the other side knows it, else a re-INVITE with what was said last (RFC 4028 section 7.4)."""
        if self.state != "confirmed":
            return
        if self._busy() or self._glare is not None:
            self._timer.arm_at(self._core.timers, now + 2.0, self._on_refresh_due)
            return
        if "UPDATE" in self.remote_allow:
            self._reoffer("UPDATE", None, [], now, silent=True)
        else:
            self._reoffer("INVITE", self._last_sdp, [], now, silent=True)

    def _on_expired(self, now: float) -> None:
        if self.state != "ended":
            self._end("timer", 'SIP;cause=408;text="Session timer expired"', now, bye=True)


_REPLIED: Final = frozenset({"Server", "Session-ID"})


class _Offer:
    """A re-INVITE or UPDATE of ours."""

    __slots__ = ("_session", "plain", "sdp", "silent", "tries")

    def __init__(self, session: Offers, sdp: Content, rows: list[tuple[str, str]], *, silent: bool) -> None:
        self._session = session
        self.sdp = sdp
        self.plain = [row for row in rows if row[0] not in ("Session-Expires", "Min-SE")]
        self.silent = silent
        self.tries = 0

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """From the exchange."""
        self._session._on_offer_response(self, exchange, response, flow, now)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """From the exchange."""
        self._session._on_offer_failure(self, exchange, why, now)
