"""A session: an INVITE dialog with its offers and answers, from either side (RFC 3261 sections 12 to 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ringback.protocols.sip.errors import SipError

if TYPE_CHECKING:
    from ringback.protocols.sip.events import ReferRequest
    from ringback.protocols.sip.flows import Content, Flow, Headers
    from ringback.protocols.sip.message import Request
    from ringback.protocols.sip.subscription import Subscription

SessionState = Literal[
    "calling", "proceeding", "early", "incoming", "ringing", "answered", "confirmed", "ending", "ended"
]
"""Out: calling (nothing heard), proceeding (100), early (a tagged 1xx), confirmed. In: incoming, ringing (a 1xx was sent),
answered (2xx sent, no ACK yet), confirmed. Both: ending (BYE or CANCEL under way), ended."""


class WrongState(SipError, RuntimeError):
    """An action that the session can't do now; the message says the state. The session is unchanged."""


class Session:
    """One call leg. Made by ``Agent.invite`` or told by ``Invited``; every action takes ``now`` in seconds.

    Attributes to read: ``id`` (unique in this agent), ``direction`` ("out", "in"), ``state``, ``call_id``, ``local_tag``,
    ``remote_tag``, ``local_uri`` and ``remote_uri`` (From/To values without tags, as text), ``remote_target`` (Contact URI of
    the other side), ``request`` (the first INVITE), ``flow`` (over which the other side was last heard, or None),
    ``secure`` (sips, or all our hops are TLS), ``remote_allow`` and ``remote_supported`` (tuples of texts), ``remote_product``,
    ``local_uuid`` and ``remote_uuid`` (RFC 7989; a back-to-back agent may set ``local_uuid`` of one leg to the
    ``remote_uuid`` of the other before it sends). ``owner`` belongs to the application.

    ``headers`` arguments are further header fields; ``sdp`` arguments are bytes (application/sdp) or a ``Body``.
    All actions raise WrongState where they don't fit.
    """

    __slots__ = ()

    # --- the side that is called

    def ring(
        self, now: float, status: int = 180, sdp: Content = None, *, reliable: bool | None = None,
        headers: Headers = (), reason: str = "",
    ) -> None:  # fmt: skip
        """Send a provisional response (101 to 199), with early media where ``sdp`` is given. ``reliable`` None: as the
        settings and the other side want it (RFC 3262)."""
        raise NotImplementedError

    def answer(self, now: float, sdp: Content = None, *, headers: Headers = ()) -> None:
        """Send 200. ``sdp``: the answer, or our offer where the INVITE had none (the answer comes with ``Acked``)."""
        raise NotImplementedError

    def reject(self, now: float, status: int, reason: str = "", *, headers: Headers = (), body: Content = None) -> None:
        """Refuse with 4xx to 6xx; ends the session without an event."""
        raise NotImplementedError

    def redirect(self, now: float, contacts: tuple[str, ...], status: int = 302, *, headers: Headers = ()) -> None:
        """Refuse and say where else to try (Contact values)."""
        raise NotImplementedError

    # --- the side that calls

    def cancel(self, now: float, *, headers: Headers = ()) -> None:
        """Give up before the answer; a 2xx that crosses is acknowledged and ended. ``Failed`` (487) follows."""
        raise NotImplementedError

    def ack(self, now: float, sdp: Content = None, *, headers: Headers = ()) -> None:
        """Acknowledge a 2xx that brought an offer (``Accepted`` or ``OfferAnswered`` with ``offer``) with the answer."""
        raise NotImplementedError

    # --- both, while the session lasts

    def reinvite(self, now: float, sdp: Content, *, headers: Headers = ()) -> None:
        """Offer anew, or with None ask the other side to offer. Glare is retried (491)."""
        raise NotImplementedError

    def update(self, now: float, sdp: Content = None, *, headers: Headers = ()) -> None:
        """UPDATE (RFC 3311), with or without an offer; works before the answer too once the dialog is early."""
        raise NotImplementedError

    def answer_offer(self, now: float, sdp: Content, *, headers: Headers = ()) -> None:
        """Accept ``OfferArrived`` (or a ``Progressed`` with offer) with an answer."""
        raise NotImplementedError

    def refuse_offer(self, now: float, status: int = 488, reason: str = "", *, headers: Headers = ()) -> None:
        """Refuse ``OfferArrived``; what was agreed before stays."""
        raise NotImplementedError

    def refer(
        self, now: float, to: str, *, replaces: Session | None = None, referred_by: str = "", silent: bool = False,
        headers: Headers = (), body: Content = None,
    ) -> None:  # fmt: skip
        """Ask the other side to call ``to`` (a URI), taking the place of us in ``replaces`` (attended transfer, RFC 5589).
        ``silent``: no NOTIFYs wanted (RFC 4488). Told by ``ReferProgress``."""
        raise NotImplementedError

    def accept_refer(self, now: float, refer: ReferRequest, *, headers: Headers = ()) -> None:
        """202 to a ``Referred``; then report with ``refer_progress`` (nothing is sent where ``silent``)."""
        raise NotImplementedError

    def refuse_refer(self, now: float, refer: ReferRequest, status: int = 603, reason: str = "") -> None:
        """Refuse a ``Referred``."""
        raise NotImplementedError

    def refer_progress(self, now: float, refer: ReferRequest, status: int, reason: str) -> None:
        """NOTIFY the status line of the call that the REFER began; a final one (200 or more) ends the subscription."""
        raise NotImplementedError

    def info(self, now: float, content_type: str, body: bytes, *, headers: Headers = ()) -> None:
        """Send INFO; told by ``RequestAnswered``."""
        raise NotImplementedError

    def notify(self, now: float, event: str, body: Content, state: str = "active", *, headers: Headers = ()) -> None:
        """Send NOTIFY in this dialog without a subscription of its own (what Cisco devices expect)."""
        raise NotImplementedError

    def send_request(self, now: float, method: str, *, headers: Headers = (), body: Content = None) -> None:
        """Send any other request in this dialog; told by ``RequestAnswered``."""
        raise NotImplementedError

    def subscribe(
        self, now: float, event: str, expires: int, *, headers: Headers = (), body: Content = None
    ) -> Subscription:
        """Subscribe inside of this dialog (kpml)."""
        raise NotImplementedError

    def bye(self, now: float, *, headers: Headers = (), body: Content = None) -> None:
        """End an answered session; ``Ended`` by "us" follows at once. Before the ACK came, the BYE waits for it."""
        raise NotImplementedError

    def end(self, now: float, *, status: int = 603, headers: Headers = ()) -> None:
        """End in whatever way the state asks for: reject, CANCEL or BYE; an ended one stays ended. Never raises."""
        raise NotImplementedError
