"""When the engine looks for servers again while somebody is signed in (A12; planning guide, "Fast Sign-In").

``RenewalSchedule`` decides, by ``rules.discovery_schedule``: soon after a start from what was kept, then every few
hours, and at once when the network changed. It has no clock: the time comes in. ``keep_renewing`` drives it.

A change of network shows in the addresses from which this machine would speak to the world, and in the name servers
that the system names: asking the system for them sends nothing and costs some microseconds, so they can be looked at
often.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Awaitable, Callable

from ringback.net.names import system_servers
from ringback.rules.discovery_schedule import Occasion, next_discovery
from ringback.rules.reasons import Reason

CHECK_SECONDS = 3.0
# Addresses of documentation networks (RFC 5737, RFC 3849): a UDP socket that is connected to them sends no packet.
_AFAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class RenewalSchedule:
    """The due times of one session. Times are in seconds of any clock that never goes back."""

    def __init__(
        self,
        occasion: Occasion,
        addresses: frozenset[str],
        now: float,
        pick: Callable[[], float] = random.random,
        hours: float = 0.0,
    ) -> None:
        """``addresses``: those of the machine now; ``pick`` gives random numbers from 0 up to 1; ``hours``: how often
        the company wants settings fetched, 0: by chance."""
        self._pick = pick
        self._hours = hours
        self._addresses = addresses
        self._due = next_discovery(occasion, pick(), hours)
        self._at = now + self._due.seconds

    @property
    def next_deadline(self) -> float:
        """When the next look is due, if the network stays."""
        return self._at

    def due(self, addresses: frozenset[str], now: float) -> Reason | None:
        """Why a look is due now, or None. A look that is due counts as made: the next one is hours away."""
        changed = bool(addresses) and addresses != self._addresses  # without a network nobody can be asked
        if changed:
            self._addresses = addresses
            reason = next_discovery(Occasion.NETWORK_CHANGED, self._pick()).reason
        elif now >= self._at:
            reason = self._due.reason
        else:
            return None
        self._due = next_discovery(Occasion.LOOKED_UP, self._pick(), self._hours)
        self._at = now + self._due.seconds
        return reason


async def keep_renewing(
    look: Callable[[Reason], Awaitable[None]],
    occasion: Occasion,
    addresses: Callable[[], frozenset[str]],
    every: float = CHECK_SECONDS,
    *,
    hours: float = 0.0,
) -> None:
    """Look whenever it is due, until cancelled. ``addresses`` is asked each ``every`` seconds."""
    clock = asyncio.get_running_loop().time
    schedule = RenewalSchedule(occasion, addresses(), clock(), hours=hours)
    while True:
        await asyncio.sleep(min(every, max(0.0, schedule.next_deadline - clock())))
        reason = schedule.due(addresses(), clock())
        if reason is not None:
            await look(reason)


def own_addresses() -> frozenset[str]:
    """The addresses from which this machine speaks to the world; empty where it has no way there."""
    found = set()
    for family, afar in _AFAR:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((afar, 9))
            found.add(str(probe.getsockname()[0]))
    return frozenset(found)


def own_network() -> frozenset[str]:
    """What the network of now is known by: the addresses of ``own_addresses`` and the system's name servers, so that a
    private network over the same address shows too; empty where there is no way to the world."""
    addresses = own_addresses()
    return addresses | {f"dns {server}" for server in system_servers()} if addresses else addresses
