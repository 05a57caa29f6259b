"""``/ringback/remote-access``: what the people of this cluster may use from outside, for the edge alone.

The document is made anew at most twice a second, so that what a command or a directory changed is known outside within
seconds, however many proxies ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from aiohttp import hdrs, web

from ringback.protocols.edge.access import PATH, RIGHT, AccessDocument, Restricted
from ringback.rules.edge_access import EVERYTHING, AccessError, AccessPolicy, RemoteAccess
from ringback.services.callmanager import http
from ringback.services.callmanager.guard import Guard
from ringback.storage.callmanager.remote_access import RemoteAccessStore

_FRESH: Final = 0.5  # seconds
_NOTHING: Final = AccessPolicy(RemoteAccess.NONE, RemoteAccess.NONE, RemoteAccess.NONE)

_log = structlog.get_logger("ringback.callmanager.remote_access")


class RemoteAccessDocument:
    """``profiles``: the user profiles of the deployment, by name. ``taken_back``: people (folded user ids) who were
    revoked or deactivated; their devices are told too, since a connection of a telephone says only its device."""

    def __init__(
        self,
        cluster: str,
        store: RemoteAccessStore,
        profiles: Mapping[str, AccessPolicy],
        guard: Guard,
        taken_back: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._profiles = profiles
        self._guard = guard
        self._taken_back = taken_back
        self._clock = clock
        self._made: http.Document | None = None
        self._at = 0.0

    def routes(self) -> list[web.RouteDef]:
        """What to add to the router."""
        return [web.get(PATH, self._get, allow_head=False)]

    async def _get(self, request: web.Request) -> web.Response:
        application = await self._guard.application(request, RIGHT)
        if isinstance(application, web.Response):
            return application
        response = http.document(request, await self._document())
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response

    async def _document(self) -> http.Document:
        now = self._clock()
        if self._made is None or now - self._at >= _FRESH:
            body = await self._build()
            self._made, self._at = http.Document.of(body, "application/json"), now
        return self._made

    async def _build(self) -> bytes:
        policies = {user: self._policy(user, row.access) for user, row in (await self._store.said()).items()}
        restricted = {user: policy for user, policy in policies.items() if policy != EVERYTHING}
        restricted = dict.fromkeys(self._taken_back(), EVERYTHING) | restricted
        devices = await self._store.devices_of(sorted(restricted))
        people = {user: Restricted(policy, tuple(devices.get(user, ()))) for user, policy in restricted.items()}
        return AccessDocument(self._cluster, people).build()

    def _policy(self, user: str, said: str) -> AccessPolicy:
        """Where nobody can tell what was meant, nothing is allowed."""
        try:
            return self._profiles[said[1:]] if said.startswith("@") else AccessPolicy.parse(said)
        except (AccessError, KeyError) as error:
            _log.error("remote access of a person can't be read", user=user, why=str(error))
            return _NOTHING
