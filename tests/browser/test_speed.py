"""Views that hold a great deal: how long they take to be there, how much of them is drawn, and that keys stay quick.

The figures are kept as an artefact (``speed.json``). The limits are far above them, for a busy machine, and still far
below what a person would call slow. What is drawn at once does not depend on the machine.
"""

from __future__ import annotations

import datetime
import json

import pytest
from playwright.sync_api import expect

from ringback.client.host.wire_chats import Message, MessagesChanged
from ringback.client.host.wire_people import PeopleChanged, Presence
from ringback.client.host.wire_people import Person as Contact
from tests.browser.conftest import Arrive
from tests.browser.people import ARTEFACTS, MODIFIED
from tests.browser.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

CONTACTS, MESSAGES = 1000, 10_000
THERE = 3000  # ms for a view
PRESSED = 250  # ms from a key to the picture
TRIES = 3
DRAWN = 80  # lines in the document

# Milliseconds from a change to the second picture after it.
TIMED = """async (path) => {
  const from = performance.now();
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
  await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
  return performance.now() - from;
}"""
KEY = """async () => {
  document.querySelector("#composer").focus();
  const from = performance.now();
  document.execCommand("insertText", false, "x");
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return performance.now() - from;
}"""
# The longest time that the page was busy at a stretch while it was scrolled from end to end, in ms.
FLUNG = """async () => {
  const list = document.querySelector('[role=list]').parentElement;
  const scroller = list.scrollHeight > list.clientHeight ? list : list.querySelector('[role=list]');
  const frames = [];
  let last = performance.now();
  for (let at = 0; at < 60; at += 1) {
    scroller.scrollTop = (scroller.scrollHeight * (60 - at)) / 60;
    await new Promise((painted) => requestAnimationFrame(painted));
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return [frames[Math.floor(frames.length * 0.95)], document.querySelectorAll('[role=listitem]').length];
}"""


def contact(number: int) -> Contact:
    """Somebody in a list of many."""
    return Contact(
        id=f"many{number}@example.com",
        name=f"Somebody {number:04}",
        presence=Presence(show="available" if number % 3 else "away"),
        groups=[f"Group {number % 10}"],
        in_list=True,
        subscription="both",
    )


def test_a_thousand_contacts_and_ten_thousand_messages(person: Arrive) -> None:
    anita = person("anita")
    wire = Wire(anita)
    anita.sign_in()
    page = anita.page
    wire.tell(PeopleChanged(people=[contact(number) for number in range(CONTACTS)], gone=[], groups=None))
    chat = "bruno@example.com"
    anita.turn(f"/chats/{chat}")
    expect(anita.composer).to_be_visible(timeout=MODIFIED)
    start = datetime.datetime(2026, 1, 5, 10, tzinfo=datetime.UTC)
    lines = [
        Message(
            id=f"m{number}",
            conversation=chat,
            sender=chat,
            sender_name="Bruno Keller",
            own=False,
            at=(start + datetime.timedelta(minutes=number)).isoformat(),
            body=f"Line {number} of a long conversation",
            state="received",
        )
        for number in range(MESSAGES)
    ]
    wire.tell(MessagesChanged(conversation=chat, messages=lines, live=False))
    expect(anita.messages.get_by_text(f"Line {MESSAGES - 1} of a long conversation")).to_be_visible(timeout=MODIFIED)

    to_contacts, to_chat = [], []
    for _ in range(TRIES):
        to_contacts.append(page.evaluate(TIMED, "/contacts"))
        rows = page.get_by_role("region", name="Contacts").get_by_role("link")
        expect(rows.first).to_be_visible()
        to_chat.append(page.evaluate(TIMED, f"/chats/{chat}"))
        expect(anita.messages.get_by_text(f"Line {MESSAGES - 1} of a long conversation")).to_be_visible()
    frame, drawn = page.evaluate(FLUNG)
    pressed = [page.evaluate(KEY) for _ in range(TRIES)]
    figures = {"contacts": to_contacts, "chat": to_chat, "frame p95": frame, "drawn": drawn, "key": pressed}
    ARTEFACTS.mkdir(exist_ok=True)
    (ARTEFACTS / "speed.json").write_text(json.dumps(figures, indent=1))
    # Whatever else the machine does can only add to what the page needs.
    assert min(to_contacts) < THERE, figures
    assert min(to_chat) < THERE, figures
    assert min(pressed) < PRESSED, figures
    assert 0 < drawn <= DRAWN, figures


def test_the_menu_of_a_row_opens_by_mouse_and_key_and_gives_the_focus_back(person: Arrive) -> None:
    anita = person("anita")
    anita.sign_in()
    anita.turn("/contacts")
    row = anita.row("Bruno Keller")
    menu = anita.page.get_by_role("menuitem", name="Chat", exact=True)
    row.click(button="right")
    expect(menu).to_be_visible(timeout=MODIFIED)
    anita.picture("contact-menu")
    anita.page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(row).to_be_focused()
    anita.page.keyboard.press("Shift+F10")
    expect(menu).to_be_visible(timeout=MODIFIED)
    menu.click()
    expect(anita.composer).to_be_visible(timeout=MODIFIED)
