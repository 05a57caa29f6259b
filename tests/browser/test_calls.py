"""Calls from browser to browser through the lab: who hears whom, by the tones that each person's microphone says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from tests.browser.callers import CONNECTED, Caller, Callers, caller
from tests.browser.conftest import CHROMIUM, WHOLE_CHROMIUM
from tests.browser.people import MODIFIED
from tests.browser.test_views import violations
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def lab(own_lab: RunningLab) -> RunningLab:
    """Nobody called anybody yet."""
    return own_lab


Call = Callable[..., list[Caller]]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What starts a browser for each person."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def callers(playwright: Playwright, lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Everybody with a browser of their own, for all tests of this file."""
    everybody = Callers(playwright.chromium, lab, tmp_path_factory.mktemp("tones"), CHROMIUM)
    yield everybody
    everybody.close()


@pytest.fixture
def people(callers: Callers) -> Iterator[Call]:
    """Call with names: these people, with their phones ready; an error on a page fails the test."""
    callers.errors.clear()
    yield callers.take
    assert callers.errors == []


def connect(anita: Caller, bruno: Caller) -> None:
    """The first calls the second, who answers; both hear each other."""
    anita.call(bruno)
    bruno.answer(anita)
    anita.hears(bruno)
    bruno.hears(anita)


def test_two_people_hear_each_other_hold_and_mute(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    anita.call(bruno)
    expect(anita.page.get_by_text(re.compile("^Ringing"))).to_be_visible(timeout=MODIFIED)
    expect(bruno.card(anita)).to_be_visible(timeout=MODIFIED)
    expect(bruno.page).to_have_title(re.compile("Anita Berg is calling"))
    bruno.picture("call-incoming")
    bruno.answer(anita)
    anita.hears(bruno)
    bruno.hears(anita)
    for one in (anita, bruno):
        expect(one.page.get_by_role("button", name=re.compile("On a call"))).to_be_visible(timeout=MODIFIED)
        one.picture(f"call-audio-{one.user}")

    anita.press("Mute")
    bruno.hears_nothing(anita)
    anita.hears(bruno)
    bruno.keeps_hearing_nothing(anita)
    anita.press("Unmute")
    bruno.hears(anita)

    anita.press("Hold")
    expect(anita.window(bruno).get_by_text("On hold")).to_be_visible(timeout=MODIFIED)
    bruno.hears_nothing(anita)
    anita.hears_nothing(bruno)
    anita.keeps_hearing_nothing(bruno)
    expect(bruno.window(anita).get_by_text("Anita Berg put you on hold")).to_be_visible(timeout=MODIFIED)
    anita.press("Resume")
    anita.hears(bruno)
    bruno.hears(anita)

    anita.press("End")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)
    for one, words in ((anita, "Outgoing"), (bruno, "Incoming")):
        one.see("Calls")
        expect(one.page.get_by_role("link", name=re.compile(f"{words} · \\d+ s")).first).to_be_visible(timeout=MODIFIED)
        expect(one.page.locator("audio[data-call]")).to_have_count(0)
        one.picture(f"calls-after-{one.user}")


def test_pictures_move_in_both_directions_and_stop(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    anita.go(f"/contacts/{bruno.address}")
    anita.page.get_by_role("main").get_by_role("button", name="Video", exact=True).click()
    bruno.answer(anita, "With video")
    anita.sees_moving_pictures(bruno)
    bruno.sees_moving_pictures(anita)
    anita.hears(bruno)
    bruno.hears(anita)
    for one in (anita, bruno):
        expect(one.page.get_by_label("Your own picture")).to_be_visible()
        one.picture(f"call-video-{one.user}")
    anita.press("Stop video")
    expect(bruno.page.get_by_label("Picture of Anita Berg")).to_have_count(0, timeout=MODIFIED)
    expect(anita.page.get_by_label("Your own picture")).to_have_count(0, timeout=MODIFIED)
    bruno.hears(anita)
    bruno.press("End")
    expect(anita.window(bruno)).to_have_count(0, timeout=MODIFIED)


def test_a_call_goes_on_when_the_page_is_used_and_loaded_again(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    connect(anita, bruno)
    anita.page.get_by_role("link", name=re.compile("^Contacts")).click()
    bar = anita.page.get_by_role("region", name="Call with Bruno Keller")
    expect(bar).to_be_visible()
    anita.hears(bruno)
    anita.picture("call-bar")
    anita.page.reload()
    expect(bar).to_be_visible(timeout=CONNECTED)
    anita.hears(bruno)
    bruno.hears(anita)
    bar.get_by_role("button", name="Mute").click()
    bruno.hears_nothing(anita)
    bar.get_by_role("button", name="Unmute").click()
    bruno.hears(anita)
    bar.get_by_role("button", name="End").click()
    expect(bar).to_have_count(0, timeout=MODIFIED)
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)


def test_the_sound_is_in_one_window_and_moves_to_the_other_when_that_is_closed(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    connect(anita, bruno)
    second = anita.page.context.new_page()
    second.goto(anita.page.url)
    expect(second.get_by_text("The sound of this call is in another window")).to_be_visible(timeout=CONNECTED)
    bruno.hears(anita)
    anita.page.close()
    anita.page = second
    anita.hears(bruno)
    bruno.hears(anita)
    anita.press("End")


def test_declined_and_missed_calls_are_told(people: Call) -> None:
    anita, dolores = people("anita", "dolores")  # whose calls go to no mailbox
    expect(dolores.page.get_by_role("link", name="Calls", exact=True)).to_be_visible(timeout=MODIFIED)
    dolores.page.get_by_role("link", name=re.compile("^Chats")).click()
    anita.call(dolores)
    expect(dolores.card(anita)).to_be_visible(timeout=MODIFIED)
    focused = dolores.page.evaluate("document.activeElement.closest('[data-call-card]') !== null")
    assert not focused, "an incoming call took the focus"
    dolores.page.keyboard.press("Alt+n")
    expect(dolores.card(anita)).to_have_count(0, timeout=MODIFIED)
    expect(anita.page.get_by_role("toolbar").get_by_role("button", name="Call again")).to_be_visible(timeout=MODIFIED)
    anita.picture("call-declined")
    anita.press("Close")

    anita.call(dolores)
    expect(dolores.card(anita)).to_be_visible(timeout=MODIFIED)
    anita.press("End")
    expect(dolores.card(anita)).to_have_count(0, timeout=MODIFIED)
    places = dolores.page.get_by_role("navigation", name="Places")
    badge = places.get_by_role("link", name="Calls, 1 missed call")
    expect(badge).to_be_visible(timeout=MODIFIED)
    dolores.picture("call-missed-badge")
    badge.click()
    expect(dolores.page.get_by_role("link", name=re.compile("^Anita Berg,.*Missed")).first).to_be_visible()
    expect(badge).to_have_count(0, timeout=MODIFIED)
    dolores.picture("calls-missed")


# Keeps the connections that the page makes, to see what flows.
KEEP_CONNECTIONS = """window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) { super(...options); window.connections.push(this); }
};"""
# The agreed formats, and octets in each packet of sound that goes out and comes in: the browser's own figures name only
# the codec inside the redundancy.
SOUND = """async () => {
  const connection = window.connections.at(-1);
  const agreed = connection.currentRemoteDescription.sdp.match(/a=rtpmap:[0-9]+ [a-zA-Z0-9]+/g);
  const reports = [...(await connection.getStats()).values()].filter((one) => one.kind === "audio");
  const out = reports.find((one) => one.type === "outbound-rtp");
  const into = reports.find((one) => one.type === "inbound-rtp");
  return [agreed, out.bytesSent / out.packetsSent, into.bytesReceived / into.packetsReceived];
}"""


def test_sound_goes_to_the_engine_with_copies_and_is_right(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    for one in (anita, bruno):
        one.page.add_init_script(KEEP_CONNECTIONS)
        one.page.reload()
        one.see("Calls")
    connect(anita, bruno)
    for one in (anita, bruno):
        agreed, sent, received = one.page.evaluate(SOUND)
        assert agreed == ["a=rtpmap:63 red", "a=rtpmap:111 opus"]
        assert sent > 1.6 * received, "the page sends no copies, or is sent some though nothing is lost"
    anita.press("End")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)


def test_digits_are_sent_by_keys_and_typed(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    connect(anita, bruno)
    anita.press("Keypad")
    pad = anita.page.get_by_role("group", name="Keypad")
    for digit in "12*":
        pad.get_by_role("button", name=digit, exact=True).click()
    anita.page.keyboard.type("9#")
    expect(anita.page.get_by_label("Digits sent")).to_have_text("12*9#")
    anita.picture("call-keypad")
    bruno.hears(anita)
    anita.page.keyboard.press("Shift+E")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)


def test_every_key_of_a_call_that_is_documented(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    keys = anita.page.keyboard
    search = anita.page.get_by_role("combobox", name="Search people, or call a number")
    search.fill("Bruno Kel")
    expect(anita.page.get_by_role("option", name=re.compile("Bruno Keller"))).to_be_visible(timeout=MODIFIED)
    keys.press("Control+Enter")
    expect(bruno.card(anita)).to_be_visible(timeout=CONNECTED)
    bruno.page.keyboard.press("Alt+y")
    expect(bruno.window(anita)).to_be_visible(timeout=MODIFIED)
    bruno.hears(anita)
    tools = anita.page.get_by_role("toolbar", name="Call controls")

    def offers(name: str) -> None:
        expect(tools.get_by_role("button", name=name, exact=True)).to_be_visible(timeout=MODIFIED)

    for key in ("m", "Alt+m"):
        keys.press(key)
        offers("Unmute")
        keys.press(key)
        offers("Mute")
    for held, shown in (("Resume", "Hold"), ("Hold", "Resume")):
        offers(shown)
        keys.press("h")
        offers(held)
    keys.press("v")
    offers("Stop video")
    bruno.sees_moving_pictures(anita)
    keys.press("v")
    offers("Start video")
    keys.press("k")
    expect(anita.page.get_by_role("group", name="Keypad")).to_be_visible()
    keys.press("q")
    expect(anita.page.get_by_role("complementary", name="Call quality")).to_be_visible()
    keys.press("t")
    expect(anita.page.get_by_role("complementary", name="Transfer the call")).to_be_visible()
    expect(anita.page.get_by_label("Name or number")).to_be_focused()
    keys.type("m")
    offers("Mute")
    anita.page.get_by_role("complementary").get_by_role("button", name="Close").click()
    keys.press("Shift+E")
    expect(tools).to_have_count(0, timeout=MODIFIED)


def test_a_second_call_waits_is_answered_and_swapped(people: Call) -> None:
    anita, bruno, chiara = people("anita", "bruno", "chiara")
    connect(anita, bruno)
    chiara.call(anita)
    card = anita.card(chiara)
    expect(card).to_be_visible(timeout=MODIFIED)
    anita.picture("call-waiting")
    card.get_by_role("button", name="Hold and answer").click()
    expect(anita.window(chiara)).to_be_visible(timeout=MODIFIED)
    anita.hears(chiara, not_these=(bruno,))
    chiara.hears(anita, not_these=(bruno,))
    bruno.hears_nothing(anita)
    other = anita.page.get_by_role("list", name="Other calls")
    expect(other).to_contain_text("Bruno Keller")
    anita.picture("call-second")
    other.get_by_role("button", name="Swap").click()
    anita.hears(bruno, not_these=(chiara,))
    bruno.hears(anita)
    chiara.hears_nothing(anita)
    anita.press("End")
    expect(bruno.window(anita)).to_have_count(0, timeout=MODIFIED)
    anita.press("Resume")
    chiara.hears(anita)
    anita.press("End")


def test_a_call_is_transferred_at_once(people: Call) -> None:
    anita, bruno, chiara = people("anita", "bruno", "chiara")
    connect(anita, bruno)
    anita.press("Transfer")
    panel = anita.page.get_by_role("complementary", name="Transfer the call")
    panel.get_by_label("Name or number").fill(chiara.number)
    anita.picture("call-transfer")
    panel.get_by_role("button", name=re.compile(f"^Transfer now: .*{chiara.number}")).click()
    chiara.card(bruno).get_by_role("button", name="Answer", exact=True).click(timeout=CONNECTED)
    bruno.hears(chiara, not_these=(anita,))
    chiara.hears(bruno, not_these=(anita,))
    expect(anita.window(bruno)).to_have_count(0, timeout=MODIFIED)
    chiara.press("End")


def test_a_call_is_transferred_after_a_question(people: Call) -> None:
    anita, bruno, chiara = people("anita", "bruno", "chiara")
    connect(anita, bruno)
    anita.press("Transfer")
    panel = anita.page.get_by_role("complementary", name="Transfer the call")
    panel.get_by_label("Name or number").fill(chiara.number)
    panel.get_by_role("button", name=re.compile(f"^Ask first: .*{chiara.number}")).click()
    chiara.answer(anita)
    anita.hears(chiara, not_these=(bruno,))
    bruno.hears_nothing(anita)
    anita.picture("call-consulting")
    anita.page.get_by_role("list", name="Other calls").get_by_role("button", name="Complete").click()
    bruno.hears(chiara, not_these=(anita,))
    chiara.hears(bruno, not_these=(anita,))
    expect(anita.page.get_by_role("main", name=re.compile("^Call with"))).to_have_count(0, timeout=MODIFIED)
    bruno.press("End")


def test_a_conference_mixes_everybody_but_oneself(people: Call) -> None:
    anita, bruno, chiara = people("anita", "bruno", "chiara")
    connect(anita, bruno)
    anita.press("Hold")
    anita.call(chiara)
    chiara.answer(anita)
    anita.hears(chiara, not_these=(bruno,))
    anita.page.get_by_role("list", name="Other calls").get_by_role("button", name="Merge").click()
    anita.hears(bruno, chiara)
    bruno.hears(anita, chiara)
    chiara.hears(anita, bruno)
    expect(anita.page.get_by_role("list", name="In this call")).to_contain_text("Chiara Moretti", timeout=MODIFIED)
    anita.picture("call-conference")
    anita.press("End")


def test_a_ringing_call_is_picked_up_parked_and_taken_back(people: Call) -> None:
    anita, bruno, chiara = people("anita", "bruno", "chiara")
    anita.call(bruno)
    expect(bruno.card(anita)).to_be_visible(timeout=CONNECTED)
    chiara.page.get_by_label("Number or address").fill(bruno.number)
    chiara.page.get_by_role("button", name=f"Pick up the call that rings at {bruno.number}").click()
    chiara.hears(anita, not_these=(bruno,))
    anita.hears(chiara, not_these=(bruno,))
    expect(bruno.card(anita)).to_have_count(0, timeout=MODIFIED)

    anita.press("More")
    anita.page.get_by_role("menuitem", name="Park").click()
    parked = anita.page.get_by_role("status").filter(has_text="Parked at")
    place = parked.get_by_text(re.compile("^[0-9]+$"))
    expect(place).to_be_visible(timeout=MODIFIED)
    anita.picture("call-parked")
    chiara.hears_nothing(anita)
    bruno.dial(place.inner_text())
    bruno.hears(chiara, not_these=(anita,))
    chiara.hears(bruno, not_these=(anita,))
    anita.press("Close")
    bruno.press("End")


def test_calls_go_where_the_settings_say(people: Call) -> None:
    anita, bruno, chiara = people("anita", "bruno", "chiara")
    bruno.go("/settings/calls")
    bruno.page.get_by_label("Forward all calls to").fill(chiara.number)
    bruno.page.get_by_role("button", name="Forward", exact=True).click()
    expect(bruno.page.get_by_role("main").get_by_text(re.compile(f"^All calls go to {chiara.number}"))).to_have_count(
        2, timeout=MODIFIED
    )
    expect(bruno.page.get_by_role("button", name="Calls are forwarded")).to_be_visible()
    bruno.picture("settings-forwarded")
    anita.dial(bruno.number)
    chiara.answer(anita)
    chiara.hears(anita)
    anita.press("End")
    bruno.page.get_by_role("button", name="Take calls here again").click()
    expect(bruno.page.get_by_label("Forward all calls to")).to_be_visible(timeout=MODIFIED)

    bruno.page.get_by_role("switch", name="Do not disturb: calls don't ring here").click()
    expect(bruno.page.get_by_role("button", name="Calls don't ring here: do not disturb")).to_be_visible(
        timeout=MODIFIED
    )
    anita.dial(bruno.number)
    expect(anita.window(bruno).get_by_text(re.compile("^Ringing"))).to_be_visible(timeout=CONNECTED)
    anita.press("End")
    bruno.page.get_by_role("switch", name="Do not disturb: calls don't ring here").click()
    anita.call(bruno)
    bruno.answer(anita)
    bruno.hears(anita)
    bruno.press("End")


def test_whoever_refuses_the_microphone_still_hears_and_reads_how_to_help_it(
    people: Call, callers: Callers, tmp_path: Path
) -> None:
    (bruno,) = people("bruno")
    callers.let_go("dolores")
    with caller(callers.chromium, callers.lab, tmp_path, "dolores", WHOLE_CHROMIUM, allowed=False) as dolores:
        dolores.get_ready()
        dolores.call(bruno)
        bruno.answer(dolores)
        expect(dolores.window(bruno)).to_contain_text(
            "The browser blocks the microphone. Click the lock next to the address and allow it", timeout=CONNECTED
        )
        dolores.hears(bruno)
        bruno.hears_nothing(dolores)
        dolores.press("Start video")
        expect(dolores.window(bruno)).to_contain_text("The browser blocks the camera.")
        dolores.picture("call-refused-microphone")
        dolores.press("End")


def test_how_a_call_is_heard_who_can_listen_and_its_story_are_told(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    connect(anita, bruno)
    page = anita.page
    page.keyboard.press("q")
    panel = page.get_by_role("complementary", name="Call quality")
    expect(panel.get_by_role("heading", name="You to Bruno Keller")).to_be_visible()
    expect(panel.get_by_text("Good", exact=True)).to_have_count(2, timeout=CONNECTED)
    expect(panel).to_contain_text("of 100 packets lost")
    expect(panel.get_by_role("list").first).to_contain_text("Bruno Keller")
    panel.get_by_role("button", name=re.compile("^Technical details")).click()
    expect(panel.get_by_role("definition").first).not_to_be_empty()
    anita.picture("call-quality")
    page.keyboard.press("q")
    expect(panel).to_have_count(0)
    bruno.press("End")
    expect(anita.window(bruno)).to_have_count(0, timeout=MODIFIED)
    anita.see("Calls")
    page.get_by_role("link", name=re.compile("^Bruno Keller,.*Outgoing")).first.click()
    expect(page.get_by_role("heading", name="You called Bruno Keller")).to_be_visible()
    expect(page.get_by_role("region", name="How this call went").get_by_role("listitem").first).to_be_visible()
    anita.picture("call-story")


# How the page looks, by name: colours of the system, contrast themes of the system, the person's language; whether axe
# looks (contrast themes choose the colours, and the rest is that of the others), and whether in smaller windows too
# (the longest words, and the other direction).
LOOKS: dict[str, tuple[Literal["light", "dark"], Literal["active", "none"], str, bool, bool]] = {
    "light": ("light", "none", "en", True, False),
    "dark-de": ("dark", "none", "de", True, True),
    "light-ar": ("light", "none", "ar", True, True),
    "forced": ("dark", "active", "en", False, False),
}
NARROWER = [(1024, 768), (390, 844), (360, 740)]


def test_axe_finds_nothing_in_any_view_of_a_call_however_it_looks(people: Call) -> None:
    anita, bruno = people("anita", "bruno")
    found = {}

    def look(view: str, *, narrower: bool = False) -> None:
        """The view in every look; where ``narrower``, in smaller windows too."""
        bruno.page.mouse.move(5, 5)
        for name, (scheme, forced, language, axe, small) in LOOKS.items():
            bruno.page.emulate_media(color_scheme=scheme, forced_colors=forced, reduced_motion="reduce")
            bruno.prefer(language=language)
            expect(bruno.page.locator("html")).to_have_attribute("lang", language)
            if axe:
                found[f"{view}-{name}"] = violations(bruno)
            bruno.fits()
            bruno.picture(f"call-view-{view}-{name}")
            if narrower and small:
                for width, height in NARROWER:
                    bruno.page.set_viewport_size({"width": width, "height": height})
                    bruno.fits()
                bruno.picture(f"call-view-{view}-{name}-{width}")
                bruno.page.set_viewport_size({"width": 1440, "height": 900})

    bruno.turn("/chats")
    anita.call(bruno)
    answer = bruno.page.locator("[data-call-card] [aria-keyshortcuts='Alt+Y']")
    expect(answer).to_be_visible(timeout=CONNECTED)
    look("incoming")
    answer.click()
    expect(bruno.page.get_by_role("toolbar")).to_be_visible(timeout=CONNECTED)
    bruno.hears(anita)
    look("audio", narrower=True)
    for view, key in (("keypad", "k"), ("quality", "q"), ("transfer", "t")):
        bruno.page.keyboard.press(key)
        look(view, narrower=True)
        bruno.page.locator("main").first.focus()
        bruno.page.keyboard.press(key)
    bruno.prefer(language="en")
    bruno.press("More")
    bruno.page.get_by_role("menuitem", name="Microphone and loudspeaker").click()
    look("devices", narrower=True)
    bruno.page.locator("main").first.focus()
    bruno.page.keyboard.press("v")
    expect(bruno.page.locator("video[data-own]")).to_be_visible(timeout=CONNECTED)
    look("video")
    bruno.page.get_by_role("navigation").get_by_role("link").first.click()
    look("bar")
    anita.press("End")
    expect(bruno.page.locator("[data-end]")).to_have_count(0, timeout=MODIFIED)
    bruno.turn("/calls")
    expect(bruno.page.locator("a[href^='/calls/']").nth(0)).to_be_visible(timeout=MODIFIED)
    look("recents")
    wrong = {view: each for view, each in found.items() if each}
    assert not wrong, wrong
