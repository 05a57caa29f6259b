"""Harnesses of what comes to the edge: targets and paths, what is asked and answered, words and openings of the link
between its proxies, streams before sign-in, and whole connections to the HTTPS front."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import socket
import ssl
from collections.abc import Callable
from functools import cache
from urllib.parse import unquote

import aiohttp

from ringback.net.followed import FollowedSettings
from ringback.net.home_passwords import HomePasswords
from ringback.net.names import NameClient, NameResolver
from ringback.net.remote_access import AccessBook
from ringback.net.token_keys import TokenKeys
from ringback.protocols.edge import EdgeConfiguration, EdgeSignIn, Located, ServiceRecord, Target, TargetError
from ringback.protocols.edge.configuration import EdgeDocumentError
from ringback.protocols.edge.stream_identity import StreamIdentity
from ringback.protocols.traversal import Data, Link, LinkError, Opened, Opening, OpeningError
from ringback.protocols.traversal.control import ControlError, KeepOut, Lines, line
from ringback.rules.addresses import HostPort
from ringback.rules.edge_headers import inward, session_of
from ringback.rules.edge_networks import Inside
from ringback.rules.edge_paths import Allowed, passage, path_fault, query_fault
from ringback.rules.edge_protection import ProtectionRules
from ringback.services.edge.door import Door
from ringback.services.edge.guests import Guests
from ringback.services.edge.http_limits import HttpLimits
from ringback.services.edge.https import HttpsFront
from ringback.services.edge.resolver import GuardedResolver
from ringback.services.edge.settings import HttpsSettings
from ringback.services.edge.watch import Watch

_SERVER = HostPort("127.0.0.1", 1)  # on the list, and nobody there
_LISTED = Target("example.com", "http", _SERVER).segment()
_DOCUMENT = EdgeConfiguration(
    services=(
        ServiceRecord("_cisco-uds", (Located(1, 1, HostPort("cm1.example.com", 8443)),)),
        ServiceRecord("_cuplogin", error="NameError"),
    ),
    files=("cm1.example.com",),
    sip=(HostPort("edge.example.com", 5061),),
    route="<sip:edge.example.com:5061;transport=tls;lr>",
)
_HEADER = (
    b"<?xml version='1.0'?><stream:stream to='example.com' version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
_PING = b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"


def _fail(what: str) -> None:
    raise RuntimeError(what)


def _target(data: bytes) -> None:
    with contextlib.suppress(TargetError):
        found = Target.parse(data.decode("latin-1"))
        if Target.parse(found.segment()) != found:
            _fail(f"{found} is not read back as itself")


def _path(data: bytes) -> None:
    """What is let through lies below what is allowed, however often it is unescaped and resolved."""
    path, _, query = data.decode("latin-1").partition("?")
    query_fault(query)
    fault = path_fault(path)
    rows = (Allowed("http", _SERVER, frozenset({"GET"}), ("/a/b",)),)
    found = passage(rows, scheme="http", server=_SERVER, method="GET", path=path, socket=False)
    if found.row is None:
        return
    if fault is not None:
        _fail(f"{path!r} was let through although {fault}")
    for times in range(4):
        seen = posixpath.normpath(path.replace("\\", "/"))
        if not (seen == "/a/b" or seen.startswith("/a/b/")):
            _fail(f"{path!r} leads to {seen!r} when it is unescaped {times} times")
        path = unquote(path, "latin-1")


def _headers(data: bytes) -> None:
    rows = [(name, value) for name, _, value in (row.partition(":") for row in data.decode("latin-1").split("\n"))]
    kept = inward(rows, "X-Auth")
    session_of(rows, "X-Auth")
    for name, value in kept:
        if name.lower() == "cookie" and any(part.strip().lower().startswith("x-auth=") for part in value.split(";")):
            _fail("a session goes inside")


def _documents(data: bytes) -> None:
    with contextlib.suppress(EdgeDocumentError):
        found = EdgeConfiguration.parse(data)
        EdgeConfiguration.parse(found.build())
    with contextlib.suppress(EdgeDocumentError):
        EdgeSignIn.parse(data)


def _control(data: bytes) -> None:
    lines = Lines()
    with contextlib.suppress(ControlError):
        for start in range(0, len(data), 7):
            for word in lines.feed(data[start : start + 7]):
                if Lines().feed(line(word)) != [word]:
                    _fail(f"{word} is not read back as itself")


def _opening(data: bytes) -> None:
    rows = [(name, value) for name, _, value in (row.partition("=") for row in data.decode("latin-1").split("\n"))]
    with contextlib.suppress(OpeningError):
        found = Opening.read(rows)
        if Opening.read(found.headers()) != found:
            _fail(f"{found} is not read back as itself")


def _link(data: bytes) -> None:
    """A link in use whose other end goes mad: the first byte says which end, and how its words are cut."""
    if not data:
        return
    choice, data = data[0], data[1:]
    outer, inner = Link(opens=True, most=0), Link(opens=False, most=10)
    channel = _in_use(outer, inner)
    end, size = (outer if choice & 1 else inner), 1 + (choice >> 1)
    with contextlib.suppress(LinkError):
        for start in range(0, len(data), size):
            for event in end.receive(data[start : start + size]):
                if isinstance(event, Opened):
                    end.accept(event.channel)
                    end.send(event.channel, b"x" * 100)
                    end.end(event.channel)
                elif isinstance(event, Data):
                    end.consumed(event.channel, len(event.data))
            end.data_to_send()
    end.send(channel, b"more")
    end.refuse(channel)
    end.close()
    end.data_to_send()


def _in_use(outer: Link, inner: Link) -> int:
    inner.receive(outer.data_to_send())
    outer.receive(inner.data_to_send())
    channel = outer.open(Opening("https", HostPort("192.0.2.1", 443), HostPort("203.0.113.5", 50_000)))
    for event in inner.receive(outer.data_to_send()):
        if isinstance(event, Opened):
            inner.accept(event.channel)
    outer.receive(inner.data_to_send())
    return channel


def _identity(data: bytes) -> None:
    """Both sides of a stream in turns, cut at zero bytes: nothing of the client is changed or goes before its time, and
    nobody is in without success."""
    found = StreamIdentity("example.com")
    sent, passed = b"", b""
    for number, part in enumerate(data.split(b"\0")):
        if number % 2:
            found.from_server(part)
        else:
            sent += part
            found.from_client(part)
        while piece := found.to_server():
            passed += piece
    if not sent.startswith(passed):
        _fail("the stream of a client was changed")
    if not found.done and (found.claim.user or found.claim.token):
        _fail("somebody is in without success")
    found.served = True
    if passed + found.to_server() != sent:
        _fail("the stream of a client lost something")


def _inside(data: bytes) -> None:
    address = data.decode("latin-1")
    if Inside().fault("a", address) is None and Inside(networks=Inside().networks).fault("a", address) is not None:
        _fail(f"{address!r} is judged in two ways")


@cache
def _front() -> tuple[asyncio.AbstractEventLoop, HttpsFront, list[str]]:
    """The front on a loop of its own, and what went wrong without being handled."""
    wrong: list[str] = []
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: wrong.append(str(context)))
    return loop, loop.run_until_complete(_begin()), wrong


async def _begin() -> HttpsFront:
    tls = ssl.create_default_context()
    followed = FollowedSettings(nodes=(), user="edge", password="x", tls=tls)
    keys = TokenKeys(followed)
    guests = Guests(keys, AccessBook(followed))
    watch = Watch(ProtectionRules(), lambda _: None, lambda _: None).of("")
    allowed = (Allowed("http", _SERVER, frozenset({"GET", "POST"}), ("/open", "/shut"), ("/open",), sockets=True),)
    limits = HttpLimits(head=0.2, grace=0.2, stall=0.2, address=(10**9, 1e-9))
    resolver = GuardedResolver(NameResolver(NameClient(HostPort("127.0.0.1", 1))), Inside())
    settings = HttpsSettings(frozenset({"example.com"}), allowed, tls, resolver, limits)
    front = HttpsFront(settings, Door(keys, HomePasswords((), tls), watch, guests), {})
    await front.start()
    return front


def _https(data: bytes) -> None:
    """A connection: every answer is one of the documented ones, and nothing is left unhandled."""
    loop, front, wrong = _front()
    found = loop.run_until_complete(_converse(front, data))
    if wrong:
        _fail(wrong.pop())
    if b"HTTP/1.1 500" in found or b"HTTP/1.0 500" in found:
        _fail("a fault of ours")


async def _converse(front: HttpsFront, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    opening = Opening("https", HostPort("192.0.2.1", 443), HostPort("203.0.113.5", 50_000))
    await loop.connect_accepted_socket(lambda: front.serve(opening), ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    found = b""
    writer.write(data + b"\r\n\r\n")
    with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(0.02):
            while piece := await reader.read(65536):
                found += piece
    writer.transport.abort()
    return found


def _request(line_: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join((line_, "Host: edge.example.com", *headers, "", body)).encode()


EDGE: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "edge-target": (
        _target,
        (_LISTED.encode(), Target("xn--mnchen-3ya.example").segment().encode(), b"ZXhhbXBsZS5jb20"),
    ),
    "edge-path": (_path, (b"/a/b/c?x=1", b"/a/b/%2e%2e/c", b"/a/b;x/..%2fc", b"/a/b/%C3%A4")),
    "edge-headers": (_headers, (b"Cookie: a=b; X-Auth=x\nConnection: close, Cookie\nRange: bytes=0-1,2-3",)),
    "edge-configuration": (_documents, (_DOCUMENT.build(), EdgeSignIn(True, True, _SERVER).build())),
    "edge-control": (_control, (line(KeepOut("203.0.113.5", 600.0)), b'{"figures": [1, 2]}\n{"drain": true}\n')),
    "edge-opening": (
        _opening,
        (b":method=CONNECT\n:protocol=https\n:authority=192.0.2.1:443\nringback-peer=[2001:db8::1]:5",),
    ),
    "edge-link": (
        _link,
        (b"\xff\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01x"),
    ),
    "edge-stream-identity": (
        _identity,
        (
            _HEADER + b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFuaXRhAHg=</auth>\0"
            b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        ),
    ),
    "edge-inside": (_inside, (b"127.0.0.1", b"::ffff:10.0.0.1", b"fe80::1%eth0")),
    "edge-https": (
        _https,
        (
            _request(f"GET /{_LISTED}/open/x?a=b HTTP/1.1"),
            _request(f"POST /{_LISTED}/open HTTP/1.1", "Transfer-Encoding: chunked", body="5\r\nhello\r\n0\r\n\r\n"),
            _request(f"GET /{_LISTED}/shut HTTP/1.1", "Cookie: X-Auth=x", "Authorization: Bearer a.b.c"),
            _request(f"POST /{_LISTED}/open HTTP/1.1", "Content-Length: 5", "Expect: 100-continue", body="hello"),
            _request(f"GET /{_LISTED}/open HTTP/1.1", "Upgrade: websocket", "Connection: upgrade", "Origin: null"),
        ),
    ),
}
