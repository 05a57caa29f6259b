"""What a user agent is told once: its name, abilities, durations and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ringback.protocols.sip.digest import Credentials
from ringback.protocols.sip.flows import Transport
from ringback.protocols.sip.timers import Durations

METHODS: Final = (
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO",
    "REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "REGISTER", "PUBLISH",
)  # fmt: skip
EXTENSIONS: Final = ("100rel", "timer", "replaces", "join", "norefersub", "outbound", "path", "gruu", "tdialog")


Credential = Credentials
"""With what challenges are answered; ``realm`` empty: any realm."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """A user agent's settings.

    ``product``: User-Agent of requests, Server of responses. ``addresses``: the host and port that Via and Contact name
    for a transport where the flow itself does not tell (a socket bound to all addresses, a target not yet connected).
    ``allow`` and ``supported``: what is advertised; a Require outside of ``supported`` gets 420. ``allow_events``:
    event packages. ``session_expires``: seconds offered for session timers (RFC 4028), 0: none; ``min_se``: the least
    accepted. ``refresher``: who shall refresh the sessions that we begin: "" leaves it to the other side. ``reliable``:
    when our provisional responses are sent reliably (RFC 3262): "asked": where the other side requires it or the
    application asks and the other side supports it. ``session_id``: keep Session-ID (RFC 7989). ``answer_options``:
    answer OPTIONS outside of dialogs statelessly by ourselves. ``forwards``: requests go on from here (a back-to-back
    agent), so one whose Max-Forwards is 0 gets 483. ``max_sessions``: more INVITEs get 503.
    """

    product: str = "Ringback"
    addresses: Mapping[Transport, tuple[str, int]] = field(default_factory=dict)
    contact_user: str = ""
    allow: tuple[str, ...] = METHODS
    supported: tuple[str, ...] = EXTENSIONS
    allow_events: tuple[str, ...] = ()
    accept: tuple[str, ...] = ("application/sdp", "multipart/mixed")
    session_expires: int = 1800
    min_se: int = 90
    refresher: str = ""
    reliable: str = "asked"
    session_id: bool = True
    answer_options: bool = True
    max_forwards: int = 70
    forwards: bool = False
    max_sessions: int = 20_000
    max_transactions: int = 100_000
    credentials: tuple[Credential, ...] = ()
    durations: Durations = field(default_factory=Durations)
