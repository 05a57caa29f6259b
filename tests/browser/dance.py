"""Signing in where somebody else asks: a lab whose branch does so, and browsers that know the lab's names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
from playwright.sync_api import Browser, BrowserType, Locator, expect

from tests.browser.people import MODIFIED, PASSWORD, Person
from tests.softphone.test_modes import deployment
from tests.support.lab import RunningLab, loopback_range, running_lab

SIGNED_IN = 30_000  # ms for a whole dance on a busy machine
NAMES = {"leila": "Leila Haddad", "mateus": "Mateus Oliveira", "nils": "Nils Bergström"}


@contextmanager
def branch_lab(folder: Path, more: str = "") -> Iterator[RunningLab]:
    """The built-in deployment, whose branch signs in by an identity provider; ``more``: further tables."""
    file = deployment(folder)
    with loopback_range() as loopback:
        file.write_text(f"{file.read_text()}{more}".replace("127.0.", f"{loopback}."))
        with running_lab(folder / "data", str(file), loopback=loopback) as running:
            yield running


def knowing(chromium: BrowserType, lab: RunningLab, path: str, flags: list[str]) -> Browser:
    """A browser with the lab's names."""
    names = {row["node"]: row["address"] for row in lab.info["endpoints"]}
    rules = ", ".join(f"MAP {name} {address}" for name, address in names.items())
    return chromium.launch(executable_path=path, args=[*flags, f"--host-resolver-rules={rules}"])


@dataclass(slots=True)
class Dancer(Person):
    """Somebody whom the identity provider asks."""

    second_factor: str = ""

    @property
    def name(self) -> str:
        """The name that others see."""
        return NAMES[self.user]

    @property
    def go_on(self) -> Locator:
        """The button of the card that leads to who asks."""
        return self.page.get_by_role("button", name=re.compile("^Go on to "))

    @property
    def places(self) -> Locator:
        """What is seen by somebody who is signed in."""
        return self.page.get_by_role("navigation", name="Places")

    def begin(self) -> None:
        """From the address to the card that names who asks."""
        self.open()
        self.page.get_by_label("Work address").fill(self.address)
        self.page.get_by_role("button", name="Continue").click()
        expect(self.go_on).to_be_visible(timeout=MODIFIED)

    def give_password(self, password: str = PASSWORD) -> None:
        """At the identity provider's form."""
        self.page.get_by_label("User name").fill(self.user)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def give_code(self) -> None:
        """The second factor, as an app of the person would show it."""
        self.page.get_by_label("Code from your authenticator app").fill(pyotp.TOTP(self.second_factor).now())
        self.page.get_by_role("button", name="Continue").click()

    def sign_in(self) -> None:
        """The whole way."""
        self.begin()
        self.go_on.click()
        self.give_password()
        if self.second_factor:
            self.give_code()
        expect(self.places).to_be_visible(timeout=SIGNED_IN)

    @property
    def host(self) -> str:
        """Where the browser is."""
        return urlsplit(self.page.url).hostname or ""


def dancer(browser: Browser, lab: RunningLab, user: str, **context: object) -> Dancer:
    """A person with a new browser profile. The lab's authority is not the browser's: it is asked for nothing here."""
    options = {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB", "ignore_https_errors": True, **context}
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(MODIFIED)
    row = next(row for row in lab.info["people"] if row["user"] == user)
    return Dancer(user, page, lab.url, row["second_factor"])
