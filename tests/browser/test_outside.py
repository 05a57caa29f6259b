"""Anita's day: in the office, outside without VPN, and on the way between the two, with people inside and outside."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserType, Locator, expect, sync_playwright

from tests.browser.callers import (
    ALLOW,
    CONNECTED,
    FLAGS,
    PLAIN_SOUND,
    SENT,
    SILENT,
    TONES,
    Caller,
    write_tone,
)
from tests.browser.conftest import CHROMIUM
from tests.browser.people import MODIFIED, arrive
from tests.browser.test_voicemail import LISTEN, button, message
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# The face of who is found, once it was drawn, by its width in pixels.
FACE = """(name) => {
  const row = [...document.querySelectorAll('[role="option"]')].find((one) => one.textContent.includes(name));
  return (row?.querySelector('img[src*="/api/photo/"]')?.naturalWidth ?? 0) > 0;
}"""


@dataclass(slots=True)
class People:
    """Who is where: each person has one browser, with a page in each network."""

    chromium: BrowserType
    lab: RunningLab
    folder: Path
    stack: ExitStack
    errors: list[str] = field(default_factory=list)
    _browsers: dict[str, Browser] = field(default_factory=dict)
    _here: dict[tuple[str, str], Caller] = field(default_factory=dict)

    def take(self, user: str, network: str) -> Caller:
        """Somebody with a phone that is ready, without a call."""
        if (user, network) in self._here:
            one = self._here[user, network]
            one.start_anew()
            return one
        for other, where in tuple(self._here):
            if other == user:  # one phone cannot be in two places
                self._here.pop((other, where)).leave()
        if user not in self._browsers:
            tone = write_tone(self.folder / f"{user}.wav", TONES[user])
            flags = [*FLAGS, ALLOW, f"--use-file-for-fake-audio-capture={tone}"]
            self._browsers[user] = self.chromium.launch(executable_path=CHROMIUM, args=flags)
            self.stack.callback(self._browsers[user].close)
        page = arrive(self._browsers[user], self.lab, user).page
        page.context.add_init_script(PLAIN_SOUND)
        page.context.on("weberror", lambda error: self.errors.append(f"{user}: {error.error}"))
        made = self._here[user, network] = Caller(user, page, self.lab.url_of(network), self._browsers[user])
        made.get_ready()
        return made

    def close(self) -> None:
        """Everybody leaves."""
        for one in self._here.values():
            one.leave()


Take = Callable[[str, str], Caller]


@pytest.fixture(scope="module")
def everybody(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """The people of all tests of this file, since signing in takes longer than most of what they do."""
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        people = People(playwright.chromium, lab, tmp_path_factory.mktemp("tones"), stack)
        yield people
        people.close()


@pytest.fixture
def take(everybody: People) -> Iterator[Take]:
    """Call with a name and a network; an error on a page fails the test."""
    everybody.errors.clear()
    yield everybody.take
    everybody.lab.move("internet")
    assert everybody.errors == []


def chip(one: Caller) -> Locator:
    """What stands at the top about where one is."""
    return one.page.get_by_role("status").get_by_role("button", name="Outside the office")


def chat(one: Caller, other: Caller) -> None:
    """Both write, and both read it, once."""
    tag = secrets.token_hex(3)
    one.open_chat(other)
    other.open_chat(one)
    one.write(f"Is the path free? {tag}")
    other.sees(f"Is the path free? {tag}")
    other.write(f"It is {tag}")
    one.sees(f"It is {tag}")


def group(one: Caller, *others: Caller) -> str:
    """A group chat that one starts; its name."""
    title = f"Timetable {secrets.token_hex(3)}"
    one.see("Chats")
    one.page.get_by_role("button", name="New chat").first.click()
    for other in others:
        one.page.get_by_label("Find people").fill(other.name)
        one.page.get_by_role("checkbox", name=re.compile(other.name)).click()
    name = one.page.get_by_label("Name of the group")
    if not name.count():  # two people are a group where a third is asked
        one.page.get_by_label("Find people").fill("Dolores Vega")
        one.page.get_by_role("checkbox", name=re.compile("Dolores Vega")).click()
    name.fill(title)
    one.page.get_by_role("button", name="Start the chat").click()
    expect(one.page.get_by_role("heading", name=title)).to_be_visible(timeout=MODIFIED)
    one.write(f"The draft of {title}")
    for other in others:
        other.see("Chats")
        other.row(title).click(timeout=MODIFIED)
        other.sees(f"The draft of {title}")
        other.write(f"Read by {other.user}")
        one.sees(f"Read by {other.user}")
    return title


def search(one: Caller) -> None:
    """A colleague is found, with the picture."""
    one.page.get_by_role("combobox", name="Search people, or call a number").fill("Priya")
    row = one.page.get_by_role("listbox", name="Search results").get_by_role("option").filter(has_text="Priya Raman")
    expect(row).to_be_visible(timeout=MODIFIED)
    one.page.wait_for_function(FACE, arg="Priya Raman", timeout=MODIFIED)
    one.page.keyboard.press("Escape")


def connect(one: Caller, other: Caller) -> None:
    """The first calls the second, who answers; both hear each other."""
    one.call(other)
    other.answer(one)
    one.hears(other)
    other.hears(one)


def hang_up(one: Caller, other: Caller) -> None:
    """The end, seen by both."""
    one.press("End")
    expect(other.window(one)).to_have_count(0, timeout=MODIFIED)


def leave_a_message(one: Caller, other: Caller) -> str:
    """A voice message recorded in the page; its subject."""
    subject = f"Track {secrets.token_hex(3)}"
    one.see("Voicemail")
    button(one, "Record a message").first.click()
    dialog = one.page.get_by_role("dialog", name="Record a message")
    dialog.get_by_label("To").fill(other.name.split()[0])
    dialog.get_by_role("button", name=re.compile(f"^{other.name}")).click()
    dialog.get_by_role("button", name="Record", exact=True).click()
    expect(dialog.get_by_role("timer")).to_contain_text("0:01")
    dialog.get_by_role("button", name="Stop recording").click()
    dialog.get_by_label("Subject (optional)").fill(subject)
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    return subject


def hear_the_message(one: Caller, other: Caller, subject: str) -> None:
    """It is told, listed, and sounds as it was said."""
    one.see("Voicemail")
    expect(message(one, other.name)).to_contain_text(subject, timeout=MODIFIED)
    message(one, other.name).click()
    expect(one.page.get_by_role("slider", name="Position")).to_be_visible(timeout=MODIFIED)
    ident = one.page.url.rpartition("/")[2]
    spoken, own = one.page.evaluate(LISTEN, [ident, 0.3, 0.5, [other.tone, one.tone]])
    assert abs(spoken - SENT) < 4
    assert own < SILENT + 20


def test_a_day_in_the_office(take: Take) -> None:
    anita, bruno = take("anita", "office"), take("bruno", "office")
    expect(chip(anita)).to_have_count(0)
    chat(anita, bruno)
    group(anita, bruno)
    search(anita)
    connect(anita, bruno)
    hang_up(anita, bruno)
    hear_the_message(anita, bruno, leave_a_message(bruno, anita))


def test_a_day_outside_without_vpn(take: Take) -> None:
    anita, bruno, chiara = take("anita", "internet"), take("bruno", "office"), take("chiara", "internet")
    expect(chip(anita)).to_be_visible()
    chat(anita, bruno)
    group(anita, bruno, chiara)
    search(anita)
    anita.see("Calls")
    connect(anita, bruno)  # from outside to inside
    anita.picture("outside-call")
    hang_up(bruno, anita)
    connect(chiara, anita)  # from outside to outside
    hang_up(anita, chiara)
    hear_the_message(anita, bruno, leave_a_message(bruno, anita))
    chip(anita).click()
    place = anita.page.get_by_role("list", name="Where you are")
    expect(place).to_contain_text("edge.example.com:8443")
    expect(place.get_by_text("Not from here")).to_be_visible()
    anita.picture("outside-place")


def test_a_day_on_the_way(take: Take, lab: RunningLab) -> None:
    anita, bruno = take("anita", "internet"), take("bruno", "office")
    chat(anita, bruno)
    lab.move("office")
    bruno.write("Written while you came in")
    expect(chip(anita)).to_have_count(0, timeout=CONNECTED)
    anita.sees("Written while you came in")
    anita.see("Calls")
    connect(bruno, anita)
    lab.move("internet")  # out again, with the call
    expect(chip(anita)).to_be_visible(timeout=CONNECTED)
    anita.hears(bruno)
    bruno.hears(anita)
    anita.picture("moved-call")
    lab.move("office")  # and back
    expect(chip(anita)).to_have_count(0, timeout=CONNECTED)
    anita.hears(bruno)
    bruno.hears(anita)
    hang_up(anita, bruno)
    lab.move("internet")
    chat(anita, bruno)
    hear_the_message(anita, bruno, leave_a_message(bruno, anita))
