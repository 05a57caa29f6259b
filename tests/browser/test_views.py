"""Every view in light, dark and right to left: axe finds nothing, and nothing is wider than the window."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from ringback.client.host.wire_place import Missing, Place, PlaceChanged
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from tests.browser.conftest import Arrive
from tests.browser.people import MODIFIED, Person
from tests.browser.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
PLACES = [
    "/chats",
    "/chats/bruno@example.com",
    "/contacts",
    "/contacts/bruno@example.com",
    "/calls",
    "/calls/dial",
    "/settings/account",
    "/settings/calls",
    "/settings/appearance",
    "/settings/connection",
    "/settings/keyboard",
]
WIDTHS = [(360, 740), (390, 844), (768, 1024), (1024, 768), (1440, 900), (1920, 1080)]
PICTURED = {360, 1024, 1920}


SETTLED = """() => Promise.allSettled(
  document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished))"""


def violations(one: Person) -> list[dict[str, Any]]:
    """What axe finds on the page that is shown, in short."""
    # A colour that is on its way to another one is neither.
    one.page.evaluate(SETTLED)
    # The component library keeps the focus inside its layers with hidden stops that pass it on at once; they have no
    # content, and axe takes them for hidden content.
    found = Axe().run(one.page, context={"exclude": [["[data-tabster-dummy]"]]}).response["violations"]
    return [{"rule": each["id"], "where": [node["target"] for node in each["nodes"]][:5]} for each in found]


def settled(one: Person) -> None:
    """The view is there: its heading, and no skeleton."""
    expect(one.page.get_by_role("main").first).to_be_visible(timeout=MODIFIED)
    expect(one.page.get_by_role("status", name="Loading")).to_have_count(0, timeout=MODIFIED)


@pytest.mark.parametrize(
    ("scheme", "query"), [("light", ""), ("dark", ""), ("light", "?lang=ar"), ("dark", "?lang=de")]
)
def test_axe_finds_nothing_in_any_view(person: Arrive, scheme: str, query: str) -> None:
    anita = person("anita", color_scheme=scheme)
    anita.open()
    expect(anita.page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
    found = {"address": violations(anita)}
    anita.sign_in()
    name = f"{scheme}{query.replace('?lang=', '-')}"
    anita.go(PLACES[0], query)
    for place in PLACES:
        anita.turn(place + query)
        settled(anita)
        found[place] = violations(anita)
        anita.fits()
        anita.picture(f"view{place.rstrip('/').replace('/', '-')}-{name}")
    if query == "?lang=ar":
        assert anita.page.evaluate("document.documentElement.dir") == "rtl"
    wrong = {place: each for place, each in found.items() if each}
    assert not wrong, wrong


def test_every_width_fits(person: Arrive) -> None:
    anita = person("anita")
    anita.open()
    for width, height in WIDTHS:
        anita.page.set_viewport_size({"width": width, "height": height})
        expect(anita.page.get_by_label("Work address")).to_be_visible(timeout=MODIFIED)
        anita.fits()
        anita.picture(f"sign-in-{width}")
    anita.page.set_viewport_size({"width": 1440, "height": 900})
    anita.sign_in()
    for place in PLACES:
        # Loaded in the last width: a view must not only fit into the window that it was made for.
        anita.go(place)
        for width, height in WIDTHS:
            anita.page.set_viewport_size({"width": width, "height": height})
            settled(anita)
            anita.fits()
            if width in PICTURED:
                anita.picture(f"width-{width}{place.rstrip('/').replace('/', '-')}")


def test_a_phone_shows_one_pane_at_a_time(person: Arrive) -> None:
    anita = person("anita", viewport={"width": 390, "height": 844}, has_touch=True)
    anita.sign_in()
    anita.go("/chats/bruno@example.com")
    expect(anita.composer).to_be_visible()
    expect(anita.page.get_by_role("navigation", name="Places")).to_be_hidden()
    anita.page.get_by_role("button", name="Back").click()
    expect(anita.page.get_by_role("navigation", name="Places")).to_be_visible()
    expect(anita.composer).to_have_count(0)


def test_longer_words_and_forced_colours_are_seen_too(person: Arrive) -> None:
    anita = person("anita", forced_colors="active")
    anita.sign_in()
    anita.go(PLACES[0], "?lang=en-XA")
    for place in PLACES:
        anita.turn(f"{place}?lang=en-XA")
        settled(anita)
        anita.fits()
        anita.picture(f"pseudo-forced{place.rstrip('/').replace('/', '-')}")


def test_the_pages_types_are_those_of_the_host() -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "generate_types.py"), "--check"], check=True)


def test_calls_that_cannot_be_made_from_here_stay_in_view_and_say_why(person: Arrive) -> None:
    anita = person("anita")
    wire, page = Wire(anita), anita.page
    anita.sign_in()
    anita.turn("/contacts/bruno@example.com")
    expect(page.get_by_role("main").get_by_role("button", name="Call", exact=True)).to_be_enabled()

    why = Reason.of("edge.access.messaging")
    wire.tell(PlaceChanged(place=Place(where="outside", missing=[Missing(id="calls", reason=why)])))
    found = {}
    controls = {
        "/contacts/bruno@example.com": ("Call", "Video", "Call +41 44 555 20 02"),
        "/chats/bruno@example.com": ("Call", "Video call"),
        "/calls/dial": ("Call", "Video"),
    }
    for place, names in controls.items():
        anita.turn(place)
        for name in names:
            control = page.get_by_role("main").get_by_role("button", name=name, exact=True)
            expect(control).to_be_disabled()
            expect(control).to_have_accessible_description(render(why))
            control.focus()
            expect(control).to_be_focused()
        found[place] = violations(anita)
    anita.see("Contacts")
    anita.row("Bruno Keller").click(button="right")
    expect(page.get_by_role("menuitem", name="Call", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("combobox").fill("2002")
    expect(page.get_by_role("option", name="Call 2002")).to_be_disabled()
    expect(page.get_by_role("option", name="Call 2002")).to_contain_text("no calls")
    anita.still()
    found["search"] = violations(anita)
    anita.picture("view-calls-not-from-here")
    assert not any(found.values()), found

    wire.tell(PlaceChanged(place=Place(where="inside")))
    expect(page.get_by_role("option", name="Call 2002")).to_be_enabled()
