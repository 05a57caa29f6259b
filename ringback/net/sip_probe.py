"""Does a SIP server answer, show a certificate that holds, and take a secret? Nothing is registered and nothing rings.

OPTIONS (RFC 3261 section 11) shows that it answers. A REGISTER without a Contact (section 10.2.3) asks only what is
registered; its challenge and answer show whether the secret is right.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from ringback.net.certificates import looking_context, obstacle_of, shown_on
from ringback.net.names import NameClient
from ringback.protocols.sip.digest import Answerer, Credentials, challenges_of
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.reader import Reader
from ringback.rules.addresses import HostPort
from ringback.rules.reachability import CertificateFacts, Obstacle

SipTransport = Literal["udp", "tcp", "tls"]
_T1 = 0.5  # seconds, RFC 3261 section 17.1.1.1
_CHUNK = 65536
_ROUNDS = 3  # a challenge, a stale one, the answer


@dataclass(frozen=True, slots=True)
class SipProbe:
    """What was found. ``obstacle`` is None where there was an answer, which ``status`` is; ``detail`` is literal."""

    obstacle: Obstacle | None
    detail: str = ""
    status: int = 0
    certificate: CertificateFacts | None = None
    took: float = 0.0


_Ask = Callable[[Request], Awaitable[Response]]
_Talk = Callable[[_Ask, SipTransport, tuple[str, int]], Awaitable[Response]]


class _NoSipError(Exception):
    """The other side answers, but not in SIP."""


async def probe_options(
    server: HostPort, transport: SipTransport, names: NameClient, context: ssl.SSLContext, seconds: float = 5.0
) -> SipProbe:
    """Ask a server for its abilities. Any final answer in SIP will do."""

    async def talk(ask: _Ask, by: SipTransport, local: tuple[str, int]) -> Response:
        uri = f"sip:{_host(server.host)}"
        return await ask(_request("OPTIONS", uri, uri, by, local, 1, secrets.token_hex(12), secrets.token_hex(6)))

    return await _probe(server, transport, names, context, seconds, talk)


async def probe_registration(
    server: HostPort,
    transport: SipTransport,
    names: NameClient,
    context: ssl.SSLContext,
    address: str,
    credential: Credentials,
    seconds: float = 5.0,
) -> SipProbe:
    """Ask what is registered for an address of record (``sip:2001@example.com``), signing in as a device.

    ``status`` 200: the secret is right; 401 or 403: it is not.
    """
    domain = address.rpartition("@")[2]

    async def talk(ask: _Ask, by: SipTransport, local: tuple[str, int]) -> Response:
        answerer = Answerer([credential])
        call_id, tag = secrets.token_hex(12), secrets.token_hex(6)
        uri = f"sip:{domain}"
        response = Response(408)
        for number in range(1, _ROUNDS + 1):
            request = _request("REGISTER", uri, address, by, local, number, call_id, tag)
            for name, value in answerer.headers("REGISTER", uri):
                request.add(name, value)
            response = await ask(request)
            if response.status not in (401, 407):
                break
            if not answerer.learn(challenges_of(response.all("WWW-Authenticate"), response.all("Proxy-Authenticate"))):
                break
        return response

    return await _probe(server, transport, names, context, seconds, talk)


def _request(
    method: str, uri: str, address: str, by: SipTransport, local: tuple[str, int], number: int, call_id: str, tag: str
) -> Request:
    where = f"{_host(local[0])}:{local[1]}"
    who = address if method == "REGISTER" else f"sip:doctor@{_host(local[0])}"
    return Request(
        method,
        uri,
        [
            ("Via", f"SIP/2.0/{by.upper()} {where};branch=z9hG4bK{secrets.token_hex(8)};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{who}>;tag={tag}"),
            ("To", f"<{address}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            ("User-Agent", "Ringback doctor"),
        ],
    )


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _probe(
    server: HostPort,
    transport: SipTransport,
    names: NameClient,
    context: ssl.SSLContext,
    seconds: float,
    talk: _Talk,
) -> SipProbe:
    began = time.monotonic()
    result = SipProbe(Obstacle.NO_ADDRESS, "no address")
    for address in (await names.addresses(server.host)).addresses:
        result = await _within(HostPort(address, server.port), transport, context, server.host, seconds, talk)
        if result.obstacle is None:
            break
        if result.obstacle.of_certificate:
            looked = await _looked(address, server, seconds)
            result = replace(result, certificate=looked)
            break
    return replace(result, took=time.monotonic() - began)


async def _within(
    place: HostPort, transport: SipTransport, context: ssl.SSLContext, expected: str, seconds: float, talk: _Talk
) -> SipProbe:
    try:
        async with asyncio.timeout(seconds):
            if transport == "udp":
                return await _over_udp(place, talk)
            return await _over_stream(place, context if transport == "tls" else None, expected, talk)
    except TimeoutError:
        return SipProbe(Obstacle.TIMED_OUT, "no answer in time")
    except ConnectionRefusedError as error:
        return SipProbe(Obstacle.REFUSED, error.strerror or "")
    except ssl.SSLError as error:
        return SipProbe(obstacle_of(error), str(error))
    except (_NoSipError, SipError) as error:
        return SipProbe(None, str(error), 0)
    except (OSError, EOFError) as error:
        return SipProbe(Obstacle.CLOSED, str(error))


async def _over_stream(place: HostPort, context: ssl.SSLContext | None, expected: str, talk: _Talk) -> SipProbe:
    reader, writer = await asyncio.open_connection(
        place.host, place.port, ssl=context, server_hostname=expected if context else None
    )
    cut = Reader()

    async def ask(request: Request) -> Response:
        writer.write(request.encode())
        await writer.drain()
        while True:
            data = await reader.read(_CHUNK)
            if not data:
                raise EOFError("the server hung up before it answered")
            for item in cut.feed(data):
                if isinstance(item, Response) and item.is_final:
                    return item
                if isinstance(item, SipError):
                    raise item

    try:
        local = writer.get_extra_info("sockname")
        by: SipTransport = "tcp" if context is None else "tls"
        response = await talk(ask, by, (str(local[0]), int(local[1])))
        shown = shown_on(writer, f"{expected}:{place.port}", expected) if context is not None else None
        tls = writer.get_extra_info("ssl_object")
        version = str(tls.version()) if isinstance(tls, ssl.SSLObject) else ""
        return SipProbe(None, _told(response, version), response.status, shown)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(0.5):
                await writer.wait_closed()


class _Datagrams(asyncio.DatagramProtocol):
    """Collects what comes back."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes | Exception] = asyncio.Queue(16)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """From the loop."""
        if not self.came.full():
            self.came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """From the loop: nothing listens there (ICMP)."""
        if not self.came.full():
            self.came.put_nowait(exc)


async def _over_udp(place: HostPort, talk: _Talk) -> SipProbe:
    loop = asyncio.get_running_loop()
    transport, datagrams = await loop.create_datagram_endpoint(_Datagrams, remote_addr=(place.host, place.port))

    async def ask(request: Request) -> Response:
        octets, wait = request.encode(), _T1
        while True:
            transport.sendto(octets)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    return await _answer(datagrams, request.branch)
            wait = min(wait * 2, 4.0)

    try:
        local = transport.get_extra_info("sockname")
        response = await talk(ask, "udp", (str(local[0]), int(local[1])))
        return SipProbe(None, _told(response, ""), response.status)
    finally:
        transport.close()


async def _answer(datagrams: _Datagrams, branch: str) -> Response:
    """The final answer to a request; others, and retransmissions of earlier ones, are passed over."""
    while True:
        data = await datagrams.came.get()
        if isinstance(data, Exception):
            raise data
        message = parse(data)
        if isinstance(message, Response) and message.is_final and message.branch == branch:
            return message


def _told(response: Response, version: str) -> str:
    told = f"{response.status} {response.reason}".strip()
    server = response.get("Server") or ""
    return ", ".join(filter(None, (told, version, server)))


async def _looked(address: str, server: HostPort, seconds: float) -> CertificateFacts | None:
    """The certificate that did not hold, looked at once more without judging."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(
                address, server.port, ssl=looking_context(), server_hostname=server.host
            )
    except (OSError, TimeoutError, ssl.SSLError):
        return None
    try:
        return shown_on(writer, str(server), server.host)
    finally:
        writer.close()
