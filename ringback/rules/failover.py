"""What to do when a connection ended: which server next, and when.

The order follows the planning guide, chapter 5, "Client Behavior During a Failover": primary, then secondary, with the
session that was open; then both with a new sign-in; then nothing more until the person acts. Between rounds
re-connections wait exponentially longer, with jitter, so that an office does not come back all at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason


class FailoverStep(StrEnum):
    """Where the client stands in the documented sequence; ``person``: it waits for the person."""

    SESSION_PRIMARY = "session-primary"
    SESSION_SECONDARY = "session-secondary"
    PRIMARY = "primary"
    SECONDARY = "secondary"
    PERSON = "person"

    @property
    def keeps_session(self) -> bool:
        """Whether the session that was open is tried again."""
        return self in (FailoverStep.SESSION_PRIMARY, FailoverStep.SESSION_SECONDARY)

    @property
    def on_secondary(self) -> bool:
        """Whether the secondary server is tried."""
        return self in (FailoverStep.SESSION_SECONDARY, FailoverStep.SECONDARY)


@dataclass(frozen=True, slots=True)
class FailoverEvidence:
    """What is known when a step failed. ``failed`` is None where the connection has just ended."""

    failed: FailoverStep | None = None
    has_secondary: bool = False
    has_session: bool = True


@dataclass(frozen=True, slots=True)
class FailoverDecision:
    """The next step."""

    step: FailoverStep
    reasons: tuple[Reason, ...]


_SEQUENCE = tuple(FailoverStep)


def next_step(evidence: FailoverEvidence) -> FailoverDecision:
    """The step after the one that failed, leaving out those that the evidence makes pointless."""
    after = 0 if evidence.failed is None else min(_SEQUENCE.index(evidence.failed) + 1, len(_SEQUENCE) - 1)
    for step in _SEQUENCE[after:]:
        if step.on_secondary and not evidence.has_secondary:
            continue
        if step.keeps_session and not evidence.has_session:
            continue
        return FailoverDecision(step, (Reason.of(f"failover.{step}"),))
    return FailoverDecision(FailoverStep.PERSON, (Reason.of("failover.person"),))


@dataclass(frozen=True, slots=True)
class RoundEvidence:
    """What is known when a round of tries begins.

    ``servers``: the primary first, then its backups. ``holder``: the server that keeps the session that was open, if
    one is kept; ``location``: where that server wants it to be resumed (XEP-0198 section 5), if it said so.
    """

    servers: tuple[HostPort, ...]
    holder: HostPort | None = None
    location: HostPort | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """One server to try, and why it has this place in the order."""

    server: HostPort
    reason: Reason


def order_tries(evidence: RoundEvidence) -> tuple[Try, ...]:
    """Each server once, in the order to try; empty where none is known.

    A session goes on where it is kept, so that place comes first. All others follow the documented sequence; the steps
    with a new sign-in add nothing to those with the session, because a server that can't resume it signs in anew over
    the same connection (XEP-0198 section 5).
    """
    tries: dict[HostPort, Reason] = {}
    if evidence.holder is not None and evidence.location is not None:
        tries[evidence.location] = Reason.of("failover.location", server=evidence.location)
    if evidence.holder is not None:
        tries.setdefault(evidence.holder, Reason.of("failover.holder", server=evidence.holder))
    primary, secondary = evidence.servers[:1], evidence.servers[1:]
    known = FailoverEvidence(has_secondary=bool(secondary), has_session=evidence.holder is not None)
    while (decision := next_step(known)).step is not FailoverStep.PERSON:
        for server in secondary if decision.step.on_secondary else primary:
            tries.setdefault(server, decision.reasons[0])
        known = replace(known, failed=decision.step)
    return tuple(Try(server, reason) for server, reason in tries.items())


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between tries, in seconds: ``first``, doubled each time up to ``longest``.

    ``lower`` and ``upper`` are the presence service's re-login limits: the first try after the server itself went away
    is put at a random time between them, where they are set.
    """

    first: float = 0.5
    longest: float = 60.0
    lower: float = 0.0
    upper: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """When the next try is due, in seconds from now, and why."""

    seconds: float
    reason: Reason


def next_wait(attempt: int, pick: float, backoff: Backoff | None = None) -> Wait:
    """The wait before a try, ``attempt`` counted from 1; ``pick`` is a random number from 0 up to 1.

    Half of the wait is fixed and half is chance: never at once for everybody, never twice the plan for anybody.
    """
    plan = backoff or Backoff()
    attempt = max(1, attempt)
    pick = min(max(pick, 0.0), 1.0)
    if attempt == 1 and plan.upper > 0:
        seconds = plan.lower + (max(plan.upper, plan.lower) - plan.lower) * pick
    else:
        longest = min(plan.longest, plan.first * 2.0 ** min(attempt - 1, 32))
        seconds = longest / 2 + longest / 2 * pick
    return Wait(seconds, Reason.of("failover.again", attempt=attempt, seconds=round(seconds, 1)))
