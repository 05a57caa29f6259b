"""The log-in service (SOAP over HTTPS) under the same people: bombs, slow headers, tokens that are not theirs."""

from __future__ import annotations

import contextlib
import re
import socket
import time

import pytest

from ringback.protocols import soap_login as soap
from tests.hostile.wire import PATIENCE, Server, Wire, auth

pytestmark = pytest.mark.usefixtures("_ours")


@pytest.fixture
def _ours(server: Server) -> None:
    if not server.login_port:
        pytest.xfail("no log-in service here")


def _connection(server: Server) -> socket.socket:
    raw = socket.create_connection((server.address, server.login_port), PATIENCE)
    return server.context.wrap_socket(raw, server_hostname=server.domain)


def _post(server: Server, body: bytes, *, path: str = soap.PATHS[0], method: str = "POST") -> tuple[int, bytes]:
    with _connection(server) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        received = b""
        with contextlib.suppress(OSError):  # refused before all of it was sent: the answer tells
            connection.sendall(head.encode() + body)
        while data := _more(connection):
            received += data
    status = re.match(rb"HTTP/1\.[01] (\d+)", received)
    assert status, received[:200]
    return int(status[1]), received.partition(b"\r\n\r\n")[2]


def _more(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def _session(server: Server, user: str) -> str:
    _, body = _post(server, soap.render_request(soap.LoginRequest(user, server.passwords[user])))
    return soap.parse_session_key(body)


def _token(server: Server, user: str) -> str:
    return soap.parse_token(_post(server, soap.render_request(soap.TokenRequest(_session(server, user))))[1])


_LAUGHS = (
    b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'haha'>"
    + b"".join(b"<!ENTITY %c '%b'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(10))
    + b"]><s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body>&k;</s:Body></s:Envelope>"
)
_FILE = (
    b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY f SYSTEM 'file:///etc/hostname'>]>"
    b"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><e:login xmlns:e='urn:cisco:epas:soap'>"
    b"<e:username>&f;</e:username><e:password>x</e:password></e:login></s:Body></s:Envelope>"
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        _LAUGHS,
        _FILE,
        b"<a>" * 20_000,
        b"<s:Envelope/>",
        soap.render_request(soap.LoginRequest("x", "y"))[:-20],
    ],
    ids=["empty", "no XML", "bytes", "laughs", "file", "deep", "prefix", "cut"],
)
def test_what_is_no_request_is_refused(server: Server, body: bytes) -> None:
    """At once, in few words, and without a word of what an entity would have said."""
    began = time.monotonic()
    status, answer = _post(server, body)
    assert time.monotonic() - began < 2
    assert status in {200, 400, 413}
    assert b"session-key>" not in answer
    assert b"hahahaha" not in answer
    assert socket.gethostname().encode() not in answer
    assert status != 200 or b"Invalid request" in answer


def test_a_huge_request_is_refused(server: Server) -> None:
    status, _ = _post(server, b"x" * 5_000_000)
    assert status in {400, 413}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", soap.PATHS[0], 405), ("POST", "/nothing", 404), ("POST", "/../../etc/hostname", 404)],
)
def test_other_pages_are_not_there(server: Server, method: str, path: str, status: int) -> None:
    assert _post(server, b"", method=method, path=path)[0] in {status, 400}


def test_headers_that_drip_are_cut_off(server: Server) -> None:
    """A request has 30 seconds at most until its head is complete, whatever drips in meanwhile."""
    with _connection(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n")
        began = time.monotonic()
        ended = False
        while not ended and time.monotonic() - began < 35:
            try:
                connection.sendall(b"X-Slow: 1\r\n")
                connection.settimeout(1)
                ended = connection.recv(1024) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended


def test_a_header_without_end_is_refused(server: Server) -> None:
    with _connection(server) as connection:
        try:
            connection.sendall(b"POST / HTTP/1.1\r\nX: " + b"x" * 1_000_000)
        except OSError:
            return
        answer = _more(connection)
        assert answer == b"" or b" 400 " in answer or b" 431 " in answer


@pytest.mark.parametrize("user", ["mallory", "nobody"])
def test_a_wrong_password_and_nobody_get_the_same_answer(server: Server, user: str) -> None:
    status, body = _post(server, soap.render_request(soap.LoginRequest(user, "wrong")))
    assert status == 200
    assert b"Invalid request" in body
    with pytest.raises(soap.RefusedError):
        soap.parse_session_key(body)


@pytest.mark.parametrize("key", ["", "00000000-0000-0000-0000-000000000000", "x" * 2000, "' OR 1=1 --"])
def test_a_key_nobody_gave_opens_nothing(server: Server, key: str) -> None:
    for request in (soap.TokenRequest(key), soap.ConfigRequest(key)):
        _, body = _post(server, soap.render_request(request))
        assert b"Invalid request" in body


def _sign_in_with(server: Server, user: str, token: str) -> str:
    with Wire(server) as wire:
        wire.send(auth("CISCO-VTG-TOKEN", f"userid={server.bare(user)}\0token={token}"))
        return wire.expect(r"<success[^>]*/>|</success>|</failure>")


def test_a_token_works_once(server: Server) -> None:
    token = _token(server, "mallory")
    assert "<success" in _sign_in_with(server, "mallory", token)
    assert "<not-authorized" in _sign_in_with(server, "mallory", token)


def test_a_token_is_for_one_person(server: Server) -> None:
    """And is spent by whoever tries it for another."""
    token = _token(server, "mallory")
    assert "<not-authorized" in _sign_in_with(server, "anita", token)
    assert "<not-authorized" in _sign_in_with(server, "mallory", token)


def test_a_session_key_is_no_token(server: Server) -> None:
    assert "<not-authorized" in _sign_in_with(server, "mallory", _session(server, "mallory"))
