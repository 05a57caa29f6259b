"""Sign-ins that went to the browser and will come back: kept sealed, so that they outlive a restart of the host.

A way is begun for one browser (known by the digest of its session's cookie). When that browser leaves, it gets a secret
of its own as a cookie that also comes along when another site leads back; the answer counts only for the right state,
the right secret and the right browser, once, and for ten minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

import msgspec

from ringback.client.identity.authorization import BrowserQuestion
from ringback.client.store.store import Store

WAY_SECONDS = 600.0
WAYS_LIMIT = 32
_KIND = "browser-way"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in on its way. ``secret`` is the digest of the browser's cookie, empty until it left.

    ``again``: it answers the question of a session that goes on. ``quietly``: nobody is to be asked.
    """

    id: str
    browser: str
    address: str
    url: str
    state: str
    verifier: str
    redirect: str
    issuer: str
    made: float
    remember: bool = False
    quietly: bool = False
    again: bool = False
    secret: str = ""

    def __repr__(self) -> str:
        return f"Way({self.address!r})"


class Ways:
    """The ways of all browsers of this data folder."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    async def begin(
        self, browser: str, address: str, question: BrowserQuestion, *, remember: bool, quietly: bool, again: bool
    ) -> Way:
        """A new way; older ones that nobody came back from go."""
        way = Way(
            id=secrets.token_urlsafe(16), browser=browser, address=address, url=question.url, state=question.state,
            verifier=question.verifier, redirect=question.redirect, issuer=question.issuer, made=self._clock(),
            remember=remember, quietly=quietly, again=again,
        )  # fmt: skip
        await self._tidy()
        await self._store.put(_KIND, way.id, way)
        return way

    async def leave(self, way_id: str, browser: str) -> tuple[str, str] | None:
        """The browser leaves: where it goes, and the secret that it takes along. None: there is no such way for it."""
        way = await self._store.get(_KIND, way_id, Way) if way_id.isascii() else None
        if way is None or not self._fresh(way) or not hmac.compare_digest(way.browser, browser):
            return None
        secret = secrets.token_urlsafe(32)
        await self._store.put(_KIND, way.id, msgspec.structs.replace(way, secret=_digest(secret)))
        return way.url, secret

    async def back(self, state: str, secret: str, browser: str) -> Way | None:
        """The browser is back: its way, which is over with this. None: the answer is to no question of this browser."""
        found: Way | None = None
        for way in (await self._store.all(_KIND, Way)).values():
            if hmac.compare_digest(way.state.encode(), state.encode("utf-8", "replace")):
                found = way
        if found is None or not state or not found.secret:
            return None
        if not hmac.compare_digest(found.secret, _digest(secret)) or not hmac.compare_digest(found.browser, browser):
            return None
        await self._store.remove(_KIND, [found.id])
        return found if self._fresh(found) else None

    async def waits(self, browser: str) -> bool:
        """Whether somebody may come back into this browser's session."""
        ways = (await self._store.all(_KIND, Way)).values()
        return any(way.browser == browser and self._fresh(way) for way in ways)

    async def forget(self, address: str) -> None:
        """Nobody comes back for this person."""
        ways = (await self._store.all(_KIND, Way)).values()
        await self._store.remove(_KIND, [way.id for way in ways if way.address == address])

    async def _tidy(self) -> None:
        ways = sorted((await self._store.all(_KIND, Way)).values(), key=lambda way: way.made, reverse=True)
        await self._store.remove(
            _KIND, [way.id for place, way in enumerate(ways) if not self._fresh(way) or place >= WAYS_LIMIT - 1]
        )

    def _fresh(self, way: Way) -> bool:
        return 0 <= self._clock() - way.made <= WAY_SECONDS


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
