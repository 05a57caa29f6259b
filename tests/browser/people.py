"""A person at a browser: opens the page, signs in, writes and reads, by the words that are on the screen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.lab import RunningLab

ARTEFACTS = Path(__file__).resolve().parents[2] / "test-artefacts"
PASSWORD = "ringback"
MODIFIED = 30_000  # ms that a change may take to be seen on a busy machine

PREFER = """(changes) => {
  const key = "ringback.preferences";
  localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key) ?? "{}"), ...changes }));
  dispatchEvent(new StorageEvent("storage", { key }));
}"""

NAMES = {
    "anita": "Anita Berg",
    "bruno": "Bruno Keller",
    "chiara": "Chiara Moretti",
    "dolores": "Dolores Vega",
    "emeka": "Emeka Okoro",
    "fatima": "Fatima El-Amin",
    "george": "George Whitfield",
    "ivan": "Ivan Petrov",
    "julia": "Julia Schäfer",
}


# Signs out as another tab of this browser would, whatever is on the screen.
SIGN_OUT = """() => new Promise((done) => {
  const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/api/socket");
  socket.onopen = () => socket.send(JSON.stringify({ do: "SignOut", n: 1 }));
  socket.onmessage = (message) => { if (JSON.parse(message.data).n === 1) socket.close(); };
  socket.onerror = socket.onclose = done;
  setTimeout(done, 5000);
})"""


STILL = """() => Promise.allSettled(
  document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < 2000).map((one) => one.finished))"""


@dataclass(slots=True)
class Person:
    """Somebody with a browser window of their own."""

    user: str
    page: Page
    url: str

    @property
    def name(self) -> str:
        """The name that others see."""
        return NAMES[self.user]

    @property
    def address(self) -> str:
        """The work address."""
        return f"{self.user}@example.com"

    def open(self) -> None:
        """Open the page with the link that the lab printed."""
        self.page.goto(self.url)

    def sign_in(self) -> None:
        """From the address to the page."""
        self.open()
        self.page.get_by_label("Work address").fill(self.address)
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("navigation", name="Places")).to_be_visible(timeout=MODIFIED)

    def go_away(self) -> None:
        """Sign out and close the window: others in the same lab find nobody here."""
        if not self.page.is_closed() and self.page.url.startswith(self.url.partition("/?")[0]):
            self.page.evaluate(SIGN_OUT)
        self.page.context.close()

    def go(self, path: str, query: str = "") -> None:
        """A place of the page by its URL."""
        self.page.goto(self.url.partition("/?")[0] + path + query)

    def turn(self, path: str) -> None:
        """A place of the page by its URL, without loading the page again: as the back button does it."""
        self.page.evaluate(
            "(url) => { history.pushState(null, '', url); dispatchEvent(new PopStateEvent('popstate')) }", path
        )

    def prefer(self, **changes: object) -> None:
        """Preferences of this browser, changed as by another window of it."""
        self.page.evaluate(PREFER, changes)

    def see(self, place: str) -> None:
        """A place by its name in the rail."""
        self.page.get_by_role("navigation", name="Places").get_by_role("link", name=re.compile(f"^{place}")).click()
        expect(self.page.get_by_role("heading", name=place, level=1)).to_be_visible()

    def open_chat(self, other: Person) -> None:
        """The conversation with another person, by its link."""
        self.go(f"/chats/{other.address}")
        expect(self.composer).to_be_visible(timeout=MODIFIED)

    @property
    def composer(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_role("textbox", name=re.compile("^Message "))

    @property
    def messages(self) -> Locator:
        """The lines of the open conversation."""
        return self.page.get_by_role("list", name="Messages")

    def write(self, text: str) -> None:
        """Write a message and send it with Enter."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def sees(self, text: str) -> None:
        """Wait until a message is in the open conversation, once."""
        expect(self.messages.get_by_text(text, exact=True)).to_have_count(1, timeout=MODIFIED)

    def row(self, name: str) -> Locator:
        """A row of the list at the side."""
        return self.page.get_by_role("region").get_by_role("link", name=re.compile(f"^{re.escape(name)},")).first

    def picture(self, name: str) -> None:
        """Keep what is on the screen as an artefact."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")

    def still(self) -> None:
        """Wait until nothing moves that comes to an end: what is half faded in has no colour yet."""
        self.page.evaluate(STILL)

    def fits(self) -> None:
        """Nothing is wider than the window, once what follows a change of the window has been drawn."""
        self.page.wait_for_function("() => document.documentElement.scrollWidth <= window.innerWidth")


def arrive(browser: Browser, lab: RunningLab, user: str, **context: object) -> Person:
    """A person with a new browser profile, not signed in yet."""
    options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **context}
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(MODIFIED)
    return Person(user, page, lab.url)
