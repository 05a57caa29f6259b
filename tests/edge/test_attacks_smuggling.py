"""Request smuggling: what two parsers could read differently is read by one only, and refused there."""

from __future__ import annotations

import pytest

from tests.edge.siege import PAGES, Siege, cases

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIDDEN = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"


def _post(*headers: str, body: str = "") -> tuple[tuple[str, ...], str]:
    return headers, body


# what: headers of a POST to a page on the list, its body, and how the edge answers it and what follows it
BROKEN = {
    "both-lengths": _post("Content-Length: 4", "Transfer-Encoding: chunked", body=f"0\r\n\r\n{HIDDEN}"),
    "chunks-and-a-shorter-length": _post(
        "Transfer-Encoding: chunked", "Content-Length: 3", body=f"1\r\nx\r\n0\r\n\r\n{HIDDEN}"
    ),
    "two-encodings": _post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=f"0\r\n\r\n{HIDDEN}"),
    "chunked-twice": _post("Transfer-Encoding: chunked, chunked", body=f"0\r\n\r\n{HIDDEN}"),
    "chunked-not-last": _post("Transfer-Encoding: chunked, gzip", body=f"0\r\n\r\n{HIDDEN}"),
    "encoding-misspelt": _post("Transfer-Encoding: xchunked", body=f"0\r\n\r\n{HIDDEN}"),
    "encoding-with-a-tab": _post("Transfer-Encoding:\tchunked\x0b", body=f"0\r\n\r\n{HIDDEN}"),
    "blank-before-the-colon": _post("Transfer-Encoding : chunked", body=f"0\r\n\r\n{HIDDEN}"),
    "folded-header": _post("X-One: 1\r\n Transfer-Encoding: chunked", "Content-Length: 5", body="0\r\n\r\n"),
    "two-lengths": _post("Content-Length: 5", "Content-Length: 6", body="hello"),
    "length-list": _post("Content-Length: 5, 6", body="hello"),
    "negative-length": _post("Content-Length: -5", body="hello"),
    "length-with-a-plus": _post("Content-Length: +5", body="hello"),
    "length-in-hexadecimal": _post("Content-Length: 0x5", body="hello"),
    "length-with-an-underscore": _post("Content-Length: 1_0", body="hellohello"),
    "length-of-no-figure": _post("Content-Length: ", body="hello"),
    "length-beyond-64-bits": _post("Content-Length: 18446744073709551621", body="hello"),
    "bare-line-feed-in-a-head": _post("X-One: 1\nX-Two: 2", "Content-Length: 5", body="hello"),
    "bare-return-in-a-head": _post("X-One: 1\rX-Two: 2", "Content-Length: 5", body="hello"),
    "nul-in-a-head": _post("X-One: a\0b", "Content-Length: 5", body="hello"),
    "header-without-a-name": _post(": value", "Content-Length: 5", body="hello"),
    "chunk-size-with-a-sign": _post("Transfer-Encoding: chunked", body="+5\r\nhello\r\n0\r\n\r\n"),
    "chunk-size-with-a-prefix": _post("Transfer-Encoding: chunked", body="0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk-size-of-nothing": _post("Transfer-Encoding: chunked", body="\r\nhello\r\n0\r\n\r\n"),
    "chunk-size-beyond-64-bits": _post("Transfer-Encoding: chunked", body="10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "chunk-longer-than-said": _post("Transfer-Encoding: chunked", body="3\r\nhello\r\n0\r\n\r\n"),
    "chunk-ended-by-a-line-feed": _post("Transfer-Encoding: chunked", body="5\nhello\n0\n\n"),
    "chunk-extension-with-a-line-feed": _post("Transfer-Encoding: chunked", body="5;a\nb=c\r\nhello\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", cases(BROKEN))
async def test_what_parsers_read_differently_is_refused(siege: Siege, name: str) -> None:
    headers, body = BROKEN[name]
    head = siege.head(f"/{siege.target()}/pages/form", *headers, method="POST")
    await siege.refuses(head + body.encode("latin-1"), 400)


LINES = {
    "http-0.9": (b"GET /pages\r\n\r\n", 400),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no-http-version": (b"GET / HTPP/1.1\r\nHost: x\r\n\r\n", 400),
    "http-9": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    "line-ended-by-a-line-feed": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "blank-in-the-path": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method-of-letters-that-are-none": (b"G\xc3\x89T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "tls-hello-in-tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "two-hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "sip-in-https": (b"OPTIONS sip:100@1.1.1.1 SIP/2.0\r\nVia: SIP/2.0/TLS a\r\n\r\n", 400),
    "xmpp-in-https": (b"<?xml version='1.0'?><stream:stream to='example.com'>", 400),
}


@pytest.mark.parametrize("name", cases(LINES))
async def test_what_is_not_a_request_ends_the_connection(siege: Siege, name: str) -> None:
    data, status = LINES[name]
    await siege.refuses(data, status)


FORMS = {
    "absolute-form": ("GET", "https://{pages}/pages/x", (404, 404)),
    "absolute-form-of-the-edge": ("GET", "https://edge.example.com/{target}/pages/x", (404, 404)),
    "options-of-all": ("OPTIONS", "*", (404, 404)),
    "trace": ("TRACE", "/{target}/pages/x", (405, 404)),
    "webdav": ("PROPFIND", "/{target}/pages/x", (405, 404)),
    "patch": ("PATCH", "/{target}/pages/x", (405, 404)),
}


@pytest.mark.parametrize("name", FORMS)
async def test_requests_of_proxies_are_not_for_the_edge(siege: Siege, name: str) -> None:
    method, path, expected = FORMS[name]
    path = path.format(pages=f"{PAGES}:{siege.pages.port}", target=siege.target())
    await siege.refuses(siege.head(path, method=method), *expected)


async def test_nobody_gets_a_tunnel(siege: Siege) -> None:
    data = siege.head(f"{PAGES}:{siege.pages.port}", method="CONNECT")
    before = siege.reached()
    statuses, _ = await siege.send(data)
    assert statuses
    assert set(statuses) <= {400, 404, 405}
    assert siege.reached() == before
    await siege.is_healthy()


async def test_a_request_in_the_body_of_another_stays_its_body(siege: Siege) -> None:
    path = f"/{siege.target()}/pages/form"
    data = siege.head(path, f"Content-Length: {len(HIDDEN)}", method="POST") + HIDDEN.encode()
    before = len(siege.pages.seen)
    statuses, _ = await siege.send(data)
    assert statuses == [200, 404]
    assert [(one.path, one.body.decode()) for one in siege.pages.seen[before:]] == [("/pages/form", HIDDEN)]
    await siege.is_healthy()


async def test_requests_in_a_row_are_each_judged(siege: Siege) -> None:
    path = f"/{siege.target()}/pages"
    data = siege.head(path + "/one") + siege.head(f"/{siege.target()}/secret") + siege.head(path + "/two", signed=False)
    before = len(siege.pages.seen)
    statuses, _ = await siege.send(data)
    assert statuses == [200, 403, 401, 404]
    assert [one.path for one in siege.pages.seen[before:]] == ["/pages/one"]
    await siege.is_healthy()


@pytest.mark.parametrize("name", ["chunked", "length"])
async def test_a_request_that_reads_has_no_body(siege: Siege, name: str) -> None:
    header = "Transfer-Encoding: chunked" if name == "chunked" else f"Content-Length: {len(HIDDEN)}"
    body = f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n" if name == "chunked" else HIDDEN
    await siege.refuses(siege.head(f"/{siege.target()}/pages/x", header) + body.encode(), 400, 404)


async def test_the_end_of_a_body_brings_no_headers(siege: Siege) -> None:
    head = siege.head(f"/{siege.target()}/pages/form", "Transfer-Encoding: chunked", "Trailer: Cookie", method="POST")
    before = len(siege.pages.seen)
    statuses, _ = await siege.send(head + b"5\r\nhello\r\n0\r\nCookie: admin=1\r\nX-User: root\r\n\r\n")
    assert statuses in ([200, 404], [400])
    for one in siege.pages.seen[before:]:
        assert one.body == b"hello"
        assert not one.values("Cookie")
        assert not one.values("X-User")
    await siege.is_healthy()


async def test_an_extension_of_a_chunk_goes_no_further(siege: Siege) -> None:
    head = siege.head(f"/{siege.target()}/pages/form", "Transfer-Encoding: chunked", method="POST")
    before = len(siege.pages.seen)
    statuses, _ = await siege.send(head + b'5;a="GET /x HTTP/1.1"\r\nhello\r\n0;b\r\n\r\n')
    assert statuses == [200, 404]
    assert [one.body for one in siege.pages.seen[before:]] == [b"hello"]
    await siege.is_healthy()


async def test_a_wish_to_go_on_is_met_by_the_edge_itself(siege: Siege) -> None:
    path = f"/{siege.target()}/pages/form"
    headers = ("Content-Length: 5", "Expect: 100-continue")
    statuses, _ = await siege.send(siege.head(path, *headers, method="POST") + b"hello")
    assert statuses == [100, 200, 404]
    assert not siege.pages.seen[-1].values("Expect")
    await siege.refuses(siege.head(path, "Content-Length: 5", "Expect: 999-magic", method="POST") + b"hello", 417, 404)
