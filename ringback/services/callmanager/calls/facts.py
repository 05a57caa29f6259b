"""What call control tells about calls and registrations: facts as values, written down by the storage.

Times are Unix seconds (wall clock): they leave the node. The wanted columns are those of the CDR and CMR files
(``docs/interfaces/calls.md``); who writes records adds what is constant (node ids, cluster, keys).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from msgspec import Struct


class Cause(IntEnum):
    """Why a side of a call ended: the causes of ITU-T Q.850, and the two that real call managers add."""

    NO_ERROR = 0
    UNALLOCATED_NUMBER = 1
    NO_ROUTE = 3
    NORMAL_CLEARING = 16
    USER_BUSY = 17
    NO_USER_RESPONDING = 18
    NO_ANSWER = 19
    SUBSCRIBER_ABSENT = 20
    CALL_REJECTED = 21
    NUMBER_CHANGED = 22
    EXCHANGE_ROUTING_ERROR = 25
    DESTINATION_OUT_OF_ORDER = 27
    INVALID_NUMBER_FORMAT = 28
    NORMAL_UNSPECIFIED = 31
    NO_CIRCUIT = 34
    NETWORK_OUT_OF_ORDER = 38
    TEMPORARY_FAILURE = 41
    SWITCHING_CONGESTION = 42
    RESOURCE_UNAVAILABLE = 47
    BEARER_NOT_AUTHORISED = 57
    BEARER_NOT_IMPLEMENTED = 65
    INCOMPATIBLE_DESTINATION = 88
    RECOVERY_ON_TIMER_EXPIRY = 102
    PROTOCOL_ERROR = 111
    INTERWORKING = 127
    CALL_SPLIT = 393216  # a transfer or park took this side elsewhere
    CONFERENCE_FULL = 262144


class RedirectReason(IntEnum):
    """Why a call went to another number than the one dialled (columns ``...RedirectReason``)."""

    NONE = 0
    BUSY = 1
    NO_ANSWER = 2
    TRANSFER = 4
    PICKUP = 5
    UNREGISTERED = 6
    PARK = 7
    PARK_PICKUP = 8
    PARK_REVERSION = 11
    ALL = 15
    DIVERT = 50
    IMMEDIATE = 14
    MOVE = 303
    CONFERENCE = 98


class OnBehalfOf(IntEnum):
    """Which part of call control acted (columns ``...OnBehalfOf``)."""

    NONE = 0
    PARK = 3
    CONFERENCE = 4
    FORWARD = 5
    HOLD = 8
    TRANSFER = 10
    DEVICE = 12
    PICKUP = 16
    IMMEDIATE_DIVERT = 14


class SideFacts(Struct, frozen=True, gc=False):
    """One side of a call. ``media`` is where the end wanted its sound (empty: never agreed), ``codec`` the name of the
    codec as in SDP (``opus``, ``G722``, ``PCMU``); ``signalling`` the address that its SIP came from."""

    leg: int = 0
    number: str = ""
    uri: str = ""
    user: str = ""
    device: str = ""
    device_type: str = ""
    signalling: str = ""
    media: str = ""
    media_port: int = 0
    codec: str = ""
    video_media: str = ""
    video_port: int = 0
    video_codec: str = ""
    cause: Cause = Cause.NO_ERROR
    terminated_by: OnBehalfOf = OnBehalfOf.NONE
    session_id: str = ""
    conversation: int = 0
    protocol_call: str = ""
    trunk: bool = False


class CallFacts(Struct, frozen=True, gc=False):
    """A call, or the part of one between two sides, that is over: what becomes one call detail record.

    ``secured``: 0 not, 1 signalling only, 2 signalling and media. ``original_called`` is what was dialled,
    ``final_called`` who was reached last, ``last_redirect`` who sent it there. ``comment`` holds what has no column.
    """

    call: int
    began: float
    ended: float
    connected: float | None
    caller: SideFacts
    called: SideFacts
    original_called: str = ""
    original_called_uri: str = ""
    final_called: str = ""
    final_called_uri: str = ""
    final_user: str = ""
    last_redirect: str = ""
    last_redirect_uri: str = ""
    original_reason: RedirectReason = RedirectReason.NONE
    last_reason: RedirectReason = RedirectReason.NONE
    original_on_behalf_of: OnBehalfOf = OnBehalfOf.NONE
    last_on_behalf_of: OnBehalfOf = OnBehalfOf.NONE
    joined_by: OnBehalfOf = OnBehalfOf.NONE
    secured: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class QualityFacts:
    """What a device reported about the sound of its side at the end: what becomes one call management record.

    ``jitter`` and ``latency`` in milliseconds, ``seconds`` how long it received. ``metrics`` is the text of the column
    ``varVQMetrics`` as the device sent it.
    """

    call: int
    leg: int
    at: float
    number: str
    device: str
    seconds: int = 0
    packets_sent: int = 0
    octets_sent: int = 0
    packets_received: int = 0
    octets_received: int = 0
    packets_lost: int = 0
    jitter: int = 0
    latency: int = 0
    metrics: str = ""
    video_packets_sent: int = 0
    video_octets_sent: int = 0
    video_packets_received: int = 0
    video_octets_received: int = 0
    video_packets_lost: int = 0
    video_jitter: int = 0
    video_round_trip: int = 0
    local_session: str = ""
    remote_session: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """A device that is registered with a node of the cluster. ``instance`` is the ``+sip.instance``, ``received`` the
    address and port that its requests come from, ``transport`` one of udp, tcp, tls; ``lines`` its numbers there."""

    device: str
    contact: str
    lines: tuple[str, ...]
    node: str
    expires: float
    transport: str
    received: str
    instance: str = ""
    user_agent: str = ""
    since: float = 0.0


class Records(Protocol):
    """Where records go. Never waits for the disk: batches are written behind; ``close`` writes what is left."""

    def call_began(self, facts: CallFacts) -> None:
        """A call that was connected and goes on: ``call`` and ``caller.leg`` name it until it ended."""

    def call_ended(self, facts: CallFacts) -> None:
        """Take a call detail record."""

    def quality_reported(self, facts: QualityFacts) -> None:
        """Take a call management record."""


class Registrations(Protocol):
    """The registrations of all nodes of the cluster, in the store that they share."""

    async def load(self) -> Sequence[Registered]:
        """Those that have not expired, of every node."""

    async def save(self, changed: Sequence[Registered], removed: Sequence[tuple[str, str]]) -> None:
        """Write what changed at this node; ``removed`` are device and contact. In one transaction."""
