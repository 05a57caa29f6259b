"""pysaml2 as a service at our identity provider, and as the identity provider of our service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from ringback.deployment.authority import Authority
from ringback.net.single_sign_on import SignedIn, SingleSignOnSettings
from ringback.protocols.saml.metadata import read_service
from ringback.rules.addresses import HostPort
from tests.support.dance import Browser, Form
from tests.support.identity import LEILA, SERVICE, bound, running_stage, service_of_ours
from tests.support.pysaml import UID, ForeignProvider, ForeignService

pytestmark = pytest.mark.peer
ENTITY, CONSUMER = "https://foreign.example.com/sp", "https://foreign.example.com/acs"


async def test_pysaml2_as_a_service(tmp_path: Path) -> None:
    # Its metadata is needed before our provider starts, and ours before it can ask.
    (tmp_path / "empty.xml").write_text(
        '<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" Name="none"></EntitiesDescriptor>'
    )
    foreign = ForeignService(tmp_path / "foreign", ENTITY, CONSUMER, tmp_path / "empty.xml", signs=True)
    known = read_service(foreign.metadata)
    assert (known.entity_id, known.consumers, known.signs) == (ENTITY, (CONSUMER,), True)
    async with running_stage(tmp_path, more_services=(known,)) as stage, stage.browser() as browser:
        foreign = ForeignService(tmp_path / "foreign", ENTITY, CONSUMER, tmp_path / "provider.xml", signs=True)
        request, url = await asyncio.to_thread(foreign.redirect, "state")
        page = await browser.open(url)
        page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
        form = page.form
        assert (str(form.action), form.fields["RelayState"]) == (CONSUMER, "state")
        read = await asyncio.to_thread(foreign.read, form.fields["SAMLResponse"], request)
        assert (read.user, read.mail) == (("leila",), ("leila@example.com",))
        first = read.subject
        # By HTTP-POST, and without a question, since the session lives; under another transient name.
        request, fields = await asyncio.to_thread(foreign.form, "two")
        page = await browser.send(Form(browser.went[-1].with_path("/saml/sso").with_query(None), fields))
        read = await asyncio.to_thread(foreign.read, page.form.fields["SAMLResponse"], request)
        assert read.user == ("leila",)
        assert read.subject != first


@pytest.mark.parametrize("whole", [True, False])
async def test_pysaml2_as_the_identity_provider(tmp_path: Path, whole: bool) -> None:
    foreign = ForeignProvider(tmp_path / "foreign", "https://idp.foreign.example/md", "https://idp.foreign.example/sso")
    (tmp_path / "provider.xml").write_bytes(foreign.metadata)
    authority = Authority(tmp_path / "authority")
    listening, port = bound()
    settings = SingleSignOnSettings(
        SERVICE, f"https://{SERVICE}:{port}", tmp_path / "provider.xml", UID, keys=tmp_path / "keys"
    )
    identity = authority.issue(SERVICE, [SERVICE])
    async with (
        service_of_ours(SERVICE, listening, settings, identity) as service,
        Browser({SERVICE: HostPort("127.0.0.1", port)}, authority.ca_file) as browser,
    ):
        metadata = (await browser.open(f"{service.base}/ssosp/ws/config/metadata/sp")).text.encode()
        page = await browser.open(f"{service.base}/begin?relay=foreign", follow=0)
        asked = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
        answer = await asyncio.to_thread(foreign.answer, metadata, asked["SAMLRequest"], "leila", whole=whole)
        form = Form(browser.went[0].with_path(f"/ssosp/saml/SSO/alias/{SERVICE}").with_query(None))
        page = await browser.send(form, {"SAMLResponse": answer, "RelayState": asked["RelayState"]})
        assert page.text == "signed in: leila relay foreign"
        assert isinstance(service.came[-1], SignedIn)
