"""``/ringback/mailbox-owners``: which people of directories have a mailbox, for the voicemail service alone.

The document is made anew only after a synchronisation changed something.
"""

from __future__ import annotations

from aiohttp import hdrs, web

from ringback.protocols.mailbox_owners import PATH, RIGHT, OwnersDocument
from ringback.services.callmanager import http
from ringback.services.callmanager.guard import Guard
from ringback.storage.callmanager.mailbox_owners import MailboxOwnerStore
from ringback.storage.callmanager.synced import SyncStore


class MailboxOwners:
    """The handler."""

    def __init__(self, cluster: str, store: MailboxOwnerStore, synced: SyncStore, guard: Guard) -> None:
        self._cluster = cluster
        self._store = store
        self._synced = synced
        self._guard = guard
        self._made: tuple[int, http.Document] | None = None

    def routes(self) -> list[web.RouteDef]:
        """What to add to the router."""
        return [web.get(PATH, self._get, allow_head=False)]

    async def _get(self, request: web.Request) -> web.Response:
        application = await self._guard.application(request, RIGHT)
        if isinstance(application, web.Response):
            return application
        serial = await self._synced.serial()
        if self._made is None or self._made[0] != serial:
            body = OwnersDocument(self._cluster, await self._store.owners(self._cluster)).build()
            self._made = serial, http.Document.of(body, "application/json")
        response = http.document(request, self._made[1])
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response
