"""Signing in by the identity provider, in a browser, through the whole dance: the first time with a second factor, the
second time without a question, and everything that may go wrong on the way."""

from __future__ import annotations

import re
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.dance import SIGNED_IN, Dancer, dancer, knowing
from tests.browser.people import MODIFIED
from tests.browser.test_views import violations
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Come = Callable[..., Dancer]
PROVIDER = "idp.example.com"
OUT = 10_000  # ms in which somebody who was revoked is out


@pytest.fixture(scope="module")
def lab(own_lab: RunningLab) -> RunningLab:
    """Head office signs in with passwords, the branch by the identity provider, which takes a code only once."""
    return own_lab


@pytest.fixture(scope="module")
def browser(lab: RunningLab) -> Iterator[Browser]:
    """A browser with the lab's names."""
    with sync_playwright() as playwright:
        browser = knowing(playwright.chromium, lab, CHROMIUM, FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def come(browser: Browser, lab: RunningLab) -> Iterator[Come]:
    """Call with a user's name: that person with a new browser profile; an error on the page fails the test."""
    errors: list[str] = []
    people: list[Dancer] = []

    def make(user: str, **context: object) -> Dancer:
        one = dancer(browser, lab, user, **context)
        one.page.context.on("weberror", lambda error: errors.append(f"{user}: {error.error}"))
        people.append(one)
        return one

    yield make
    for one in people:
        one.go_away()
    assert errors == []


def test_the_first_sign_in_asks_a_second_factor_and_the_second_start_nothing(come: Come) -> None:
    mateus = come("mateus")
    mateus.begin()
    page = mateus.page
    expect(page.get_by_text("asks who you are")).to_be_visible()
    mateus.picture("sso-card")
    page.get_by_text("Stay signed in on this computer").click()
    mateus.go_on.click()
    page.wait_for_url(f"https://{PROVIDER}*/**")
    mateus.give_password()
    mateus.give_code()
    expect(mateus.places).to_be_visible(timeout=SIGNED_IN)
    assert "code=" not in page.url
    assert "state=" not in page.url
    mateus.turn("/settings/account")
    how = page.get_by_role("region", name="How you are signed in")
    expect(how).to_contain_text("Single sign-on in the browser", timeout=MODIFIED)
    expect(how).to_contain_text("Without a question")
    mateus.picture("sso-account")

    # Another browser profile, without any session at the provider: what was kept on this computer is enough.
    other = come("mateus")
    other.open()
    known = other.page.get_by_role("list", name="Signed in here before")
    known.get_by_role("button", name=f"Use this: {mateus.address}").click(timeout=MODIFIED)
    expect(other.places).to_be_visible(timeout=MODIFIED)
    other.go("/settings/account")
    other.page.get_by_role("button", name="Sign out and forget").click()
    other.page.get_by_role("alertdialog").get_by_role("button", name="Sign out and forget").click()
    expect(other.page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
    expect(other.page.get_by_text(mateus.address)).to_have_count(0)


def test_the_provider_remembers_so_that_only_a_deliberate_sign_out_is_followed_by_a_question(come: Come) -> None:
    leila = come("leila")
    leila.sign_in()
    page = leila.page
    # As in another program of the same browser: the host knows nobody, the provider does.
    page.context.clear_cookies(domain=urlsplit(leila.url).hostname)
    leila.begin()
    leila.go_on.click()
    expect(leila.places).to_be_visible(timeout=SIGNED_IN)
    leila.turn("/settings/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
    # Whoever signed out on purpose may leave the computer to somebody else.
    leila.begin()
    leila.go_on.click()
    expect(page.get_by_label("Password")).to_be_visible(timeout=SIGNED_IN)
    assert leila.host == PROVIDER


def test_the_way_back_by_the_back_button_a_reload_and_another_tab(come: Come) -> None:
    leila = come("leila")
    leila.begin()
    leila.go_on.click()
    page = leila.page
    page.wait_for_url(f"https://{PROVIDER}*/**")
    page.reload()
    expect(page.get_by_label("User name")).to_be_visible()
    page.go_back()
    # The card is there again, and leads on again.
    expect(leila.go_on).to_be_visible(timeout=MODIFIED)
    leila.go_on.click()
    page.wait_for_url(f"https://{PROVIDER}*/**")
    # A second tab of the same browser, in the middle of the dance.
    second = Dancer(leila.user, page.context.new_page(), leila.url, leila.second_factor)
    second.go("/")
    expect(second.go_on).to_be_visible(timeout=MODIFIED)
    leila.give_password()
    expect(leila.places).to_be_visible(timeout=SIGNED_IN)
    expect(second.places).to_be_visible(timeout=SIGNED_IN)


def returned(one: Dancer) -> list[str]:
    """The return addresses that the browser is sent to, as they come."""
    seen: list[str] = []
    one.page.on(
        "request",
        lambda request: seen.append(request.url) if urlsplit(request.url).path == "/signed-in" else None,
    )
    return seen


def test_a_return_address_counts_once_and_in_its_own_browser_only(come: Come) -> None:
    leila, stranger = come("leila"), come("mateus")
    seen = returned(leila)
    leila.begin()
    leila.go_on.click()
    leila.give_password()
    expect(leila.places).to_be_visible(timeout=SIGNED_IN)
    (address,) = seen
    # Opened twice: it says so, and changes nothing.
    leila.page.goto(address)
    expect(leila.page.get_by_role("heading", name="This sign-in does not count")).to_be_visible(timeout=MODIFIED)
    leila.go("/")
    expect(leila.places).to_be_visible(timeout=MODIFIED)
    # In another browser, which has begun a dance of its own (login CSRF): it stays who it was, which is nobody.
    stranger.begin()
    stranger.page.goto(address)
    expect(stranger.places).to_have_count(0)
    stranger.go("/")
    expect(stranger.go_on).to_be_visible(timeout=MODIFIED)
    # And with a state that nobody made.
    stranger.page.goto(re.sub(r"state=[^&]+", "state=made-up", address))
    stranger.go("/")
    expect(stranger.places).to_have_count(0)
    expect(stranger.go_on).to_be_visible(timeout=MODIFIED)


def revoke(lab: RunningLab, node: str, user: str) -> None:
    """What an administrator does: all sign-ins of a person are taken back."""
    row = next(row for row in lab.info["endpoints"] if row["node"] == node and row["service"] == "uds")
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    context.check_hostname = False  # asked by address, since the system does not know the lab's names
    secret = (lab.data / "secrets" / "administrator").read_text().strip()
    url = f"https://{row['address']}:{row['port']}/ssosp/token/revoke?user_id={user}"
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, url, "administrator", secret, is_authenticated=True)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), urllib.request.HTTPBasicAuthHandler(passwords)
    )
    with opener.open(url, timeout=10) as answer:
        assert answer.status == 200


def test_who_is_revoked_is_out_everywhere_within_seconds_and_reads_why(come: Come, lab: RunningLab) -> None:
    leila, second = come("leila"), come("leila")
    for one in (leila, second):
        one.sign_in()
    revoke(lab, "cm-berlin.example.com", "leila")
    for one in (leila, second):
        alert = one.page.get_by_role("alert").filter(has_text="You are signed out")
        expect(alert).to_be_visible(timeout=OUT)
        expect(one.places).to_have_count(0)
    leila.picture("sso-revoked")
    assert violations(leila) == []


def test_a_password_is_given_on_our_own_card_where_the_call_manager_asks(come: Come, lab: RunningLab) -> None:
    anita = come("leila")
    anita.user = "anita"
    anita.open()
    page = anita.page
    page.get_by_label("Work address").fill("anita@example.com")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Password").fill("ringback")
    page.get_by_role("button", name="Sign in").click()
    expect(anita.places).to_be_visible(timeout=MODIFIED)
    anita.turn("/settings/account")
    how = page.get_by_role("region", name="How you are signed in")
    expect(how).to_contain_text("changed for a token", timeout=MODIFIED)
    expect(how).to_contain_text("Messages", timeout=MODIFIED)
    revoke(lab, "cm1.example.com", "anita")
    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_be_visible(timeout=OUT)
