"""People who open their mailbox in a browser sign in at the identity provider, and have a session by cookie.

The cookie goes along with requests of this site only (``SameSite=Strict``), so that no other site can make a browser
change anything here. A session ends after some hours, and at once for somebody who was signed out or deactivated.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from ringback.net import pages
from ringback.net.single_sign_on import NotSignedIn, SignedIn, SingleSignOn, SingleSignOnSettings
from ringback.net.token_keys import TokenKeys
from ringback.rules.name_search import fold
from ringback.storage.voicemail.store import VoicemailStore

_COOKIE: Final = "__Host-voicemail"
_SECONDS: Final = 8 * 3600.0
_MOST: Final = 20_000
_HOME: Final = "/vmrest/mailbox/folders/inbox/messages"


@dataclass(frozen=True, slots=True)
class _Session:
    user: str
    since: float
    until: float


class BrowserSignIn:
    """The service's side of single sign-on, and the sessions that follow."""

    def __init__(
        self,
        settings: SingleSignOnSettings,
        store: VoicemailStore,
        keys: TokenKeys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` gives Unix seconds."""
        self._store = store
        self._keys = keys
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._provider = SingleSignOn(settings, self._signed_in, self._not_signed_in, clock)

    async def start(self) -> None:
        """Read the provider's metadata. Raises OSError or SamlError for a file that does not serve."""
        await self._provider.start()

    async def stop(self) -> None:
        """Mirror of ``start``."""
        await self._provider.stop()

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        return self._provider.routes()

    def user(self, request: web.Request) -> str | None:
        """Who has a session with this request's cookie."""
        session = self._sessions.get(request.cookies.get(_COOKIE, ""))
        if session is None or session.until <= self._clock():
            return None
        return None if self._keys.refuses_person(session.user, session.since) else session.user

    def asks_for_page(self, request: web.Request) -> bool:
        """Whether a browser shows the answer to a person, who can then be sent to the identity provider."""
        wanted = request.headers.get(hdrs.ACCEPT, "")
        return request.method == hdrs.METH_GET and wanted.startswith("text/html")

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """Send the browser to the identity provider, to come back to where it is now."""
        return await self._provider.begin(request, request.rel_url.raw_path_qs)

    async def _signed_in(self, _request: web.Request, signed_in: SignedIn) -> web.StreamResponse:
        user = fold(signed_in.user)
        now = self._clock()
        if await self._store.mailbox(user) is None or self._keys.refuses_person(user, now):
            return self._told("There is no mailbox here for the person who signed in.", 403)
        place = signed_in.relay if signed_in.relay.startswith("/vmrest/") else _HOME
        body = f'<h1>You are signed in</h1><p><a href="{pages.escape(place)}">Go on to your voicemail</a></p>'
        # A redirect would still count as coming from the provider's site, and the browser would keep the cookie back.
        response = pages.page("Voicemail", body, script="document.querySelector('a').click()")
        response.set_cookie(
            _COOKIE,
            self._open(user, now),
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
            max_age=int(_SECONDS),
        )
        return response

    async def _not_signed_in(self, _request: web.Request, refused: NotSignedIn) -> web.StreamResponse:
        return self._told(refused.why, 403)

    def _open(self, user: str, now: float) -> str:
        while len(self._sessions) >= _MOST:
            self._sessions.popitem(last=False)
        name = secrets.token_urlsafe(32)
        self._sessions[name] = _Session(user, now, now + _SECONDS)
        return name

    @staticmethod
    def _told(why: str, status: int) -> web.Response:
        body = f'<h1>You are not signed in</h1><p class="fault" role="alert">{pages.escape(why)}</p>'
        return pages.page("Voicemail", body, status=status)
