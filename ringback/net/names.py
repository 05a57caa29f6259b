"""Asking name servers: one given, or those of the system. Answers are value types; a question never raises.

Addresses for connections come from the same server, through ``NameResolver`` for aiohttp, so that one setting moves a
whole client into another view of the world.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
from aiohttp.abc import AbstractResolver, ResolveResult
from dns.rdatatype import RdataType

from ringback.protocols.dns import PARSE_ERRORS
from ringback.rules.addresses import HostPort
from ringback.rules.srv import NameAnswer, NameOutcome, NaptrRecord, SrvRecord, order_srv

__all__ = [
    "TIMEOUT",
    "TRIES",
    "NameAnswer",
    "NameClient",
    "NameOutcome",
    "NameResolver",
    "NaptrRecord",
    "SrvRecord",
    "order_srv",
]

TIMEOUT = 2.0  # seconds for one try with one server
TRIES = 2  # with each server; UDP loses
_LOOPBACK = ("127.0.0.1", "::1")
_SYSTEM_FILE = "/etc/resolv.conf"

GivenServer = HostPort | None | Callable[[], HostPort | None]
"""A name server, or what tells the one of the network of now; None asks the system's."""


class NameClient:
    """Asks one name server, or the system's where none is given."""

    def __init__(self, nameserver: GivenServer = None, *, timeout: float = TIMEOUT, tries: int = TRIES) -> None:
        """``timeout`` is in seconds for each of the ``tries`` with a server."""
        self._given = nameserver
        self._timeout = timeout
        self._tries = tries

    @property
    def nameserver(self) -> HostPort | None:
        """The server given, or None for the system's."""
        return self._given() if callable(self._given) else self._given

    async def srv(self, name: str) -> NameAnswer:
        """Look up SRV records."""
        return await self._ask(name, RdataType.SRV)

    async def naptr(self, name: str) -> NameAnswer:
        """Look up NAPTR records."""
        return await self._ask(name, RdataType.NAPTR)

    async def addresses(self, host: str) -> NameAnswer:
        """The IPv4 and IPv6 addresses of a host, both asked at once; a literal address is its own answer."""
        literal = _literal(host)
        if literal:
            return NameAnswer(f"{host} A", "", NameOutcome.FOUND, addresses=literal)
        if self.nameserver is None:
            return await self._system_addresses(host)
        four, six = await asyncio.gather(self._ask(host, RdataType.A), self._ask(host, RdataType.AAAA))
        found = (*four.addresses, *six.addresses)
        if not found:
            return four
        return NameAnswer(four.question, four.server, NameOutcome.FOUND, (), found, max(four.took, six.took))

    async def _system_addresses(self, host: str) -> NameAnswer:
        """By the system's own resolver, which also reads its hosts file."""
        began, question = time.monotonic(), f"{host} A"
        outcome, detail = NameOutcome.FOUND, ""
        found: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(self._timeout * self._tries):
                rows = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        except TimeoutError:
            outcome = NameOutcome.TIMED_OUT
        except socket.gaierror as error:
            again = error.errno == socket.EAI_AGAIN
            outcome, detail = NameOutcome.NO_ANSWER if again else NameOutcome.NO_SUCH_NAME, error.strerror or ""
        except (OSError, UnicodeError) as error:
            outcome, detail = NameOutcome.NO_SUCH_NAME, str(error)
        return NameAnswer(question, "system", outcome, (), found, time.monotonic() - began, detail)

    async def _ask(self, name: str, kind: RdataType) -> NameAnswer:
        began, question = time.monotonic(), f"{name} {dns.rdatatype.to_text(kind)}"
        answer = NameAnswer(question, "", NameOutcome.NO_ANSWER, detail="no name server is configured")
        try:
            query = dns.message.make_query(
                dns.name.from_text(name, idna_codec=dns.name.IDNA_2008), kind, use_edns=0, payload=1232
            )
        except (dns.exception.DNSException, UnicodeError) as error:
            return NameAnswer(question, "", NameOutcome.NO_SUCH_NAME, detail=str(error))
        servers = await self._servers()
        for _ in range(self._tries):
            for server in servers:
                answer = await self._ask_server(query, question, server)
                if answer.answered:
                    return _with_took(answer, time.monotonic() - began)
        return _with_took(answer, time.monotonic() - began)

    async def _servers(self) -> list[HostPort]:
        given = self.nameserver
        if given is None:
            return system_servers()
        if _literal(given.host):
            return [given]
        found = await self._system_addresses(given.host)
        return [HostPort(address, given.port) for address in found.addresses]

    async def _ask_server(self, query: dns.message.Message, question: str, server: HostPort) -> NameAnswer:
        asked = str(server)
        try:
            async with asyncio.timeout(self._timeout):
                response, _ = await dns.asyncquery.udp_with_fallback(
                    query,
                    server.host,
                    timeout=self._timeout,
                    port=server.port,
                    ignore_unexpected=True,
                    ignore_errors=True,
                )
        except (TimeoutError, dns.exception.Timeout):
            return NameAnswer(question, asked, NameOutcome.TIMED_OUT)
        except (OSError, EOFError, *PARSE_ERRORS) as error:
            return NameAnswer(question, asked, NameOutcome.NO_ANSWER, detail=str(error) or type(error).__name__)
        return _read(response, question, asked)


class NameResolver(AbstractResolver):
    """aiohttp's view of a NameClient: give it to ``TCPConnector(resolver=...)``."""

    def __init__(self, client: NameClient) -> None:
        """The client stays the caller's."""
        self._client = client

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError (socket.gaierror) where there is none."""
        wanted = host.rstrip(".").lower()
        # RFC 6761 section 6.3: localhost is never asked for
        found = _LOOPBACK if wanted == "localhost" else (await self._client.addresses(host)).addresses
        rows = [_row(host, port, address) for address in found]
        if family != socket.AF_UNSPEC:
            rows = [row for row in rows if row["family"] == family]
        if not rows:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        return rows

    async def close(self) -> None:
        """Nothing is held open between questions."""


def _row(host: str, port: int, address: str) -> ResolveResult:
    six = ":" in address
    return {
        "hostname": host,
        "host": address,
        "port": port,
        "family": socket.AF_INET6 if six else socket.AF_INET,
        "proto": 0,
        "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    }


def _read(response: dns.message.Message, question: str, server: str) -> NameAnswer:
    if not isinstance(response, dns.message.QueryMessage):
        return NameAnswer(question, server, NameOutcome.NO_ANSWER, detail="not an answer to a query")
    rcode = response.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        outcome = NameOutcome.REFUSED if rcode == dns.rcode.REFUSED else NameOutcome.NO_ANSWER
        return NameAnswer(question, server, outcome, detail=dns.rcode.to_text(rcode))
    try:
        chain = response.resolve_chaining()
    except (dns.exception.DNSException, ValueError) as error:
        return NameAnswer(question, server, NameOutcome.NO_ANSWER, detail=str(error))
    if chain.answer is None:
        missing = NameOutcome.NO_SUCH_NAME if rcode == dns.rcode.NXDOMAIN else NameOutcome.NO_DATA
        return NameAnswer(question, server, missing)
    if chain.answer.rdtype == RdataType.SRV:
        return NameAnswer(question, server, NameOutcome.FOUND, srv=_srv_rows(chain.answer))
    if chain.answer.rdtype == RdataType.NAPTR:
        return NameAnswer(question, server, NameOutcome.FOUND, naptr=_naptr_rows(chain.answer))
    return NameAnswer(question, server, NameOutcome.FOUND, addresses=tuple(rdata.address for rdata in chain.answer))


def _srv_rows(rrset: dns.rrset.RRset) -> tuple[SrvRecord, ...]:
    rows = (
        SrvRecord(row.priority, row.weight, row.port, row.target.to_text(omit_final_dot=True).lower(), rrset.ttl)
        for row in rrset
    )
    return tuple(sorted((_without_root(row) for row in rows), key=lambda r: (r.priority, -r.weight, r.target, r.port)))


def _naptr_rows(rrset: dns.rrset.RRset) -> tuple[NaptrRecord, ...]:
    rows = (
        NaptrRecord(
            row.order,
            row.preference,
            row.flags.decode("ascii", "replace"),
            row.service.decode("ascii", "replace"),
            row.replacement.to_text(omit_final_dot=True).lower(),
        )
        for row in rrset
    )
    return tuple(sorted(rows))


def _without_root(row: SrvRecord) -> SrvRecord:
    """RFC 2782: a target of "." says that the service is decidedly not there; it is kept as an empty target."""
    return row if row.target != "." else SrvRecord(row.priority, row.weight, row.port, "", row.ttl)


def _with_took(answer: NameAnswer, took: float) -> NameAnswer:
    return replace(answer, took=took)


_read_at: int | None = None


def system_servers() -> list[HostPort]:
    """The name servers that the system names now: another network has others."""
    global _read_at  # noqa: PLW0603 (the library keeps its answer for the process, too)
    try:
        changed = os.stat(_SYSTEM_FILE).st_mtime_ns
    except OSError:  # a system without that file: what the library found at first stays
        changed = None
    try:
        if changed != _read_at:
            dns.resolver.reset_default_resolver()
            _read_at = changed
        resolver = dns.resolver.get_default_resolver()
    except dns.exception.DNSException:
        return []
    servers = (server for server in resolver.nameservers if isinstance(server, str) and _literal(server))
    return [HostPort(server, resolver.port) for server in servers]


def _literal(host: str) -> tuple[str, ...]:
    with contextlib.suppress(ValueError):
        return (str(ipaddress.ip_address(host.strip("[]"))),)
    return ()
