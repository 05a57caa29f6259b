"""Who is signed in at the identity provider, and which sign-ins are under way. Pure: time is an argument.

A session is made after the proof and never before, with a name that nobody knew until then: a name that was planted in
a browser beforehand is worth nothing (session fixation). Only hashes of the names are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from ringback.protocols.saml.metadata import ServiceProvider
from ringback.protocols.saml.request import AuthnRequest
from ringback.services.identity.proofs import Person

_SESSIONS = 50_000  # kept; the oldest goes first
_SHARE = 10


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who proved who they are: ``how`` is the SAML context class, ``proved`` and ``ends`` are Unix seconds."""

    person: Person
    how: str
    proved: float
    ends: float
    index: str = field(repr=False)


class Sessions:
    """Sessions by the value of their cookie; each ends ``seconds`` after the proof."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def open(self, person: Person, how: str, now: float) -> tuple[str, Session]:
        """A new session, and the value of its cookie."""
        while self._sessions:
            oldest = next(iter(self._sessions))
            if len(self._sessions) < _SESSIONS and self._sessions[oldest].ends > now:
                break
            del self._sessions[oldest]
        cookie = secrets.token_urlsafe(32)
        session = Session(person, how, now, now + self._seconds, "_" + secrets.token_hex(16))
        self._sessions[_hash(cookie)] = session
        return cookie, session

    def find(self, cookie: str, now: float) -> Session | None:
        """The session of a cookie; None where there is none, or it is over."""
        found = self._sessions.get(_hash(cookie))
        return found if found is not None and found.ends > now else None

    def close(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_hash(cookie), None)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a service asked for, found to be in order: the answer goes to ``consumer``, with the relay state."""

    service: ServiceProvider
    consumer: str
    request: AuthnRequest
    relay_state: str = field(repr=False)


@dataclass(slots=True)
class SignIn:
    """A sign-in under way in one browser. ``first`` is who gave the first proof and how, while the code is missing."""

    id: str
    asked: Asked
    browser: bytes = field(repr=False)
    address: str
    ends: float
    first: tuple[Person, str] | None = None


class SignIns:
    """Sign-ins by id; each ends after ``seconds``. Bounded: the oldest goes first, of an address that holds a tenth of
    all, else of all; so no address pushes out everybody else's."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._open: OrderedDict[str, SignIn] = OrderedDict()
        self._by_address: Counter[str] = Counter()

    def open(self, asked: Asked, browser: str, address: str, now: float) -> SignIn:
        """A new sign-in of the browser with this cookie."""
        while self._open:
            oldest = next(iter(self._open.values()))
            if len(self._open) < self._limit and oldest.ends > now:
                break
            self.close(oldest)
        if self._by_address[address] >= max(1, self._limit // _SHARE):
            self.close(next(each for each in self._open.values() if each.address == address))
        made = SignIn(secrets.token_urlsafe(24), asked, _hash(browser), address, now + self._seconds)
        self._open[made.id] = made
        self._by_address[address] += 1
        return made

    def find(self, identifier: str, browser: str, now: float) -> SignIn | None:
        """The sign-in, where this browser began it and it is not over."""
        found = self._open.get(identifier)
        if found is None or found.ends <= now or not hmac.compare_digest(found.browser, _hash(browser)):
            return None
        return found

    def close(self, sign_in: SignIn) -> None:
        """It came to its end."""
        if self._open.pop(sign_in.id, None) is None:
            return
        self._by_address[sign_in.address] -= 1
        if self._by_address[sign_in.address] <= 0:
            del self._by_address[sign_in.address]


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
