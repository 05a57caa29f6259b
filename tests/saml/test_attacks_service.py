"""Attacks on the service's side over HTTP: what a thief, another site or a curious neighbour may try."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from lxml import etree

from ringback.net.single_sign_on import NotSignedIn
from ringback.net.single_sign_on.keys import SigningKey
from ringback.net.single_sign_on.open_requests import OpenRequests
from ringback.protocols.saml.issue import Statement, issue
from ringback.protocols.saml.request import read_redirect
from tests.support.dance import Browser, Form, Page
from tests.support.identity import IDP, LEILA, OTHER, SERVICE, Stage, running_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


async def _answer(stage: Stage, browser: Browser, relay: str = "mine") -> Form:
    """The form that carries a good answer for this browser, not yet sent."""
    page = await browser.open(f"{stage.service.base}/begin?relay={relay}")
    page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
    return page.form


def _why(stage: Stage, page: Page) -> str:
    """Why the service refused, as its callback was told."""
    assert page.status == 403, page.text
    came = stage.service.came[-1]
    assert isinstance(came, NotSignedIn)
    return came.why


async def test_an_answer_counts_once(stage: Stage) -> None:
    async with stage.browser() as browser:
        form = await _answer(stage, browser)
        assert (await browser.send(form)).text.startswith("signed in")
        assert "did not begin in this browser" in _why(stage, await browser.send(form))
        await browser.open(f"{stage.service.base}/begin?relay=new", follow=0)  # with a request open again
        assert "Nobody asked" in _why(stage, await browser.send(form))


async def test_an_assertion_counts_once_even_where_its_request_is_still_open(stage: Stage) -> None:
    """A thief who got the assertion and the browser's cookie, and is faster with a second copy of the response."""
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=x", follow=0)
        request, state = read_redirect(page.headers["Location"])
        await browser.open(f"{stage.service.base}/begin?relay=y", follow=0)
        statement = _statement(stage, request.id)
        form = Form(browser.went[0].with_path(f"/ssosp/saml/SSO/alias/{SERVICE}").with_query(None))
        good = {"SAMLResponse": _signed(stage, statement), "RelayState": state}
        assert (await browser.send(form, good)).text.startswith("signed in")
        again = await browser.open(f"{stage.service.base}/begin?relay=z", follow=0)
        other, state = read_redirect(again.headers["Location"])
        reused = _signed(stage, replace(statement, answers=other.id))
        assert "used before" in _why(stage, await browser.send(form, {"SAMLResponse": reused, "RelayState": state}))


async def test_another_browser_s_answer_is_refused(stage: Stage) -> None:
    """Log-in CSRF: the attacker signs in as leila and has the victim's browser post the answer."""
    async with stage.browser() as attacker, stage.browser() as victim:
        form = await _answer(stage, attacker)
        assert "did not begin in this browser" in _why(stage, await victim.send(form))
        await victim.open(f"{stage.service.base}/begin?relay=own", follow=0)
        assert "Nobody asked" in _why(stage, await victim.send(form))
        assert (await attacker.send(form)).text.startswith("signed in")


async def test_an_answer_that_nobody_asked_for(stage: Stage) -> None:
    async with stage.browser() as browser:
        await browser.open(f"{stage.service.base}/begin?relay=x", follow=0)
        form = Form(browser.went[0].with_path(f"/ssosp/saml/SSO/alias/{SERVICE}").with_query(None))
        for answers in ("", "_" + secrets.token_hex(20)):
            posted = {"SAMLResponse": _signed(stage, _statement(stage, answers)), "RelayState": ""}
            assert "Nobody asked" in _why(stage, await browser.send(form, posted))


async def test_a_relay_state_of_somebody_else(stage: Stage) -> None:
    async with stage.browser() as browser:
        form = await _answer(stage, browser)
        for state in ("", "guessed", "https://evil.example/"):
            assert "did not begin" in _why(stage, await browser.send(form, {"RelayState": state}))
        assert (await browser.send(form)).text.startswith("signed in")  # the honest one was not used up


async def test_an_answer_for_one_service_is_worth_nothing_at_another(stage: Stage) -> None:
    async with stage.browser() as browser:
        await browser.open(f"{stage.services[OTHER].base}/begin?relay=x", follow=0)
        form = await _answer(stage, browser)
        other = stage.services[OTHER]
        moved = Form(form.action.with_port(browser.went[0].port).with_host(OTHER), form.fields)
        moved.action = moved.action.with_path(f"/ssosp/saml/SSO/alias/{OTHER}")
        page = await browser.send(moved)
        came = other.came[-1]
        assert page.status == 403
        assert isinstance(came, NotSignedIn)
        assert "another address" in came.why


async def test_a_provider_that_asks_for_nothing_and_refuses(stage: Stage) -> None:
    """A refusal is not signed, so it ends this one sign-in of this one browser and no other."""
    async with stage.browser() as browser, stage.browser() as stranger:
        page = await browser.open(f"{stage.service.base}/begin?relay=mine", follow=0)
        request, state = read_redirect(page.headers["Location"])
        form = Form(browser.went[0].with_path(f"/ssosp/saml/SSO/alias/{SERVICE}").with_query(None))
        refusal = etree.fromstring(
            f'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" Version="2.0" InResponseTo="{request.id}">'
            '<p:Status><p:StatusCode Value="urn:x:Denied"/></p:Status></p:Response>'
        )
        posted = {"SAMLResponse": base64.b64encode(etree.tostring(refusal)).decode(), "RelayState": state}
        _why(stage, await stranger.send(form, posted))
        assert stage.service.came[-1].relay is None
        assert "refused: Denied" in _why(stage, await browser.send(form, posted))
        assert stage.service.came[-1].relay == "mine"


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"SAMLResponse=" + b"A" * (600 * 1024), "application/x-www-form-urlencoded", "too large"),
        (b"SAMLResponse=QQ%3D%3D&SAMLResponse=QQ%3D%3D", "application/x-www-form-urlencoded", "stands twice"),
        (b"&".join(b"f%d=1" % n for n in range(40)), "application/x-www-form-urlencoded", "not a form"),
        (b"\xff\xfe", "application/x-www-form-urlencoded", "not a form"),
        (b'{"SAMLResponse": "QQ=="}', "application/json", "not a form"),
        (b"SAMLResponse=QQ%3D%3D", "application/x-www-form-urlencoded", "not XML"),
    ],
)
async def test_bodies_that_are_no_answer(stage: Stage, body: bytes, kind: str, why: str) -> None:
    async with stage.browser() as browser:
        await browser.open(f"{stage.service.base}/begin?relay=x", follow=0)
        target = browser.went[0].with_path(f"/ssosp/saml/SSO/alias/{SERVICE}").with_query(None)
        page = await browser.post(target, body, kind)
        assert why in _why(stage, page)


async def test_the_cookie_is_for_this_host_and_no_script(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=x", follow=0)
        cookie = page.headers["Set-Cookie"]
        assert cookie.startswith("__Host-sso-")
        for word in ("Secure", "HttpOnly", "SameSite=None", "Path=/"):
            assert word in cookie
        assert "mine" not in page.headers["Location"]
        assert page.headers["Cache-Control"] == "no-store"


async def test_a_planted_cookie_is_not_taken_over(stage: Stage) -> None:
    """An attacker who could set a cookie in the victim's browser would else know what ties the answer to it."""
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=x", follow=0)
        name = page.headers["Set-Cookie"].partition("=")[0]
    async with stage.browser() as victim:
        planted = "A" * 43
        page = await victim.open(
            f"{stage.service.base}/begin?relay=x", follow=0, headers={"Cookie": f"{name}={planted}"}
        )
        assert planted not in page.headers["Set-Cookie"]


def _statement(stage: Stage, answers: str) -> Statement:
    now = time.time()
    base = stage.service.base
    return Statement(
        "_" + secrets.token_hex(8), "_r", f"{stage.provider_base}/saml/metadata", SERVICE,
        f"{base}/ssosp/saml/SSO/alias/{SERVICE}", "x", answers, now, now + 60, {"uid": "leila"},
    )  # fmt: skip


def _signed(stage: Stage, statement: Statement) -> str:
    key = SigningKey.open(stage.folder / "idp", IDP)
    return issue(statement, key.key, key.certificate)


@pytest.mark.parametrize("flood", [1_000, 5_000])
async def test_a_flood_of_sign_ins_pushes_out_nobody_else_s(flood: int) -> None:
    requests = OpenRequests(limit=100, seconds=300.0)
    mine = requests.open("honest", "198.51.100.7", "relay", 0.0)
    for number in range(flood):
        requests.open(f"bot-{number}", "203.0.113.9", "", 1.0)
    assert len(requests) == 11
    assert requests.take(mine.id, "honest", mine.state, 2.0) == mine


async def test_open_requests_end_and_stay_few() -> None:
    requests = OpenRequests(limit=100, seconds=300.0)
    first = requests.open("b", "a", "relay", 0.0)
    assert requests.take(first.id, "b", first.state, 300.0) is None
    for _ in range(20):
        requests.open("b", "a", "", 1.0)
    assert len(requests) == 8
    assert requests.take(first.id, "b", first.state, 1.0) is None
    last = requests.open("b", "a", "", 400.0)  # what is over goes when somebody new comes
    assert len(requests) == 1
    assert requests.of("b", 400.0) == {last.id}
