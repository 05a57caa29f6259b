"""Whether people sign in at an identity provider, as clients ask every service."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from ringback.protocols.oauth import probe
from ringback.services.voicemail.settings import VoicemailSettings


class Probe:
    """The handler of the single sign-on probe."""

    def __init__(self, settings: VoicemailSettings) -> None:
        self._settings = settings

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        return [web.get(probe.PATH, self._get)]

    async def _get(self, _request: web.Request) -> web.Response:
        answer = probe.Probe(single_sign_on=self._settings.single_sign_on is not None)
        return web.Response(body=answer.build(), content_type="application/xml", charset="utf-8")
