"""Who is kept out of the edge for a while: failed authorisations, counted by address and by person.

Theory. Behind one address there may be one attacker or a whole office. Two things tell them apart: what failed, and who
was let in there lately. So each failure is weighed (``weigh``) before it is counted:

- A token that was ours and is over proves that nobody guesses: it never counts.
- Where nobody was let in lately, each failure counts for the address.
- Where people were, a person counts once, however often their forgotten device tries, and the address bears one failure
  more for each of the others: everybody may come with something stale once. Many people's passwords tried from there
  still block it, for strangers: who was let in there lately goes on.
- Failures for a person count for that person: where they were let in lately, only at that address; else everywhere but
  at those addresses. So a stranger can't lock anybody out at home, and a stale device not its owner elsewhere. Tokens
  can't be guessed, so who shows a good one is served, whatever others tried.

Pure: time is an argument, in Unix seconds, so that blocks outlast a restart.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

from ringback.rules.reasons import Reason

_MOST: Final = 100_000  # addresses, people or pairs that are remembered; the longest idle is forgotten first
_PRUNE: Final = 60.0  # seconds
_MOST_BORNE: Final = 1_000  # failures that an address bears at most, however many people are behind it
Kind = Literal["address", "person"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Fault(StrEnum):
    """What was wrong. ``STALE``: a token that we gave, expired or taken back; ``TOKEN``: one that we never gave."""

    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    TOKEN = "token"  # noqa: S105
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """More than ``failures`` within ``window`` seconds block for ``block`` seconds. ``exempt``: networks that are never
    blocked, such as an office behind one address. Who was let in within ``lately`` seconds is known at an address."""

    failures: int = 5
    window: float = 60.0
    block: float = 600.0
    exempt: tuple[Network, ...] = ()
    lately: float = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failure. ``person`` is empty where nobody can say for whom; ``known_here``: they were let in
    from this address lately; ``others_here``: how many other people were."""

    fault: Fault
    person: str = ""
    known_here: bool = False
    others_here: int = 0
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """How a failure counts: for the address not at all, once for this person, or each time; the address bears
    ``bears`` of them; for the person not at all, at this address only, or everywhere that they are not known."""

    address: Literal["no", "once", "each"]
    bears: int
    person: Literal["no", "here", "everywhere"]
    reason: Reason


def weigh(failure: Failure, rules: ProtectionRules) -> Weight:
    """How a failure counts, and why."""
    bears = min(rules.failures + failure.others_here, max(_MOST_BORNE, rules.failures))
    if failure.fault is Fault.STALE:
        return Weight("no", bears, "no", Reason.of("edge.protection.stale"))
    person: Literal["no", "here", "everywhere"] = "no"
    if failure.person:
        person = "here" if failure.known_here else "everywhere"
    if failure.exempt:
        return Weight("no", bears, person, Reason.of("edge.protection.exempt"))
    if failure.known_here or failure.others_here:
        how: Literal["once", "each"] = "once" if failure.person else "each"
        return Weight(how, bears, person, Reason.of("edge.protection.shared", others=failure.others_here, bears=bears))
    return Weight("each", bears, person, Reason.of("edge.protection.each", bears=bears))


@dataclass(frozen=True, slots=True)
class Block:
    """``who``: an address, a /64 of IPv6, or a person's id, who may be kept out ``at`` one address only (empty:
    everywhere that they are not known). ``until``: Unix seconds."""

    kind: Kind
    who: str
    until: float
    failures: int
    at: str = ""

    def reason(self) -> Reason:
        """For the log and for the administrator."""
        return Reason.of(
            "edge.protection.blocked", who=self.who, kind=self.kind, failures=self.failures, at=self.at or "everywhere"
        )


@dataclass(frozen=True, slots=True)
class Exemption:
    """A network that is never blocked until a time in Unix seconds (None: until it is taken back)."""

    network: Network
    until: float | None = None


@dataclass(frozen=True, slots=True)
class LetIn:
    """Somebody was let in from a household."""

    household: str
    person: str
    at: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """What outlasts a restart. No password or token is in it."""

    blocks: tuple[Block, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    let_in: tuple[LetIn, ...] = ()


@dataclass(slots=True)
class Protection:
    """Counts and blocks."""

    rules: ProtectionRules = field(default_factory=ProtectionRules)
    blocked_ever: int = 0
    """Blocks since the start, for figures."""
    _failed: dict[tuple[Kind, str, str], deque[tuple[float, str]]] = field(default_factory=dict)
    _blocks: dict[tuple[Kind, str, str], Block] = field(default_factory=dict)
    _exempt: dict[Network, Exemption] = field(default_factory=dict)
    _let_in: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)
    _people: dict[str, set[str]] = field(default_factory=dict)  # by household, those of ``_let_in``
    _pruned: dict[str, float] = field(default_factory=dict)  # by household, when people of long ago were last forgotten

    def failed(self, address: str, person: str, now: float, fault: Fault = Fault.PASSWORD) -> tuple[Block, ...]:
        """Somebody at an address could not be let in as a person (empty: nobody can say as whom); gives the blocks that
        begin with it."""
        household = household_of(address)
        here = self._known_at(household, now)
        failure = Failure(fault, person, person in here, len(here) - (person in here), self.is_exempt(address, now))
        weight = weigh(failure, self.rules)
        found = []
        if weight.address != "no":
            found.append(self._count(("address", household, ""), person, now, weight.bears, weight.address == "once"))
        if weight.person != "no":
            at = household if weight.person == "here" else ""
            found.append(self._count(("person", person, at), "", now, self.rules.failures, False))
        return tuple(block for block in found if block is not None)

    def succeeded(self, address: str, person: str, now: float) -> bool:
        """Who signs in rightly was not guessing: their own failures there are forgotten, and nobody else's, or whoever
        has an account could go on guessing for ever; blocks that stand go on. True where the person was not known
        there, or not for half an hour: worth telling others."""
        household = household_of(address)
        tried = self._failed.get(("address", household, ""))
        if tried is not None:
            kept = [one for one in tried if one[1] != person]
            tried.clear()
            tried.extend(kept)
        self._failed.pop(("person", person, household), None)
        before = self._let_in.get((household, person))
        self.remember(LetIn(household, person, now))
        return before is None or now - before > 1800.0

    def remember(self, one: LetIn) -> None:
        """Somebody was let in, here or at another node."""
        key = (one.household, one.person)
        if one.at < self._let_in.get(key, 0.0):
            return
        self._let_in[key] = one.at
        self._let_in.move_to_end(key)
        self._people.setdefault(one.household, set()).add(one.person)
        if len(self._let_in) > _MOST:
            self._forget(next(iter(self._let_in)))

    def knows(self, address: str, person: str, now: float) -> bool:
        """Whether somebody was let in lately from an address, or a neighbour of it."""
        at = self._let_in.get((household_of(address), person))
        return at is not None and now - at < self.rules.lately

    def is_shared(self, household: str, now: float) -> bool:
        """Whether people were let in lately from there: a block of it is for strangers only."""
        return bool(self._known_at(household, now))

    def block_of(
        self, address: str, person: str, now: float, *, token: bool = False, later: bool = False
    ) -> Block | None:
        """Why nobody is served at this address, or as this person, now. ``token``: they show a good one; ``later``: it
        is asked again once it is known who it is, which matters where people were let in lately."""
        if token:
            return None
        household = household_of(address)
        known = bool(person) and self.knows(address, person, now)
        keys: list[tuple[Kind, str, str]] = [] if known else [("address", household, "")]
        if person:
            keys.append(("person", person, household))
            if not known:
                keys.append(("person", person, ""))
        for key in keys:
            block = self._blocks.get(key)
            if block is None or block.until <= now:
                continue
            if key[0] == "person" or not (self.is_exempt(address, now) or (later and self.is_shared(household, now))):
                return block
        return None

    def put(self, block: Block) -> None:
        """A block of another node, or of before a restart."""
        self._blocks[block.kind, block.who, block.at] = block
        if len(self._blocks) > _MOST:
            del self._blocks[next(iter(self._blocks))]

    def unblock(self, who: str) -> tuple[Block, ...]:
        """An administrator lets somebody in again: an address in any spelling, or a person."""
        names = {who}
        with contextlib.suppress(ValueError):  # a person
            names.add(household_of(who))
        ended = tuple(block for key, block in self._blocks.items() if key[1] in names)
        for block in ended:
            del self._blocks[block.kind, block.who, block.at]
        for key in [key for key in self._failed if key[1] in names]:
            del self._failed[key]
        return ended

    def exempt(self, exemption: Exemption) -> tuple[Block, ...]:
        """Never block a network from now on; gives the blocks that end with it."""
        self._exempt[exemption.network] = exemption
        ended = tuple(
            block
            for block in self._blocks.values()
            if block.kind == "address" and _within(block.who, exemption.network)
        )
        for block in ended:
            del self._blocks[block.kind, block.who, block.at]
        return ended

    def end_exemption(self, network: Network) -> bool:
        """Take an exemption back; False where there was none."""
        return self._exempt.pop(network, None) is not None

    def blocks(self, now: float) -> tuple[Block, ...]:
        """Those that stand, the one that ends first at the beginning; others are forgotten."""
        self._blocks = {key: block for key, block in self._blocks.items() if block.until > now}
        return tuple(sorted(self._blocks.values(), key=lambda block: block.until))

    def exemptions(self, now: float) -> tuple[Exemption, ...]:
        """Those of the rules and of administrators; those that are over are forgotten."""
        self._exempt = {net: one for net, one in self._exempt.items() if one.until is None or one.until > now}
        return (*(Exemption(network) for network in self.rules.exempt), *self._exempt.values())

    def remembered(self, now: float) -> Remembered:
        """All that is to outlast a restart."""
        exempt = self.exemptions(now)[len(self.rules.exempt) :]
        let_in = (LetIn(*key, at) for key, at in self._let_in.items() if now - at < self.rules.lately)
        return Remembered(self.blocks(now), exempt, tuple(let_in))

    def restore(self, remembered: Remembered) -> None:
        """What was before a restart."""
        for block in remembered.blocks:
            self.put(block)
        self._exempt.update({one.network: one for one in remembered.exemptions})
        for one in remembered.let_in:
            self.remember(one)

    def is_exempt(self, address: str, now: float) -> bool:
        """Whether an address is never blocked."""
        networks = [*self.rules.exempt]
        networks += [one.network for one in self._exempt.values() if one.until is None or one.until > now]
        return any(_within(address, network) for network in networks)

    def _known_at(self, household: str, now: float) -> set[str]:
        if now - self._pruned.get(household, -_PRUNE) >= _PRUNE:
            for person in list(self._people.get(household, ())):
                if now - self._let_in[household, person] >= self.rules.lately:
                    self._forget((household, person))
            if household in self._people:
                self._pruned[household] = now
        return self._people.get(household, set())

    def _forget(self, key: tuple[str, str]) -> None:
        household, person = key
        self._let_in.pop(key, None)
        people = self._people.get(household, set())
        people.discard(person)
        if not people:
            self._people.pop(household, None)
            self._pruned.pop(household, None)

    def _count(self, key: tuple[Kind, str, str], person: str, now: float, bears: int, once: bool) -> Block | None:
        tries = self._failed.pop(key, None)
        if tries is None:
            tries = deque(maxlen=_MOST_BORNE + 1)
            if len(self._failed) >= _MOST:
                del self._failed[next(iter(self._failed))]
        self._failed[key] = tries  # last in order: longest idle is first
        while tries and now - tries[0][0] > self.rules.window:
            tries.popleft()
        if not (once and any(one[1] == person for one in tries)):
            tries.append((now, person))
        if len(tries) <= bears:
            return None
        standing = self._blocks.get(key)
        if standing is not None and standing.until > now:
            return None
        del self._failed[key]
        block = Block(key[0], key[1], now + self.rules.block, len(tries), key[2])
        self.put(block)
        self.blocked_ever += 1
        return block


@lru_cache(maxsize=4096)
def household_of(address: str) -> str:
    """Who counts as one: an IPv4 address, or the /64 of an IPv6 one, which is one household's. Raises ValueError."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _within(address: str, network: Network) -> bool:
    """Whether an address or a household lies in a network."""
    household = ipaddress.ip_network(household_of(address.partition("/")[0]))
    if isinstance(household, ipaddress.IPv4Network) and isinstance(network, ipaddress.IPv4Network):
        return household.subnet_of(network)
    if isinstance(household, ipaddress.IPv6Network) and isinstance(network, ipaddress.IPv6Network):
        return household.subnet_of(network) or network.subnet_of(household)
    return False
