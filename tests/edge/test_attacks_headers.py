"""Headers, cookies and sessions: what a client says of itself is not believed inside, and no session is another's."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ringback.services.edge.door import SESSION_SECONDS
from tests.edge.conftest import DOMAIN, EDGE
from tests.edge.siege import PAGES, Siege, basic, cases, segment

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNBELIEVED = (
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: attacker.example",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Prefix: /secret",
    "X_Forwarded_For: 127.0.0.1",
    "Forwarded: for=127.0.0.1;host=attacker.example",
    "Via: 1.1 edge.example.com",
    "X-Real-IP: 127.0.0.1",
    "X-Client-IP: 127.0.0.1",
    "True-Client-IP: 127.0.0.1",
    "X-Original-URL: /secret",
    "X-Rewrite-URL: /secret",
    "X-HTTP-Method-Override: DELETE",
    "X-Remote-User: root",
    "Remote-User: root",
    "X-SSL-Client-Verify: SUCCESS",
    "SSL-Client-Cert: x",
    "Ringback-Peer: 127.0.0.1:1",
    "Proxy: http://attacker.example",
    "Proxy-Authorization: Basic cm9vdDpyb290",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Keep-Alive: timeout=1000",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
    "Alt-Used: attacker.example",
    "Early-Data: 1",
    "Max-Forwards: 0",
)


@pytest.mark.parametrize("line", cases(UNBELIEVED))
async def test_a_client_says_nothing_that_only_a_proxy_may_say(siege: Siege, line: str) -> None:
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/x", line))
    assert statuses == [200, 404]
    assert siege.pages.seen[-1].values(line.partition(":")[0]) == []
    await siege.is_healthy()


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1", f"{PAGES}@attacker.example", "[::1]", ""])
async def test_the_host_of_a_request_decides_nothing(siege: Siege, host: str) -> None:
    statuses, found = await siege.send(
        siege.head(f"/{siege.target()}/pages/x", host=host or "x").replace(b"x\r\n", b"\r\n", not host)
    )
    assert statuses == [200, 404]
    assert siege.pages.seen[-1].values("Host") == [f"{PAGES}:{siege.pages.port}"]
    assert b"attacker" not in found
    await siege.is_healthy()


async def test_a_header_can_be_hidden_from_nobody(siege: Siege) -> None:
    line = "Connection: close, Authorization, Cookie, X-Auth"
    before = siege.reached()
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/x", line, "X-Auth: 1", signed=False), end=b"")
    assert statuses == [401]
    assert siege.reached() == before
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/x", line), end=b"")
    assert statuses == [200]
    assert siege.pages.seen[-1].values("Authorization") == []
    await siege.is_healthy()


@pytest.mark.parametrize("name", ["crlf", "lf", "cr", "nul"])
async def test_lines_can_not_be_broken_into_a_head(siege: Siege, name: str) -> None:
    broken = {"crlf": "\r\n\r\n", "lf": "\n", "cr": "\r", "nul": "\0"}[name]
    data = siege.head(f"/{siege.target()}/pages/x", f"User-Agent: a{broken}X-User: root")
    before = len(siege.pages.seen)
    statuses, _ = await siege.send(data)
    assert statuses[-1] in {400, 404}
    for one in siege.pages.seen[before:]:
        assert one.values("X-User") == []
    await siege.is_healthy()


@pytest.mark.parametrize("name", ["Host", "User-Agent", "Cookie", "Authorization", "X-One", "Connection", "Upgrade"])
async def test_octets_that_are_no_text_pass_nowhere(siege: Siege, name: str) -> None:
    data = siege.head(f"/{siege.target()}/pages/x", f"{name}: MARK").replace(b"MARK", b"\xff\xc0\xae")
    await siege.refuses(data, *((400,) if name == "Host" else (400, 404)))


async def test_nobody_says_by_which_edge_they_come(siege: Siege) -> None:
    """Single sign-on inside leads back to there."""
    await siege.send(siege.head(f"/{siege.target()}/pages/x", "Ringback-Edge: https://attacker.example"))
    assert siege.pages.seen[-1].values("Ringback-Edge") == [f"https://{EDGE}/{siege.target()}"]
    await siege.is_healthy()


async def test_lines_of_an_escaped_query_stay_escaped(siege: Siege) -> None:
    await siege.send(siege.head(f"/{siege.target()}/pages/x?a=%0d%0aX-User:%20root"))
    assert siege.pages.seen[-1].path == "/pages/x?a=%0d%0aX-User:%20root"
    assert siege.pages.seen[-1].values("X-User") == []
    await siege.is_healthy()


async def test_lines_of_an_address_reach_no_answer(siege: Siege) -> None:
    head = siege.head(f"/{segment(DOMAIN)}/get_edge_sso?email=x%0d%0aSet-Cookie:a=b%40{DOMAIN}", signed=False)
    found = await siege.refuses(head, 200, 404)
    assert b"Set-Cookie" not in found
    head = siege.head(
        f"/{segment(DOMAIN)}/get_edge_config?service_name=%3C/name%3E%3Cinjected/%3E",
        f"Authorization: {basic('mallory')}",
        signed=False,
    )
    found = await siege.refuses(head, 200, 404)
    assert b"<injected" not in found


# --- redirections


@pytest.mark.parametrize(
    "where",
    ["/pages/next", "next", "https://pages.example.com:{port}/pages/next", "//pages.example.com:{port}/pages/next"],
)
async def test_redirections_inside_lead_through_the_edge(siege: Siege, where: str) -> None:
    where = where.format(port=siege.pages.port)
    _, found = await siege.send(siege.head(f"/{siege.target()}/pages/x?to={where}"))
    assert f"Location: /{siege.target()}/pages/next\r\n".encode() in found
    await siege.is_healthy()


async def test_redirections_can_not_make_the_edge_another_host(siege: Siege) -> None:
    """Where a server inside redirects to is its own business, but what it meant as a path stays a path of its own."""
    for where in ("//attacker.example/x", "/%5Cattacker.example", "%5C%5Cattacker.example"):
        _, found = await siege.send(siege.head(f"/{siege.target()}/pages/x?to={where}"))
        match = re.search(rb"Location: (\S+)\r\n", found)
        assert match is not None
        assert match[1] == b"//attacker.example/x" or match[1].startswith(f"/{siege.target()}/".encode())
    await siege.is_healthy()


async def test_the_edge_itself_redirects_nobody(siege: Siege) -> None:
    for path in (
        "//attacker.example",
        "/attacker.example/..",
        f"/{segment(DOMAIN)}//attacker.example",
        f"/{segment(DOMAIN)}",
    ):
        found = await siege.refuses(siege.head(path), 404, 404)
        assert b"Location" not in found


# --- cookies and sessions


async def test_a_cookie_of_a_server_inside_is_for_its_own_paths_only(siege: Siege) -> None:
    for cookie in (
        "a=b; Domain=example.com; Path=/",
        "c=forged; Path=/; Domain=example.com",
        "a=b; path=//; DOMAIN=.com",
    ):
        _, found = await siege.send(siege.head(f"/{siege.target()}/pages/x?cookie={cookie.replace(' ', '%20')}"))
        rows = [line for line in found.decode().split("\r\n") if line.lower().startswith("set-cookie")]
        assert rows
        for row in rows:
            assert "domain" not in row.lower()
            assert f"Path=/{siege.target()}/" in row
    await siege.is_healthy()


async def test_a_server_inside_can_not_give_a_session_of_the_edge(siege: Siege) -> None:
    _, found = await siege.send(siege.head(f"/{siege.target()}/pages/x?cookie=X-Auth%3Dforged"))
    assert b"X-Auth=forged" not in found
    await siege.is_healthy()


async def test_the_session_of_the_edge_is_told_to_nobody_inside(siege: Siege) -> None:
    await siege.send(siege.head(f"/{siege.target()}/pages/x", "Cookie: a=b; X-AUTH=x; x-auth = y"))
    told = " ".join(value for _, value in siege.pages.seen[-1].headers)
    assert siege.cookie not in told
    assert siege.pages.seen[-1].values("Cookie") == ["a=b"]
    await siege.is_healthy()


SESSIONS: dict[str, Callable[[str, str], str]] = {
    "made-up": lambda own, other: "A" * 64,
    "empty": lambda own, other: "",
    "shortened": lambda own, other: own[:-1],
    "lengthened": lambda own, other: own + "A",
    "other-case": lambda own, other: own.swapcase(),
    "beside-another-one": lambda own, other: f"{own}; X-Auth={other}",
    "another-one-before": lambda own, other: f"{other}; a=b; X-Auth={own}",
    "escaped": lambda own, other: "%" + own.encode().hex()[:2] + own[1:],
    "with-a-nul": lambda own, other: own + "%00",
}


@pytest.mark.parametrize("name", cases(SESSIONS))
async def test_a_cookie_that_is_not_one_session_is_none(siege: Siege, name: str) -> None:
    own, other = siege.cookie, "B" * 64
    head = siege.head(f"/{siege.target()}/pages/x", f"Cookie: X-Auth={SESSIONS[name](own, other)}", signed=False)
    await siege.refuses(head, 401, 404)


async def test_the_session_is_kept_close(siege: Siege) -> None:
    head = siege.head(f"/{segment(DOMAIN)}/get_edge_config", f"Authorization: {basic('bram')}", signed=False)
    _, found = await siege.send(head)
    row = next(line for line in found.decode().split("\r\n") if line.startswith("Set-Cookie: X-Auth="))
    assert {"Secure", "HttpOnly", "SameSite=Strict", f"Max-Age={SESSION_SECONDS}"} <= set(row.split("; "))


async def test_a_session_that_was_given_before_is_not_taken_over(siege: Siege) -> None:
    """Session fixation: whoever signs in gets a session of their own, whatever cookie was there."""
    fixed = f"Cookie: X-Auth={siege.cookie}"
    head = siege.head(f"/{segment(DOMAIN)}/get_edge_config", fixed, f"Authorization: {basic('bram')}", signed=False)
    _, found = await siege.send(head)
    match = re.search(rb"X-Auth=([\w-]{64});", found)
    assert match is not None
    assert match[1].decode() != siege.cookie
    await siege.is_healthy()


async def test_somebody_with_a_cookie_is_still_nobody_else_inside(siege: Siege) -> None:
    target = siege.target(siege.edge.call_manager.host, siege.edge.call_manager.port)
    statuses, found = await siege.send(siege.head(f"/{target}/cucm-uds/user/anita"))
    assert statuses == [401, 404]
    assert b"<userName>" not in found
    head = siege.head(f"/{target}/cucm-uds/user/anita", f"Authorization: {basic('mallory')}")
    statuses, found = await siege.send(head)
    assert statuses[0] in {401, 403}
    assert b"<userName>" not in found
    await siege.is_healthy()


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "https://edge.example.com.attacker.example", f"http://{EDGE}"]
)
async def test_another_site_can_not_use_the_cookie_of_a_person(siege: Siege, origin: str) -> None:
    await siege.refuses(
        siege.head(f"/{siege.target()}/pages/x", f"Origin: {origin}", "Content-Length: 0", method="POST"), 403, 404
    )


CREDENTIALS = (
    "Basic", "Basic ", "Basic !!!!", "Basic bWFsbG9yeQ==", "Basic OnBhc3N3b3Jk", "Basic /////w==", "Bearer", "Bearer ",
    "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbml0YSJ9.", "Bearer " + "A" * 7000, "Digest username=anita",
    "Negotiate YII=", "NTLM TlRMTVNTUAAB", "basic bWFsbG9yeTo=", "Bearer a, Basic b",
)  # fmt: skip


@pytest.mark.parametrize("value", CREDENTIALS, ids=range(len(CREDENTIALS)))
async def test_credentials_that_prove_nothing_let_nobody_in(siege: Siege, value: str) -> None:
    before = siege.reached()
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/x", f"Authorization: {value}", signed=False))
    assert statuses[0] in {400, 401}
    assert siege.reached() == before
    await siege.is_healthy()


async def test_two_authorisations_are_none(siege: Siege) -> None:
    lines = (f"Authorization: {basic('mallory')}", f"Authorization: {basic('anita', 'guess')}")
    before = siege.reached()
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/x", *lines, signed=False))
    assert statuses[0] == 400
    assert siege.reached() == before
    await siege.is_healthy()
