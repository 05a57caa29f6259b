"""People in browsers: they see each other come and go, write, form a group, and lose nothing by reloading."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.people import MODIFIED
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def lab(own_lab: RunningLab) -> RunningLab:
    """Nobody wrote to anybody yet."""
    return own_lab


def test_people_see_each_other_come_and_go(person: Arrive) -> None:
    anita, bruno = person("anita"), person("bruno")
    anita.sign_in()
    # Nobody wrote yet: the first thing to see is who is available.
    expect(anita.page).to_have_title("Contacts · Ringback")
    bruno_row = anita.page.get_by_role("link", name=re.compile("^Bruno Keller,")).first
    expect(bruno_row).to_contain_text("Offline")
    bruno.sign_in()
    expect(bruno_row).to_contain_text("Available", timeout=MODIFIED)
    bruno.page.get_by_role("button", name=re.compile("Change your presence")).click()
    bruno.page.get_by_role("textbox", name="Status message").fill("In the depot")
    bruno.page.get_by_role("button", name="Save").click()
    expect(bruno_row).to_contain_text("In the depot", timeout=MODIFIED)
    bruno.page.get_by_role("button", name=re.compile("Change your presence")).click()
    bruno.page.get_by_role("radio", name="Do not disturb").click()
    expect(bruno_row).to_contain_text("Do not disturb", timeout=MODIFIED)
    anita.picture("contacts-light")
    bruno.page.get_by_role("button", name=re.compile("Change your presence")).click()
    bruno.page.get_by_role("radio", name="Let my devices decide").click()
    bruno.page.get_by_role("button", name=re.compile("Change your presence")).click()
    bruno.page.get_by_role("button", name="Sign out").click()
    expect(bruno_row).to_contain_text("Offline", timeout=MODIFIED)


def test_chat_both_ways_with_typing_and_read_marks(person: Arrive) -> None:
    anita, bruno = person("anita"), person("bruno", color_scheme="dark")
    anita.sign_in()
    bruno.sign_in()
    bruno.see("Chats")
    anita.open_chat(bruno)
    anita.write("Is the 04:37 path free?")
    row = bruno.row("Anita Berg")
    expect(row).to_contain_text("Is the 04:37 path free?", timeout=MODIFIED)
    expect(bruno.page).to_have_title(re.compile(r"^\(1\) "))
    row.click()
    bruno.sees("Is the 04:37 path free?")
    expect(anita.messages.get_by_role("listitem").last).to_contain_text("Read", timeout=MODIFIED)
    expect(bruno.page).to_have_title("Anita Berg · Ringback", timeout=MODIFIED)

    bruno.composer.press_sequentially("It is, see https://example.com/1187.")
    expect(anita.page.get_by_test_id("typing")).to_have_text("Bruno is typing", timeout=MODIFIED)
    bruno.composer.press("Enter")
    link = anita.messages.get_by_role("link", name="https://example.com/1187")
    expect(link).to_have_attribute("href", "https://example.com/1187", timeout=MODIFIED)
    expect(anita.page.get_by_test_id("typing")).to_have_text("")
    anita.picture("chat-light")
    bruno.picture("chat-dark")


def test_group_chat_of_three(person: Arrive) -> None:
    anita, bruno, chiara = person("anita"), person("bruno"), person("chiara")
    for one in (anita, bruno, chiara):
        one.sign_in()
        one.see("Chats")
    anita.page.get_by_role("button", name="New chat").first.click()
    for name in ("Bruno Keller", "Chiara Moretti"):
        anita.page.get_by_label("Find people").fill(name)
        anita.page.get_by_role("checkbox", name=re.compile(name)).click()
    anita.page.get_by_label("Name of the group").fill("Winter timetable")
    anita.picture("new-group")
    anita.page.get_by_role("button", name="Start the chat").click()
    expect(anita.page.get_by_role("heading", name="Winter timetable")).to_be_visible(timeout=MODIFIED)
    anita.write("The second draft is in the folder")
    for one in (bruno, chiara):
        expect(one.row("Winter timetable")).to_contain_text("The second draft", timeout=MODIFIED)
        one.row("Winter timetable").click()
        one.sees("The second draft is in the folder")
    bruno.write("Track 2 stays closed")
    chiara.write("The night trains work")
    for one in (anita, bruno, chiara):
        one.sees("Track 2 stays closed")
        one.sees("The night trains work")
    anita.page.get_by_role("button", name="About this group").click()
    pane = anita.page.get_by_role("complementary", name="About this group")
    for name in ("Anita Berg", "Bruno Keller", "Chiara Moretti"):
        expect(pane.get_by_text(name)).to_be_visible()
    anita.picture("group-light")
    anita.page.get_by_role("button", name="Rename the group").click()
    anita.page.get_by_label("Name of the group").fill("Summer timetable")
    anita.page.get_by_role("button", name="Save").click()
    expect(chiara.page.get_by_role("heading", name="Summer timetable")).to_be_visible(timeout=MODIFIED)
    chiara.page.get_by_role("button", name="About this group").click()
    chiara.page.get_by_role("button", name="Leave the group").click()
    chiara.page.get_by_role("alertdialog").get_by_role("button", name="Leave the group").click()
    expect(anita.page.get_by_text("· 2 here")).to_be_visible(timeout=MODIFIED)


def test_reload_loses_nothing(person: Arrive) -> None:
    dolores, emeka = person("dolores"), person("emeka")
    dolores.sign_in()
    emeka.sign_in()
    dolores.open_chat(emeka)
    texts = [f"Line {number} of the plan" for number in range(1, 61)]
    for text in texts:
        dolores.write(text)
    expect(dolores.messages.get_by_role("listitem").last).to_contain_text(
        re.compile("Delivered|Read"), timeout=MODIFIED
    )
    dolores.composer.fill("Half a thought")
    expect(dolores.page.get_by_role("button", name="Send")).to_be_enabled()
    dolores.go("/contacts")
    dolores.open_chat(emeka)
    expect(dolores.composer).to_have_value("Half a thought")
    dolores.sees(texts[-1])
    dolores.composer.fill("")

    emeka.open_chat(dolores)
    emeka.page.reload()
    emeka.sees(texts[-1])
    # Older ones come while scrolling up, each once and in order.
    seen: set[str] = set()
    emeka.messages.hover()
    deadline = time.monotonic() + MODIFIED / 1000
    while texts[0] not in seen:
        assert time.monotonic() < deadline, f"only {len(seen)} of {len(texts)} were seen"
        shown = [text for text in emeka.messages.get_by_text(re.compile("^Line ")).all_inner_texts() if text]
        assert shown == sorted(set(shown), key=texts.index)
        seen.update(shown)
        emeka.page.mouse.wheel(0, -300)
        emeka.page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    assert seen == set(texts)


def test_search_finds_own_contacts_and_the_directory(person: Arrive) -> None:
    anita = person("anita")
    anita.sign_in()
    anita.page.keyboard.press("Control+k")
    anita.page.keyboard.type("kel bru")
    results = anita.page.get_by_role("listbox", name="Search results")
    found = results.get_by_role("group", name="People").get_by_role("option")  # groups that he is in may follow
    expect(found).to_have_count(1)
    expect(found.first).to_contain_text("Bruno Keller")
    anita.picture("search")
    anita.page.keyboard.press("Shift+Enter")
    expect(anita.page.get_by_role("heading", name="Bruno Keller", exact=True)).to_be_visible()
    anita.page.get_by_role("button", name="Why?").click()
    expect(anita.page.get_by_role("region", name=re.compile("^Why "))).to_be_visible()
    anita.picture("contact-card")
    anita.page.get_by_role("button", name="Chat", exact=True).click()
    expect(anita.composer).to_be_visible()
    anita.page.go_back()
    expect(anita.page.get_by_role("heading", name="Bruno Keller", exact=True)).to_be_visible()
