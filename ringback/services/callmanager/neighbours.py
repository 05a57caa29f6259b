"""The two smaller interfaces on 8443: CCMCIP for clients, and the credentials that other Ringback services ask for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from aiohttp import web

from ringback.protocols import ccmcip
from ringback.protocols.ccmcip import CcmcipDevice, CcmcipError, DeviceList, GetDevices
from ringback.rules.name_search import fold
from ringback.services.callmanager import http
from ringback.services.callmanager.authentication import PasswordChecker
from ringback.services.callmanager.guard import Guard
from ringback.storage.callmanager.records import PERSON
from ringback.storage.callmanager.store import Store

RIGHT = "credentials"


class Ccmcip:
    """The handler of ``POST /ccmcip/Personalization``."""

    def __init__(self, store: Store, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        return [web.post(ccmcip.PATH, self._post)]

    async def _post(self, request: web.Request) -> web.Response:
        user = await self._guard.person_as(request, ccmcip.decode_password)
        if isinstance(user, web.Response):
            return user
        try:
            question = GetDevices.parse(await request.read())
        except CcmcipError as error:
            return http.refusal(400, str(error))
        if fold(question.user) != user:
            return http.refusal(403, "A user can list only the devices that are theirs")
        rows = await self._store.devices_of(user)
        devices = tuple(CcmcipDevice(row.name, row.description, row.model) for row in rows)
        return web.Response(body=DeviceList(devices).build(), content_type="text/xml", charset="utf-8")


class Credentials:
    """The handler of ``GET /ringback/credentials/<user>``: SCRAM-SHA-256 verifiers for the presence service."""

    def __init__(
        self,
        store: Store,
        guard: Guard,
        is_active: Callable[[str], bool] = lambda _user: True,
        elsewhere: PasswordChecker | None = None,
    ) -> None:
        """``elsewhere`` knows passwords of which there is no verifier: 409 says so."""
        self._store = store
        self._guard = guard
        self._is_active = is_active
        self._elsewhere = elsewhere

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        return [web.get("/ringback/credentials/{user}", self._get)]

    async def _get(self, request: web.Request) -> web.Response:
        application = await self._guard.application(request, RIGHT)
        if isinstance(application, web.Response):
            return application
        if self._elsewhere is not None and self._elsewhere.asks(fold(request.match_info["user"])):
            return web.json_response({"error": "no verifier"}, status=409, headers={"Cache-Control": "no-store"})
        found = await self._store.credential(PERSON, request.match_info["user"])
        if found is None or not self._is_active(fold(found.user_name)):
            return web.json_response({"error": "unknown user"}, status=404, headers={"Cache-Control": "no-store"})
        answer = {
            "user": found.user_name,
            "salt": base64.b64encode(found.salt).decode(),
            "iterations": found.iterations,
            "stored_key": base64.b64encode(found.stored_key).decode(),
            "server_key": base64.b64encode(found.server_key).decode(),
        }
        return web.json_response(answer, headers={"Cache-Control": "no-store"})
