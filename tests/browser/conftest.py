"""The worker's lab, and a Chromium for each file; the page is built first, unless it is up to date."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.people import MODIFIED, Person, arrive
from tests.support.lab import RunningLab, running_lab

ROOT = Path(__file__).resolve().parents[2]
# Chromium without the windows, menus and settings around its pages: the same engine for half the work.
CHROMIUM = "/usr/bin/chromium-headless-shell"
WHOLE_CHROMIUM = "/usr/bin/chromium"  # for notifications, and where a person refuses what a page asks for
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Arrive = Callable[..., Person]

expect.set_options(timeout=MODIFIED)


@pytest.fixture(scope="session")
def built_page() -> None:
    """The page is there."""
    spec = importlib.util.spec_from_file_location("build_page", ROOT / "scripts" / "build_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.build_page(ROOT)


@pytest.fixture(scope="module")
def lab(built_page: None, shared_lab: RunningLab) -> RunningLab:
    """An enterprise where others may have been before: see ``shared_lab``."""
    return shared_lab


@pytest.fixture(scope="module")
def own_lab(built_page: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """An enterprise in which nobody has done anything, for the tests of one file."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def person(browser: Browser, lab: RunningLab) -> Iterator[Arrive]:
    """Call with a user's name: that person in a window of their own; an error on the page fails the test."""
    people: list[Person] = []
    errors: list[str] = []

    def make(user: str, **context: object) -> Person:
        one = arrive(browser, lab, user, **context)
        one.page.on("pageerror", lambda error: errors.append(f"{user}: {error}"))
        people.append(one)
        return one

    yield make
    for one in people:
        one.go_away()
    assert errors == []
