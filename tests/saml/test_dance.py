"""The whole way: a service of ours sends a browser to our identity provider and takes its answer."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pyotp
import pytest
import pytest_asyncio
from yarl import URL

from ringback.net.single_sign_on import NotSignedIn, SignedIn, SingleSignOnSettings
from ringback.net.single_sign_on.keys import SigningKey
from ringback.net.single_sign_on.provider_source import ProviderSource
from ringback.protocols.saml.issue import Statement, issue
from ringback.protocols.saml.metadata import read_provider, write_provider
from ringback.protocols.saml.request import read_redirect
from ringback.protocols.saml.xml import SamlError
from ringback.rules.addresses import HostPort
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings, Record, Zone
from tests.support.dance import Browser, Form, Page
from tests.support.identity import LEILA, MATEUS, OTHER, SERVICE, Stage, bound, running_stage, service_of_ours

METHODS = ("form", "basic", "certificate")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_stage(tmp_path_factory.mktemp("stage"), methods=METHODS) as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _sign_in(stage: Stage, browser: Browser, name: str = "", query: str = "relay=r1") -> Page:
    """Until the provider's answer is posted; whoever is asked is leila."""
    page = await browser.open(f"{(stage.services[name] if name else stage.service).base}/begin?{query}")
    if "password" in page.form.fields:
        page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
    return await browser.send(page.form)


async def test_one_log_in_serves_two_services(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=state-17")
        assert (page.url.host, page.status) == ("idp.example.com", 200)
        assert "Sign in" in page.text
        page = await browser.send(page.form, {"user": "Leila", "password": LEILA.password})
        page = await browser.send(page.form)
        assert page.text == "signed in: leila relay state-17"
        came = stage.service.came[-1]
        assert isinstance(came, SignedIn)
        assert came.assertion.attributes == {
            "uid": ("leila",),
            "mail": ("leila@example.com",),
            "displayName": ("Leila Haddad",),
        }
        assert came.assertion.session_until is not None
        # The second service asks nobody.
        page = await browser.open(f"{stage.services[OTHER].base}/begin?relay=two")
        assert "password" not in page.form.fields
        assert (await browser.send(page.form)).text == "signed in: leila relay two"


async def test_nobody_is_asked_where_the_service_says_so(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=quiet&passive=1")
        page = await browser.send(page.form)
        assert page.status == 403
        came = stage.service.came[-1]
        assert isinstance(came, NotSignedIn)
        assert (came.passive, came.relay) == (True, "quiet")
        await _sign_in(stage, browser)
        page = await browser.open(f"{stage.service.base}/begin?relay=quiet&passive=1")
        assert (await browser.send(page.form)).text == "signed in: leila relay quiet"


async def test_who_must_prove_it_anew_is_asked_in_spite_of_the_session(stage: Stage) -> None:
    async with stage.browser() as browser:
        await _sign_in(stage, browser)
        page = await browser.open(f"{stage.service.base}/begin?relay=x&force=1")
        assert "password" in page.form.fields
        page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
        assert (await browser.send(page.form)).text == "signed in: leila relay x"


async def test_a_second_factor_is_asked_for_after_the_password(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=2f")
        page = await browser.send(page.form, {"user": MATEUS.user, "password": MATEUS.password})
        assert "code" in page.form.fields
        wrong = await browser.send(page.form, {"code": "000000"})
        assert (wrong.status, "wrong" in wrong.fault) == (401, True)
        code = pyotp.TOTP(MATEUS.second_factor).at(int(time.time()))
        page = await browser.send(wrong.form, {"code": f"{code[:3]} {code[3:]}"})
        assert (await browser.send(page.form)).text == "signed in: mateus relay 2f"
    async with stage.browser() as another:  # the code on somebody's shoulder
        page = await another.open(f"{stage.service.base}/begin?relay=2f")
        page = await another.send(page.form, {"user": MATEUS.user, "password": MATEUS.password})
        page = await another.send(page.form, {"code": code})
        assert (page.status, "used before" in page.fault) == (401, True)


async def test_a_program_signs_in_by_basic(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=b", follow=0)
        token = base64.b64encode(f"{LEILA.user}:{LEILA.password}".encode()).decode()
        page = await browser.open(page.headers["Location"], headers={"Authorization": f"Basic {token}"})
        assert (await browser.send(page.form)).text == "signed in: leila relay b"


async def test_a_certificate_of_the_person_signs_in(stage: Stage) -> None:
    identity = stage.authority.issue("leila", ["leila"])
    async with stage.browser(identity) as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=c")
        assert (await browser.send(page.form)).text == "signed in: leila relay c"
    async with stage.browser(stage.authority.issue("nobody", ["nobody"])) as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=c")
        assert "password" in page.form.fields
    async with stage.browser(identity) as browser:  # proof anew: the connection's certificate is none
        page = await browser.open(f"{stage.service.base}/begin?relay=c&force=1")
        assert "password" in page.form.fields


async def test_after_signing_out_the_person_is_asked_again(stage: Stage) -> None:
    async with stage.browser() as browser:
        await _sign_in(stage, browser)
        page = await browser.open(f"{stage.provider_base}/sign-out")
        assert "Leila Haddad" in page.text
        refused = await browser.send(page.form, {"token": "guessed"})
        assert refused.status == 403
        assert "Nobody is signed in" in (await browser.send(page.form)).text
        page = await browser.open(f"{stage.service.base}/begin?relay=x")
        assert "password" in page.form.fields


async def test_signed_requests(tmp_path: Path) -> None:
    async with running_stage(tmp_path, signed_requests=True) as stage, stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/ssosp/ws/config/metadata/sp")
        assert 'AuthnRequestsSigned="true"' in page.text
        assert (await _sign_in(stage, browser)).text == "signed in: leila relay r1"


async def test_a_new_key_of_the_provider_is_taken_up_while_the_service_runs(stage: Stage, tmp_path: Path) -> None:
    """Key roll-over: the metadata names the old certificate, then the new one beside it."""
    file = tmp_path / "provider.xml"
    known = read_provider((stage.folder / "provider.xml").read_bytes(), time.time())
    old = SigningKey.open(tmp_path / "old", "old").certificate
    file.write_bytes(write_provider(replace(known, certificates=(old,))))
    listening, port = bound()
    settings = SingleSignOnSettings(SERVICE, f"https://{SERVICE}:{port}", file, metadata_seconds=0.02)
    identity = stage.authority.issue(SERVICE, [SERVICE])
    async with service_of_ours(SERVICE, listening, settings, identity) as service, stage.browser() as browser:
        target = f"{service.base}/ssosp/saml/SSO/alias/{SERVICE}"
        key = SigningKey.open(stage.folder / "idp", "idp")

        async def tries() -> str:
            page = await browser.open(f"{service.base}/begin?relay=key", follow=0)
            request, state = read_redirect(page.headers["Location"])
            now = time.time()
            said = Statement(
                request.id + "a", "_r", known.entity_id, SERVICE, target, "x", request.id, now, now + 60,
                {"uid": "leila"},
            )  # fmt: skip
            posted = {"SAMLResponse": issue(said, key.key, key.certificate), "RelayState": state}
            return (await browser.send(Form(URL(target)), posted)).text

        assert "no signature" in await tries()
        file.write_bytes(write_provider(replace(known, certificates=(old, *known.certificates))))
        async with asyncio.timeout(10):
            while "no signature" in (text := await tries()):
                pass  # the file is looked at 50 times a second
        assert text == "signed in: leila relay key"


async def test_metadata_comes_from_the_provider_itself(stage: Stage) -> None:
    """From an https address, verified; one that does not answer is told and tried again."""
    names = NamesService(
        NamesSettings("ns", "127.0.0.1", 0, (Zone("example.com", (Record("idp", "A", ("127.0.0.1",), 60),), "ns"),))
    )
    await names.start()
    try:
        settings = SingleSignOnSettings(
            SERVICE,
            f"https://{SERVICE}:1",
            f"{stage.provider_base}/saml/metadata",
            ca_file=stage.authority.ca_file,
            name_server=HostPort("127.0.0.1", names.endpoints[0].port),
        )
        source = ProviderSource(settings, time.time)
        with pytest.raises(SamlError, match="not read yet"):
            source.current  # noqa: B018
        await source.start()
        assert source.current.redirect == f"{stage.provider_base}/saml/sso"
        await source.stop()
        untrusted = ProviderSource(replace(settings, ca_file=None), time.time)
        await untrusted.start()
        with pytest.raises(SamlError, match="could not be fetched"):
            untrusted.current  # noqa: B018
        await untrusted.stop()
    finally:
        await names.stop()
    with pytest.raises(ValueError, match="https"):
        ProviderSource(replace(settings, provider="http://idp.example.com/md"), time.time)
