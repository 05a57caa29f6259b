"""Who gets into a mailbox without a password: with a token of the call managers, or from the identity provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from ringback.deployment.authority import Authority
from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.protocols.oauth.tokens import IssuerKeys, TakenBack
from ringback.protocols.saml.metadata import ServiceProvider
from ringback.rules.addresses import HostPort
from ringback.services.voicemail.service import VoicemailService
from ringback.services.voicemail.settings import MailboxSettings
from tests.support.dance import Browser
from tests.support.foreign import free_ports
from tests.support.identity import IDP, LEILA, MATEUS, running_stage
from tests.support.key_desk import PASSWORD, USER, KeyDesk, token_of
from tests.support.nodes import started, voicemail_settings
from tests.support.waiting import until
from tests.voicemail.conftest import session_with

_VM, _CM = "voicemail.example.com", "cm1.example.com"


class _Mailroom:
    """A voicemail service whose keys come from a desk, and a client."""

    def __init__(self, service: VoicemailService, session: aiohttp.ClientSession, desk: KeyDesk) -> None:
        self.base = f"https://{_VM}:{service.endpoints[0].port}"
        self.desk = desk
        self._session = session

    async def ask(self, token: str) -> tuple[int, str]:
        """Status, and what is asked for, of the mailbox opened with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(f"{self.base}/vmrest/mailbox", headers=headers) as response:
            return response.status, response.headers.get("WWW-Authenticate", "")


@asynccontextmanager
async def _running(
    folder: Path, authority: Authority, sso: SingleSignOnSettings | None = None, port: int = 0
) -> AsyncIterator[_Mailroom]:
    async with AsyncExitStack() as stack:
        desk = KeyDesk(authority, _CM)
        await desk.start()
        stack.push_async_callback(desk.stop)
        settings = replace(
            voicemail_settings(_VM, folder, authority),
            rest_port=port,
            call_managers=(desk.node,),
            application_user=USER,
            application_password=PASSWORD,
            mailboxes=(MailboxSettings("leila", "Leila Haddad", "leila@example.com", "3001"),),
            single_sign_on=sso,
        )
        service = await started(VoicemailService(settings), stack)
        session = await stack.enter_async_context(session_with(_VM, authority))
        yield _Mailroom(service, session, desk)


@pytest.fixture
async def mailroom(tmp_path: Path, authority: Authority) -> AsyncIterator[_Mailroom]:
    async with _running(tmp_path, authority) as running:
        yield running


async def test_a_token_opens_its_own_mailbox(mailroom: _Mailroom) -> None:
    assert (await mailroom.ask(mailroom.desk.token("Leila")))[0] == 200
    assert (await mailroom.ask(mailroom.desk.token("nobody")))[0] == 404


async def test_tokens_that_are_not_to_be_believed_are_refused_with_the_reason(mailroom: _Mailroom) -> None:
    good = mailroom.desk.token("leila")
    stranger = token_of(IssuerKeys.generate(), "leila")
    for token in (good[:-4] + "AAAA", stranger, mailroom.desk.token("leila", life=-5), "x", ""):
        status, asked = await mailroom.ask(token)
        assert status == 401
        assert 'error="invalid_token"' in asked


async def test_a_deactivated_person_is_out_within_seconds(mailroom: _Mailroom) -> None:
    token = mailroom.desk.token("leila")
    assert (await mailroom.ask(token))[0] == 200
    mailroom.desk.taken_back = TakenBack(deactivated=frozenset({"leila"}))
    before = len(mailroom.desk.answers)
    await mailroom.desk.until(200, after=before)

    async def is_refused() -> bool:
        return (await mailroom.ask(token))[0] == 401

    await until(is_refused, 5)


async def test_a_browser_signs_in_at_the_identity_provider(tmp_path: Path, authority: Authority) -> None:
    [port] = free_ports(1)
    base = f"https://{_VM}:{port}"
    known = ServiceProvider(_VM, (f"{base}/ssosp/saml/SSO/alias/{_VM}",))
    async with running_stage(tmp_path / "stage", more_services=(known,)) as stage:
        settings = SingleSignOnSettings(_VM, base, tmp_path / "stage" / "provider.xml")
        async with _running(tmp_path, stage.authority, settings, port):
            hosts = {_VM: HostPort("127.0.0.1", port), IDP: stage.hosts[IDP]}
            async with Browser(hosts, stage.authority.ca_file) as browser:
                page = await browser.open(f"{base}/vmrest/mailbox", headers={"Accept": "text/html"})
                assert page.url.host == IDP
                page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
                page = await browser.send(page.form)
                assert "You are signed in" in page.text
                assert 'href="/vmrest/mailbox"' in page.text
                page = await browser.open(f"{base}/vmrest/mailbox")
                assert "<DisplayName>Leila Haddad</DisplayName>" in page.text
            async with Browser(hosts, stage.authority.ca_file) as stranger:
                assert (await stranger.open(f"{base}/vmrest/mailbox")).status == 401
                page = await stranger.open(f"{base}/ssosp/ws/public/singleSignOn")
                assert '<Status enabled="true"/>' in page.text


async def test_somebody_without_a_mailbox_is_told_so(tmp_path: Path, authority: Authority) -> None:
    [port] = free_ports(1)
    base = f"https://{_VM}:{port}"
    known = ServiceProvider(_VM, (f"{base}/ssosp/saml/SSO/alias/{_VM}",))
    plain = replace(MATEUS, second_factor="")
    async with running_stage(tmp_path / "stage", accounts=(plain,), more_services=(known,)) as stage:
        settings = SingleSignOnSettings(_VM, base, tmp_path / "stage" / "provider.xml")
        async with _running(tmp_path, stage.authority, settings, port):
            hosts = {_VM: HostPort("127.0.0.1", port), IDP: stage.hosts[IDP]}
            async with Browser(hosts, stage.authority.ca_file) as browser:
                page = await browser.open(URL(base) / "vmrest/mailbox", headers={"Accept": "text/html"})
                page = await browser.send(page.form, {"user": plain.user, "password": plain.password})
                page = await browser.send(page.form)
                assert (page.status, page.fault) == (403, "There is no mailbox here for the person who signed in.")
                assert (await browser.open(f"{base}/vmrest/mailbox")).status == 401
