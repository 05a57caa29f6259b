"""Cards of people: in short wherever an avatar is, in full in the contacts, with photos of the right size."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Arrive
from tests.browser.people import Person
from tests.browser.test_views import violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

# What an image holds: how wide it is, and how many colours are in it.
PIXELS = """(image) => {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) colours.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
  return [canvas.width, canvas.height, colours.size];
}"""
LOADED = "(image) => image.decode()"


def pixels(image: Locator) -> tuple[int, int, int]:
    """Width, height and number of colours of a picture that was got."""
    expect(image).to_be_visible()
    image.evaluate(LOADED)
    width, height, colours = image.evaluate(PIXELS)
    return int(width), int(height), int(colours)


def avatar(one: Person, name: str) -> Locator:
    """The face of somebody in the list."""
    return one.row(name).locator("[data-person]")


def test_an_avatar_tells_who_it_is_to_pointer_and_keys(person: Arrive) -> None:
    julia = person("julia", color_scheme="dark", device_scale_factor=2)
    julia.sign_in()
    julia.see("Contacts")
    page = julia.page
    assert pixels(avatar(julia, "Kenji Watanabe").locator("img"))[:2] == (128, 128)
    avatar(julia, "Kenji Watanabe").hover()
    card = page.get_by_role("dialog", name="Kenji Watanabe")
    expect(card).to_contain_text("Head of IT")
    expect(card).to_contain_text("+41 44 555 20 11")
    expect(card.get_by_role("button", name="Call", exact=True)).to_be_visible()
    julia.picture("hover-card-dark")
    assert violations(julia) == []
    card.hover()
    expect(card).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    julia.row("Ivan Petrov").focus()
    page.keyboard.press("Alt+i")
    card = page.get_by_role("dialog", name="Ivan Petrov")
    expect(card.get_by_role("button", name="Chat")).to_be_focused()
    page.keyboard.press("Escape")
    expect(julia.row("Ivan Petrov")).to_be_focused()
    page.keyboard.press("Alt+i")
    page.keyboard.press("Enter")
    expect(julia.composer).to_be_visible()


@pytest.mark.parametrize(("scheme", "query"), [("light", ""), ("dark", "?lang=ar")])
def test_a_card_holds_everything_and_says_where_from(person: Arrive, scheme: str, query: str) -> None:
    julia = person("julia", color_scheme=scheme, permissions=["clipboard-read", "clipboard-write"])
    julia.sign_in()
    julia.go("/contacts/priya@example.com", query)
    main = julia.page.get_by_role("main")
    expect(main.get_by_role("heading", name="Priya Raman", exact=True)).to_be_visible()
    width, height, colours = pixels(main.locator("article img").first)
    assert (width, height) == (128, 128)
    assert colours > 3
    name = f"card-{scheme}{query.replace('?lang=', '-')}"
    if query:
        expect(main).to_contain_text("+41 44 555 20 12")
        julia.picture(name)
        assert violations(julia) == []
        return
    for text in ("Head of planning", "Planning", "+41 44 555 20 12", "priya@example.com"):
        expect(main).to_contain_text(text)
    main.get_by_role("button", name=re.compile(r"^Copy \+41 44 555 20 12")).click()
    assert julia.page.evaluate("() => navigator.clipboard.readText()") == "+41 44 555 20 12"
    main.get_by_role("button", name="Why these sources?").click()
    why = main.get_by_role("region", name="Why these sources?")
    expect(why).to_contain_text("cm1.example.com")
    expect(why).to_contain_text("Head of planning")
    julia.picture(name)
    assert violations(julia) == []
    manager = main.get_by_role("region", name="Work").get_by_role("link")
    expect(manager).to_have_count(1)
    boss = manager.inner_text()
    manager.click()
    expect(main.get_by_role("heading", name=boss)).to_be_visible()
