"""The keeper of a person's tokens: when to fetch another one, what may be sent, and when it is all over.

Theory of operation. The keeper has no socket and no clock: ``now`` (Unix seconds) comes in, and what is to be done
comes out. ``handle_timer`` gives at most one ``Refresh`` at a time; whoever carries it out answers with ``refreshed``,
``failed`` or ``ended`` and its number, so that an answer that comes after a new sign-in counts for nothing. States:

    none        nobody is signed in
    fresh       there is an access token; another is fetched at its due time
    refreshing  a refresh is under way
    waiting     a refresh failed for want of an answer; it is tried again after a wait
    over        no token comes any more, for the reason told by the event ``Over``

An access token that is over is never given out, whatever the state; a good one is given out in all of them but ``none``
and ``over``. A service that refuses a good token makes the keeper look at once whether the sign-in still stands; a
service that refuses every token makes it look ever more rarely.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from ringback.rules.failover import next_wait
from ringback.rules.reasons import Reason
from ringback.rules.tokens import REFRESH_BACKOFF, End, TokenTimes, Use, plan_refresh, use_of

SETTLED_SECONDS = 60.0  # a token that no service refused for so long was a good one


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a sign-in as they are kept. Times in Unix seconds; ``end`` of the refresh token, 0: not known.

    ``issuer``: base address of the call manager that gave them; ``user``: who signed in there.
    """

    access: str
    refresh: str
    received: float
    expires: float
    end: float = 0.0
    issuer: str = ""
    user: str = ""

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Tokens(user={self.user!r}, issuer={self.issuer!r})"

    @property
    def times(self) -> TokenTimes:
        """Their lives."""
        return TokenTimes(self.received, self.expires, self.end or None)


class State(StrEnum):
    """Where the keeper stands."""

    NONE = "none"
    FRESH = "fresh"
    REFRESHING = "refreshing"
    WAITING = "waiting"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh to carry out: with this refresh token, answered under this number."""

    number: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    """There are new tokens, to be kept in place of the old ones."""

    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Waiting:
    """A refresh failed for ``reason`` and is tried again after so many seconds."""

    seconds: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Over:
    """No token comes any more. Told once for each sign-in."""

    end: End
    reason: Reason


KeeperEvent = Renewed | Waiting | Over


class TokenKeeper:
    """Keeps the tokens of one sign-in."""

    def __init__(self, pick: Callable[[], float] = random.random, *, watch_end: bool = True) -> None:
        """``pick`` gives random numbers from 0 up to 1. ``watch_end``: tell when the refresh token is over by itself;
        else only a server's refusal ends the sign-in (``LegacyOAuthLogout``)."""
        self._pick = pick
        self.watch_end = watch_end
        self._events: deque[KeeperEvent] = deque()
        self._tokens: Tokens | None = None
        self._state = State.NONE
        self._due: float | None = None
        self._number = 0
        self._failures = 0
        self._doubts = 0
        self._doubted = ""
        self._trouble: Reason | None = None

    # --- what is known

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    @property
    def tokens(self) -> Tokens | None:
        """The tokens of the sign-in; None where there is none or it is over."""
        return self._tokens

    @property
    def trouble(self) -> Reason:
        """Why there is no access token, for showing."""
        return self._trouble or Reason.of("tokens.none")

    def access(self, now: float) -> str | None:
        """The access token to send now; None where none is good."""
        if self._tokens is None or use_of(self._tokens.times, now) is not Use.GOOD:
            return None
        return self._tokens.access

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` is due; None: not until something else happens."""
        if self._state is State.FRESH or self._state is State.WAITING:
            ends = [at for at in (self._due, self._end()) if at is not None]
            return min(ends) if ends else None
        return None

    def next_event(self) -> KeeperEvent | None:
        """What happened, oldest first; None: nothing more."""
        return self._events.popleft() if self._events else None

    # --- what happens

    def replace(self, tokens: Tokens, now: float) -> None:
        """A new sign-in, or what was kept of one. Answers to refreshes that are under way count for nothing."""
        self._number += 1
        self._failures = self._doubts = 0
        self._doubted, self._trouble = "", None
        self._tokens, self._state = tokens, State.FRESH
        self._plan(now)

    def clear(self) -> None:
        """Nobody is signed in any more."""
        self._number += 1
        self._tokens, self._state, self._due, self._trouble = None, State.NONE, None, None
        self._events.clear()

    def handle_timer(self, now: float) -> Refresh | None:
        """Carry on with the time: the refresh to carry out now, or None."""
        if self._tokens is None or self._state not in (State.FRESH, State.WAITING):
            return None
        end = self._end()
        if end is not None and now >= end:
            self._finish(End.EXPIRED)
            return None
        # A clock that was set back says nothing of the token at hand; only an answer from now on does.
        doubtful = self._state is State.FRESH and use_of(self._tokens.times, now) is Use.CLOCK
        if not doubtful and (self._due is None or now < self._due):
            return None
        self._number += 1
        self._state, self._due = State.REFRESHING, None
        return Refresh(self._number, self._tokens.refresh)

    def hurry(self, now: float) -> None:
        """A waiting time need not be waited for: the network changed, or somebody asks for it."""
        if self._state is State.WAITING:
            self._due = now

    def want(self, now: float) -> None:
        """A service wants a token. Where the one at hand is over (the computer slept), another is fetched at once."""
        if self._state is State.FRESH and self._tokens is not None and self.access(now) is None:
            self._due = now

    def refused(self, access: str, now: float) -> bool:
        """A service refused a token that was sent. Gives whether another one, or the end, is to be waited for."""
        tokens = self._tokens
        if tokens is None:
            return False
        if tokens.access != access or self._state is State.REFRESHING:
            return True
        if self._doubted == access:
            return self._state is State.FRESH and self._due is not None and self._due - now <= REFRESH_BACKOFF.longest
        self._doubted = access
        if now - tokens.received > SETTLED_SECONDS:
            self._doubts = 0
        self._doubts += 1
        if self._state is State.FRESH:
            wait = 0.0 if self._doubts == 1 else next_wait(self._doubts - 1, self._pick(), REFRESH_BACKOFF).seconds
            self._due = now + wait if self._due is None else min(self._due, now + wait)
        return True

    def refreshed(
        self, number: int, access: str, life: float, now: float, *, refresh: str = "", end_in: float = 0.0
    ) -> None:
        """The answer to a refresh: an access token that is good for ``life`` seconds from now, and a new refresh token
        where the server changes them, good for ``end_in`` seconds (0: as before)."""
        old = self._tokens
        if number != self._number or self._state is not State.REFRESHING or old is None:
            return
        end = now + end_in if end_in > 0 else (0.0 if refresh and refresh != old.refresh else old.end)
        tokens = msgspec.structs.replace(
            old, access=access, refresh=refresh or old.refresh, received=now, expires=now + life, end=end
        )
        self._tokens, self._state, self._failures, self._trouble = tokens, State.FRESH, 0, None
        self._plan(now)
        self._events.append(Renewed(tokens))

    def failed(self, number: int, reason: Reason, now: float, *, wait: float = 0.0) -> None:
        """A refresh got no answer to go on with. ``wait``: for how many seconds the server wants to be left alone."""
        if number != self._number or self._state is not State.REFRESHING:
            return
        self._failures += 1
        again = next_wait(self._failures, self._pick(), REFRESH_BACKOFF)
        seconds = max(again.seconds, wait)
        self._state, self._due, self._trouble = State.WAITING, now + seconds, reason
        self._events.append(Waiting(seconds, reason))

    def given_up(self, number: int, now: float) -> None:
        """Nobody waits for the answer to a refresh any more: it is due again as soon as somebody carries it out."""
        if number == self._number and self._state is State.REFRESHING:
            self._state, self._due = State.FRESH, now

    def ended(self, number: int, end: End) -> None:
        """The server does not renew this sign-in any more."""
        if number == self._number and self._state is State.REFRESHING:
            self._finish(end)

    # --- inside

    def _plan(self, now: float) -> None:
        if self._tokens is None:
            return
        if self.access(now) is None:
            self._due = now
        else:
            self._due = plan_refresh(self._tokens.times, self._pick()).at

    def _end(self) -> float | None:
        tokens = self._tokens
        if tokens is None or not tokens.end or not self.watch_end:
            return None
        return tokens.end - tokens.times.margin

    def _finish(self, end: End) -> None:
        self._state, self._tokens, self._due = State.OVER, None, None
        self._trouble = Reason.of(f"tokens.end.{end}")
        self._events.append(Over(end, self._trouble))
