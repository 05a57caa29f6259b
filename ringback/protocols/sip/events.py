"""What an agent tells the one who drives it, in the order in which it happened.

Events are msgspec structs (frozen, made in about 100 ns); match them by class. ``sdp`` is the session description of
the message as bytes, None where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from ringback.protocols.sip.agent import Handle
    from ringback.protocols.sip.flows import Flow, Target
    from ringback.protocols.sip.message import Request, Response
    from ringback.protocols.sip.registration import Registration
    from ringback.protocols.sip.session import Session
    from ringback.protocols.sip.subscription import Notifier, Subscription
    from ringback.protocols.sip.transactions import ServerTransaction
    from ringback.rules.reasons import Reason

OfferHow = Literal["INVITE", "UPDATE", "PRACK"]
EndedBy = Literal["us", "them", "timer", "failure"]
"""``timer``: the session was not refreshed (RFC 4028) or a 2xx never acknowledged; ``failure``: the dialog is gone at
the other side (408, 481) or could not be reached."""


class SipEvent(Struct, frozen=True):
    """What all events are."""


# --- outside of dialogs


class RequestArrived(SipEvent, frozen=True):
    """A request outside of dialogs (REGISTER, OPTIONS, MESSAGE, REFER, NOTIFY without a subscription, PUBLISH, ...).
    Answer with ``agent.respond(transaction, ...)`` within 64 T1 or the transaction answers 500 by itself."""

    transaction: ServerTransaction
    request: Request
    flow: Flow


class Answered(SipEvent, frozen=True):
    """The final response to ``agent.send_request`` (challenges that could be answered, redirects excepted, are not
    told)."""

    handle: Handle
    response: Response
    flow: Flow


class Unanswered(SipEvent, frozen=True):
    """No final response came (``why`` "timeout"), or nothing could be sent to any target ("unreachable")."""

    handle: Handle
    why: Literal["timeout", "unreachable"]


# --- sessions, before they are answered


class Invited(SipEvent, frozen=True):
    """An INVITE began a session. 100 was sent already over UDP. ``sdp`` None: a delayed offer, we offer in the answer.
    ``replaces``: the session that a Replaces header field names (found by dialog id, checked per RFC 3891 section 3);
    ``joins``: the same for Join (RFC 3911)."""

    session: Session
    request: Request
    flow: Flow
    sdp: bytes | None
    replaces: Session | None = None
    joins: Session | None = None


class Progressed(SipEvent, frozen=True):
    """A provisional response other than 100. ``early``: the remote tag, which tells forked early dialogs apart, ``""``
    without. ``offer``: ``sdp`` is an offer (delayed offer with 100rel): call ``answer_offer``, which goes into the
    PRACK."""

    session: Session
    response: Response
    sdp: bytes | None
    early: str = ""
    offer: bool = False


class Accepted(SipEvent, frozen=True):
    """A 2xx came. ``offer``: ``sdp`` is an offer (we sent none): call ``session.ack(sdp)`` with the answer.
    Otherwise the ACK was sent already and ``sdp`` is the answer, None where an earlier reliable response had it."""

    session: Session
    response: Response
    sdp: bytes | None
    early: str = ""
    offer: bool = False


class Acked(SipEvent, frozen=True):
    """The ACK to our 2xx of the first INVITE came. ``sdp``: the answer to our offer (delayed offer), else None."""

    session: Session
    sdp: bytes | None


class Failed(SipEvent, frozen=True):
    """The INVITE that we sent was refused or never answered (408), or can't be sent (503); ``response`` None: we know
    by ourselves. Redirects (3xx) too: ``response.contacts`` says where, and ``session.retry`` is up to the
    application."""

    session: Session
    status: int
    reason: str
    response: Response | None


class Cancelled(SipEvent, frozen=True):
    """The caller gave up before we answered; 487 was sent. ``reason``: the Reason header field, ``""`` without."""

    session: Session
    reason: str


# --- sessions, while they are up


class OfferArrived(SipEvent, frozen=True):
    """Answer with ``answer_offer`` or ``refuse_offer``. ``sdp`` None: a re-INVITE without offer; what ``answer_offer``
    is given is then an offer, and the answer comes as ``OfferAnswered``."""

    session: Session
    request: Request
    sdp: bytes | None
    how: OfferHow


class OfferAnswered(SipEvent, frozen=True):
    """The answer to our offer (``reinvite``, ``update``, or one given in a reliable provisional response).
    ``offer``: after ``reinvite(None)`` the other side offers: call ``session.ack(sdp)``."""

    session: Session
    response: Response | None
    sdp: bytes | None
    offer: bool = False


class OfferRefused(SipEvent, frozen=True):
    """Our offer was refused; what was agreed before stays. 491 is retried by the agent itself (RFC 3261 section 14.1)
    and told only after the last attempt."""

    session: Session
    status: int
    reason: str
    response: Response | None


class Referred(SipEvent, frozen=True):
    """A REFER in the session. Answer with ``accept_refer`` or ``refuse_refer``."""

    session: Session
    request: Request
    refer: ReferRequest


class ReferRequest(Struct, frozen=True):
    """``target``: the Refer-To value; ``replaces``: its Replaces header, unescaped, else ``""``; ``referred_by``: the
    Referred-By value; ``silent``: the sender wants no subscription (norefersub RFC 4488, ``Refer-Sub: false``).
    ``transaction`` and ``notifier`` belong to the agent."""

    target: str
    replaces: str
    referred_by: str
    silent: bool
    transaction: ServerTransaction


class ReferProgress(SipEvent, frozen=True):
    """How a REFER that we sent fares: the status of its own response (202, 4xx ...) with ``final`` False or, refused,
    True; then the status lines of the NOTIFYs (message/sipfrag), ``final`` when the subscription ended."""

    session: Session
    status: int
    reason: str
    final: bool


class InfoArrived(SipEvent, frozen=True):
    """INFO; 200 was sent. ``content_type`` ``""`` without a body."""

    session: Session
    request: Request
    content_type: str
    body: bytes


class InDialogRequest(SipEvent, frozen=True):
    """Another request in a session (MESSAGE, NOTIFY without a subscription of ours, PUBLISH, ...):
    ``agent.respond``."""

    session: Session
    transaction: ServerTransaction
    request: Request


class RequestAnswered(SipEvent, frozen=True):
    """The final response to a request sent with ``session.send_request`` or ``session.info``."""

    session: Session
    method: str
    response: Response | None
    status: int


class Ended(SipEvent, frozen=True):
    """The session is over, once for each session that was answered. ``reason``: the Reason header field of a BYE, or
    why it failed. ``request``: the BYE (call quality header fields), where there was one."""

    session: Session
    by: EndedBy
    reason: str
    request: Request | None = None


class QualityTold(SipEvent, frozen=True):
    """The other side told the call's quality in its answer to our BYE (header fields as in a BYE)."""

    session: Session
    response: Response


# --- subscriptions


class SubscribeArrived(SipEvent, frozen=True):
    """Somebody wants notifications: ``notifier.accept(...)`` or ``notifier.refuse(...)``."""

    notifier: Notifier
    request: Request
    flow: Flow


class NotifierEnded(SipEvent, frozen=True):
    """A subscription to us is over: ended by its subscriber, expired, or its NOTIFY was refused."""

    notifier: Notifier
    why: Literal["unsubscribed", "expired", "refused", "timeout"]


class NotifierRefreshed(SipEvent, frozen=True):
    """A subscriber refreshed; the agent has answered 200, the application sends the full state with ``notify``."""

    notifier: Notifier
    request: Request


class Notified(SipEvent, frozen=True):
    """A NOTIFY of a subscription of ours; 200 was sent. ``state``: active, pending or terminated with its
    parameters."""

    subscription: Subscription
    request: Request
    content_type: str
    body: bytes
    state: str


class SubscriptionChanged(SipEvent, frozen=True):
    """A subscription of ours: "pending", "active", or "ended" with the status or the reason of the notifier. One that
    ended for a while (probation, giveup with retry-after) is told with ``retry_after`` in seconds."""

    subscription: Subscription
    state: Literal["pending", "active", "ended"]
    status: int
    reason: str
    retry_after: float | None = None


# --- registrations


class RegistrationChanged(SipEvent, frozen=True):
    """A registration of ours has a new state: ``registration.state`` with its ``reasons``."""

    registration: Registration
    state: str
    reasons: tuple[Reason, ...]


class FlowWanted(SipEvent, frozen=True):
    """A registration needs a flow to ``target``. ``SipNode`` opens it and never shows this event to the application."""

    registration: Registration
    target: Target


Event = SipEvent
