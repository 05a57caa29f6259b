"""Who may talk to the host: the printed link, the cookie, our own origin and name; everybody else is told in words."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest

from tests.host.conftest import browser_at, running_host, write_page


async def test_the_bare_address_says_in_words_what_to_do(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, aiohttp.ClientSession() as stranger:
        async with stranger.get(f"{host.origin}/") as answer:
            assert answer.status == 401
            assert "?token=" in await answer.text()
            assert "Set-Cookie" not in answer.headers
        async with stranger.get(f"{host.origin}/?token=guess") as answer:
            assert answer.status == 401
            assert "Set-Cookie" not in answer.headers


async def test_the_link_gives_a_cookie_that_only_we_get(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, aiohttp.ClientSession() as http:
        async with http.get(host.url, allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == "/"
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert len(cookie.partition("=")[2].partition(";")[0]) >= 43


@pytest.mark.parametrize("path", ["/api/socket", "/api/photo/bruno@example.com", "/api/trace.json"])
async def test_without_a_session_nothing_is_told(tmp_path: Path, path: str) -> None:
    async with running_host(tmp_path) as host, aiohttp.ClientSession() as stranger:
        for cookies in ({}, {"ringback_session": "made-up"}):
            async with stranger.get(f"{host.origin}{path}", cookies=cookies) as answer:
                assert answer.status == 401


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.2"])
async def test_another_host_name_is_refused(tmp_path: Path, name: str) -> None:
    """DNS rebinding: a page of the web reaches us under its own name."""
    async with running_host(tmp_path) as host, browser_at(host) as browser:
        headers = {"Host": f"{name}:{host.port}"}
        async with browser.http.get(f"{host.origin}/api/trace.json", headers=headers) as answer:
            assert answer.status == 421
        async with browser.http.get(f"{host.origin}/api/trace.json", headers={"Host": name}) as answer:
            assert answer.status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
async def test_another_origin_gets_no_socket(tmp_path: Path, origin: str) -> None:
    async with running_host(tmp_path) as host, browser_at(host) as browser:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await browser.http.ws_connect(f"{host.origin}/api/socket", headers={"Origin": origin})
        assert caught.value.status == 403
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with browser.http.get(f"{host.origin}/api/trace.json", headers=headers) as answer:
            assert answer.status == 403


async def test_localhost_is_ours_too(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, aiohttp.ClientSession() as http:
        answer = await http.get(f"{host.origin}/", headers={"Host": f"localhost:{host.port}"})
        assert answer.status == 401


async def test_every_answer_carries_the_safety_headers(tmp_path: Path) -> None:
    page = write_page(tmp_path / "page")
    async with running_host(tmp_path, page=page) as host, browser_at(host) as browser:
        for path in ("/", "/assets/index-Ab12Cd34.js", "/api/trace.json", "/api/photo/x@y", "/nothing.txt"):
            async with browser.http.get(f"{host.origin}{path}") as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'self';" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["X-Frame-Options"] == "DENY"


async def test_places_inside_the_page_and_files(tmp_path: Path) -> None:
    page = write_page(tmp_path / "page")
    (tmp_path / "secret.txt").write_text("nobody may read this")
    async with running_host(tmp_path, page=page) as host, browser_at(host) as browser:
        for path in ("/", "/chats/bruno@example.com", "/contacts", "/chats/chat-1f@rooms.example.com"):
            async with browser.http.get(f"{host.origin}{path}") as answer:
                assert answer.status == 200
                assert "<title>Ringback</title>" in await answer.text()
                assert answer.headers["Cache-Control"] == "no-cache"
        asset = f"{host.origin}/assets/index-Ab12Cd34.js"
        async with browser.http.get(asset, headers={"Accept-Encoding": "identity"}) as answer:
            assert "immutable" in answer.headers["Cache-Control"]
            assert "javascript" in answer.headers["Content-Type"]
        async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=browser.http.cookie_jar) as raw:
            packed = await raw.get(asset, headers={"Accept-Encoding": "gzip, br"})
            assert packed.headers["Content-Encoding"] == "br"
            assert await packed.read() == b"compressed"
        for path in ("/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/nothing.js"):
            async with browser.http.get(f"{host.origin}{path}") as answer:
                assert "nobody may read this" not in await answer.text()
                assert answer.status == 404


async def test_a_page_that_is_not_built_is_said(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, browser_at(host) as browser:
        answer = await browser.http.get(f"{host.origin}/")
        assert answer.status == 503
        assert "not built" in await answer.text()


async def test_the_next_port_where_one_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with running_host(tmp_path, port=port) as host:
            assert port < host.port <= port + 20
