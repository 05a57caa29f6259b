"""Sessions after a Basic sign-in, found again by cookie. They live in this node's memory only."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

COOKIE = "JSESSIONID"
COOKIE_SINGLE = "JSESSIONIDSSO"
_KEPT = 50_000  # sessions; a client without a cookie jar makes one with every request, so the oldest go first


@dataclass(slots=True)
class Session:
    """Whose it is, and since when (Unix seconds)."""

    user: str
    single: str
    ends: float
    began: float


class Sessions:
    """Random identifiers of who signed in, each good for ``seconds`` after its last use."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, user: str, now: float) -> tuple[str, str]:
        """The values of both cookies for somebody who just proved to be this user."""
        while self._sessions:
            oldest = next(iter(self._sessions))
            if len(self._sessions) < _KEPT and self._sessions[oldest].ends > now:
                break
            del self._sessions[oldest]
        identifier, single = secrets.token_hex(16).upper(), secrets.token_hex(16).upper()
        self._sessions[identifier] = Session(user, single, now + self._seconds, time.time())
        return identifier, single

    def end(self, user: str) -> None:
        """Forget all sessions of a user."""
        for identifier in [name for name, session in self._sessions.items() if session.user == user]:
            del self._sessions[identifier]

    def user(self, identifier: str, single: str, now: float) -> str | None:
        """The user of a session whose both cookies fit; its end moves on. None where there is no such session."""
        found = self.session(identifier, single, now)
        return None if found is None else found.user

    def session(self, identifier: str, single: str, now: float) -> Session | None:
        """As ``user``, the whole session."""
        session = self._sessions.get(identifier)
        if session is None or not secrets.compare_digest(session.single.encode(), single.encode()):
            return None
        if session.ends <= now:
            del self._sessions[identifier]
            return None
        session.ends = now + self._seconds
        self._sessions.move_to_end(identifier)
        return session
