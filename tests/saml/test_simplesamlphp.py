"""SimpleSAMLphp as the identity provider of our service, through the whole redirect dance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.net.single_sign_on import NotSignedIn, SignedIn, SingleSignOnSettings
from ringback.net.single_sign_on.keys import SigningKey
from ringback.protocols.saml.metadata import ServiceProvider
from ringback.rules.addresses import HostPort
from tests.support.dance import Browser
from tests.support.identity import SERVICE, Service, bound, service_of_ours
from tests.support.simplesamlphp import SimpleSamlPhp, running_simplesamlphp

pytestmark = [pytest.mark.peer, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[SimpleSamlPhp, Service, Path]]:
    """The foreign provider, which demands signed requests, and our service, with the file of its authority."""
    folder = tmp_path_factory.mktemp("ssp")
    authority = Authority(folder / "authority")
    listening, port = bound()
    base = f"https://{SERVICE}:{port}"
    key = SigningKey.open(folder / "keys", SERVICE)
    known = ServiceProvider(SERVICE, (f"{base}/ssosp/saml/SSO/alias/{SERVICE}",), (key.certificate,), signs=True)
    with running_simplesamlphp(folder / "ssp", known, {"leila": "secret"}) as provider:
        async with Browser({"localhost": HostPort("127.0.0.1", 0)}, None) as fetcher:
            page = await fetcher.open(provider.metadata)
        (folder / "provider.xml").write_text(page.text)
        settings = SingleSignOnSettings(SERVICE, base, folder / "provider.xml", keys=folder / "keys")
        async with service_of_ours(SERVICE, listening, settings, authority.issue(SERVICE, [SERVICE])) as service:
            yield provider, service, authority.ca_file


def _browser(service: Service, ca_file: Path) -> Browser:
    return Browser({SERVICE: HostPort("127.0.0.1", 0), "localhost": HostPort("127.0.0.1", 0)}, ca_file)


async def test_the_whole_dance(both: tuple[SimpleSamlPhp, Service, Path]) -> None:
    provider, service, ca_file = both
    async with _browser(service, ca_file) as browser:
        page = await browser.open(f"{service.base}/begin?relay=abc")
        assert str(page.url).startswith(provider.base), page.text
        page = await browser.send(page.form, {"username": "leila", "password": "wrong"})
        assert "password" in page.form.fields, "a wrong password must be asked for again"
        page = await browser.send(page.form, {"username": "leila", "password": "secret"})
        assert "SAMLResponse" in page.form.fields, page.text[:3000]
        form = page.form
        page = await browser.send(form)
        assert page.text == "signed in: leila relay abc"
        came = service.came[-1]
        assert isinstance(came, SignedIn)
        assert came.assertion.attributes["mail"] == ("leila@example.com",)
        assert came.assertion.session_until is not None
        # A second time without a question, then the first answer again.
        page = await browser.open(f"{service.base}/begin?relay=again&passive=1")
        assert (await browser.send(page.form)).text == "signed in: leila relay again"
        page = await browser.open(f"{service.base}/begin?relay=x", follow=0)
        assert (await browser.send(form)).status == 403


async def test_nobody_is_asked_where_that_was_said(both: tuple[SimpleSamlPhp, Service, Path]) -> None:
    _, service, ca_file = both
    async with _browser(service, ca_file) as browser:
        page = await browser.open(f"{service.base}/begin?relay=quiet&passive=1")
        page = await browser.send(page.form)
        came = service.came[-1]
        assert isinstance(came, NotSignedIn)
        assert (came.passive, came.relay) == (True, "quiet"), came.why
