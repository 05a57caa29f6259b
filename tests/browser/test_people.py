"""People and what they may: requests, blocking, strangers to the contact list, messages that can't be delivered."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.people import MODIFIED, Person
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def lab(own_lab: RunningLab) -> RunningLab:
    """Everybody has the contacts that the deployment gave them, and has blocked nobody."""
    return own_lab


def menu_of_contact(one: Person, words: str) -> None:
    """Choose from the menu of the person's card that is open."""
    one.page.get_by_role("main").get_by_role("button", name="More").click()
    one.page.get_by_role("menuitem", name=words, exact=True).click()


def test_a_request_is_answered_and_presence_is_seen(person: Arrive) -> None:
    fatima, chiara = person("fatima"), person("chiara")
    fatima.sign_in()
    chiara.sign_in()
    fatima.go(f"/contacts/{chiara.address}")
    expect(fatima.page.get_by_role("heading", name="Chiara Moretti", exact=True)).to_be_visible(timeout=MODIFIED)
    menu_of_contact(fatima, "Add a contact")
    request = chiara.page.get_by_role("group", name="Fatima El-Amin wants to see whether you are available")
    request.get_by_role("button", name="Allow").click()
    expect(request).to_have_count(0, timeout=MODIFIED)
    row = fatima.page.get_by_role("link", name=re.compile("^Chiara Moretti,")).first
    expect(row).to_contain_text("Available", timeout=MODIFIED)


def test_blocked_people_are_not_heard_until_they_are_unblocked(person: Arrive) -> None:
    anita, emeka = person("anita"), person("emeka")
    anita.sign_in()
    emeka.sign_in()
    anita.go(f"/contacts/{emeka.address}")
    expect(anita.page.get_by_role("main")).to_contain_text("Available", timeout=MODIFIED)
    menu_of_contact(anita, "Block")
    anita.page.get_by_role("alertdialog").get_by_role("button", name="Block").click()
    expect(anita.page.get_by_role("main").get_by_text("Blocked", exact=True)).to_be_visible(timeout=MODIFIED)
    emeka.open_chat(anita)
    emeka.write("You do not hear this")
    emeka.sees("You do not hear this")
    failed = emeka.messages.get_by_role("listitem").filter(has_text="You do not hear this")
    expect(failed.get_by_role("button", name="Try again")).to_be_visible(timeout=MODIFIED)
    emeka.picture("message-failed")
    menu_of_contact(anita, "Unblock")
    expect(anita.page.get_by_role("main").get_by_text("Blocked", exact=True)).to_have_count(0, timeout=MODIFIED)
    failed.get_by_role("button", name="Try again").click()
    expect(failed.get_by_role("button", name="Try again")).to_have_count(0, timeout=MODIFIED)
    anita.open_chat(emeka)
    anita.sees("You do not hear this")


def test_a_message_to_nobody_says_so_and_can_be_removed(person: Arrive) -> None:
    anita = person("anita")
    anita.sign_in()
    anita.go("/chats/nobody.here@example.com")
    anita.write("Is anybody there?")
    failed = anita.messages.get_by_role("listitem").filter(has_text="Is anybody there?")
    expect(failed).to_contain_text("nobody.here", timeout=MODIFIED)
    failed.get_by_role("button", name="Remove").click()
    expect(failed).to_have_count(0, timeout=MODIFIED)


def test_somebody_outside_the_contact_list_has_a_name(person: Arrive) -> None:
    dolores, emeka = person("dolores"), person("emeka")
    emeka.sign_in()
    emeka.see("Chats")
    dolores.sign_in()
    dolores.open_chat(emeka)
    expect(dolores.page.get_by_role("main").get_by_role("heading", name="Emeka Okoro", exact=True)).to_be_visible(
        timeout=MODIFIED
    )
    dolores.write("We have not met")
    expect(emeka.row("Dolores Vega")).to_contain_text("We have not met", timeout=MODIFIED)
    emeka.row("Dolores Vega").click()
    expect(emeka.messages).to_contain_text("Dolores Vega", timeout=MODIFIED)
    emeka.picture("chat-stranger")


def test_two_tabs_show_the_same_and_count_conversations(person: Arrive) -> None:
    anita, bruno, chiara = person("anita"), person("bruno"), person("chiara")
    for one in (anita, bruno, chiara):
        one.sign_in()
    other = Person("anita", anita.page.context.new_page(), anita.url)
    other.go("/chats")
    for one in (bruno, chiara):
        one.open_chat(anita)
        one.write(f"From {one.user}, one")
        one.write(f"From {one.user}, two")
    for page in (anita.page, other.page):
        expect(page).to_have_title(re.compile(r"^\(2\) "), timeout=MODIFIED)
    expect(other.row("Bruno Keller")).to_have_attribute("aria-label", re.compile("2 unread"), timeout=MODIFIED)
    other.row("Bruno Keller").click()
    other.sees("From bruno, two")
    for page in (anita.page, other.page):
        expect(page).to_have_title(re.compile(r"^\(1\) "), timeout=MODIFIED)
    anita.open_chat(bruno)
    other.write("Seen in both")
    anita.sees("Seen in both")
    other.sees("Seen in both")


def test_a_group_takes_somebody_in_later_and_tells_its_new_name(person: Arrive) -> None:
    anita, bruno, fatima = person("anita"), person("bruno"), person("fatima")
    for one in (anita, bruno, fatima):
        one.sign_in()
        one.see("Chats")
    anita.page.get_by_role("button", name="New chat").first.click()
    anita.page.get_by_label("Find people").fill("Bruno Keller")
    anita.page.get_by_role("checkbox", name=re.compile("Bruno Keller")).click()
    anita.page.get_by_label("Find people").fill("Mateus")
    anita.page.get_by_role("checkbox", name=re.compile("^Mateus")).click()
    anita.page.get_by_label("Name of the group").fill("Snow plan")
    anita.page.get_by_role("button", name="Start the chat").click()
    expect(anita.page.get_by_role("heading", name="Snow plan")).to_be_visible(timeout=MODIFIED)
    anita.write("Before you came")
    anita.page.get_by_role("main").get_by_role("button", name="Invite people").click()
    anita.page.get_by_label("Find people").fill("Fatima")
    anita.page.get_by_role("checkbox", name=re.compile("Fatima El-Amin")).click()
    anita.page.get_by_role("button", name="Invite", exact=True).click()
    fatima.row("Snow plan").click()
    fatima.sees("Before you came")
    anita.page.get_by_role("button", name="About this group").click()
    anita.page.get_by_role("button", name="Rename the group").click()
    anita.page.get_by_label("Name of the group").fill("Ice plan")
    anita.page.get_by_role("button", name="Save").click()
    expect(fatima.page.get_by_role("heading", name="Ice plan")).to_be_visible(timeout=MODIFIED)
    expect(bruno.row("Ice plan")).to_be_visible(timeout=MODIFIED)
