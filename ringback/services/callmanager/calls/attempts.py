"""An attempt to reach somebody, and the branches that ring for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Literal

from ringback.protocols.sip.events import Accepted
from ringback.protocols.sip.flows import Target, Way
from ringback.protocols.sip.timers import Timer
from ringback.rules.call_forwarding import Arrival
from ringback.rules.dial_plan import Origin
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.core import PhoneBinding
from ringback.services.callmanager.calls.identity import Shown
from ringback.services.callmanager.calls.joining import Relay
from ringback.services.callmanager.calls.leg import Leg
from ringback.services.callmanager.calls.offers import OfferFor
from ringback.services.callmanager.calls.peers import Peer
from ringback.storage.callmanager.call_rows import Line

_HOPS: Final = 70
Purpose = Literal["call", "transfer", "move", "add", "reversion"]


_Sent = tuple[str, "list[Way] | list[Target]", str, str, "Peer | None", "Shown | None", Sequence[tuple[str, str]]]
"""How a branch was called: to call it once more in another way."""


class Branch:
    """A leg that rings, or is about to."""

    __slots__ = ("again", "delayed", "device", "keying", "leg", "relay", "retried", "rings")

    def __init__(
        self,
        leg: Leg,
        device: str,
        relay: Relay | None,
        keying: str,
        again: _Sent,
        *,
        retried: bool,
        delayed: bool,
    ) -> None:
        self.leg = leg
        self.device = device
        self.relay = relay
        self.keying = keying
        self.retried = retried
        self.delayed = delayed
        self.again = again
        self.rings = False


class Attempt:
    """See the head of the module. ``shown``: who calls; ``caller``: the waiting leg that hears of the progress, None
    where somebody else waits (transfer). ``offer``: the caller's description, None for a delayed offer. ``sent_by``:
    the device that must not ring, since it is the one that calls. ``rung``: how many ring, as the caller was told.
    ``waits_at``: the line at which devices that come late are rung, too."""

    __slots__ = (
        "answered",
        "arrival",
        "branches",
        "call",
        "caller",
        "early",
        "emergency",
        "failed",
        "hops",
        "line",
        "number",
        "offer",
        "offers",
        "only",
        "origin",
        "over",
        "progress",
        "purpose",
        "relay",
        "rings",
        "rung",
        "sent_by",
        "shown",
        "statuses",
        "timer",
        "visited",
        "waits_at",
    )

    def __init__(
        self,
        call: Call,
        purpose: Purpose,
        shown: Shown,
        answered: Callable[[Attempt, Leg, Accepted, float], None],
        failed: Callable[[Attempt, int, str, float], None],
        *,
        caller: Leg | None = None,
        offer: bytes | None = None,
        number: str = "",
        origin: Origin = Origin.DEVICE,
        hops: int = _HOPS,
        sent_by: str = "",
        only: str = "",
        progress: Callable[[int, str, float], None] | None = None,
    ) -> None:
        self.call = call
        self.purpose: Purpose = purpose
        self.shown = shown
        self.answered = answered
        self.failed = failed
        self.caller = caller
        self.offer = offer
        self.number = number
        self.origin = origin
        self.hops = hops
        self.sent_by = sent_by
        self.only = only
        self.progress = progress
        self.emergency = False
        self.arrival: Arrival | None = None
        self.line: Line | None = None
        self.visited: list[str] = []
        self.branches: dict[Leg, Branch] = {}
        self.statuses: list[int] = []
        self.offers: OfferFor | None = None
        self.timer: Timer | None = None
        self.early: Leg | None = None
        self.relay: Relay | None = None
        self.rings = False
        self.rung = 0
        self.over = False
        self.waits_at = ""


def way_of(binding: PhoneBinding) -> Way:
    """How a contact is reached: over its connection; over UDP where it says, unless that is an address that only it
    knows (behind a translator), then where its requests come from."""
    flow = binding.flow
    if flow is not None and not flow.closed and (flow.reliable or binding.is_natted):
        return flow
    host, _, port = binding.received.rpartition(":")
    if binding.transport == "udp" and binding.contact_port:
        port = str(binding.contact_port)
    return _target(binding.transport, host, port)


@lru_cache(maxsize=16384)
def _target(transport: str, host: str, port: str) -> Target:
    return Target("tls" if transport == "tls" else "tcp" if transport == "tcp" else "udp", host, int(port or 0))


def is_delayed_wanted(binding: PhoneBinding) -> bool:
    """Whether a client expects to offer in its answer, as the call manager of the field lets its clients do."""
    if binding.user_agent.startswith("Ringback"):
        return False
    return binding.user_agent.startswith("Cisco-") or any(tag.startswith("x-cisco-") for tag in binding.features)
