"""SIP of the world: scanning, guessing, messages that are none, and ways to make the edge send somewhere else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count

import pytest
import pytest_asyncio

from ringback.media.transport.protection import Buffer
from ringback.media.transport.protection import Protection as MediaProtection
from ringback.protocols.rtp.crypto import CryptoLine
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sip.message import Response, parse
from ringback.protocols.traversal.frames import Frame, Kind, Part, write
from ringback.rules.edge_protection import Protection
from tests.edge.siege import SECONDS, Relay, cases, hang_up, listening_for_complaints
from tests.edge.sip_world import DOMAIN, OUTER, PASSWORD, SipWorld, start_sip_world
from tests.edge.test_sip_pipe import KEY, handset
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_NUMBERS = count(1)
TRUNK = "sip:900441234@"


class Stage:
    """The world of SIP, and what reaches the call manager."""

    def __init__(self, world: SipWorld, manager: Relay, complaints: list[str]) -> None:
        self.world = world
        self.manager = manager
        self._complaints = complaints
        self._addresses = count(1)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """From a new address of the world."""
        context = ssl.create_default_context(cafile=str(self.world.authority.ca_file))
        return await asyncio.open_connection(
            self.world.edge.host, self.world.edge.port, ssl=context, server_hostname="edge.example.com",
            local_addr=(f"127.0.80.{next(self._addresses)}", 0),
        )  # fmt: skip

    async def ask(self, data: bytes) -> str:
        """What is answered until an OPTIONS, asked behind it, is; or until the edge hangs up."""
        reader, writer = await self.connect()
        try:
            writer.write(data + request("OPTIONS", call="the-end"))
            found = b""
            with contextlib.suppress(OSError, ssl.SSLError):
                async with asyncio.timeout(SECONDS):
                    while b"the-end" not in found and (piece := await reader.read(65536)):
                        found += piece
            return found.decode("utf-8", "replace")
        finally:
            await hang_up(writer)

    async def is_healthy(self) -> None:
        """Nothing went wrong unhandled, and people register."""
        complaints, self._complaints[:] = list(self._complaints), []
        assert not complaints, complaints
        assert "SIP/2.0 200" in await self.register("phone2001", PASSWORD)
        self.world.gate.protection = Protection()

    async def register(self, user: str, password: str) -> str:
        """The last answer to a registration with digest."""
        reader, writer = await self.connect()
        try:
            writer.write(request("REGISTER", f"sip:{DOMAIN}", user=user))
            first = await self._answer(reader)
            assert first.status == 401, first
            line = digest(next(value for name, value in first.items() if name == "WWW-Authenticate"), user, password)
            writer.write(request("REGISTER", f"sip:{DOMAIN}", line, user=user, number=2))
            return (await self._answer(reader)).encode().decode()
        finally:
            await hang_up(writer)

    @staticmethod
    async def _answer(reader: asyncio.StreamReader) -> Response:
        async with asyncio.timeout(SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            match = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
            body = await reader.readexactly(int(match[1]) if match else 0)
        found = parse(head + body)
        assert isinstance(found, Response)
        return found


def digest(challenge: str, user: str, password: str) -> str:
    """The header that answers a challenge (RFC 7616 section 3.4)."""
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    name = said.get("algorithm", "MD5")

    def hashed(*parts: str) -> str:
        return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[name], ":".join(parts).encode()).hexdigest()

    secret, asked = hashed(user, said["realm"], password), hashed("REGISTER", f"sip:{DOMAIN}")
    proof = hashed(secret, said["nonce"], "00000001", "abc", "auth", asked)
    return (
        f'Authorization: Digest username="{user}", realm="{said["realm"]}", nonce="{said["nonce"]}", '
        f'uri="sip:{DOMAIN}", algorithm={name}, qop=auth, nc=00000001, cnonce="abc", response="{proof}"'
    )


def request(
    method: str,
    uri: str = f"{TRUNK}{DOMAIN}",
    *headers: str,
    user: str = "100",
    call: str = "",
    body: str = "",
    number: int = 1,
) -> bytes:
    call = call or f"call-{next(_NUMBERS)}"
    lines = (
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK{next(_NUMBERS)};rport",
        "Max-Forwards: 70",
        f"From: <sip:{user}@{DOMAIN}>;tag=a",
        f"To: <sip:{user}@{DOMAIN}>",
        f"Call-ID: {call}",
        f"CSeq: {number} {method}",
        f"Contact: <sip:{user}@192.0.2.1:5061;transport=tls>",
        *headers,
        f"Content-Length: {len(body.encode())}",
        "",
        body,
    )
    return "\r\n".join(lines).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(swept: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        complaints = stack.enter_context(listening_for_complaints())
        relay = Relay()
        await stack.enter_async_context(relay.serve())
        world = await start_sip_world(tmp_path_factory.mktemp("sip"), stack, before=relay.to)
        yield Stage(world, relay, complaints)


UNREGISTERED = ("INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO")


@pytest.mark.parametrize("method", UNREGISTERED)
async def test_nobody_says_anything_before_registering(stage: Stage, method: str) -> None:
    before = stage.manager.connections
    found = await stage.ask(request(method))
    assert found.startswith("SIP/2.0 403"), found
    assert stage.manager.connections == before
    await stage.is_healthy()


@pytest.mark.parametrize("method", ["MESSAGE", "PUBLISH", "CONNECT", "GET", "FOO"])
async def test_other_methods_do_not_pass(stage: Stage, method: str) -> None:
    before = stage.manager.connections
    found = await stage.ask(request(method))
    assert found.startswith(("SIP/2.0 405", "SIP/2.0 403")), found
    assert stage.manager.connections == before
    await stage.is_healthy()


async def test_scanners_learn_nothing(stage: Stage) -> None:
    """OPTIONS is answered by the edge itself, and the same for everybody."""
    before = stage.manager.connections
    answers = set()
    for user in ("100", "phone2001", "nobody", "cm1"):
        found = await stage.ask(request("OPTIONS", f"sip:{user}@{DOMAIN}", "User-Agent: friendly-scanner", call="x"))
        answers.add(re.sub(r"(?m)^(Via|From|To|Call-ID).*\r\n", "", found.partition("\r\n\r\n")[0]))
    assert len(answers) == 1
    assert not re.search(r"(?i)cm1|inner|outer|python", answers.pop())
    assert stage.manager.connections == before
    await stage.is_healthy()


async def test_nobody_learns_who_exists(stage: Stage) -> None:
    """Wrong passwords of people who exist are answered as those of people who don't."""
    known, unknown = await stage.register("phone2001", "guess"), await stage.register("phone9999", "guess")
    assert known.split(" ", 2)[1] == unknown.split(" ", 2)[1]
    assert known.split(" ", 2)[1] in {"401", "403"}
    await stage.is_healthy()


async def test_who_guesses_is_kept_out(stage: Stage) -> None:
    failures = len(stage.world.gate.failures)
    for number in range(3):
        await stage.register("phone2002", f"guess {number}")
    assert len(stage.world.gate.failures) >= failures + 3
    await stage.is_healthy()


ELSEWHERE = {
    "metadata": "sip:169.254.169.254",
    "loopback": "sip:127.0.0.1:5060",
    "other-company": "sip:example.org",
    "other-port": f"sip:{DOMAIN}:22",
    "part-of-the-name": "sip:example.com.attacker.example",
    "user-that-looks-like-a-host": "sip:cm1.example.com@attacker.example",
    "ipv6": "sip:[::1]",
    "tel": "tel:900441234",
    "other-scheme": "http://127.0.0.66/",
    "maddr": f"sip:{DOMAIN};maddr=127.0.0.66",
}


@pytest.mark.parametrize("name", cases(ELSEWHERE))
async def test_a_registration_leads_to_call_managers_of_the_company_only(stage: Stage, name: str) -> None:
    bait = await _Bait.open()
    found = await stage.ask(request("REGISTER", ELSEWHERE[name], user="phone2001"))
    assert not re.search(r"SIP/2\.0 200.*\r\n(?:.*\r\n)*CSeq: 1 REGISTER", found), found
    assert bait.heard == 0
    await bait.close()
    await stage.is_healthy()


class _Bait:
    """TCP and UDP at an address that nobody must be led to."""

    def __init__(self, server: asyncio.Server, udp: socket.socket) -> None:
        self._server, self._udp = server, udp
        self.tcp = 0

    @classmethod
    async def open(cls) -> _Bait:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.66", 0))
        udp.setblocking(False)

        def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            made.tcp += 1
            writer.close()

        made = cls(await asyncio.start_server(came, "127.0.0.66", 0), udp)
        return made

    @property
    def port(self) -> int:
        return int(self._udp.getsockname()[1])

    @property
    def heard(self) -> int:
        found = self.tcp
        with contextlib.suppress(BlockingIOError):
            while self._udp.recv(4096):
                found += 1
        return found

    async def close(self) -> None:
        self._server.close()
        self._udp.close()


LEADING = {
    "route-to-metadata": "Route: <sip:169.254.169.254;lr>",
    "route-to-a-neighbour": "Route: <sip:127.0.0.66:{port};transport=udp;lr>",
    "route-by-the-edge": "Route: <sip:edge.example.com;lr>, <sip:127.0.0.66:{port};lr>",
    "strict-route": "Route: <sip:127.0.0.66:{port}>",
    "record-route": "Record-Route: <sip:127.0.0.66:{port};lr>",
    "path": "Path: <sip:127.0.0.66:{port};lr>",
    "via-maddr": "Via: SIP/2.0/UDP 127.0.0.66:{port};maddr=127.0.0.66;branch=z9hG4bKx",
    "via-received": "Via: SIP/2.0/UDP 192.0.2.9;received=127.0.0.66;rport={port};branch=z9hG4bKx",
    "forged-device": "X-Forwarded-For: 127.0.0.1",
    "asserted-identity": "P-Asserted-Identity: <sip:2001@example.com>",
}


@pytest.mark.parametrize("name", cases(LEADING))
async def test_headers_lead_the_edge_nowhere(stage: Stage, name: str) -> None:
    bait = await _Bait.open()
    line = LEADING[name].format(port=bait.port)
    await stage.ask(request("REGISTER", f"sip:{DOMAIN}", line, user="phone2001"))
    await stage.ask(request("OPTIONS", f"sip:{DOMAIN}", line))
    assert bait.heard == 0
    await bait.close()
    await stage.is_healthy()


_WHOLE = request("OPTIONS")
MALFORMED = {
    "noise": bytes(range(256)) * 10,
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "xmpp": b"<?xml version='1.0'?><stream:stream to='example.com'>",
    "no-via": _WHOLE.replace(b"Via", b"X-Via"),
    "no-call-id": _WHOLE.replace(b"Call-ID", b"X-Call-ID"),
    "no-cseq": _WHOLE.replace(b"CSeq", b"X-CSeq"),
    "cseq-of-another-method": _WHOLE.replace(b"1 OPTIONS", b"1 INVITE"),
    "huge-cseq": _WHOLE.replace(b"1 OPTIONS", b"99999999999999999999 OPTIONS"),
    "negative-length": _WHOLE.replace(b"Content-Length: 0", b"Content-Length: -1"),
    "two-lengths": _WHOLE.replace(b"Content-Length: 0", b"Content-Length: 0\r\nContent-Length: 5"),
    "short-and-long-length": _WHOLE.replace(b"Content-Length: 0", b"l: 5\r\nContent-Length: 0"),
    "huge-length": _WHOLE.replace(b"Content-Length: 0", b"Content-Length: 99999999999"),
    "no-length": _WHOLE.replace(b"Content-Length: 0\r\n", b""),
    "huge-head": _WHOLE.replace(b"Max-Forwards", b"X: " + b"a" * 40_000 + b"\r\nMax-Forwards"),
    "many-headers": _WHOLE.replace(b"Max-Forwards", b"X: y\r\n" * 2000 + b"Max-Forwards"),
    "many-vias": _WHOLE.replace(b"Max-Forwards", b"Via: SIP/2.0/TLS h;branch=z9hG4bKq\r\n" * 90 + b"Max-Forwards"),
    "folded": _WHOLE.replace(b"Max-Forwards: 70", b"Max-Forwards:\r\n 70\r\n " + b"x" * 500),
    "nul": _WHOLE.replace(b"tag=a", b"tag=a\0b"),
    "not-utf-8": _WHOLE.replace(b"tag=a", b"tag=\xff\xfe"),
    "no-forwards-left": _WHOLE.replace(b"Max-Forwards: 70", b"Max-Forwards: 0"),
    "version-3": _WHOLE.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
    "line-feeds-only": _WHOLE.replace(b"\r\n", b"\n"),
    "answer-nobody-asked-for": b"SIP/2.0 200 OK\r\n" + _WHOLE.partition(b"\r\n")[2],
    "nothing-but-line-ends": b"\r\n" * 5000,
}


@pytest.mark.parametrize("name", cases(MALFORMED))
async def test_what_is_not_sip_goes_no_further(stage: Stage, name: str) -> None:
    before = stage.manager.connections
    found = await stage.ask(MALFORMED[name])
    assert "python" not in found.lower()
    assert "Traceback" not in found
    assert stage.manager.connections == before
    stage.world.gate.protection = Protection()
    await stage.is_healthy()


async def test_a_flood_of_messages_ends_its_connection(stage: Stage) -> None:
    before = stage.manager.connections
    found = await stage.ask(b"".join(request("INVITE", f"{TRUNK}{DOMAIN}") for _ in range(500)))
    assert found.count("SIP/2.0 403") <= 5
    assert stage.manager.connections == before
    await stage.is_healthy()


async def test_media_of_strangers_are_no_reflector(stage: Stage) -> None:
    """Whatever comes to the port of frames without their tag is dropped in silence."""
    world = stage.world
    assert world.outer.media is not None
    place = world.outer.media.place
    flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.bind(("127.0.80.250", 0))
    flood.setblocking(False)
    hello = write(Frame(Kind.HELLO, bytes(16)))
    media = write(Frame(Kind.MEDIA, bytes(16), 1, Part.RTP, ("127.0.0.66", 9)))
    for number in range(200):
        for data in (hello, media + b"\x80\0" + b"x" * 170, b"\x80\0" + bytes([number]) * 170, b"", b"\x01" * 1400):
            flood.sendto(data, (world.edge.host, place.port))
    await stage.is_healthy()
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        assert not flood.recv(4096), "something came back"
    flood.close()
    assert world.allocations == (0, 0)
    assert world.media.ready(OUTER)


async def test_a_call_is_heard_in_a_flood_of_media(stage: Stage) -> None:
    """Strangers send forty times as many packets to the very port of a call; the sound of the call goes on."""
    world, loop = stage.world, asyncio.get_running_loop()
    async with handset(world, "2001", outside=True) as anita, handset(world, "2002", outside=False) as bram:
        answer = await anita.accepted(anita.dial("2002", KEY))
        assert answer.connection is not None
        edge = (answer.connection.address, answer.media[0].port)
        theirs = CryptoLine.parse(answer.media[0].values("crypto")[0])
        outwards, buffer = MediaProtection.from_lines(KEY, theirs), Buffer()
        over = asyncio.Event()

        async def flood() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind(("127.0.80.251", 0))
                stranger.setblocking(False)
                while not over.is_set():
                    for _ in range(20):
                        with contextlib.suppress(BlockingIOError):
                            stranger.sendto(b"\x80\0" + bytes(170), edge)
                    await asyncio.sleep(0.01)

        async def speak(first: int, count: int) -> int:
            """How many of so many packets are heard."""
            for number in range(first, first + count):
                packet = RtpPacket(0, number, 160 * number, 7, b"x" * 160).serialize()
                buffer.octets[: len(packet)] = packet
                anita.sound.sendto(bytes(buffer.view[: outwards.protect(buffer, len(packet))]), edge)
                await asyncio.sleep(0.02)
            heard = 0
            with contextlib.suppress(TimeoutError):
                while heard < count:
                    async with asyncio.timeout(1):
                        heard += len((await loop.sock_recvfrom(bram.sound, 2048))[0]) > 100
            return heard

        calm = await speak(1, 10)
        flooding = loop.create_task(flood())
        flooded = await speak(11, 40)
        over.set()
        await flooding
        assert calm == 10
        assert flooded >= 38
    await until(lambda: world.allocations == (0, 0))
    await stage.is_healthy()
