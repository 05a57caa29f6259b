"""Authorize where an identity provider says who somebody is: the whole way, and who is not let on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp

from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.net.tls import client_context
from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import AuthorizeRequest, CodeAnswer, TokenResponse
from ringback.protocols.oauth.probe import PATH, Probe
from ringback.protocols.saml.metadata import ServiceProvider
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import CallManagerSettings
from ringback.services.identity.settings import Account
from tests.callmanager.conftest import CHEAP, PEOPLE
from tests.oauth.conftest import ADMINISTRATOR, BACK, SIGN_IN, USERS, copy_store
from tests.support.dance import Browser, Page
from tests.support.identity import bound, running_stage

NODE = "cm2.example.com"
ACCOUNTS = tuple(Account(user, "at the provider") for user in ("Anita", "bruno", "stranger"))


class Dance:
    """The way of a browser to a code."""

    def __init__(self, browser: Browser, base: str, ca: Path) -> None:
        self.browser = browser
        self.base = base
        self.tls = client_context(ca)
        self.verifier = grants.new_verifier()

    def url(self, **changes: Any) -> str:
        challenge = grants.challenge_of(self.verifier)
        return replace(AuthorizeRequest("code", RINGBACK_CLIENT, BACK, "s1", challenge), **changes).url(self.base)

    async def sign_in(self, user: str) -> Page:
        """The page of the provider, filled in; the answer posted to the call manager, not followed."""
        page = await self.browser.open(self.url())
        assert urlsplit(str(page.url)).hostname == "idp.example.com"
        page = await self.browser.send(page.form, {"user": user, "password": "at the provider"})
        return await self.browser.send(page.form, follow=0)

    async def token(self, page: Page) -> TokenResponse:
        code = CodeAnswer.parse(parse_qsl(urlsplit(page.headers["Location"]).query), "s1", self.base).code
        form = grants.CodeGrant(RINGBACK_CLIENT, code, BACK, self.verifier).form()
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls)) as session,
            session.post(
                self.base.replace(NODE, "127.0.0.1") + grants.TOKEN_PATH, data=form, server_hostname=NODE
            ) as answer,
        ):
            return TokenResponse.parse(await answer.read())

    async def administer(self, method: str, path: str, data: bytes = b"") -> int:
        login = aiohttp.encode_basic_auth(ADMINISTRATOR.user, ADMINISTRATOR.password)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls)) as session,
            session.request(
                method, self.base.replace(NODE, "127.0.0.1") + path, data=data, server_hostname=NODE,
                headers={"Authorization": login},
            ) as answer,
        ):  # fmt: skip
            return answer.status


@asynccontextmanager
async def dancing(tmp_path: Path, template: Path) -> AsyncIterator[Dance]:
    listening, port = bound()
    listening.close()
    base = f"https://{NODE}:{port}"
    known = ServiceProvider(NODE, (f"{base}/ssosp/saml/SSO/alias/{NODE}",))
    async with running_stage(tmp_path, accounts=ACCOUNTS, more_services=(known,)) as stage:
        node = CallManager(
            CallManagerSettings(
                NODE,
                "127.0.0.1",
                stage.authority.issue(NODE, [NODE], ["127.0.0.1"]),
                copy_store(template, tmp_path / "cm.db"),
                https_port=port,
                files_port=0,
                files_tls_port=0,
                people=PEOPLE,
                application_users=USERS,
                hashing=CHEAP,
                sign_in=replace(SIGN_IN, single_sign_on=SingleSignOnSettings(NODE, base, tmp_path / "provider.xml")),
            )
        )
        await node.start()
        try:
            hosts = {**stage.hosts, NODE: replace(stage.hosts["idp.example.com"], port=port)}
            async with Browser(hosts, stage.authority.ca_file) as browser:
                yield Dance(browser, base, stage.authority.ca_file)
        finally:
            await node.stop()


async def test_the_provider_says_who_it_is_once_and_silently_afterwards(tmp_path: Path, template: Path) -> None:
    async with dancing(tmp_path, template) as dance:
        probe = await dance.browser.open(dance.base + PATH)
        assert Probe.parse(probe.text.encode()) == Probe(True, True, "14.0.1")

        silent = await dance.browser.open(dance.url(prompt="none"), follow=1)
        silent = await dance.browser.send(silent.form, follow=0)
        assert parse_qs(urlsplit(silent.headers["Location"]).query)["error"] == ["login_required"]

        page = await dance.sign_in("Anita")
        assert page.status == 303
        tokens = await dance.token(page)
        assert tokens.user_id == "anita"

        silent = await dance.browser.open(dance.url(prompt="none"), follow=1)
        assert silent.form.fields["SAMLResponse"]  # the provider knows the browser and asks nothing
        assert (await dance.token(await dance.browser.send(silent.form, follow=0))).user_id == "anita"

        asked = await dance.browser.open(dance.url(prompt="login"))
        assert asked.form.fields.keys() >= {"user", "password"}


async def test_whom_the_provider_knows_and_we_do_not_gets_no_code(tmp_path: Path, template: Path) -> None:
    async with dancing(tmp_path, template) as dance:
        refused = await dance.sign_in("stranger")
        told = parse_qs(urlsplit(refused.headers["Location"]).query)
        assert (told["error"], told["state"]) == (["access_denied"], ["s1"])
        assert "no account here" in told["error_description"][0]


async def test_nobody_goes_round_the_provider(tmp_path: Path, template: Path) -> None:
    async with dancing(tmp_path, template) as dance:
        login = aiohttp.encode_basic_auth("anita", "anita's password")
        assert (await dance.browser.open(dance.url(), headers={"Authorization": login}, follow=0)).status == 403
        form = b"csrf=x&user=anita&password=anita's+password"
        kind = "application/x-www-form-urlencoded"
        exact = (await dance.browser.open(dance.url(), follow=0)).url
        assert (await dance.browser.post(exact, form, kind)).status == 400
        assert await dance.administer("PUT", "/ringback/people/bruno/active", b"false") == 200
        refused = await dance.sign_in("bruno")
        assert "switched off" in parse_qs(urlsplit(refused.headers["Location"]).query)["error_description"][0]
