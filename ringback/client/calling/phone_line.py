"""What calls need of the line that they go out on, and how numbers look in SIP."""

from __future__ import annotations

from typing import Protocol

from ringback.client.calling.media import CallMedia
from ringback.client.edge import EdgeWay
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.flows import Flow
from ringback.protocols.sip.uri import Uri
from ringback.rules.reasons import Reason


class PhoneLine(Protocol):
    """Where calls go out."""

    @property
    def agent(self) -> Agent:
        """The SIP core."""

    @property
    def flow(self) -> Flow | None:
        """The connection over which we are registered; None where we are not."""

    @property
    def number(self) -> str:
        """Our directory number."""

    @property
    def domain(self) -> str:
        """The domain of the cluster."""

    @property
    def server(self) -> str:
        """The call manager of now, for showing."""

    @property
    def device(self) -> str:
        """Our device name."""

    @property
    def display(self) -> str:
        """Our name."""

    @property
    def route(self) -> tuple[str, ...]:
        """What requests outside of a dialog carry as Route."""

    @property
    def way(self) -> EdgeWay | None:
        """The edge through which we are registered; None: directly."""

    @property
    def why_not(self) -> Reason:
        """Why nobody can be called now, where we are not registered."""

    def now(self) -> float:
        """The clock of the SIP core."""

    def media(self) -> CallMedia:
        """The media of a new call. Raises CallError where none can be had."""


def sip_uri(number: str, domain: str) -> str:
    """The SIP URI of a number of the domain, or of an address (RFC 3261 section 25.1 for what must be escaped)."""
    user, at, host = number.rpartition("@")
    return str(Uri("sip", user, host.lower()) if at else Uri("sip", number, domain))
