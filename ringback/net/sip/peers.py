"""Flows as the driver makes them: each knows what its bytes are sent with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.protocols.sip.flows import Flow

if TYPE_CHECKING:
    from ringback.net.sip.datagrams import DatagramEndpoint
    from ringback.net.sip.streams import StreamConnection


class DatagramFlow(Flow):
    """A UDP peer as seen from one socket."""

    __slots__ = ("asked", "endpoint", "peer")

    endpoint: DatagramEndpoint
    peer: tuple[str, int]
    asked: bool
    """Whether we sent it a request: what comes back is no stranger's."""


class StreamFlow(Flow):
    """A connection as the agent sees it."""

    __slots__ = ("connection",)

    connection: StreamConnection
