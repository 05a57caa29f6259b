"""Access tokens of a running call manager, got as a client without a browser gets them; and an administrator's word."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import AuthorizeRequest, CodeAnswer, CodeGrant, TokenResponse
from tests.support.services import ADMINISTRATOR, OwnServer

_BACK = "http://127.0.0.1:8080/signed-in"


class Authorisation:
    """A client of the authorisation server of ``server``'s call manager."""

    def __init__(self, server: OwnServer, session: aiohttp.ClientSession) -> None:
        self._base = f"https://{server.address}:{server.call_manager_port}"
        self.session = session

    async def sign_in(self, user: str, password: str) -> TokenResponse:
        """Tokens for a password."""
        verifier, state = grants.new_verifier(), grants.new_state()
        asked = AuthorizeRequest("code", RINGBACK_CLIENT, _BACK, state, grants.challenge_of(verifier))
        login = _basic(user, password)
        async with self.session.get(asked.url(self._base), headers=login, allow_redirects=False) as response:
            location = response.headers["Location"]
        code = CodeAnswer.parse(parse_qsl(urlsplit(location).query), state).code
        form = CodeGrant(RINGBACK_CLIENT, code, _BACK, verifier).form()
        async with self.session.post(self._base + grants.TOKEN_PATH, data=form) as response:
            return TokenResponse.parse(await response.read())

    async def sign_out(self, tokens: TokenResponse) -> None:
        """End the sign-in behind these tokens."""
        form = {"token": tokens.refresh_token, "client_id": RINGBACK_CLIENT}
        async with self.session.post(self._base + grants.REVOKE_PATH, data=form) as response:
            response.raise_for_status()

    async def revoke(self, user: str) -> None:
        """An administrator ends all sign-ins of a person."""
        url = f"{self._base}{grants.ADMINISTRATOR_REVOKE_PATH}?user_id={user}"
        async with self.session.get(url, headers=_administrator()) as response:
            response.raise_for_status()

    async def set_active(self, user: str, *, active: bool) -> None:
        """An administrator deactivates a person, or lets them in again."""
        url = f"{self._base}/ringback/people/{user}/active"
        async with self.session.put(url, data=str(active).lower(), headers=_administrator()) as response:
            response.raise_for_status()


def _administrator() -> dict[str, str]:
    return _basic(ADMINISTRATOR.user, ADMINISTRATOR.password)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


@asynccontextmanager
async def authorisation(server: OwnServer) -> AsyncIterator[Authorisation]:
    """A client, until the end of the block."""
    context = ssl.create_default_context(cafile=str(server.ca))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Authorisation(server, session)
