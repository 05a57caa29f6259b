"""The authorization endpoint over HTTPS: the log-in page, the way without a browser, and who is sent away."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import TokenResponse
from ringback.protocols.oauth.probe import PATH, Probe
from ringback.services.callmanager.authorisation.authorize import COOKIE
from tests.oauth.conftest import ANITA, BACK, OTHER, Browser, Server


async def test_the_probe_says_how_people_sign_in(visitor: Browser) -> None:
    assert Probe.parse((await visitor.send("GET", PATH)).body) == Probe(False, True, "14.0.1")


async def test_a_person_signs_in_at_the_page_and_the_browser_is_known_afterwards(visitor: Browser) -> None:
    page = await visitor.authorize()
    assert page.status == 200
    assert "Ringback asks who you are" in page.text
    before = visitor.cookies[COOKIE]
    answer = await visitor.submit(page, *ANITA)
    assert answer.status == 303
    assert answer.location.startswith(BACK + "?code=")
    assert ANITA[1] not in answer.location
    tokens = TokenResponse.parse((await visitor.redeem(visitor.code_of(answer))).body)
    assert tokens.user_id == "anita"
    assert tokens.refresh_token_expires_in > 59 * 86_400
    assert (await visitor.uds(tokens.access_token)).status == 200
    assert visitor.cookies[COOKIE] != before
    again = await visitor.authorize()
    assert again.status == 303
    assert (await visitor.authorize(visitor.asked(prompt="login").parameters())).status == 200
    assert (await visitor.authorize(visitor.asked(prompt="none").parameters())).location.startswith(BACK + "?code=")


async def test_a_script_signs_in_without_a_page(visitor: Browser) -> None:
    tokens = await visitor.sign_in(device="CSFANITA")
    assert (await visitor.uds(tokens.access_token)).status == 200
    refreshed = await visitor.refresh(tokens.refresh_token)
    assert refreshed.headers["Cache-Control"] == "no-store"
    given = TokenResponse.parse(refreshed.body)
    assert given.refresh_token == ""
    assert (await visitor.uds(given.access_token)).status == 200
    assert not visitor.cookies
    wrong = await visitor.authorize(login=("anita", "wrong"))
    assert wrong.status == 401
    assert wrong.headers["WWW-Authenticate"].startswith("Basic ")
    assert wrong.error.error == "ACCESS_DENIED"


async def test_silent_renewal_asks_nobody(visitor: Browser) -> None:
    answer = await visitor.authorize(visitor.asked(prompt="none").parameters())
    assert parse_qs(urlsplit(answer.location).query)["error"] == ["login_required"]


async def test_the_page_lets_nobody_else_in_or_on_it(visitor: Browser) -> None:
    page = await visitor.authorize(visitor.asked(hint='"><script>alert(1)</script>').parameters())
    assert b"<script>" not in page.body
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8080" in policy
    assert page.headers["Cache-Control"] == "no-store"
    cookie = page.cookies[COOKIE]
    assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/", "Lax", "")
    assert cookie["secure"]
    assert cookie["httponly"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"client_id": ""}, "not known here"),
        ({"client_id": "C" + "0" * 64}, "not known here"),
        ({"client_id": OTHER.id}, "return address"),
        ({"redirect_uri": ""}, "return address"),
        ({"redirect_uri": "https://evil.example.net/signed-in"}, "return address"),
        ({"redirect_uri": "http://127.0.0.1:8080@evil.example.net/signed-in"}, "return address"),
        ({"redirect_uri": "//evil.example.net"}, "return address"),
        ({"state": "x" * 5000}, "too long"),
    ],
)
async def test_nobody_is_sent_to_a_stranger(visitor: Browser, change: dict[str, str], reason: str) -> None:
    """Unknown client, unknown redirect: a page or JSON, never a redirect, whoever is signed in."""
    await visitor.submit(await visitor.authorize(), *ANITA)
    wanted = {name: value for name, value in (visitor.asked().parameters() | change).items() if value}
    for accept, words in (("text/html", f": {reason}"), ("*/*", reason)):
        answer = await visitor.authorize(wanted, headers={"Accept": accept})
        assert answer.status == 400
        assert "Location" not in answer.headers
        assert words.removeprefix(": ") in answer.text
    assert answer.error.error in ("INVALID_CLIENT", "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "password"}, "unsupported_response_type"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"scope": "everything"}, "invalid_scope"),
    ],
)
async def test_what_a_known_client_asks_wrongly_is_told_to_it(
    visitor: Browser, change: dict[str, str], error: str
) -> None:
    wanted = {name: value for name, value in (visitor.asked().parameters() | change).items() if value}
    answer = await visitor.authorize(wanted, login=ANITA)
    assert answer.status == 303
    parts = urlsplit(answer.location)
    told = parse_qs(parts.query or parts.fragment)
    assert told["error"] == [error]
    assert told["state"] == ["state1"]
    assert told["error_description"]
    assert "code" not in told


async def test_parameters_that_stand_twice_are_refused(visitor: Browser) -> None:
    url = visitor.asked().url(visitor.base) + "&redirect_uri=https://evil.example.net/"
    answer = await visitor.send("GET", url, login=ANITA)
    assert answer.status == 400
    assert "more than once" in answer.text
    page = await visitor.authorize()
    body = b"csrf=a&user=anita&user=bruno&password=x"
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await visitor.send("POST", visitor.asked().url(visitor.base), data=body, headers=typed)
    assert (answer.status, page.status) == (400, 200)
    assert "more than once" in answer.text


async def test_a_form_of_another_page_is_refused(visitor: Browser) -> None:
    """CSRF: without the cookie, with another browser's proof, or sent by another site."""
    page = await visitor.authorize()
    stranger = Browser(visitor.running)
    theirs = await stranger.authorize()
    for refused in (
        await visitor.submit(theirs, *ANITA),
        await visitor.submit(page, *ANITA, form={"csrf": ""}),
        await visitor.submit(page, *ANITA, headers={"Sec-Fetch-Site": "cross-site"}),
        await Browser(visitor.running).submit(page, *ANITA),
    ):
        assert refused.status == 403
        assert "came from another page" in refused.text
    assert (await visitor.submit(page, *ANITA)).status == 303


async def test_a_session_that_was_planted_is_worth_nothing(visitor: Browser) -> None:
    """Fixation: the victim signs in with the attacker's cookie; the attacker stays outside."""
    attacker = Browser(visitor.running)
    page = await attacker.authorize()
    planted = attacker.cookies[COOKIE]
    victim = Browser(visitor.running, cookies={COOKIE: planted})
    assert (await victim.submit(await victim.authorize(), *ANITA)).status == 303
    assert victim.cookies[COOKIE] != planted
    assert (await attacker.authorize()).status == 200
    assert page.status == 200
    forged = Browser(visitor.running, cookies={COOKIE: "A" * 43})
    assert (await forged.authorize()).status == 200
    known = victim.cookies[COOKIE]
    await victim.submit(await victim.authorize(victim.asked(prompt="login").parameters()), *ANITA)
    assert (await Browser(visitor.running, cookies={COOKIE: known}).authorize()).status == 200  # the old one is over


async def test_signing_out_ends_the_browsers_session_too(visitor: Browser) -> None:
    answer = await visitor.submit(await visitor.authorize(), *ANITA)
    tokens = TokenResponse.parse((await visitor.redeem(visitor.code_of(answer))).body)
    form = {"token": tokens.refresh_token, "client_id": RINGBACK_CLIENT}
    assert (await visitor.send("POST", "/ssosp/oauth/revoke", data=form)).status == 200
    assert (await visitor.authorize()).status == 200
    refused = await visitor.refresh(tokens.refresh_token)
    assert (refused.status, refused.error.error, refused.error.ended) == (400, "invalid_grant", "revoked")
    assert (await visitor.uds(tokens.access_token)).status == 401
    assert (await visitor.send("POST", "/ssosp/oauth/revoke", data=form)).status == 200  # RFC 7009 section 2.2


async def test_the_implicit_grant_is_for_those_who_may(server: Server) -> None:
    visitor = await server(implicit=True)
    wanted = visitor.asked(response_type="token", client_id=OTHER.id, redirect_uri=OTHER.redirects[0], challenge="")
    answer = await visitor.submit(await visitor.authorize(wanted.parameters()), *ANITA)
    parts = urlsplit(answer.location)
    told = parse_qs(parts.fragment)
    assert (parts.query, parts.netloc, told["state"]) == ("", "other.example.com", ["state1"])
    assert (await visitor.uds(told["access_token"][0])).status == 200
    ours = await visitor.authorize(visitor.asked(response_type="token").parameters())
    assert parse_qs(urlsplit(ours.location).fragment)["error"] == ["unauthorized_client"]
    other = visitor.asked(client_id=OTHER.id, redirect_uri=OTHER.redirects[0])
    refused = await Browser(visitor.running).authorize(other.parameters(), login=ANITA)
    assert refused.status == 403  # a password by Basic is for first-party clients


async def test_a_head_uses_nothing_up(visitor: Browser) -> None:
    answer = await visitor.send("HEAD", visitor.asked().url(visitor.base), login=ANITA)
    assert answer.status == 405
