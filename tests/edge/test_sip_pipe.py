"""SIP and media through both proxies: what is counted, what ends, and that nothing is left over."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from ringback.media.transport.protection import Buffer, Protection
from ringback.net.certificates import looking_context
from ringback.net.names import NameClient
from ringback.net.sip.node import SipNode
from ringback.net.sip_probe import probe_options
from ringback.net.tls import client_context
from ringback.protocols.rtp.crypto import CryptoLine, Suite
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sdp.description import Description
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.events import Accepted, Acked, Ended, Event, Failed, Invited, RegistrationChanged
from ringback.protocols.sip.session import Session
from ringback.rules import edge_protection
from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason
from ringback.services.edge.settings import SipManager
from ringback.services.edge.sip_managers import Managers
from tests.edge.sip_world import DOMAIN, PASSWORD, SipWorld, start_sip_world
from tests.support.nodes import HERE
from tests.support.sip_phone import Bell, SipPhone
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = CryptoLine(1, Suite.AES_CM_128_HMAC_SHA1_80, b"k" * 30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipWorld]:
    async with AsyncExitStack() as stack:
        yield await start_sip_world(tmp_path_factory.mktemp("sip"), stack)


class Handset(SipPhone):
    """A phone with a socket for sound; it rings, and takes what it is told to take."""

    def __init__(self, world: SipWorld, number: str, *, password: str = PASSWORD, product: str = "") -> None:
        super().__init__(world.authority.ca_file, f"phone{number}", password, number, Bell(), DOMAIN)
        if product:
            self.agent = Agent(replace(self.agent.settings, product=product))
            context = client_context(world.authority.ca_file)
            self.node = SipNode(self.agent, self._on_event, client_context=context)
        self.key: CryptoLine | None = None
        self.answers_with_key = False
        self.more = ""
        self.sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sound.bind((HERE, 0))
        self.sound.setblocking(False)
        self.takes = True

    def described(self, key: CryptoLine | None) -> bytes:
        line = f"a=crypto:{key}\r\n" if key else ""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {HERE}\r\ns=-\r\nc=IN IP4 {HERE}\r\nt=0 0\r\n"
            f"m=audio {self.sound.getsockname()[1]} RTP/{'S' if key else ''}AVP 0\r\n{line}a=sendrecv\r\n{self.more}"
        ).encode()

    def answer_to(self, offered: bytes | None) -> bytes:
        """With the first key that was offered, under its tag, where this phone encrypts."""
        if not self.answers_with_key or offered is None:
            return self.described(self.key)
        section = Description.parse(offered).media[0]
        line = next(one for one in map(CryptoLine.parse, section.values("crypto")) if one.suite is KEY.suite)
        sealed = self.described(replace(KEY, tag=line.tag))
        return sealed.replace(b"RTP/SAVP", section.proto.encode())

    def _on_event(self, event: Event, now: float) -> None:
        self.events.append(event)
        if isinstance(event, Invited):
            event.session.ring(now, 180)
            if self.takes:
                event.session.answer(now, self.answer_to(event.sdp))
        self.bell.ring()

    @property
    def registered_anew(self) -> bool:
        return any(isinstance(event, RegistrationChanged) and event.state == "registered" for event in self.events)

    async def registered(self, where: HostPort, name: str) -> Handset:
        self.register([(name, where.host, where.port)], keep_alive=20)
        await self.bell.until(lambda: self.state in ("registered", "refused", "waiting"))
        return self

    def dial(self, number: str, key: CryptoLine | None) -> Session:
        assert self._registration is not None
        assert self._registration.flow is not None
        session = self.agent.invite(
            time.monotonic(),
            f"sip:{number}@{DOMAIN}",
            self._registration.flow,
            from_=f"<sip:{self._number}@{DOMAIN}>",
            sdp=self.described(key),
        )
        self.node.flush()
        return session

    async def accepted(self, session: Session) -> Description:
        await self.bell.until(lambda: self.saw(Accepted, session) or self.saw(Failed, session))
        assert self.saw(Accepted, session), self.events[-3:]
        event = next(one for one in self.events if isinstance(one, Accepted) and one.session is session)
        assert event.sdp is not None
        return Description.parse(event.sdp)

    async def heard(self) -> tuple[bytes, tuple[str, int]]:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recvfrom(self.sound, 2048), 5)


@asynccontextmanager
async def handset(
    world: SipWorld, number: str, *, outside: bool, password: str = PASSWORD, product: str = ""
) -> AsyncIterator[Handset]:
    phone = Handset(world, number, password=password, product=product)
    await phone.node.start()
    try:
        where = world.edge if outside else world.inside("sip-tls")
        yield await phone.registered(where, "edge.example.com" if outside else "cm1.example.com")
    finally:
        await phone.node.stop()
        phone.sound.close()


async def nothing_left(world: SipWorld) -> None:
    await until(lambda: world.allocations == (0, 0))


async def test_it_answers_like_any_server_of_sip(world: SipWorld) -> None:
    context = looking_context()
    context.load_verify_locations(cafile=world.authority.ca_file)
    probe = await probe_options(world.edge, "tls", NameClient(None), context)
    assert (probe.status, probe.obstacle) == (200, None)


async def test_sound_goes_to_who_proved_the_key_and_to_nobody_else(world: SipWorld) -> None:
    async with handset(world, "2001", outside=True) as anita, handset(world, "2002", outside=False) as bram:
        assert anita.state == "registered", anita.events
        assert "phone2001" in world.gate.inside
        session = anita.dial("2002", KEY)
        answer = await anita.accepted(session)
        section = answer.media[0]
        assert answer.connection is not None
        edge = (answer.connection.address, section.port)
        assert section.proto == "RTP/SAVP"
        theirs = CryptoLine.parse(section.values("crypto")[0])
        outwards, buffer = Protection.from_lines(KEY, theirs), Buffer()
        assert world.allocations == (1, 1)
        (stream,) = world.media.streams

        def protected(number: int) -> bytes:
            packet = RtpPacket(0, number, 160 * number, 7, b"from anita").serialize()
            buffer.octets[: len(packet)] = packet
            return bytes(buffer.view[: outwards.protect(buffer, len(packet))])

        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.sendto(b"\x80" * 60, edge)
        await until(lambda: stream.unauthentic == 1)
        assert world.outer.media is not None
        dropped = world.outer.media.dropped
        anita.sound.sendto(protected(1), edge)
        data, source = await bram.heard()
        assert RtpPacket.parse(data).payload == b"from anita"
        stranger.sendto(protected(2)[:-1] + b"!", edge)  # a copy that was changed
        await until(lambda: stream.unauthentic == 2)
        bram.sound.sendto(RtpPacket(0, 1, 160, 9, b"from bram").serialize(), source)
        data, source = await anita.heard()
        assert source == edge
        buffer.octets[: len(data)] = data
        size = outwards.unprotect(buffer, len(data))
        assert RtpPacket.parse(bytes(buffer.view[:size])).payload == b"from bram"
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(1)
        # somebody who moves proves it by the key
        anita.sound, older = stranger, anita.sound
        stranger.sendto(protected(3), edge)
        await bram.heard()
        bram.sound.sendto(RtpPacket(0, 2, 320, 9, b"to the new place").serialize(), stream.inside)
        assert (await anita.heard())[1] == edge
        older.close()
        assert world.outer.media.dropped == dropped
        anita.hang_up(session)
        await nothing_left(world)
    await until(lambda: "phone2001" not in world.gate.inside)


async def test_pictures_and_reports_pass_too(world: SipWorld) -> None:
    async with handset(world, "2001", outside=True) as anita, handset(world, "2002", outside=False) as bram:
        picture = "m=video 6000 RTP/{}AVPF 97\r\na=rtpmap:97 H264/90000\r\n{}"
        anita.more = f"a=rtcp-mux\r\n{picture.format('S', f'a=crypto:{KEY}' + chr(13) + chr(10))}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reports:
            reports.bind((HERE, 0))
            reports.setblocking(False)
            bram.more = f"a=rtcp:{reports.getsockname()[1]}\r\n{picture.format('', '')}"
            session = anita.dial("2002", KEY)
            answer = await anita.accepted(session)
            assert [section.proto for section in answer.media] == ["RTP/SAVP", "RTP/SAVPF"]
            assert answer.media[0].value("rtcp-mux") is not None
            assert answer.media[1].value("rtcp-mux") is None
            assert world.allocations == (2, 2)
            theirs = CryptoLine.parse(answer.media[0].values("crypto")[0])
            protection, buffer = Protection.from_lines(KEY, theirs), Buffer()
            report = bytes((0x80, 201, 0, 1)) + b"ssrc"
            buffer.octets[: len(report)] = report
            anita.sound.sendto(
                buffer.view[: protection.protect_rtcp(buffer, len(report))], (HERE, answer.media[0].port)
            )
            loop = asyncio.get_running_loop()
            data, source = await asyncio.wait_for(loop.sock_recvfrom(reports, 2048), 5)
            assert data == report
            reports.sendto(report, source)
            data, source = await anita.heard()
            assert source == (HERE, answer.media[0].port), "at one port, as it was agreed"
            buffer.octets[: len(data)] = data
            assert protection.unprotect_rtcp(buffer, len(data)) == len(report)
            anita.hang_up(session)
            await nothing_left(world)


@pytest.mark.parametrize("sealed", [True, False])
async def test_a_call_counts_as_encrypted_only_where_it_is_so_inside_too(world: SipWorld, sealed: bool) -> None:
    async with handset(world, "2001", outside=True) as anita, handset(world, "2002", outside=False) as bram:
        bram.answers_with_key = sealed
        session = anita.dial("2002", KEY)
        await anita.accepted(session)
        (stream,) = world.media.streams
        assert stream.secure is sealed
        accepted = next(one for one in anita.events if isinstance(one, Accepted))
        told = accepted.response.get("Call-Info") or ""
        assert f"security={'Encrypted' if sealed else 'Authenticated'};" in told
        anita.hang_up(session)
        await nothing_left(world)


async def test_a_client_that_is_asked_to_offer(world: SipWorld) -> None:
    async with (
        handset(world, "2001", outside=True, product="Cisco-CSF/14") as anita,
        handset(world, "2002", outside=False) as bram,
    ):
        anita.key = KEY
        session = bram.dial("2001", None)
        await bram.accepted(session)
        await anita.bell.until(lambda: anita.saw(Acked))
        offered = next(one for one in anita.events if isinstance(one, Invited)).sdp
        assert offered is None, "the call manager lets such clients offer"
        answered = next(one for one in anita.events if isinstance(one, Acked)).sdp
        assert answered is not None
        section = Description.parse(answered).media[0]
        assert section.proto == "RTP/SAVP"
        theirs = CryptoLine.parse(section.values("crypto")[0])
        protection, buffer = Protection.from_lines(KEY, theirs), Buffer()
        packet = RtpPacket(0, 1, 160, 7, b"from anita").serialize()
        buffer.octets[: len(packet)] = packet
        anita.sound.sendto(buffer.view[: protection.protect(buffer, len(packet))], (HERE, section.port))
        assert RtpPacket.parse((await bram.heard())[0]).payload == b"from anita"
        bram.hang_up(session)
        await nothing_left(world)


async def test_a_call_without_encryption_is_refused_with_the_reason(world: SipWorld) -> None:
    async with handset(world, "2001", outside=True) as anita:
        session = anita.dial("2002", None)
        await anita.bell.until(lambda: anita.saw(Failed, session))
        failed = next(one for one in anita.events if isinstance(one, Failed))
        assert failed.status == 488
        assert failed.response is not None
        assert "must be encrypted" in failed.response.warnings[0].text
        assert failed.response.get("Ringback-Reason") == "edge.sip.not_encrypted"
        assert world.allocations == (0, 0)


async def test_every_end_of_a_call_gives_its_ports_back(world: SipWorld) -> None:
    async with handset(world, "2001", outside=True) as anita, handset(world, "2002", outside=False) as bram:
        bram.takes = False
        session = anita.dial("2002", KEY)  # given up while it rings
        await bram.bell.until(lambda: bram.saw(Invited))
        assert world.allocations == (1, 1)
        session.cancel(time.monotonic())
        anita.node.flush()
        await nothing_left(world)
        bram.events.clear()
        session = anita.dial("2002", KEY)  # refused
        await bram.bell.until(lambda: bram.saw(Invited))
        next(one for one in bram.events if isinstance(one, Invited)).session.reject(time.monotonic(), 486)
        bram.node.flush()
        await anita.bell.until(lambda: anita.saw(Failed, session))
        await nothing_left(world)
        anita.dial("2999", KEY)  # nobody
        await nothing_left(world)
        bram.takes = True
        session = anita.dial("2002", KEY)  # hung up by the other one
        await anita.accepted(session)
        bram.hang_up([one for one in bram.events if isinstance(one, Invited)][-1].session)
        await anita.bell.until(lambda: anita.saw(Ended, session))
        await nothing_left(world)
        session = anita.dial("2002", KEY)  # and the client that is gone without a word
        await anita.accepted(session)
        assert world.allocations == (1, 1)
        await anita.node.stop()
        await nothing_left(world)
        await until(lambda: world.front.connections == 0)


async def test_who_may_not_call_outside_is_told_why(world: SipWorld) -> None:
    world.gate.barred["phone2003"] = Reason.of("edge.access.messaging")
    try:
        async with handset(world, "2003", outside=True) as clara:
            assert clara.state == "refused"
            assert "messages" in str(clara._registration and clara._registration.reasons)
    finally:
        world.gate.barred.clear()
    async with handset(world, "2003", outside=True) as clara:
        assert clara.state == "registered"
        world.gate.ends["phone2003"](Reason.of("edge.access.none"))
        await clara.bell.until(lambda: clara.state != "registered")


async def test_a_dead_link_ends_all_that_went_over_it(world: SipWorld) -> None:
    async with handset(world, "2001", outside=True) as anita, handset(world, "2003", outside=False):
        session = anita.dial("2003", KEY)
        await anita.accepted(session)
        anita.events.clear()
        world.kill_links()
        await nothing_left(world)
        await until(lambda: world.media.ready("outer.example.com"))
        await anita.bell.until(lambda: anita.registered_anew)
        session = anita.dial("2003", KEY)
        await anita.accepted(session)
        assert world.allocations == (1, 1)
        anita.hang_up(session)
        await nothing_left(world)


async def test_guessing_counts_and_ends(world: SipWorld) -> None:
    async with handset(world, "2004", outside=True, password="guess") as guesser:
        assert guesser.state == "refused"
        assert world.gate.failures == [(HERE, "phone2004")]
    world.gate.protection = edge_protection.Protection()  # of an address where nobody was let in lately
    for _ in range(6):
        world.gate.failed(HERE, "phone2004")
    reader, writer = await asyncio.open_connection(world.edge.host, world.edge.port, ssl=looking_context())
    assert await asyncio.wait_for(reader.read(), 5) == b"", "kept out at once"
    writer.close()
    world.gate.protection = edge_protection.Protection()
    for number in range(6):
        world.gate.failed(f"198.51.100.{number}", "phone2004")
    async with handset(world, "2004", outside=True) as guessed:
        assert guessed.state == "refused"
        assert "try again in 10 minutes" in str(guessed._registration and guessed._registration.reasons)
    world.gate.protection = edge_protection.Protection()


async def test_scanners_are_cut_off(world: SipWorld) -> None:
    scan = (
        f"INVITE sip:900441234@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK%d\r\n"
        f"From: <sip:100@{DOMAIN}>;tag=a\r\n"
        f"To: <sip:900441234@{DOMAIN}>\r\nCall-ID: %d\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    cut = world.front.figures.cut
    reader, writer = await asyncio.open_connection(world.edge.host, world.edge.port, ssl=looking_context())
    writer.write("".join(scan % (number, number) for number in range(50)).encode())
    told = await asyncio.wait_for(reader.read(), 5)
    assert told.count(b"SIP/2.0 403") <= 5
    assert world.front.figures.cut == cut + 1
    writer.close()
    world.gate.protection = edge_protection.Protection()


async def test_when_the_call_manager_dies_the_client_is_told_to_go_elsewhere(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("dying")
        world = await start_sip_world(folder, stack, inside="secure", authentication="none")
        async with handset(world, "2002", outside=True, password="guess") as guesser:
            assert guesser.state == "refused", "names are trusted inside only"
        async with handset(world, "2002", outside=False, password="guess") as trusted:
            assert trusted.state == "registered"
        async with handset(world, "2001", outside=True) as anita:
            assert anita.state == "registered"
            await world.manager.stop()
            await anita.bell.until(lambda: anita.state != "registered")
            await anita.bell.until(lambda: anita.state == "waiting")
            assert "503" in str(anita._registration and anita._registration.reasons)


async def test_who_is_silent_is_cut_off(world: SipWorld) -> None:
    _, writer = await asyncio.open_connection(world.edge.host, world.edge.port, ssl=looking_context())
    async with handset(world, "2001", outside=True) as anita:
        assert anita.state == "registered"
        await until(lambda: world.front.connections == 2)
        now = asyncio.get_running_loop().time()
        for pipe in tuple(world.front._pipes.values()):
            pipe.look_after(now + 60)
        await until(lambda: world.front.connections == 1)
        anita.events.clear()
        for pipe in tuple(world.front._pipes.values()):
            pipe.look_after(now + 1000)
        await anita.bell.until(lambda: anita.registered_anew)
    writer.close()


async def test_the_call_manager_that_is_named_comes_first(world: SipWorld) -> None:
    names = (("cm1", "office"), ("cm2", "office"), ("cm3", "berlin"))
    managers = tuple(
        SipManager(f"{name}.example.com", HostPort(f"127.0.10.{place}", 5061), cluster)
        for place, (name, cluster) in enumerate(names, 10)
    )
    found = Managers(replace(world.front.settings, managers=managers))

    def order(host: str, now: float = 1000.0) -> list[str]:
        return [one.name.partition(".")[0] for one in found.order(host, now)]

    assert order("example.com") == ["cm1", "cm2", "cm3"]
    assert order("CM2.example.com.") == ["cm2", "cm1"]
    assert order("127.0.10.12") == ["cm3"]
    found.failed("cm1.example.com", 1000.0)
    assert order("cm1.example.com") == ["cm2", "cm1"]
    assert order("cm1.example.com", 1020.0) == ["cm1", "cm2"]
