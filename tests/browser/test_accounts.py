"""Accounts that are remembered, servers by hand, and a certificate that nobody vouches for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from ringback.deployment.authority import Authority
from tests.browser.conftest import Arrive
from tests.browser.hosts import host_that_trusts
from tests.browser.people import MODIFIED, PASSWORD, Person
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def lab(own_lab: RunningLab) -> RunningLab:
    """No account is remembered, and a node's certificate may be exchanged."""
    return own_lab


def test_a_remembered_account_is_used_and_forgotten(person: Arrive) -> None:
    julia = person("julia")
    julia.open()
    page = julia.page
    page.get_by_label("Work address").fill(julia.address)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_text("Stay signed in on this computer").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Places")).to_be_visible(timeout=MODIFIED)
    # Another browser on the same computer: no password is asked, until the account is forgotten.
    other = person("julia")
    other.open()
    page = other.page
    known = page.get_by_role("list", name="Signed in here before")
    expect(known).to_contain_text(julia.address, timeout=MODIFIED)
    other.picture("sign-in-known")
    known.get_by_role("button", name=f"Use this: {julia.address}").click()
    expect(page.get_by_role("navigation", name="Places")).to_be_visible(timeout=MODIFIED)
    third = person("julia")
    third.open()
    third.page.get_by_role("button", name=f"Forget {julia.address} on this computer").click()
    expect(third.page.get_by_text(julia.address)).to_have_count(0, timeout=MODIFIED)
    third.page.reload()
    expect(third.page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
    expect(third.page.get_by_text(julia.address)).to_have_count(0)


def test_servers_by_hand_are_tested_and_used(person: Arrive) -> None:
    ivan = person("ivan")
    ivan.open()
    page = ivan.page
    page.get_by_label("Work address").fill(ivan.address)
    page.get_by_role("button", name="Advanced settings").click()
    page.get_by_text("Servers by hand", exact=True).click()
    page.get_by_label("Presence service", exact=True).fill("im1.example.com")
    page.get_by_label("Call manager", exact=True).fill("cm1.example.com")
    page.get_by_role("button", name="Test the servers").click()
    trace = page.get_by_role("region", name="How Ringback looked for your services")
    expect(trace).to_contain_text("cm1.example.com", timeout=MODIFIED)
    ivan.picture("sign-in-tested")
    page.get_by_role("button", name="Save and sign in").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Places")).to_be_visible(timeout=MODIFIED)


def test_a_foreign_certificate_is_not_trusted_and_says_whose_it_is(
    person: Arrive, lab: RunningLab, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path / "authority", organisation="Somebody else")
    with host_that_trusts(lab, foreign.ca_file, tmp_path / "host") as host:
        anita = person("anita")
        anita.url = host.url
        anita.open()
        page = anita.page
        page.get_by_label("Work address").fill(anita.address)
        page.get_by_role("button", name="Continue").click()
        card = page.get_by_role("alertdialog", name=re.compile(r"^The certificate of cm.*\.example\.com"))
        expect(card).to_contain_text("CN=Example private CA", timeout=MODIFIED)
        for fact in ("Expected", "Found", "Issued by", "Valid", "Fingerprint"):
            expect(card.get_by_text(fact, exact=True)).to_be_visible()
        anita.picture("sign-in-certificate")
        refuse = card.get_by_role("button", name="Don't connect")
        expect(refuse).to_be_focused()
        refuse.click()
        expect(page.get_by_label("Work address")).to_have_value(anita.address, timeout=MODIFIED)
        page.context.close()


def trusts(page: Page, until: Locator) -> list[str]:
    """Trust each server that is asked about, until something is there; the servers."""
    card = page.get_by_role("alertdialog", name=re.compile("^The certificate of "))
    asked: list[str] = []
    expect(card.or_(until).first).to_be_visible(timeout=MODIFIED)
    while not until.is_visible():
        title = card.get_by_role("heading").inner_text()
        asked.append(title.split()[3].partition(":")[0])
        card.get_by_role("button", name="Trust this one once").click()
        expect(page.get_by_role("heading", name=title)).to_have_count(0, timeout=MODIFIED)
        expect(card.or_(until).first).to_be_visible(timeout=MODIFIED)
    return asked


def test_a_certificate_is_accepted_once_and_asked_about_again_when_it_changed(
    person: Arrive, lab: RunningLab, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path / "authority", organisation="Somebody else")
    with host_that_trusts(lab, foreign.ca_file, tmp_path / "host") as host:
        ivan = person("ivan")
        ivan.url = host.url
        page = ivan.page
        password, places = page.get_by_label("Password"), page.get_by_role("navigation", name="Places")

        begin(ivan)
        # The last one is where the password goes, which later sign-ins ask at once.
        home = trusts(page, password)[-1]
        password.fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        trusts(page, places)
        ivan.go("/settings/account")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
        # What was trusted is not asked about again, in another browser of this computer neither.
        other = person("ivan")
        other.url = host.url
        begin(other)
        expect(other.page.get_by_label("Password")).to_be_visible(timeout=MODIFIED)
        other.page.context.close()

        with another_certificate(lab, home, tmp_path / "other"):
            # A node looks every two seconds whether its certificate was renewed.
            card, password = _card(page, home), page.get_by_label("Password")
            end = time.monotonic() + MODIFIED / 1000
            while not card.is_visible():
                assert time.monotonic() < end, "the server never showed the other certificate"
                third = person("ivan")
                third.url = host.url
                begin(third)
                page = third.page
                card, password = _card(page, home), page.get_by_label("Password")
                trusts(page, card.or_(password).first)  # the servers are asked in any order, also one not met before
            expect(card).to_contain_text("you accepted another certificate for this server", timeout=MODIFIED)
            expect(card.get_by_text("differs", exact=True)).not_to_have_count(0)
            third.picture("sign-in-certificate-changed")
            card.get_by_role("button", name="Don't connect").click()
            expect(page.get_by_label("Work address")).to_have_value(ivan.address, timeout=MODIFIED)


def _card(page: Page, server: str) -> Locator:
    return page.get_by_role("alertdialog", name=re.compile(f"^The certificate of {re.escape(server)}"))


def begin(one: Person) -> None:
    """The address, and on to whatever is asked."""
    one.open()
    one.page.get_by_label("Work address").fill(one.address)
    one.page.get_by_role("button", name="Continue").click()


@contextmanager
def another_certificate(lab: RunningLab, server: str, folder: Path) -> Iterator[None]:
    """The server shows a certificate of somebody else for as long as the context lasts."""
    theirs = Authority(folder, organisation="Somebody in between").issue(server, [server])
    files = {lab.data / "certificates" / f"{server}.pem": theirs.certificate}
    files[lab.data / "certificates" / f"{server}.key"] = theirs.key
    kept = {file: file.read_bytes() for file in files}
    for file, other in files.items():
        file.write_bytes(other.read_bytes())
    try:
        yield
    finally:
        for file, content in kept.items():
            file.write_bytes(content)
