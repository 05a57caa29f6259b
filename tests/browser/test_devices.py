"""Calls beside other things: desk phones, loudspeakers, the system's notifications, headsets, chats, the voicemail."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from tests.browser.callers import CONNECTED, Caller, Callers
from tests.browser.conftest import CHROMIUM, WHOLE_CHROMIUM
from tests.browser.desk import Desk, desk_phone
from tests.browser.people import MODIFIED
from tests.softphone.test_modes import deployment
from tests.support.lab import RunningLab, loopback_range, running_lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

Call = Callable[..., list[Caller]]
PILOT = "2999"
MAIL = ".10.50"  # the voicemail system, in the lab's loopback range


@pytest.fixture(scope="module")
def lab(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """An enterprise with a voicemail system."""
    folder = tmp_path_factory.mktemp("lab")
    file = deployment(folder)  # its own mailboxes give way to a foreign voicemail system
    with loopback_range() as loopback:
        trunk = f'\n[[trunk]]\nname = "mail"\nkind = "voicemail"\ntransport = "udp"\nhosts = ["127.0{MAIL}"]\n'
        file.write_text(f"{file.read_text()}{trunk}".replace("127.0.", f"{loopback}."))
        with running_lab(folder / "data", str(file), loopback=loopback) as running:
            yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What starts a browser for each person."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def callers(playwright: Playwright, lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Everybody with a browser of their own, for all tests of this file."""
    folder = tmp_path_factory.mktemp("tones")
    everybody = Callers(playwright.chromium, lab, folder, CHROMIUM, paths={"bruno": WHOLE_CHROMIUM})
    yield everybody
    everybody.close()


@pytest.fixture
def people(callers: Callers) -> Iterator[Call]:
    """Call with names: these people, with their phones ready; an error on a page fails the test."""
    callers.errors.clear()
    yield callers.take
    assert callers.errors == []


def test_keys_arrive_at_a_plain_phone_in_order_and_long_enough(people: Call, lab: RunningLab) -> None:
    (anita,) = people("anita")
    with desk_phone(lab, "reception", "reception-phone", "2000") as reception:
        anita.dial("2000")
        window = anita.page.get_by_role("main", name=re.compile("^Call with"))
        expect(window).to_be_visible(timeout=MODIFIED)
        reception.until(lambda: reception.far.sound > 10, "no sound came to the phone")
        anita.press("Keypad")
        pad = anita.page.get_by_role("group", name="Keypad")
        for digit in "159*":
            pad.get_by_role("button", name=digit, exact=True).click()
        anita.page.keyboard.type("0#7")
        reception.until(lambda: len(reception.far.keys) >= 7, "keys were lost")
        assert reception.far.digits == "159*0#7"
        # Shorter than 40 ms, or with less than 40 ms between them, keys are not told from speech (Q.24).
        keys = reception.far.keys
        assert all(0.04 <= key.length <= 0.5 for key in keys), keys
        assert all(later.came - key.came - key.length >= 0.03 for key, later in pairwise(keys)), keys
        reception.hang_up()
        expect(window).to_have_count(0, timeout=MODIFIED)


def test_a_call_is_carried_on_at_the_desk_phone(people: Call, lab: RunningLab) -> None:
    anita, george = people("anita", "george")
    with desk_phone(lab, "george-desk", "george-desk-phone", "2007") as desk:
        george.dial(anita.number)
        anita.answer(george)
        anita.hears(george)
        george.press("More")
        george.picture("call-more")
        george.page.get_by_role("menuitem", name="George Whitfield, desk phone").click()
        expect(george.window(anita)).to_have_count(0, timeout=CONNECTED)
        _hears_the_echo(anita, desk)
        anita.press("End")
        expect(anita.page.get_by_role("toolbar", name="Call controls")).to_have_count(0, timeout=MODIFIED)


def _hears_the_echo(one: Caller, desk: Desk) -> None:
    """The desk phone sends back what it hears: now the person hears herself."""
    heard = desk.far.sound
    desk.until(lambda: desk.far.sound > heard + 50, "no sound at the desk phone")
    desk.until(lambda: one.levels(one.tone)[0] > -20, "no sound from the desk phone")


# Keeps where sounds of the page go, since a context of sound is not to be found afterwards.
KEEP_SINKS = """() => {
  window.sinks = [];
  const plain = AudioContext.prototype.setSinkId;
  AudioContext.prototype.setSinkId = function (id) { window.sinks.push(id); return plain.call(this, id); };
}"""


def test_the_loudspeaker_is_changed_in_a_call_and_the_ringing_device_rings(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    anita.call(bruno)
    bruno.answer(anita)
    bruno.hears(anita)
    bruno.press("More")
    bruno.page.get_by_role("menuitem", name="Microphone and loudspeaker").click()
    panel = bruno.page.get_by_role("complementary", name="Microphone and loudspeaker")
    speaker = panel.get_by_label("Loudspeaker", exact=True)
    expect(speaker.get_by_role("option")).to_have_count(3, timeout=MODIFIED)
    names = speaker.get_by_role("option").all_inner_texts()
    speaker.select_option(label=names[-1])
    sink = "document.querySelector('audio[data-call]').sinkId"
    chosen = speaker.input_value()
    assert chosen
    bruno.page.wait_for_function(f"() => {sink} === {chosen!r}")
    bruno.hears(anita)
    bruno.picture("call-devices")
    panel.get_by_label("Rings on").select_option(label=names[1])
    rings_on = panel.get_by_label("Rings on").input_value()
    assert rings_on != chosen
    speaker.select_option(label="As the system")
    bruno.page.wait_for_function(f"() => {sink} === ''")
    anita.press("End")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)

    bruno.page.evaluate(KEEP_SINKS)
    anita.call(bruno)
    expect(bruno.card(anita)).to_be_visible(timeout=MODIFIED)
    bruno.page.wait_for_function(f"() => window.sinks.includes({rings_on!r})")
    anita.press("End")


def test_a_call_is_declined_and_answered_in_the_systems_notification(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    context = bruno.page.context
    context.grant_permissions(["notifications"])
    bruno.page.reload()
    bruno.see("Calls")
    bruno.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    worker = next(one for one in context.service_workers if one.url.endswith("/worker.js"))
    # Another window is in front of the page, as when somebody works in another program.
    cdp = context.new_cdp_session(bruno.page)
    cdp.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    front = context.new_page()
    front.bring_to_front()
    bruno.page.wait_for_function("() => !document.hasFocus()")
    shown = """async () => (await registration.getNotifications()).map(
      (one) => [one.title, ...one.actions.map((action) => action.title)]
    )"""
    press = """async (action) => {
      const [notification] = await registration.getNotifications();
      dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
    }"""

    def rings() -> None:
        anita.call(bruno)
        expect(bruno.card(anita)).to_be_visible(timeout=CONNECTED)
        Desk.until(lambda: bool(worker.evaluate(shown)), "no notification came")
        assert worker.evaluate(shown) == [["Anita Berg is calling", "Answer", "Decline"]]

    rings()
    worker.evaluate(press, "decline")
    expect(bruno.card(anita)).to_have_count(0, timeout=MODIFIED)
    Desk.until(lambda: worker.evaluate(shown) == [], "the notification of a call that was declined stayed")
    anita.press("End")

    rings()
    anita.press("End")
    Desk.until(lambda: worker.evaluate(shown) == [], "the notification of a call that was given up stayed")
    expect(bruno.card(anita)).to_have_count(0, timeout=MODIFIED)

    rings()
    worker.evaluate(press, "answer")
    expect(bruno.window(anita)).to_be_visible(timeout=MODIFIED)
    front.close()
    bruno.hears(anita)
    cdp.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
    anita.press("End")


# Keeps what the page wants to be told of the headset's keys, to press them: no browser lets a page or a test do it.
KEEP_KEYS = """() => {
  window.headset = {};
  const told = MediaSession.prototype.setActionHandler;
  MediaSession.prototype.setActionHandler = function (action, handler) {
    window.headset[action] = handler;
    return told.call(this, action, handler);
  };
}"""


def test_keys_of_a_headset_mute_and_hang_up(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    anita.page.evaluate(KEEP_KEYS)
    anita.call(bruno)
    bruno.answer(anita)
    bruno.hears(anita)
    anita.page.wait_for_function("() => navigator.mediaSession.metadata?.title === 'Bruno Keller'")
    anita.page.evaluate("window.headset.togglemicrophone()")
    bruno.hears_nothing(anita)
    anita.page.evaluate("window.headset.togglemicrophone()")
    bruno.hears(anita)
    anita.page.evaluate("window.headset.hangup()")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)
    anita.page.wait_for_function("() => window.headset.hangup === null && navigator.mediaSession.metadata === null")


def test_calls_stand_in_the_chat_at_their_time(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    for one, other in ((anita, bruno), (bruno, anita)):
        one.turn(f"/chats/{other.address}")
    anita.write("I call you now")
    bruno.sees("I call you now")
    anita.call(bruno)
    bruno.answer(anita)
    bruno.hears(anita)
    anita.press("End")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)
    anita.call(bruno)
    expect(bruno.card(anita)).to_be_visible(timeout=MODIFIED)
    anita.press("End")
    expect(bruno.card(anita)).to_have_count(0, timeout=MODIFIED)
    for one, other in ((anita, bruno), (bruno, anita)):
        one.turn(f"/chats/{other.address}")
    bruno.write("Sorry, I was busy")
    anita.sees("Sorry, I was busy")
    lines = bruno.messages.get_by_role("listitem")
    for text in (r"^Call · Incoming · \d+ s", "^Call · Missed", "Sorry, I was busy"):
        expect(lines.filter(has_text=re.compile(text))).not_to_have_count(0, timeout=MODIFIED)
    texts = [text for text in lines.all_inner_texts() if "busy" in text or "now" in text or text.startswith("Call")]
    last = [re.sub(r"\s+", " ", text) for text in texts[-4:]]
    assert len(last) == 4, lines.all_inner_texts()
    assert "I call you now" in last[0]
    assert last[1].startswith("Call · Incoming")
    assert last[2].startswith("Call · Missed")
    assert "Sorry, I was busy" in last[3]
    bruno.picture("chat-with-calls")
    # Arrows walk over calls as over messages; Enter opens the call's story.
    bruno.messages.locator("[data-row]").last.focus()
    bruno.page.keyboard.press("ArrowUp")
    expect(bruno.messages.get_by_role("link", name=re.compile("^Call · Missed")).last).to_be_focused()
    lines.filter(has_text="Call · Missed").last.get_by_role("button", name="Call back").click()
    expect(anita.card(bruno)).to_be_visible(timeout=CONNECTED)
    bruno.press("End")
    bruno.turn(f"/chats/{anita.address}")
    bruno.messages.get_by_role("link", name=re.compile("^Call · Incoming")).last.click()
    expect(bruno.page.get_by_role("heading", name="Anita Berg called you")).to_be_visible()


def test_messages_in_the_voicemail_are_told_and_calls_sent_there(people: Call, lab: RunningLab) -> None:
    anita, bruno = people("anita", "bruno")
    waiting = bruno.page.get_by_text(re.compile("new voice messages"))
    expect(waiting).to_have_count(0)
    _tell_messages(lab, bruno.number, new=2)
    expect(waiting).to_be_visible(timeout=MODIFIED)
    expect(waiting).to_contain_text("2")
    expect(bruno.page.get_by_role("button", name="Listen")).to_be_visible()
    bruno.picture("calls-voicemail")
    _tell_messages(lab, bruno.number, new=0)
    expect(waiting).to_have_count(0, timeout=MODIFIED)
    anita.dial(bruno.number)
    bruno.card(anita).get_by_role("button", name="To voicemail").click(timeout=CONNECTED)
    expect(bruno.card(anita)).to_have_count(0, timeout=MODIFIED)
    expect(bruno.page.get_by_role("link", name=re.compile("^Anita Berg,.*To voicemail")).first).to_be_visible(
        timeout=MODIFIED
    )


def _tell_messages(lab: RunningLab, number: str, *, new: int) -> None:
    """What a voicemail system sends to the call manager (RFC 3842)."""
    address, port = lab.endpoint("sip")
    mail = f"{lab.loopback}{MAIL}"
    body = f"Messages-Waiting: {'yes' if new else 'no'}\r\nVoice-Message: {new}/0 (0/0)\r\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((mail, 5060))
        wire.settimeout(5)
        request = (
            f"NOTIFY sip:{number}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {mail}:5060;branch=z9hG4bK{new}{number}\r\n"
            f"From: <sip:mail@{mail}>;tag=m{new}\r\nTo: <sip:{number}@example.com>\r\nCall-ID: {new}@{mail}\r\n"
            f"CSeq: 1 NOTIFY\r\nMax-Forwards: 70\r\nEvent: message-summary\r\nSubscription-State: active\r\n"
            f"Contact: <sip:mail@{mail}:5060>\r\nContent-Type: application/simple-message-summary\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        wire.sendto(request.encode(), (address, port))
        assert wire.recv(4096).startswith(b"SIP/2.0 200")
