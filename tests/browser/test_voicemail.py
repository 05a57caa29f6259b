"""Voicemail in the page: left by a call that nobody took, told in every window, heard, answered, deleted, restored."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Playwright, expect, sync_playwright

from tests.browser.callers import CONNECTED, SENT, SILENT, TONES, Caller, caller
from tests.browser.conftest import CHROMIUM
from tests.browser.people import Person, arrive
from tests.browser.test_views import settled, violations
from tests.support.lab import ApartLab, RunningLab, apart_lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

BADGE_MS = 1000
# The strength of frequencies (Goertzel) in a stretch of a message's sound, as the page gets it, in dB of full scale.
LISTEN = """async ([id, from, length, frequencies]) => {
  const context = new AudioContext();
  const file = await (await fetch(`/api/voicemail/${id}`)).arrayBuffer();
  const sound = await context.decodeAudioData(file);
  const rate = sound.sampleRate;
  const samples = sound.getChannelData(0).slice(from * rate, (from + length) * rate);
  await context.close();
  return frequencies.map((frequency) => {
    let real = 0, imaginary = 0, weight = 0;
    samples.forEach((sample, at) => {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / (samples.length - 1));
      const angle = (2 * Math.PI * frequency * at) / rate;
      real += window * sample * Math.cos(angle);
      imaginary += window * sample * Math.sin(angle);
      weight += window;
    });
    return 20 * Math.log10(Math.max(1e-10, (2 * Math.hypot(real, imaginary)) / weight));
  });
}"""

# When the rail first says that there is a new message, in milliseconds since 1970.
WATCH = """() => {
  const link = document.querySelector('a[data-place="voicemail"]');
  const look = () => {
    const said = /new message/.test(link.getAttribute("aria-label") ?? "");
    if (said) window.badgeSeen ??= performance.timeOrigin + performance.now();
  };
  new MutationObserver(look).observe(link, { attributes: true, childList: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def apart(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApartLab]:
    """An enterprise whose phones ring for a moment only, and whose voicemail can be killed."""
    with apart_lab(tmp_path_factory.mktemp("lab"), "vm1.example.com", "[calls]\nring-seconds = 4\n") as running:
        yield running


@pytest.fixture(scope="module")
def lab(apart: ApartLab) -> RunningLab:
    """The enterprise."""
    return apart.rest


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What starts a browser for each person."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def bruno(playwright: Playwright, lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Who calls; his microphone says a tone."""
    with caller(playwright.chromium, lab, tmp_path_factory.mktemp("bruno"), "bruno", CHROMIUM, leaves=False) as one:
        one.get_ready()
        yield one


@pytest.fixture(scope="module")
def anita(playwright: Playwright, lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Who is called; her microphone says another tone."""
    with caller(playwright.chromium, lab, tmp_path_factory.mktemp("anita"), "anita", CHROMIUM, leaves=False) as one:
        one.get_ready()
        yield one


def rail(one: Person) -> Locator:
    """Voicemail in the rail, whatever it counts."""
    return one.page.get_by_role("navigation", name="Places").get_by_role("link", name=re.compile("^Voicemail"))


def button(one: Person, name: str) -> Locator:
    """A button by its whole name."""
    return one.page.get_by_role("button", name=name, exact=True)


def message(one: Person, name: str) -> Locator:
    """The newest message of somebody in the list."""
    return one.page.get_by_role("region", name="Voicemail").get_by_role("link", name=re.compile(f"^{name},")).first


def speak(bruno: Caller) -> None:
    """Skip the greeting, and say the tone for three seconds after the beep."""
    bruno.press("Keypad")
    bruno.page.keyboard.press("#")
    begun = bruno.page.get_by_label("Digits sent")
    expect(begun).to_have_text("#")
    clock = bruno.page.get_by_role("main").get_by_text(re.compile(r"^\d\d:\d\d$")).first
    minutes, seconds = (clock.text_content() or "0:0").split(":")
    until = int(minutes) * 60 + int(seconds) + 5
    expect(clock).to_have_text(f"{until // 60:02}:{until % 60:02}", timeout=CONNECTED)
    bruno.press("End")


def test_a_message_left_is_told_in_both_windows_heard_as_it_was_spoken_and_answered(
    lab: RunningLab, anita: Caller, bruno: Caller
) -> None:
    other = arrive(anita.browser, lab, "anita")
    other.sign_in()
    other.see("Voicemail")
    expect(other.page.get_by_role("heading", name="No messages")).to_be_visible()
    anita.see("Chats")
    bruno.see("Calls")
    bruno.call(anita)
    expect(anita.card(bruno)).to_be_visible(timeout=CONNECTED)
    expect(anita.card(bruno)).to_have_count(0)  # nobody answers
    speak(bruno)

    named = re.compile("^Voicemail, 1 new message$")
    for one in (anita, other):
        expect(one.page.get_by_role("link", name=named)).to_be_visible()
    expect(other.page).to_have_title(re.compile(r"^\(\d+\) Voicemail"))
    expect(message(other, "Bruno Keller")).to_contain_text("New")
    anita.see("Voicemail")
    message(anita, "Bruno Keller").click()
    expect(anita.page.get_by_role("heading", name="Bruno Keller", level=2)).to_be_visible()
    slider = anita.page.get_by_role("slider", name="Position")
    expect(slider).to_be_visible()
    expect(anita.page.get_by_role("main").get_by_text(re.compile("^Missed"))).to_be_visible()
    settled(anita)
    assert violations(anita) == []
    anita.picture("voicemail-message")

    ident = anita.page.url.rpartition("/")[2]
    spoken, own = anita.page.evaluate(LISTEN, [ident, 1.0, 0.8, [TONES["bruno"], TONES["anita"]]])
    assert abs(spoken - SENT) < 3
    assert own < SILENT + 20

    button(anita, "Play").click()
    expect(rail(other)).to_have_accessible_name("Voicemail")
    expect(button(anita, "Pause")).to_be_visible()
    button(anita, "Pause").click()
    slider.press("End")
    length = slider.get_attribute("aria-valuemax")
    expect(slider).to_have_attribute("aria-valuenow", str(length))
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    box = slider.bounding_box()
    assert box is not None
    slider.click(position={"x": box["width"] / 2, "y": 20})
    expect(slider).not_to_have_attribute("aria-valuenow", "0")
    bars = slider.locator("i").evaluate_all("(all) => all.map((one) => parseFloat(one.style.blockSize))")
    assert len(bars) > 40
    assert max(bars) == 100

    button(anita, "Reply").click()
    dialog = anita.page.get_by_role("dialog", name="Reply to Bruno Keller")
    dialog.get_by_role("button", name="Record", exact=True).click()
    expect(dialog.get_by_role("meter")).not_to_have_attribute("aria-valuenow", "0")
    expect(dialog.get_by_role("timer")).to_contain_text("0:02")
    dialog.get_by_role("button", name="Stop recording").click()
    expect(dialog.get_by_role("button", name="Listen")).to_be_visible()
    assert violations(anita) == []
    dialog.get_by_role("checkbox", name="Urgent").check()
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    bruno.see("Voicemail")
    answer = message(bruno, "Anita Berg")
    expect(answer).to_contain_text("Urgent")
    answer.click()
    expect(bruno.page.get_by_role("slider", name="Position")).to_be_visible()
    ident = bruno.page.url.rpartition("/")[2]
    spoken, own = bruno.page.evaluate(LISTEN, [ident, 0.5, 0.8, [TONES["anita"], TONES["bruno"]]])
    assert abs(spoken - SENT) < 4
    assert own < SILENT + 20
    other.go_away()


def test_the_badge_follows_in_all_windows_within_a_second(lab: RunningLab, anita: Caller, bruno: Caller) -> None:
    other = arrive(anita.browser, lab, "anita")
    other.sign_in()
    other.see("Chats")
    expect(rail(other)).to_have_accessible_name(re.compile("^Voicemail"))
    anita.see("Voicemail")
    bruno.see("Voicemail")
    button(bruno, "Record a message").first.click()
    dialog = bruno.page.get_by_role("dialog", name="Record a message")
    dialog.get_by_label("To").fill("Anita")
    dialog.get_by_role("button", name=re.compile("^Anita Berg")).click()
    dialog.get_by_role("button", name="Record", exact=True).click()
    expect(dialog.get_by_role("timer")).to_contain_text("0:01")
    dialog.get_by_role("button", name="Stop recording").click()
    dialog.get_by_label("Subject (optional)").fill("The second one")
    for one in (anita, other):
        one.page.evaluate(WATCH)
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    sent = bruno.page.evaluate("() => performance.timeOrigin + performance.now()")
    for one in (anita, other):
        one.page.wait_for_function("() => window.badgeSeen", timeout=CONNECTED)
        assert one.page.evaluate("() => window.badgeSeen") - sent < BADGE_MS
    other.go_away()
    expect(message(anita, "Bruno Keller")).to_contain_text("The second one")


def test_deleting_can_be_undone(anita: Caller) -> None:
    anita.see("Voicemail")
    row = message(anita, "Bruno Keller")
    row.click()
    expect(anita.page.get_by_role("slider", name="Position")).to_be_visible()
    rows = anita.page.get_by_role("region", name="Voicemail").get_by_role("link")
    count = rows.count()
    button(anita, "Delete").click()
    button(anita, "Undo").hover()  # it stays for as long as somebody is at it
    expect(rows).to_have_count(count - 1)
    button(anita, "Undo").click()
    expect(rows).to_have_count(count)
    expect(button(anita, "Undo")).to_have_count(0)
    button(anita, "Delete").click()
    expect(rows).to_have_count(count - 1)
    button(anita, "Deleted").click()
    expect(rows).to_have_count(1)
    rows.first.click()
    button(anita, "Restore").click()
    button(anita, "Inbox").click()
    expect(rows).to_have_count(count)


def test_without_the_service_the_list_and_what_was_heard_are_still_there(anita: Caller, apart: ApartLab) -> None:
    anita.see("Voicemail")
    message(anita, "Bruno Keller").click()
    expect(anita.page.get_by_role("slider", name="Position")).to_be_visible()
    apart.kill()
    try:
        expect(anita.page.get_by_text("The voicemail does not answer")).to_be_visible()
        anita.page.reload()
        expect(anita.page.get_by_role("slider", name="Position")).to_be_visible()
        expect(anita.page.get_by_text(re.compile("^This message is on this computer"))).to_be_visible()
        button(anita, "Play").click()
        expect(button(anita, "Pause")).to_be_visible()
        button(anita, "Pause").click()
        expect(button(anita, "Reply")).to_have_count(0)
        button(anita, "Delete").click()
        expect(anita.page.get_by_role("alert").get_by_text(re.compile("does not answer"))).to_be_visible()
        expect(message(anita, "Bruno Keller")).to_be_visible()
        assert violations(anita) == []
        anita.picture("voicemail-offline")
    finally:
        apart.start()
    button(anita, "Try now").click()
    expect(anita.page.get_by_text("The voicemail does not answer")).to_have_count(0)
    expect(button(anita, "Reply")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "width", "height", "scheme", "language"),
    [("dark", 1440, 900, "dark", ""), ("phone", 390, 844, "light", ""), ("arabic", 1440, 900, "light", "?lang=ar")],
)
def test_it_is_readable_and_fits_everywhere(
    anita: Caller, name: str, width: int, height: int, scheme: str, language: str
) -> None:
    anita.page.set_viewport_size({"width": width, "height": height})
    anita.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in ("/voicemail", "/settings/voicemail"):
        anita.go(path, language)
        settled(anita)
        anita.fits()
        assert violations(anita) == []
        anita.picture(f"voicemail-{name}{path.count('/')}")
    anita.go("/voicemail", language)
    anita.page.locator('a[href*="/voicemail/"]').first.click()
    expect(anita.page.get_by_role("slider")).to_be_visible()
    anita.fits()
    assert violations(anita) == []
    anita.picture(f"voicemail-{name}-open")
