"""Transfers: REFER both ways, Replaces, NOTIFY with status lines (RFC 3515, RFC 3891, RFC 4488, RFC 5589)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from ringback.protocols.sip.core import Core
from ringback.protocols.sip.events import ReferProgress, Referred, ReferRequest
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Body, Content, Flow, Headers
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.session_offers import Offers
from ringback.protocols.sip.transactions import ServerTransaction, Why

if TYPE_CHECKING:
    from ringback.protocols.sip.session import Session

_STATUS_LINE: Final = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: ([^\r\n]*))?")
_REFER_EXPIRES: Final = 180  # seconds that the implicit subscription is said to last


class Refers(Offers):
    """See ``Session``."""

    __slots__ = ()

    def refer(
        self,
        now: float,
        to: str,
        *,
        replaces: Session | None = None,
        referred_by: str = "",
        silent: bool = False,
        headers: Headers = (),
        body: Content = None,
    ) -> None:
        """Ask the other side to call ``to`` (a URI), taking the place of us in ``replaces`` (attended transfer, RFC
        5589). ``silent``: no NOTIFYs wanted (RFC 4488). Told by ``ReferProgress``."""
        if self.state == "ended":
            return
        if self.state != "confirmed":
            raise self._wrong("refer")
        target = to
        if replaces is not None:
            value = f"{replaces.call_id};to-tag={replaces.remote_tag};from-tag={replaces.local_tag}"
            target += ("&" if "?" in to else "?") + f"Replaces={quote(value, safe='')}"
        rows = [("Refer-To", f"<{target}>"), ("Referred-By", referred_by or self.dialog.local)]
        if silent:
            rows += [("Refer-Sub", "false"), ("Supported", "norefersub")]
        user = _Refer(self)
        exchange = self._send(user, "REFER", [*rows, *headers], body, now)
        self._refer_exchanges[exchange.cseq] = exchange

    def accept_refer(self, now: float, refer: ReferRequest, *, headers: Headers = ()) -> None:
        """202 to a ``Referred``; then report with ``refer_progress`` (nothing is sent where ``silent``)."""
        transaction = refer.transaction
        if self.state == "ended":
            self._reply(transaction, 481, now)
            return
        if not transaction.open:
            raise self._wrong("accept_refer")
        rows = [("Contact", self.dialog.contact), *headers]
        if refer.silent:
            rows.append(("Refer-Sub", "false"))
        self._reply(transaction, 202, now, headers=rows)
        if not refer.silent:
            seq = transaction.request.cseq.number
            self._refers_in[seq] = ReferNotifier(self, seq)
            self.refer_progress(now, refer, 100, "Trying")

    def refuse_refer(self, now: float, refer: ReferRequest, status: int = 603, reason: str = "") -> None:
        """Refuse a ``Referred``."""
        self._reply(refer.transaction, status, now, reason=reason)

    def refer_progress(self, now: float, refer: ReferRequest, status: int, reason: str) -> None:
        """NOTIFY the status line of the call that the REFER began; a final one (200 or more) ends the subscription."""
        seq = refer.transaction.request.cseq.number
        notifier = self._refers_in.get(seq)
        if notifier is None:
            return
        notifier.report(status, reason, now)
        if status >= 200:
            del self._refers_in[seq]

    # --- what comes in

    def _on_refer(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        refer_to = request.refer_to
        values = request.all("Refer-To")
        if refer_to is None or len(values) != 1:
            self._reply(transaction, 400, now, reason="One Refer-To is needed")
            return
        uri = refer_to.uri
        replaces = next((value for name, value in uri.headers if name.lower() == "replaces"), "")
        text = str(uri)
        if not uri.headers and "?" in text:
            replaces = next(
                (unquote(part[9:]) for part in text.partition("?")[2].split("&") if part[:9].lower() == "replaces="), ""
            )
        silent = (request.get("Refer-Sub") or "").strip().lower() == "false" or "norefersub" in request.require
        refer = ReferRequest(text.partition("?")[0], replaces, request.get("Referred-By") or "", silent, transaction)
        self._core.emit(Referred(self._public(), request, refer))

    def _on_refer_notify(self, transaction: ServerTransaction, request: Request, now: float) -> bool:
        """A NOTIFY of a REFER of ours; False where there is none that it could belong to."""
        event = request.event
        number = event.param("id") if event is not None else ""
        if number.isdigit():
            seq = int(number)
        elif self._refer_exchanges:
            seq = min(self._refer_exchanges)
        else:
            return False
        if seq not in self._refer_exchanges:
            return False
        self._reply(transaction, 200, now)
        state = request.subscription_state
        final = state is not None and not state.active and state.state == "terminated"
        found = _STATUS_LINE.search(request.body)
        status = int(found[1]) if found else 0
        reason = (found[2] or b"").decode("utf-8", "replace") if found else ""
        self._core.emit(ReferProgress(self._public(), status, reason, final))
        if final:
            self._refer_over(seq)
        return True

    def _refer_over(self, seq: int) -> None:
        self._refer_exchanges.pop(seq, None)
        if self.state == "ended" and not self._refer_exchanges:
            self._core.forget_user(self.call_id, self.local_tag)


class _Refer:
    """A REFER of ours."""

    __slots__ = ("_session",)

    def __init__(self, session: Refers) -> None:
        self._session = session

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """From the exchange."""
        if response.status < 200:
            return
        silent = (response.get("Refer-Sub") or "").strip().lower() == "false"
        self._told(exchange, response.status, response.reason, final=silent or response.status >= 300)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """From the exchange."""
        self._told(exchange, 408 if why == "timeout" else 503, "", final=True)

    def _told(self, exchange: Exchange, status: int, reason: str, *, final: bool) -> None:
        session = self._session
        seq = next((seq for seq, each in session._refer_exchanges.items() if each is exchange), None)
        if seq is None:
            return
        if seq != exchange.cseq:  # it was sent again with credentials, and NOTIFYs name the new number
            del session._refer_exchanges[seq]
            session._refer_exchanges[exchange.cseq] = exchange
        session._core.emit(ReferProgress(session._public(), status, reason, final))
        if final:
            session._refer_over(exchange.cseq)


class ReferNotifier:
    """Reports to the one who sent a REFER, one NOTIFY at a time; of those that wait only the newest is kept."""

    __slots__ = ("_busy", "_next", "_seq", "_session")

    def __init__(self, session: Refers, seq: int) -> None:
        self._session = session
        self._seq = seq
        self._busy = False
        self._next: tuple[int, str] | None = None

    def report(self, status: int, reason: str, now: float) -> None:
        """Send or keep."""
        if self._busy:
            self._next = (status, reason)
            return
        self._busy = True
        state = f"active;expires={_REFER_EXPIRES}" if status < 200 else "terminated;reason=noresource"
        rows = [("Event", f"refer;id={self._seq}"), ("Subscription-State", state)]
        body = Body("message/sipfrag;version=2.0", f"SIP/2.0 {status} {reason}\r\n".encode())
        self._session._send(self, "NOTIFY", rows, body, now)

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """From the exchange."""
        if response.status >= 200:
            self._advance(now)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """From the exchange."""
        self._next = None

    def _advance(self, now: float) -> None:
        self._busy = False
        waiting = self._next
        self._next = None
        if waiting is not None:
            self.report(waiting[0], waiting[1], now)


__all__ = ["Core", "ReferNotifier", "Refers"]
