"""Every way in which a client of ours, or a library that it uses, speaks to an address: tried behind a fence.

Run as ``python -m tests.lab.escapes OWN NETWORK MOVED_TO AFTER TCP UDP ADDRESS...`` it prints, as JSON,
what each way came to for each address (``ok`` or the error), and for AFTER once the host was moved.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import aioice
import dns.asyncquery
import dns.message
import dns.query

from ringback.net.fence import Fence, Reach
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.errors import LdapUnavailableError
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort

SECONDS = 3.0
LISTENING = 0.3
WORD = b"escaped"


def tcp(address: str, port: int, _: int) -> None:
    """A connection."""
    with socket.create_connection((address, port), SECONDS):
        pass


def tcp_by_number(address: str, port: int, _: int) -> None:
    """A connection that is told of by numbers."""
    with socket.socket() as one:
        if number := one.connect_ex((address, port)):
            raise OSError(number, os.strerror(number))


def tcp_mapped(address: str, port: int, _: int) -> None:
    """A connection of IPv6 to an IPv4 address."""
    with socket.socket(socket.AF_INET6) as one:
        one.settimeout(SECONDS)
        one.connect((f"::ffff:{address}", port))


def tcp_of_a_thread(address: str, port: int, udp: int) -> None:
    """A connection that another thread opens."""
    errors: list[OSError] = []

    def run() -> None:
        try:
            tcp(address, port, udp)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(SECONDS)
    if errors:
        raise errors[0]


def datagram(address: str, _: int, port: int) -> None:
    """A datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(WORD, (address, port))


def datagram_in_parts(address: str, _: int, port: int) -> None:
    """A datagram of several parts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendmsg([WORD[:3], WORD[3:]], [], 0, (address, port))


def datagram_of_a_connected_socket(address: str, _: int, port: int) -> None:
    """A datagram after connect."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect((address, port))
        one.send(WORD)


def datagram_from_inside(address: str, _: int, port: int) -> None:
    """A datagram of a socket that is bound to the inside of the host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.sendto(WORD, (address, port))


async def streams(address: str, port: int, udp: int) -> None:
    """A connection of the loop."""
    _, writer = await asyncio.open_connection(address, port)
    writer.close()


async def datagrams(address: str, tcp: int, port: int) -> None:
    """A datagram of the loop, whose errors come in another way."""
    lost: list[Exception] = []

    class Told(asyncio.DatagramProtocol):
        def error_received(self, exc: Exception) -> None:
            lost.append(exc)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Told, local_addr=(OWN, 0), family=socket.AF_INET
    )
    transport.sendto(WORD, (address, port))
    await asyncio.sleep(0)
    transport.close()
    if lost:
        raise lost[0]


async def https(address: str, port: int, _: int) -> None:
    """A request of HTTP."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
        with suppress(TimeoutError):  # nobody speaks HTTP there
            await session.get(f"http://{address}:{port}/")


async def names(address: str, _: int, port: int) -> None:
    """A question to a name server, by ours."""
    answer = await NameClient(HostPort(address, port), timeout=0.2, tries=1).srv("_cisco-uds._tcp.example.com")
    if "unreachable" in answer.detail:
        raise OSError(answer.detail)


async def names_of_the_library(address: str, port: int, udp: int) -> None:
    """Questions by the library below it, over UDP and TCP, with the loop and without."""
    question = dns.message.make_query("example.com", "A")
    errors: list[Exception] = []
    for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
        try:
            await ask(question, address, timeout=0.2, port=udp if ask is dns.asyncquery.udp else port)
        except (OSError, EOFError, dns.exception.DNSException) as error:
            errors.append(error)
    for plain in (dns.query.udp, dns.query.tcp):
        try:
            plain(question, address, timeout=0.2, port=udp if plain is dns.query.udp else port)
        except (OSError, EOFError, dns.exception.DNSException) as error:
            errors.append(error)
    if any(isinstance(error, OSError) and error.errno for error in errors):
        raise next(error for error in errors if isinstance(error, OSError) and error.errno)


async def directory(address: str, port: int, _: int) -> None:
    """A connection to a directory."""
    try:
        connection = await LdapConnection.open(LdapServer(address, port, secure=False), None, SECONDS)
    except LdapUnavailableError as error:
        raise OSError(str(error)) from error
    await connection.close()


async def pictures(address: str, _: int, port: int) -> None:
    """The checks with which calls look for a way."""
    connection = aioice.Connection(ice_controlling=True, use_ipv6=False)
    await connection.gather_candidates()
    connection.remote_username, connection.remote_password = "other", "a" * 22
    await connection.add_remote_candidate(aioice.Candidate("1", 1, "udp", 1, address, port, "host"))
    await connection.add_remote_candidate(None)
    try:
        async with asyncio.timeout(0.2):
            await connection.connect()
    except (TimeoutError, ConnectionError) as error:
        raise OSError("no way") from error
    finally:
        await connection.close()


WAYS: tuple[Callable[[str, int, int], Awaitable[None] | None], ...] = (
    tcp, tcp_by_number, tcp_mapped, tcp_of_a_thread, datagram, datagram_in_parts, datagram_of_a_connected_socket,
    datagram_from_inside, streams, datagrams, https, names, names_of_the_library, directory, pictures,
)  # fmt: skip


def programs() -> None:
    """Another program, which has no fence."""
    subprocess.run(("true",), check=True)


def children() -> None:
    """A child of this process."""
    multiprocessing.get_context("fork").Process(target=os.getpid).start()


def questions_to_the_system() -> None:
    """A name, by the system's own name servers."""
    socket.getaddrinfo("cm1.example.com", 8443)


def loops_in_c() -> None:
    """A loop that opens its sockets by itself."""
    import uvloop  # noqa: F401 - that it fails is the point


OTHERS: tuple[Callable[[], None], ...] = (programs, children, questions_to_the_system, loops_in_c)
OWN = ""


def outcome(run: Callable[[], Awaitable[None] | None], loop: asyncio.AbstractEventLoop) -> str:
    """``ok``, or the error."""
    try:
        waits = run()
        if waits is not None:
            loop.run_until_complete(asyncio.wait_for(waits, SECONDS))
    except (OSError, ImportError) as error:
        return type(error).__name__ + f": {error}"
    return "ok"


def arrivals(one: socket.socket) -> list[str]:
    """Who sends to a socket, of those who do all the while."""
    came: set[bytes] = set()
    end = time.monotonic() + LISTENING
    one.settimeout(LISTENING)
    while time.monotonic() < end:
        with suppress(TimeoutError):
            came.add(one.recv(100))
    return sorted(word.decode() for word in came)


def main(own: str, network: str, moved_to: str, after: str, tcp_port: str, udp_port: str, *addresses: str) -> None:
    """Try everything, and print it."""
    global OWN  # noqa: PLW0603 - of this process
    OWN = own
    fence = Fence(Reach(own, (ipaddress.ip_network(network),)))
    fence.install()
    loop = asyncio.new_event_loop()
    ports = int(tcp_port), int(udp_port)

    def everything(to: str) -> dict[str, str]:
        return {way.__name__: outcome(lambda way=way: way(to, *ports), loop) for way in WAYS}  # type: ignore[misc]

    report: dict[str, object] = {address: everything(address) for address in addresses}
    awaiting = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    awaiting.bind((own, ports[1]))
    page = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    page.bind(("127.0.0.1", ports[1]))
    report["came"] = [arrivals(awaiting), arrivals(page)]
    report["others"] = {other.__name__: outcome(other, loop) for other in OTHERS}
    stays = socket.create_connection((addresses[0], ports[0]), SECONDS)
    report["cut"] = fence.change(Reach(moved_to))
    report["heard after the cut"] = stays.recv(1) == b""
    arrivals(awaiting)  # what had come before
    report["came after"] = [arrivals(awaiting), arrivals(page)]
    report["moved"] = everything(after)
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
