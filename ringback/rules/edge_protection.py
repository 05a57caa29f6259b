"""Who is kept out of the edge for a while: failed authorisations, counted by address and by person.

Pure: time is an argument, in Unix seconds, so that blocks outlast a restart.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from ringback.rules.reasons import Reason

_MOST: Final = 100_000  # addresses or people that are remembered; the longest idle is forgotten first
Kind = Literal["address", "person"]


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """More than ``failures`` within ``window`` seconds block for ``block`` seconds. ``exempt``: networks that are never
    blocked, such as an office behind one address."""

    failures: int = 5
    window: float = 60.0
    block: float = 600.0
    exempt: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """``who``: an address, a /64 of IPv6, or a person's id. ``until``: Unix seconds."""

    kind: Kind
    who: str
    until: float
    failures: int

    def reason(self) -> Reason:
        """For the log and for the administrator."""
        return Reason.of("edge.protection.blocked", who=self.who, kind=self.kind, failures=self.failures)


@dataclass(slots=True)
class Protection:
    """Counts and blocks. What it holds can be put away with ``blocks`` and brought back with ``restore``."""

    rules: ProtectionRules = field(default_factory=ProtectionRules)
    blocked_ever: int = 0
    """Blocks since the start, for figures."""
    _failed: dict[tuple[Kind, str], deque[float]] = field(default_factory=dict)
    _blocks: dict[tuple[Kind, str], Block] = field(default_factory=dict)

    def failed(self, address: str, person: str, now: float) -> tuple[Block, ...]:
        """Somebody at an address gave a wrong password or token for a person (empty: nobody can say for whom); gives
        the blocks that begin with it."""
        found = []
        if not self._is_exempt(address):
            found.append(self._count("address", household_of(address), now))
        if person:
            found.append(self._count("person", person, now))
        return tuple(block for block in found if block is not None)

    def succeeded(self, address: str, person: str) -> None:
        """Who signs in rightly was not guessing; blocks that stand go on."""
        self._failed.pop(("address", household_of(address)), None)
        self._failed.pop(("person", person), None)

    def block_of(self, address: str, person: str, now: float) -> Block | None:
        """Why nobody is served at this address, or as this person, now."""
        for key in (("address", household_of(address)), ("person", person)):
            block = self._blocks.get(key)
            if block is not None and block.until > now and not (block.kind == "address" and self._is_exempt(address)):
                return block
        return None

    def unblock(self, who: str) -> tuple[Block, ...]:
        """An administrator lets somebody in again: an address in any spelling, or a person."""
        names = {who}
        with contextlib.suppress(ValueError):  # a person
            names.add(household_of(who))
        ended = tuple(block for key, block in self._blocks.items() if key[1] in names)
        for block in ended:
            del self._blocks[block.kind, block.who]
            self._failed.pop((block.kind, block.who), None)
        return ended

    def blocks(self, now: float) -> tuple[Block, ...]:
        """Those that stand, the one that ends first at the beginning; others are forgotten."""
        self._blocks = {key: block for key, block in self._blocks.items() if block.until > now}
        return tuple(sorted(self._blocks.values(), key=lambda block: block.until))

    def restore(self, blocks: Iterable[Block]) -> None:
        """Blocks of before a restart."""
        kept: Mapping[tuple[Kind, str], Block] = {(block.kind, block.who): block for block in blocks}
        self._blocks.update(kept)

    def _count(self, kind: Kind, who: str, now: float) -> Block | None:
        key = (kind, who)
        times = self._failed.pop(key, None)
        if times is None:
            times = deque(maxlen=self.rules.failures + 1)
            if len(self._failed) >= _MOST:
                del self._failed[next(iter(self._failed))]
        self._failed[key] = times  # last in order: longest idle is first
        times.append(now)
        if len(times) <= self.rules.failures or now - times[0] > self.rules.window:
            return None
        standing = self._blocks.get(key)
        if standing is not None and standing.until > now:
            return None
        del self._failed[key]
        block = self._blocks[key] = Block(kind, who, now + self.rules.block, len(times))
        self.blocked_ever += 1
        if len(self._blocks) > _MOST:
            del self._blocks[next(iter(self._blocks))]
        return block

    def _is_exempt(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address.partition("%")[0])
        return any(parsed.version == network.version and parsed in network for network in self.rules.exempt)


def household_of(address: str) -> str:
    """Who counts as one: an IPv4 address, or the /64 of an IPv6 one, which is one household's. Raises ValueError."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
