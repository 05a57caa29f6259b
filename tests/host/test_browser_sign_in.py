"""The browser leaves for the company's sign-in and comes back: only the one that left, once, and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from ringback.client.host.security import COOKIE, RETURN_COOKIE
from ringback.client.host.server import EngineHost
from ringback.client.host.settings import HostSettings
from ringback.rules.addresses import HostPort
from tests.host.conftest import SECONDS, Browser, Tab, browser_at, write_page
from tests.support import dance
from tests.support.lab import RunningLab


@pytest.fixture(scope="module")
def lab(shared_lab: RunningLab) -> RunningLab:
    """The worker's lab, whose branch signs in at the identity provider."""
    return shared_lab


@asynccontextmanager
async def host_in(lab: RunningLab, data: Path, port: int = 0) -> AsyncIterator[EngineHost]:
    """A host whose engines ask the lab's name server."""
    page = data / "page"
    if not page.exists():
        write_page(page)
    host = EngineHost(
        HostSettings(
            data=data, port=port, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cas_url="",
            use_keyring=False, page=page, token="rehearsal",
        )
    )  # fmt: skip
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


def company(lab: RunningLab) -> dance.Browser:
    """The browser as the company's servers see it."""
    hosts = {row["node"]: HostPort(row["address"], int(row["port"])) for row in lab.info["endpoints"]}
    return dance.Browser(hosts, lab.ca_file)


async def begin(tab: Tab, address: str = "leila@example.com", *, remember: bool = False) -> str:
    """Find the servers and ask for a way through the browser; the address to go to."""
    await tab.do("FindServices", address=address)
    card = await tab.phase("credentials")
    assert card["asks"] == "browser"
    answer = await tab.do("BeginBrowserSignIn", remember=remember)
    return str(answer["value"]["url"])


async def leave(browser: Browser, path: str) -> str:
    """Go to the host's address that leads to the company; where that is."""
    async with browser.http.get(f"{browser.host.origin}{path}", allow_redirects=False) as answer:
        assert answer.status == 303
        cookie = SimpleCookie(answer.headers["Set-Cookie"])[RETURN_COOKIE]
        assert (cookie["samesite"], cookie["httponly"], cookie["path"]) == ("Lax", True, "/signed-in")
        return answer.headers["Location"]


async def sign_in_there(lab: RunningLab, url: str, user: str = "leila") -> URL:
    """The person signs in at the identity provider; the address that leads back. A stranger's browser, which has no
    cookie of this host, goes the way here, and learns nothing at its end."""
    async with company(lab) as there:
        page = await there.open(url)
        while page.url.path != "/signed-in":
            typed = {"user": user, "password": "ringback"} if "user" in page.form.fields else {}
            page = await there.send(page.form, typed)
        assert page.status == 400
        return page.url


async def come_back(browser: Browser, back: URL, *, cookie: str | None = None) -> tuple[int, str]:
    """The browser is led back from another site: it sends only what such a way lets it send, or ``cookie``."""
    if cookie is None:
        cookies = browser.http.cookie_jar.filter_cookies(URL(f"{browser.host.origin}/signed-in"))
        cookie = f"{RETURN_COOKIE}={cookies[RETURN_COOKIE].value}" if RETURN_COOKIE in cookies else ""
    target = URL(browser.host.origin).with_path("/signed-in").with_query(back.query)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as led,
        led.get(target, headers={"Cookie": cookie}, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def test_the_whole_way_and_only_once(lab: RunningLab, tmp_path: Path) -> None:
    async with host_in(lab, tmp_path) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        url = await leave(browser, await begin(tab))
        assert url.startswith("https://cm-berlin.example.com:")
        assert "code_challenge_method=S256" in url
        back = await sign_in_there(lab, url)
        assert set(back.query) >= {"code", "state"}
        status, page = await come_back(browser, back)
        assert status == 200
        assert "http-equiv=refresh content='0;url=/'" in page
        snapshot = await tab.welcome()
        assert snapshot["sign_in"]["phase"] == "ready"
        assert snapshot["account"]["method"] == "browser"
        assert snapshot["account"]["who_asks"] == "cm-berlin.example.com"
        # The same answer again, as a reload of that page would send it.
        status, page = await come_back(browser, back)
        assert status == 400
        assert "does not belong to this browser" in page
        await tab.do("SignOut", forget=True)


async def test_nobody_else_can_use_or_plant_an_answer(lab: RunningLab, tmp_path: Path) -> None:
    async with host_in(lab, tmp_path) as host, browser_at(host) as browser, browser_at(host) as other:
        tab, _ = await browser.tab()
        stranger, _ = await other.tab()
        path = await begin(tab)
        async with other.http.get(f"{host.origin}{path}", allow_redirects=False) as answer:
            assert answer.status == 400, "another browser can't leave by this way"
        back = await sign_in_there(lab, await leave(browser, path))
        others_back = await sign_in_there(lab, await leave(other, await begin(stranger)))
        own = browser.http.cookie_jar.filter_cookies(URL(f"{host.origin}/signed-in"))[RETURN_COOKIE].value
        foreign = other.http.cookie_jar.filter_cookies(URL(f"{host.origin}/signed-in"))[RETURN_COOKIE].value
        session = browser.http.cookie_jar.filter_cookies(URL(host.origin))[COOKIE].value
        digest, _, secret = own.partition(".")
        refused = [
            await come_back(browser, others_back),  # somebody else's code and state, planted
            await come_back(other, back),  # a stolen answer in another browser
            await come_back(browser, back, cookie=""),  # without the cookie that went along
            await come_back(browser, back, cookie=f"{COOKIE}={session}"),  # the session's cookie is not enough
            await come_back(browser, back, cookie=f"{RETURN_COOKIE}={foreign.partition('.')[0]}.{secret}"),
            await come_back(browser, back, cookie=f"{RETURN_COOKIE}={digest}."),
            await come_back(browser, back, cookie=f"{RETURN_COOKIE}={digest}.guess"),
            await come_back(browser, back.update_query(state="guess")),
            await come_back(browser, back.with_query({"code": back.query["code"]})),
        ]
        assert [status for status, _ in refused] == [400] * len(refused)
        assert all("code=" not in page for _, page in refused)
        # None of that spoilt it for the one who may.
        assert (await come_back(browser, back))[0] == 200
        assert (await tab.welcome())["sign_in"]["phase"] == "ready"


async def test_a_refusal_there_is_said_here(lab: RunningLab, tmp_path: Path) -> None:
    async with host_in(lab, tmp_path) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        url = URL(await leave(browser, await begin(tab)))
        error = {"error": "access_denied", "error_description": "The account is off", "state": url.query["state"]}
        assert (await come_back(browser, url.with_query(error)))[0] == 200
        card = (await tab.until(lambda event: (event.get("sign_in") or {}).get("wrong_password")))["sign_in"]
        assert card["wrong_password"]["id"] == "sign_in.browser.refused"
        assert card["wrong_password"]["values"]["why"] == "The account is off"


async def test_somebody_else_signed_in_there(lab: RunningLab, tmp_path: Path) -> None:
    async with host_in(lab, tmp_path) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        back = await sign_in_there(lab, await leave(browser, await begin(tab)), user="nils")
        assert (await come_back(browser, back))[0] == 200
        card = (await tab.until(lambda event: (event.get("sign_in") or {}).get("wrong_password")))["sign_in"]
        assert card["wrong_password"]["id"] == "sign_in.browser.other_person"
        assert card["wrong_password"]["values"]["found"] == "nils"


async def test_the_host_starts_anew_meanwhile(lab: RunningLab, tmp_path: Path) -> None:
    async with host_in(lab, tmp_path) as host:
        port = host.port
        async with browser_at(host) as browser:
            tab, _ = await browser.tab()
            url = await leave(browser, await begin(tab, remember=True))
            back = await sign_in_there(lab, url)
            kept = browser.http.cookie_jar.filter_cookies(URL(f"{host.origin}/signed-in"))
            cookies = {name: kept[name].value for name in (COOKIE, RETURN_COOKIE)}
    async with host_in(lab, tmp_path, port) as host:
        browser = Browser(host)
        browser.http.cookie_jar.update_cookies({COOKIE: cookies[COOKIE]}, URL(host.origin))
        try:
            assert (await come_back(browser, back, cookie=f"{RETURN_COOKIE}={cookies[RETURN_COOKIE]}"))[0] == 200
            tab, snapshot = await browser.tab()
            if snapshot["sign_in"]["phase"] != "ready":
                snapshot = await tab.welcome()
            assert snapshot["sign_in"]["phase"] == "ready"
            assert snapshot["account"]["remembered"]
            assert snapshot["sign_in"]["address"] == "leila@example.com"
        finally:
            await browser.http.close()


@pytest.mark.parametrize(
    "cookie", [b"", b"x", b".", b"a.b", b"%00.%00", b"\xff.\xfe", b"a" * 3000 + b"." + b"b" * 3000]
)
@pytest.mark.parametrize("query", ["", "state=", "code=1&state=%ff%fe", "error=%00&state=x", "state=a&state=b&code=1"])
async def test_whatever_comes_back_is_answered_in_words(strangers: EngineHost, cookie: bytes, query: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", strangers.port)
    head = f"GET /signed-in?{query} HTTP/1.1\r\nHost: 127.0.0.1:{strangers.port}\r\nConnection: close\r\n"
    writer.write(head.encode() + f"Cookie: {RETURN_COOKIE}=".encode() + cookie + b"\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"This sign-in does not count" in answer


@pytest.fixture
async def strangers(tmp_path: Path) -> AsyncIterator[EngineHost]:
    """A host that nobody signed in at."""
    write_page(tmp_path / "page")
    host = EngineHost(HostSettings(data=tmp_path, port=0, cas_url="", use_keyring=False, page=tmp_path / "page"))
    await host.start()
    try:
        yield host
    finally:
        await host.stop()
