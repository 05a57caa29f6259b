"""The user agent core: transactions, dialogs, sessions, subscriptions; no socket, no loop, no clock.

Five verbs: ``receive``, ``data_to_send``, ``next_deadline``, ``handle_timer``, ``next_event``. ``ringback.net.sip`` drives it.

What is cheap (for a registrar or a back-to-back agent): ``gate`` refuses a request statelessly, without a transaction, for the
price of a parse and a response, so challenge there; header values that are passed as text and never asked for as types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringback.protocols.sip.flows import Content, Flow, Headers, Outgoing, Target, Way
from ringback.protocols.sip.settings import AgentSettings, Credential

if TYPE_CHECKING:
    from ringback.protocols.sip.events import Event
    from ringback.protocols.sip.message import Request, Response
    from ringback.protocols.sip.registration import Registration, RegistrationSettings
    from ringback.protocols.sip.session import Session
    from ringback.protocols.sip.subscription import Subscription
    from ringback.protocols.sip.transactions import ServerTransaction


class Handle:
    """A request under way, from ``Agent.send_request``; ``owner`` belongs to the application, ``method`` is its method."""

    __slots__ = ("method", "owner")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a ``gate`` answers: a final status with header fields (WWW-Authenticate, Retry-After, Warning)."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()


Gate = Callable[["Request", Flow, float], "Refusal | None"]


class Agent:
    """A SIP user agent for any number of sessions.

    ``gate``: called for every new request that begins something (outside of dialogs, except ACK and CANCEL) before any
    state is made; a Refusal is sent statelessly. ``sessions``: all that are not over, by id. ``addresses``: see settings;
    the driver fills in what it has bound.
    """

    gate: Gate | None
    addresses: dict[str, tuple[str, int]]

    def __init__(self, settings: AgentSettings, tokens: Callable[[], str] | None = None) -> None:
        """``tokens`` gives unguessable texts of 16 hexadecimal digits for tags, branches and Call-IDs."""
        raise NotImplementedError

    # --- the five verbs, and what goes wrong outside

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that the driver read."""

    def data_to_send(self) -> list[Outgoing]:
        """What has to be sent, in order; each is given once."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` must be called next."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        """Let what is due happen."""

    def next_event(self) -> Event | None:
        """The oldest event not yet given, or None."""
        raise NotImplementedError

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection is gone."""

    def send_failed(self, outgoing: Outgoing, now: float) -> None:
        """``outgoing`` could not be sent: no connection, or the name has no address."""

    # --- requests outside of dialogs

    def send_request(
        self, now: float, method: str, uri: str, ways: Way | Sequence[Way], *, from_: str, to: str = "",
        headers: Headers = (), body: Content = None, credentials: tuple[Credential, ...] | None = None,
        call_id: str = "", cseq: int = 0, from_tag: str = "",
    ) -> Handle:  # fmt: skip
        """Send a request; challenges are answered with ``credentials`` (None: those of the settings) and the next of
        ``ways`` is tried after 503, a time-out or a failed connection (RFC 3263 section 4.3).
        ``from_`` and ``to`` are header values without tags (``to`` ``""``: the URI); Contact is among ``headers`` where
        wanted (``contact``)."""
        raise NotImplementedError

    def respond(
        self, now: float, transaction: ServerTransaction, status: int, reason: str = "", *, headers: Headers = (),
        body: Content = None,
    ) -> None:  # fmt: skip
        """Answer a ``RequestArrived`` or ``InDialogRequest``. A second final response changes nothing."""

    def contact(self, way: Way, user: str = "", params: str = "") -> str:
        """A Contact value (``<sip:user@host:port;transport=tcp>``) by which we can be reached over ``way``."""
        raise NotImplementedError

    # --- sessions

    def invite(
        self, now: float, uri: str, ways: Way | Sequence[Way], *, from_: str, to: str = "", sdp: Content = None,
        headers: Headers = (), credentials: tuple[Credential, ...] | None = None, route: tuple[str, ...] = (),
        contact: str = "", call_id: str = "", replaces: str = "", local_uuid: str = "", remote_uuid: str = "",
        owner: object = None,
    ) -> Session:  # fmt: skip
        """Call somebody. ``sdp`` None: delayed offer. ``route``: Route values to begin with (service route, proxy).
        ``contact``: a Contact value (``""``: made). ``replaces``: a Replaces value. ``local_uuid``/``remote_uuid``: see Session."""
        raise NotImplementedError

    @property
    def sessions(self) -> Mapping[str, Session]:
        """Sessions that are not over, by id."""
        raise NotImplementedError

    def find_session(self, call_id: str, local_tag: str, remote_tag: str) -> Session | None:
        """By dialog id, from our viewpoint."""
        raise NotImplementedError

    # --- subscriptions and registrations

    def subscribe(
        self, now: float, uri: str, ways: Way | Sequence[Way], *, event: str, from_: str, to: str = "", expires: int = 3600,
        headers: Headers = (), body: Content = None, credentials: tuple[Credential, ...] | None = None,
        route: tuple[str, ...] = (), contact: str = "", owner: object = None,
    ) -> Subscription:  # fmt: skip
        """Subscribe (RFC 6665) and keep it refreshed."""
        raise NotImplementedError

    def register(self, settings: RegistrationSettings) -> Registration:
        """A registration, not yet started."""
        raise NotImplementedError


__all__ = ["Agent", "AgentSettings", "Credential", "Handle", "Refusal", "Target"]
