"""The sign-ins under way: which were begun, by which browser, and for how long they may be answered. Pure.

Each request belongs to a browser, told by a random cookie of which only the hash is kept. An answer counts only where
it comes from that browser: else an attacker could sign a victim in as somebody else (log-in CSRF). What is kept is
bounded, and no address can push out more than its own tenth.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

_Key = TypeVar("_Key")

_SHARE = 10  # an address may hold a tenth of all open requests
_OF_A_BROWSER = 8  # tabs that sign in side by side


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A sign-in under way. ``state`` is the relay state that goes with it, ``relay`` what the service wants back."""

    id: str
    state: str = field(repr=False)
    relay: str = field(repr=False)
    browser: bytes = field(repr=False)
    address: str
    ends: float


class OpenRequests:
    """Open requests by id; each ends after ``seconds``."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._open: OrderedDict[str, OpenRequest] = OrderedDict()
        self._by_address: Counter[str] = Counter()
        self._by_browser: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, cookie: str, address: str, relay: str, now: float) -> OpenRequest:
        """Remember a new request of a browser. Where there are too many, the oldest go: of the browser, of the address,
        of all."""
        while self._open and (first := next(iter(self._open.values()))).ends <= now:
            self._drop(first)
        browser = _hash(cookie)
        if self._by_browser[browser] >= _OF_A_BROWSER:
            self._drop(next(each for each in self._open.values() if each.browser == browser))
        if self._by_address[address] >= max(1, self._limit // _SHARE):
            self._drop(next(each for each in self._open.values() if each.address == address))
        if len(self._open) >= self._limit:
            self._drop(next(iter(self._open.values())))
        # An XML id must not begin with a digit.
        identifier, state = "_" + secrets.token_hex(20), secrets.token_urlsafe(24)
        request = OpenRequest(identifier, state, relay, browser, address, now + self._seconds)
        self._open[identifier] = request
        self._by_address[address] += 1
        self._by_browser[browser] += 1
        return request

    def knows(self, cookie: str, now: float) -> bool:
        """Whether this browser has a sign-in under way."""
        return bool(self.of(cookie, now))

    def of(self, cookie: str, now: float) -> frozenset[str]:
        """The ids of what this browser may be answered."""
        browser = _hash(cookie)
        if not self._by_browser[browser]:
            return frozenset()
        return frozenset(each.id for each in self._open.values() if each.browser == browser and each.ends > now)

    def take(self, identifier: str, cookie: str, state: str, now: float) -> OpenRequest | None:
        """The request that is answered, which is closed by that; None where it is not open, not this browser's, or the
        relay state is another."""
        found = self._open.get(identifier)
        if found is None or found.ends <= now or not hmac.compare_digest(found.browser, _hash(cookie)):
            return None
        if not hmac.compare_digest(found.state.encode(), state.encode()):
            return None
        self._drop(found)
        return found

    def _drop(self, request: OpenRequest) -> None:
        del self._open[request.id]
        _less(self._by_address, request.address)
        _less(self._by_browser, request.browser)


def _less(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
