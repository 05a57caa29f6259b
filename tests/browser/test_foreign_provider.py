"""Signing in by an identity provider that we did not write: SimpleSAMLphp, its own pages in a real browser."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from ringback.protocols.saml.metadata import ServiceProvider
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.dance import SIGNED_IN, branch_lab, dancer, knowing
from tests.browser.people import MODIFIED
from tests.support.lab import RunningLab
from tests.support.simplesamlphp import running_simplesamlphp

pytestmark = [pytest.mark.browser, pytest.mark.peer, pytest.mark.timeout(120)]

SERVICE = "cm-berlin.example.com"
PORT = 8443


@dataclass(frozen=True, slots=True)
class _Foreign:
    lab: RunningLab
    base: str


@pytest.fixture
def foreign(built_page: None, tmp_path: Path) -> Iterator[_Foreign]:
    """An enterprise whose branch leaves the question to SimpleSAMLphp."""
    service = ServiceProvider(SERVICE, (f"https://{SERVICE}:{PORT}/ssosp/saml/SSO/alias/{SERVICE}",))
    folder = tmp_path / "enterprise"
    folder.mkdir()
    with running_simplesamlphp(tmp_path / "ssp", service, {"leila": "theirs"}) as provider:
        with urllib.request.urlopen(provider.metadata, timeout=20) as answer:
            (folder / "provider.xml").write_bytes(answer.read())
        more = '\n[single-sign-on]\nmetadata = "provider.xml"\nsigned-requests = false\n'
        with branch_lab(folder, more) as lab:
            yield _Foreign(lab, provider.base)


def test_simplesamlphp_asks_and_the_page_goes_on(foreign: _Foreign) -> None:
    with sync_playwright() as playwright:
        browser = knowing(playwright.chromium, foreign.lab, CHROMIUM, FLAGS)
        leila = dancer(browser, foreign.lab, "leila")
        leila.begin()
        leila.go_on.click()
        page = leila.page
        page.wait_for_url(f"{foreign.base}**")
        page.locator("input[name=username]").fill("leila")
        page.locator("input[name=password]").fill("theirs")
        page.locator("input[name=password]").press("Enter")
        expect(leila.places).to_be_visible(timeout=SIGNED_IN)
        leila.turn("/settings/account")
        how = page.get_by_role("region", name="How you are signed in")
        expect(how).to_contain_text("Single sign-on in the browser", timeout=MODIFIED)
        expect(page.get_by_text("Leila Haddad").first).to_be_visible()
        browser.close()
