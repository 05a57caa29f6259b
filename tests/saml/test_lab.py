"""Single sign-on in the laboratory: from the deployment file to a browser that finds and trusts the log-in pages."""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pyotp
import pytest
import pytest_asyncio

from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import AuthorizeRequest, challenge_of, new_state, new_verifier
from ringback.rules.addresses import HostPort
from tests.support.dance import Browser, Page
from tests.support.lab import RunningLab, running_lab

RETURN = "http://127.0.0.1:9/signed-in"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The built-in laboratory, whose branch has single sign-on, opened with ``--browser`` (which notes its words)."""
    folder = tmp_path_factory.mktemp("lab")
    program = folder / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/words\nexec sleep 600\n')
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        with running_lab(folder / "data", "--browser") as running:
            yield running


@pytest_asyncio.fixture
async def person(lab: RunningLab) -> AsyncIterator[Browser]:
    hosts = {row["node"]: HostPort(row["address"], row["port"]) for row in lab.info["endpoints"]}
    async with Browser(hosts, lab.ca_file) as made:
        yield made


def _authorize(lab: RunningLab, prompt: Literal["", "none"] = "") -> str:
    row = next(
        row for row in lab.info["endpoints"] if row["node"] == "cm-berlin.example.com" and row["service"] == "uds"
    )
    asked = AuthorizeRequest("code", RINGBACK_CLIENT, RETURN, new_state(), challenge_of(new_verifier()), prompt=prompt)
    return asked.url(f"https://{row['node']}:{row['port']}")


async def _answer(person: Browser, page: Page) -> Page:
    """The service's reaction to the provider's answer: the redirect to the program."""
    return await person.send(page.form, follow=0)


async def test_people_of_the_branch_sign_in_at_the_identity_provider(lab: RunningLab, person: Browser) -> None:
    page = await person.open(_authorize(lab))
    assert (page.url.host, page.url.path) == ("idp.example.com", "/saml/sso")
    page = await person.send(page.form, {"user": "leila", "password": "ringback"})
    page = await _answer(person, page)
    assert page.headers["Location"].startswith(f"{RETURN}?code="), page.text
    # The second time nobody asks anything.
    page = await person.open(_authorize(lab, prompt="none"), follow=1)
    if page.status == 200:
        page = await _answer(person, page)
    assert "code=" in page.headers["Location"]


async def test_a_second_factor_is_in_the_laboratory(lab: RunningLab, person: Browser) -> None:
    mateus = next(person for person in lab.info["people"] if person["user"] == "mateus")
    assert mateus["sign_in"] == "sso"
    page = await person.open(_authorize(lab))
    page = await person.send(page.form, {"user": "mateus", "password": mateus["password"]})
    page = await person.send(page.form, {"code": pyotp.TOTP(mateus["second_factor"]).now()})
    assert "code=" in (await _answer(person, page)).headers["Location"]


async def test_people_of_the_head_office_have_no_account_there(lab: RunningLab, person: Browser) -> None:
    page = await person.open(_authorize(lab))
    page = await person.send(page.form, {"user": "anita", "password": "ringback"})
    assert (page.status, "wrong" in page.fault) == (401, True)


async def test_a_program_without_a_browser_signs_in_by_basic(lab: RunningLab, person: Browser) -> None:
    page = await person.open(_authorize(lab), follow=0)
    token = base64.b64encode(b"nils:ringback").decode()
    page = await person.open(page.headers["Location"], headers={"Authorization": f"Basic {token}"})
    assert "code=" in (await _answer(person, page)).headers["Location"]


@pytest.mark.browser
def test_a_chromium_with_these_words_finds_and_trusts_the_log_in_page(lab: RunningLab, tmp_path: Path) -> None:
    words = (lab.data.parent / "words").read_text().splitlines()
    assert words[-1] == lab.url
    printed = next(line for line in lab.output.read_text().splitlines() if "--host-resolver-rules=" in line)
    assert shlex.split(printed)[1:] == words
    provider = next(row for row in lab.info["endpoints"] if row["role"] == "identity-provider")
    words = [word for word in words[:-1] if not word.startswith("--user-data-dir=")]
    url = f"https://idp.example.com:{provider['port']}/"
    assert "Nobody is signed in here" in _shown(tmp_path, words, url)
    # Without the one excuse the page is not shown: it is this authority that is trusted, not any.
    strict = [word for word in words if "spki" not in word]
    assert "Nobody is signed in here" not in _shown(tmp_path, strict, url)


def _shown(profile: Path, words: list[str], url: str) -> str:
    quiet = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
    command = ["/usr/bin/chromium", *quiet, *words, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
