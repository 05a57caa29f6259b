"""When a client fetches another access token, and what follows when it gets none (features B3, B8, B9).

A token is refreshed at 75 % of its life, or up to 5 % later, so that a company does not come all at once. It is given
out only while it is good for a moment longer than a request takes: a server that gets tokens which are over may block
the client's address (planning guide, "OAuth", limitation). Times are Unix seconds of the client's own clock; lives are
counted from the moment at which the token came, so that the clocks of client and server need not agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.failover import Backoff
from ringback.rules.reasons import Reason

REFRESH_SHARE = 0.75
REFRESH_SPREAD = 0.05
MARGIN_SHARE = 0.05
LONGEST_MARGIN = 30.0  # seconds before its end after which a token is not given out any more
CLOCK_SLACK = 60.0  # seconds that a clock may be set back before that is taken for a wrong clock
REFRESH_BACKOFF = Backoff(first=2.0, longest=300.0)


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """The life of an access token and of the refresh token behind it. ``end``: when the refresh token is over; None
    where the server does not say."""

    received: float
    expires: float
    end: float | None = None

    @property
    def life(self) -> float:
        """How long the access token is good, in seconds."""
        return self.expires - self.received

    @property
    def margin(self) -> float:
        """How long before its end the access token is not given out any more, in seconds."""
        return min(LONGEST_MARGIN, self.life * MARGIN_SHARE)

    @property
    def last(self) -> bool:
        """Whether this access token lives as long as the refresh token: no other will come after it."""
        return self.end is not None and self.expires >= self.end - 1.0


class Use(StrEnum):
    """Whether an access token may be sent now."""

    GOOD = "good"
    OVER = "over"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """When the next token is to be fetched, in Unix seconds, and why then; ``at`` None: never, no other will come."""

    at: float | None
    reason: Reason


def use_of(times: TokenTimes, now: float) -> Use:
    """Whether an access token may be sent now; ``clock``: the clock was set back, so nobody knows."""
    if now < times.received - CLOCK_SLACK:
        return Use.CLOCK
    return Use.GOOD if now < times.expires - times.margin else Use.OVER


def plan_refresh(times: TokenTimes, pick: float) -> RefreshPlan:
    """When to fetch the next access token; ``pick`` is a random number from 0 up to 1."""
    if times.last:
        return RefreshPlan(None, Reason.of("tokens.last"))
    pick = min(max(pick, 0.0), 1.0)
    at = times.received + times.life * (REFRESH_SHARE + REFRESH_SPREAD * pick)
    return RefreshPlan(at, Reason.of("tokens.due", minutes=round(times.life / 60)))


class End(StrEnum):
    """Why no access token comes any more."""

    EXPIRED = "expired"
    REVOKED = "revoked"
    DEACTIVATED = "deactivated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class EndEvidence:
    """What is known when a sign-in came to its end.

    ``single_sign_on``: people sign in at an identity provider in the browser. ``tried_quietly``: that was asked already
    without a question. ``logout``: the company's ``InvalidCredentialsLogout``.
    """

    end: End
    single_sign_on: bool = False
    tried_quietly: bool = False
    logout: bool = False


class AfterEnd(StrEnum):
    """What follows. ``quietly``: the browser is asked first, without a question; ``ask``: one question, while chats
    and history stay in view; ``out``: the session ends at once, with the reason shown on the sign-in card."""

    QUIETLY = "quietly"
    ASK = "ask"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class EndDecision:
    """What follows the end of a sign-in, with the reasons."""

    after: AfterEnd
    reasons: tuple[Reason, ...]


def decide_end(evidence: EndEvidence) -> EndDecision:
    """What follows when no access token comes any more.

    Somebody who was revoked or deactivated is out at once. A sign-in that is merely over is renewed silently where the
    session at the identity provider may live, else by one question (planning guide, "User Sessions"); a company may
    have people signed out instead where they sign in with passwords (``InvalidCredentialsLogout``).
    """
    why = Reason.of(f"tokens.end.{evidence.end}")
    if evidence.end in (End.REVOKED, End.DEACTIVATED):
        return EndDecision(AfterEnd.OUT, (why, Reason.of("tokens.after.out")))
    if evidence.logout and not evidence.single_sign_on:
        return EndDecision(AfterEnd.OUT, (why, Reason.of("tokens.after.logout")))
    if evidence.single_sign_on and not evidence.tried_quietly:
        return EndDecision(AfterEnd.QUIETLY, (why, Reason.of("tokens.after.quietly")))
    return EndDecision(AfterEnd.ASK, (why, Reason.of("tokens.after.ask")))
