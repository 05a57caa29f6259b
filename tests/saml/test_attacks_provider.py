"""Attacks on the identity provider: services that are none, guessed passwords and codes, planted sessions, and more."""

from __future__ import annotations

import base64
import secrets
import time
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import aiohttp
import pyotp
import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.net.single_sign_on.keys import SigningKey
from ringback.protocols.saml.metadata import ServiceProvider
from ringback.protocols.saml.request import AuthnRequest
from ringback.services.identity.errors import NotProvenError, TooManyTriesError
from ringback.services.identity.proofs import open_proofs
from ringback.services.identity.sessions import Asked, SignIns
from ringback.services.identity.settings import Limits
from tests.support.dance import Form, Page
from tests.support.identity import CHEAP, LEILA, MATEUS, OTHER, SERVICE, Stage, running_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    limits = Limits(tries=6, seconds_per_try=20.0, lock_after=1000)
    methods = ("form", "basic", "certificate")
    async with running_stage(tmp_path_factory.mktemp("stage"), limits=limits, methods=methods) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def signing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A provider whose second service signs its requests."""
    folder = tmp_path_factory.mktemp("signing")
    key = SigningKey.open(folder / "signer", "signer")
    signer = ServiceProvider("signer.example.com", ("https://signer.example.com/acs",), (key.certificate,), signs=True)
    async with running_stage(folder, more_services=(signer,)) as made:
        yield made


def _request(stage: Stage, **changes: object) -> AuthnRequest:
    values: dict[str, object] = {
        "id": "_" + secrets.token_hex(20),
        "issuer": SERVICE,
        "consumer": f"{stage.service.base}/ssosp/saml/SSO/alias/{SERVICE}",
        "destination": f"{stage.provider_base}/saml/sso",
        "issued": time.time(),
    }
    return AuthnRequest(**(values | changes))  # type: ignore[arg-type]


def _refused(page: Page, why: str) -> None:
    """The page says why, and sends nothing anywhere."""
    assert page.status == 400, page.text
    assert why in page.fault
    assert "<form" not in page.text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "evil.example.com"}, "not known here"),
        ({"consumer": "https://evil.example.com/acs"}, "where it is not known to be"),
        ({"consumer": f"https://{OTHER}:1/ssosp/saml/SSO/alias/{OTHER}"}, "where it is not known to be"),
        ({"destination": "https://other-idp.example.com/"}, "meant for another identity provider"),
        ({"issued": time.time() - 3600}, "too old"),
        ({"issued": time.time() + 3600}, "too old"),
        ({"binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"}, "not spoken here"),
        ({"issuer": ""}, "who asks"),
    ],
)
async def test_requests_that_are_not_answered(stage: Stage, changes: dict[str, object], why: str) -> None:
    request = _request(stage, **changes)
    target = f"{stage.provider_base}/saml/sso?{urlsplit(request.redirect('s')).query}"
    async with stage.browser() as browser:
        _refused(await browser.open(target), why)


async def test_requests_that_are_none(stage: Stage) -> None:
    deflate = zlib.compressobj(9, wbits=-15)
    bomb = deflate.compress(b"<r>" + b" " * 4_000_000) + deflate.flush()
    good = urlsplit(_request(stage).redirect()).query
    laughs = zlib.compressobj(wbits=-15)
    entity = laughs.compress(b'<!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>') + laughs.flush()
    async with stage.browser() as browser:
        for query, why in (
            (urlencode({"SAMLRequest": base64.b64encode(bomb).decode()}), "too large"),
            (urlencode({"SAMLRequest": base64.b64encode(entity).decode()}), "document type"),
            ("SAMLRequest=%25%25", "no request"),
            ("", "no request"),
            (f"{good}&{good}", "stands twice"),
        ):
            _refused(await browser.open(f"{stage.provider_base}/saml/sso?{query}"), why)


async def test_a_service_that_signs_gets_no_answer_to_an_unsigned_or_altered_request(signing: Stage) -> None:
    key = SigningKey.open(signing.folder / "signer", "signer")
    stranger = SigningKey.open(signing.folder / "stranger", "stranger")
    request = _request(signing, issuer="signer.example.com", consumer="https://signer.example.com/acs")
    good = request.redirect("state", key.key)
    evil = urlsplit(_request(signing, issuer="signer.example.com", consumer="", force=True).redirect("state")).query
    evil_value = dict(parse_qsl(evil))["SAMLRequest"]
    query = urlsplit(good).query
    weak = query.replace(quote("xmldsig-more#rsa-sha256", safe=""), quote("xmldsig#rsa-sha1", safe=""))
    attacks = [
        urlsplit(request.redirect("state")).query,
        urlsplit(request.redirect("state", stranger.key)).query,
        query.replace("RelayState=state", "RelayState=other"),
        query.replace(query.partition("&")[0], f"SAMLRequest={quote(evil_value, safe='')}"),
        f"{query}&SAML%52equest={quote(evil_value, safe='')}".replace("Signature=", "Signature=AAAA"),
        weak,
        query.partition("&Signature=")[0],
    ]
    assert weak != query
    async with signing.browser() as browser:
        page = await browser.open(good)
        assert "password" in page.form.fields
        for attack in attacks:
            page = await browser.open(f"{signing.provider_base}/saml/sso?{attack}")
            _refused(page, "no signature of its service")
        posted = Form(browser.went[-1].with_query(None), {"RelayState": "state"})
        page = await browser.send(posted, {"SAMLRequest": request.posted(key.key, key.certificate)})
        assert "password" in page.form.fields
        unsigned = base64.b64encode(request.encode()).decode()
        foreign = request.posted(stranger.key, stranger.certificate)
        for value in (unsigned, foreign):
            _refused(await browser.send(posted, {"SAMLRequest": value}), "no signature of its service")


async def test_a_second_name_for_the_same_field_is_not_read(stage: Stage) -> None:
    """``SAML%52equest`` decodes to the field's name, yet a signature would not cover it."""
    good = urlsplit(_request(stage).redirect()).query
    evil = dict(parse_qsl(urlsplit(_request(stage, issuer="evil.example.com").redirect()).query))["SAMLRequest"]
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.provider_base}/saml/sso?{good}&SAML%52equest={quote(evil, safe='')}")
        assert "password" in page.form.fields


async def test_guessing_a_password_is_slowed_down(tmp_path: Path) -> None:
    async with (
        running_stage(tmp_path, limits=Limits(tries=3, seconds_per_try=60.0)) as stage,
        stage.browser() as browser,
    ):
        page = await browser.open(f"{stage.service.base}/begin?relay=x")
        for _ in range(3):
            page = await browser.send(page.form, {"user": "leila", "password": "guess"})
            assert (page.status, page.fault) == (401, "The user name or the password is wrong")
        page = await browser.send(page.form, {"user": "leila", "password": LEILA.password})
        assert (page.status, "Too many tries" in page.fault) == (429, True)
        assert int(page.headers["Retry-After"]) > 1
        basic = base64.b64encode(f"leila:{LEILA.password}".encode()).decode()
        page = await browser.open(
            f"{stage.provider_base}/saml/sso?{urlsplit(_request(stage).redirect()).query}",
            headers={"Authorization": f"Basic {basic}"},
        )
        assert page.status == 429
        # Somebody else at the same address is not held up by that.
        page = await browser.send(page.form, {"user": "mateus", "password": MATEUS.password})
        assert "code" in page.form.fields


async def test_an_unknown_user_looks_like_a_wrong_password(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=x")
        page = await browser.send(page.form, {"user": '"><script>alert(1)</script>', "password": "x"})
        assert (page.status, page.fault) == (401, "The user name or the password is wrong")
        assert "<script>alert" not in page.text


async def test_codes_are_neither_guessed_nor_used_twice(tmp_path: Path) -> None:
    """In the core, with time as an argument: the window of a code, its second use, guessing, lock-out, a restart."""
    threads = ThreadPoolExecutor(1)
    limits = Limits(tries=3, seconds_per_try=30.0, lock_after=5, lock_seconds=600.0)
    proofs = await open_proofs(tmp_path, (MATEUS,), CHEAP, limits, threads)
    person = proofs.person("Mateus")
    assert person is not None
    totp, moment = pyotp.TOTP(MATEUS.second_factor), 1_800_000_000.0

    with pytest.raises(NotProvenError):  # a minute old
        await proofs.code(person, totp.at(int(moment) - 60), "a", 0.0, moment)
    await proofs.code(person, totp.at(int(moment) - 30), "a", 1.0, moment)
    await proofs.code(person, totp.at(int(moment) + 30), "a", 2.0, moment)
    for late in (-30, 0, 30):  # the same again, and all before it
        with pytest.raises(NotProvenError):
            await proofs.code(person, totp.at(int(moment) + late), f"b{late}", 3.0, moment)
    # A restart forgets no code.
    again = await open_proofs(tmp_path, (MATEUS,), CHEAP, limits, threads)
    with pytest.raises(NotProvenError):
        await again.code(person, totp.at(int(moment) + 30), "a", 4.0, moment)
    # Guessing from one address is slow, from many it locks the account for everybody.
    for _ in range(2):
        with pytest.raises(NotProvenError):
            await again.code(person, "000000", "a", 4.0, moment)
    with pytest.raises(TooManyTriesError) as slow:
        await again.code(person, "000000", "a", 4.0, moment)
    assert slow.value.wait == 30
    for address in ("c", "d"):
        with pytest.raises(NotProvenError):
            await again.code(person, "000000", address, 5.0, moment)
    with pytest.raises(TooManyTriesError) as locked:
        await again.code(person, totp.at(int(moment) + 90), "e", 6.0, moment + 90)
    assert locked.value.wait == 599
    with pytest.raises(TooManyTriesError):
        await again.password("mateus", MATEUS.password, "f", 7.0)
    assert await again.password("mateus", MATEUS.password, "f", 606.0) == person
    threads.shutdown()


async def test_a_code_does_not_count_before_the_password(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=x")
        code = pyotp.TOTP(MATEUS.second_factor).at(int(time.time()))
        page = await browser.send(page.form, {"user": "mateus", "password": "", "code": code})
        assert page.status == 401
        assert "password" in page.form.fields


async def test_a_second_factor_is_asked_for_after_basic_and_certificate_too(stage: Stage) -> None:
    target = f"{stage.provider_base}/saml/sso?{urlsplit(_request(stage).redirect()).query}"
    async with stage.browser() as browser:
        basic = base64.b64encode(f"mateus:{MATEUS.password}".encode()).decode()
        page = await browser.open(target, headers={"Authorization": f"Basic {basic}"})
        assert "code" in page.form.fields
    async with stage.browser(stage.authority.issue("mateus", ["mateus"])) as browser:
        page = await browser.open(target)
        assert "code" in page.form.fields
        # The page of the first proof is not one of the second.
        assert "SAMLResponse" not in page.form.fields


async def test_a_planted_session_is_not_signed_in_by_its_victim(stage: Stage) -> None:
    """Session fixation: the attacker's cookie is in the victim's browser before the victim signs in."""
    async with stage.browser() as victim, stage.browser() as attacker:
        planted = secrets.token_urlsafe(32)
        page = await victim.open(f"{stage.service.base}/begin?relay=x", follow=1)
        cookie: SimpleCookie = SimpleCookie()
        cookie["__Host-ringback-session"] = planted
        cookie["__Host-ringback-session"]["path"] = "/"
        victim.cookies.update_cookies(cookie, page.url)
        page = await victim.send(page.form, {"user": LEILA.user, "password": LEILA.password})
        names = {cookie.key: cookie.value for cookie in victim.cookies}
        assert names["__Host-ringback-session"] != planted
        page = await attacker.open(
            f"{stage.service.base}/begin?relay=x", headers={"Cookie": f"__Host-ringback-session={planted}"}
        )
        assert "password" in page.form.fields


async def test_a_form_of_another_browser_is_refused(stage: Stage) -> None:
    """CSRF at the log-in: the attacker's form, with the attacker's password, sent by the victim's browser."""
    async with stage.browser() as attacker, stage.browser() as victim:
        page = await attacker.open(f"{stage.service.base}/begin?relay=x")
        await victim.open(f"{stage.service.base}/begin?relay=x")
        refused = await victim.send(page.form, {"user": LEILA.user, "password": LEILA.password})
        assert (refused.status, "another browser" in refused.fault) == (403, True)
        assert not any(cookie.key == "__Host-ringback-session" for cookie in victim.cookies)


async def test_a_certificate_of_another_authority_does_not_even_connect(stage: Stage, tmp_path: Path) -> None:
    foreign = Authority(tmp_path / "foreign").issue("leila", ["leila"])
    async with stage.browser(foreign) as browser:
        with pytest.raises((OSError, aiohttp.ClientError)):
            await browser.open(f"{stage.provider_base}/")


async def test_pages_can_be_neither_framed_nor_kept(stage: Stage) -> None:
    async with stage.browser() as browser:
        page = await browser.open(f"{stage.service.base}/begin?relay=x")
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        page = await browser.send(page.form, {"user": LEILA.user, "password": LEILA.password})
        cookie = page.headers["Set-Cookie"]
        for word in ("__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert word in cookie


async def test_no_secret_is_in_a_record_s_words(stage: Stage) -> None:
    assert LEILA.password not in repr(LEILA)
    assert MATEUS.second_factor not in repr(MATEUS)
    assert "PRIVATE" not in repr(SigningKey.open(stage.folder / "idp", "idp"))
    kept = (stage.folder / "idp" / "passwords.json").read_text()
    assert "$argon2id$" in kept
    assert LEILA.password not in kept
    assert (stage.folder / "idp" / "passwords.json").stat().st_mode & 0o777 == 0o600


async def test_a_flood_of_sign_ins_pushes_out_nobody_else_s(stage: Stage) -> None:
    service = ServiceProvider(SERVICE, ("https://x.example/acs",))
    asked = Asked(service, service.consumers[0], _request(stage), "state")
    sign_ins = SignIns(limit=100, seconds=600.0)
    mine = sign_ins.open(asked, "honest", "198.51.100.7", 0.0)
    for number in range(2_000):
        sign_ins.open(asked, f"bot-{number}", "203.0.113.9", 1.0)
    assert sign_ins.find(mine.id, "honest", 2.0) is mine
    assert sign_ins.find(mine.id, "somebody else", 2.0) is None
    assert sign_ins.find(mine.id, "honest", 600.0) is None


async def test_both_names_of_a_person_share_their_tries(tmp_path: Path) -> None:
    threads = ThreadPoolExecutor(1)
    proofs = await open_proofs(tmp_path, (LEILA,), CHEAP, Limits(tries=2), threads)
    assert (await proofs.password("Leila@Example.com", LEILA.password, "a", 0.0)).user == "leila"
    for name in ("leila", "leila@example.com"):
        with pytest.raises(NotProvenError):
            await proofs.password(name, "guess", "a", 1.0)
    with pytest.raises(TooManyTriesError):
        await proofs.password("leila", "guess", "a", 1.0)
    threads.shutdown()
