"""Authlib, a foreign OAuth client: code with PKCE, refresh, revocation."""

from __future__ import annotations

import asyncio
import functools
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from ringback.protocols.oauth import grants
from ringback.protocols.oauth.tokens import SCOPE
from tests.oauth.conftest import ANITA, OTHER, Browser

pytestmark = pytest.mark.peer


class Foreign:
    """Authlib's session of a third party, in threads."""

    def __init__(self, visitor: Browser) -> None:
        self._visitor = visitor
        self.base = visitor.base.replace(visitor.running.settings.node, "127.0.0.1")
        self.session: Any = OAuth2Session(
            OTHER.id,
            scope=SCOPE,
            redirect_uri=OTHER.redirects[0],
            code_challenge_method="S256",
            token_endpoint_auth_method="none",
            revocation_endpoint_auth_method="none",
        )
        self.session.trust_env = False  # a bundle named in the environment would go before ours
        self.session.verify = str(visitor.running.settings.ca_file)

    async def run(self, function: Any, *arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(functools.partial(function, *arguments, **named))

    async def sign_in(self, verifier: str) -> Any:
        url, _ = self.session.create_authorization_url(self.base + grants.AUTHORIZE_PATH, code_verifier=verifier)
        parts = urlsplit(url)
        page = await self._visitor.send("GET", f"{parts.path}?{parts.query}")
        answer = await self._visitor.submit(page, *ANITA)
        return await self.run(
            self.session.fetch_token,
            self.base + grants.TOKEN_PATH,
            authorization_response=answer.location,
            code_verifier=verifier,
            timeout=10,
        )

    async def uds(self) -> requests.Response:
        found: requests.Response = await self.run(self.session.get, f"{self.base}/cucm-uds/user/anita", timeout=10)
        return found


async def test_authlib_signs_in_refreshes_and_signs_out(visitor: Browser) -> None:
    foreign = Foreign(visitor)
    token = await foreign.sign_in(grants.new_verifier())
    assert token["token_type"] == "Bearer"
    assert (await foreign.uds()).status_code == 200
    first = token["access_token"]
    await foreign.run(
        foreign.session.refresh_token, foreign.base + grants.TOKEN_PATH, token["refresh_token"], timeout=10
    )
    assert foreign.session.token["access_token"] != first
    assert (await foreign.uds()).status_code == 200
    revoked = await foreign.run(
        foreign.session.revoke_token,
        foreign.base + grants.REVOKE_PATH,
        token=token["refresh_token"],
        timeout=10,
    )
    assert revoked.status_code == 200, revoked.text
    assert (await foreign.uds()).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        await foreign.run(
            foreign.session.refresh_token, foreign.base + grants.TOKEN_PATH, token["refresh_token"], timeout=10
        )


async def test_authlib_hears_why_it_is_refused(visitor: Browser) -> None:
    foreign = Foreign(visitor)
    foreign.session.redirect_uri = "https://evil.example.net/back"
    url, _ = foreign.session.create_authorization_url(
        foreign.base + grants.AUTHORIZE_PATH, code_verifier=grants.new_verifier()
    )
    parts = urlsplit(url)
    assert (await visitor.send("GET", f"{parts.path}?{parts.query}")).status == 400
    with pytest.raises(OAuthError, match="invalid_grant"):
        await foreign.run(
            foreign.session.fetch_token,
            foreign.base + grants.TOKEN_PATH,
            code="made-up",
            grant_type="authorization_code",
            code_verifier=grants.new_verifier(),
            timeout=10,
        )
