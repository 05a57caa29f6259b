"""Clients outside that reach the edge over IPv6 while all inside is IPv4: calls with sound both ways, HTTPS, messages.

A machine without IPv6 fails here, in a sentence: nothing of this may count as tried where it was not.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from bench.session import Account, Session
from ringback.deployment import load
from ringback.lab.zones import zones_of
from ringback.media.transport.protection import Buffer, Protection
from ringback.protocols.edge import EdgeConfiguration
from ringback.protocols.edge.session_media import Places, SessionMedia, Side
from ringback.protocols.rtp.crypto import CryptoLine, Suite
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sdp.description import Connection, Description
from ringback.protocols.sip.events import Event, Invited, OfferAnswered, OfferArrived
from ringback.protocols.traversal.frames import HEAD, Frame, Kind, Part, read, write
from ringback.protocols.traversal.media_words import MediaFlow, MediaOpened, MediaWord, OpenMedia
from ringback.rules.addresses import HostPort
from ringback.services.edge.media_outer import OuterMedia
from ringback.services.edge.settings import OuterMediaSettings
from tests.edge.conftest import DOMAIN, EDGE, PASSWORDS, Edge, start_edge
from tests.edge.sip_world import PASSWORD as SECRET
from tests.edge.sip_world import SipWorld, start_sip_world
from tests.edge.test_sip_pipe import KEY, Handset
from tests.support.baresip import Account as Phone
from tests.support.baresip import running_baresip
from tests.support.lab import built_in
from tests.support.nodes import HERE
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORLD = "::1"
MOVED_KEY = CryptoLine(1, Suite.AES_CM_128_HMAC_SHA1_80, b"m" * 30)


@pytest.fixture(scope="module", autouse=True)
def ipv6() -> None:
    """The way of the world that is tried here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((WORLD, 0))
    except OSError as error:
        pytest.fail(
            f"this machine has no IPv6 on its loopback interface ({error.strerror}): the edge can't be tried by it"
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(ipv6: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipWorld]:
    async with AsyncExitStack() as stack:
        yield await start_sip_world(tmp_path_factory.mktemp("six"), stack, world=WORLD)


class Talker(Handset):
    """A phone that takes new offers in a call, too. Outside it speaks IPv6 alone, and seals what it sends."""

    def __init__(self, world: SipWorld, number: str, *, outside: bool) -> None:
        super().__init__(world, number)
        self.address = WORLD if outside else HERE
        self.direction = "sendrecv"
        self.connection = str(Connection.of(self.address))
        self.number = 0
        self.move()

    def move(self) -> None:
        """Another port for sound."""
        self.sound.close()
        self.sound = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
        self.sound.bind((self.address, 0))
        self.sound.setblocking(False)

    def described(self, key: CryptoLine | None) -> bytes:
        origin = str(Connection.of(self.address))
        line = f"a=crypto:{key}\r\n" if key else ""
        return (
            f"v=0\r\no=- 1 {time.monotonic_ns()} {origin}\r\ns=-\r\nc={self.connection}\r\nt=0 0\r\n"
            f"m=audio {self.sound.getsockname()[1]} RTP/{'S' if key else ''}AVP 0\r\n"
            f"a=rtcp:{self.sound.getsockname()[1] + 1} {origin}\r\n{line}a={self.direction}\r\n"
        ).encode()

    def _on_event(self, event: Event, now: float) -> None:
        super()._on_event(event, now)
        if isinstance(event, OfferArrived):
            event.session.answer_offer(now, self.answer_to(event.sdp))

    @property
    def offers(self) -> tuple[bytes, ...]:
        """What was offered to us within calls."""
        return tuple(event.sdp for event in self.events if isinstance(event, OfferArrived) and event.sdp)

    async def reoffered(self, session: object) -> Description:
        """What our next offer in a call is answered with."""
        await self.bell.until(lambda: any(isinstance(one, OfferAnswered) for one in self.events))
        event = next(one for one in self.events if isinstance(one, OfferAnswered))
        self.events.remove(event)
        assert event.session is session
        assert event.sdp is not None
        return Description.parse(event.sdp)

    def packet(self, words: bytes) -> bytes:
        """The next packet of sound."""
        self.number += 1
        return RtpPacket(0, self.number, 160 * self.number, 7, words).serialize()


class Sealed:
    """What a client outside does with its packets and those of the edge."""

    def __init__(self, ours: CryptoLine, answer: Description) -> None:
        section = answer.media[0]
        connection = answer.connection_of(section)
        assert connection is not None
        assert connection.family == "IP6"
        assert answer.origin.family == "IP6"
        self.edge = (connection.address, section.port, 0, 0)
        theirs = next(line for line in map(CryptoLine.parse, section.values("crypto")) if line.suite is ours.suite)
        self._protection = Protection.from_lines(ours, theirs)
        self._buffer = Buffer()

    def seal(self, packet: bytes) -> bytes:
        self._buffer.octets[: len(packet)] = packet
        return bytes(self._buffer.view[: self._protection.protect(self._buffer, len(packet))])

    def opened(self, packet: bytes) -> bytes:
        self._buffer.octets[: len(packet)] = packet
        size = self._protection.unprotect(self._buffer, len(packet))
        assert size, "this is not sealed with the key of the edge"
        return RtpPacket.parse(bytes(self._buffer.view[:size])).payload


@asynccontextmanager
async def talker(world: SipWorld, number: str, *, outside: bool) -> AsyncIterator[Talker]:
    phone = Talker(world, number, outside=outside)
    await phone.node.start()
    try:
        where = world.edge if outside else world.inside("sip-tls")
        yield await phone.registered(where, "edge.example.com" if outside else "cm1.example.com")  # type: ignore[misc]
    finally:
        await phone.node.stop()
        phone.sound.close()


async def both_hear(anita: Talker, sealed: Sealed, bram: Talker) -> None:
    """Anita outside, Bram inside."""
    anita.sound.sendto(sealed.seal(anita.packet(b"from anita")), sealed.edge)
    data, source = await bram.heard()
    while RtpPacket.parse(data).payload != b"from anita":  # music on hold that was on its way
        data, source = await bram.heard()
    assert source[0] == HERE, "inside all is IPv4"
    bram.sound.sendto(bram.packet(b"from bram"), source)
    data, place = await anita.heard()
    while sealed.opened(data) != b"from bram":
        data, place = await anita.heard()
    assert place[:2] == sealed.edge[:2]


async def test_sound_goes_both_ways_and_on_after_new_offers(world: SipWorld) -> None:
    assert world.edge.host == WORLD
    async with talker(world, "2001", outside=True) as anita, talker(world, "2002", outside=False) as bram:
        assert (anita.state, bram.state) == ("registered", "registered"), anita.events
        session = anita.dial("2002", KEY)
        sealed = Sealed(KEY, await anita.accepted(session))
        assert world.outer.media is not None
        dropped = world.outer.media.dropped
        await both_hear(anita, sealed, bram)
        assert world.outer.media.dropped == dropped
        # the client moves to another port and another key
        anita.move()
        session.reinvite(time.monotonic(), anita.described(MOVED_KEY))
        anita.node.flush()
        moved = Sealed(MOVED_KEY, await anita.reoffered(session))
        assert moved.edge == sealed.edge
        await both_hear(anita, moved, bram)
        # it holds, in the old way, and comes back
        anita.connection, anita.direction = "IN IP6 ::", "sendonly"
        session.reinvite(time.monotonic(), anita.described(MOVED_KEY))
        anita.node.flush()
        await anita.reoffered(session)
        await bram.bell.until(lambda: any(b"a=sendonly" in offer for offer in bram.offers))
        assert not any(b"IP6" in offer for offer in bram.offers)
        anita.connection, anita.direction = str(Connection.of(WORLD)), "sendrecv"
        session.reinvite(time.monotonic(), anita.described(MOVED_KEY))
        anita.node.flush()
        await both_hear(anita, Sealed(MOVED_KEY, await anita.reoffered(session)), bram)
        anita.hang_up(session)
        await until(lambda: world.allocations == (0, 0))


@pytest.mark.peer
async def test_a_foreign_phone_outside(world: SipWorld, tmp_path: Path) -> None:
    proxy = f"sip:{world.edge};transport=tls"
    ca = world.authority.ca_file
    outside = Phone("2001", DOMAIN, "phone2001", SECRET, "tls", "srtp-mand", proxy=proxy, ca=ca, address=WORLD)
    inside = Phone("2002", str(world.inside("sip")), "phone2002", SECRET)
    async with (
        running_baresip(tmp_path / "a", outside, tone=440) as anita,
        running_baresip(tmp_path / "b", inside, tone=660) as bram,
    ):
        await anita.command("dial", f"sip:2002@{DOMAIN}")
        await bram.expect("CALL_INCOMING")
        await bram.command("accept")
        await asyncio.gather(anita.hears(660), bram.hears(440))
        await anita.command("hangup")
        await until(lambda: world.allocations == (0, 0))


async def test_a_call_from_inside_and_a_new_offer_of_the_inside(world: SipWorld) -> None:
    async with talker(world, "2001", outside=True) as anita, talker(world, "2002", outside=False) as bram:
        anita.answers_with_key = True
        session = bram.dial("2001", None)
        await bram.accepted(session)
        offered = Description.parse(next(event.sdp for event in anita.events if isinstance(event, Invited)) or b"")
        sealed = Sealed(KEY, offered)
        await both_hear(anita, sealed, bram)
        anita.events.clear()
        bram.move()
        session.reinvite(time.monotonic(), bram.described(None))
        bram.node.flush()
        answer = await bram.reoffered(session)
        assert answer.connection is not None
        assert answer.connection.family == "IP4"
        await both_hear(anita, sealed, bram)
        # it holds, and the client is told so in its own address family
        bram.connection, bram.direction = "IN IP4 0.0.0.0", "sendonly"
        session.reinvite(time.monotonic(), bram.described(None))
        bram.node.flush()
        await bram.reoffered(session)
        await anita.bell.until(lambda: any(b"a=sendonly" in offer for offer in anita.offers))
        assert not any(b"IP4" in offer for offer in anita.offers)
        bram.hang_up(session)
        await until(lambda: world.allocations == (0, 0))


@pytest.mark.parametrize(("side", "there", "written"), [("inside", "0.0.0.0", "::"), ("outside", "::", "0.0.0.0")])
async def test_the_old_way_to_hold_is_told_in_the_family_of_the_other_side(
    side: Side, there: str, written: str
) -> None:
    media = SessionMedia("best-effort")
    connection = Connection.of(there)
    keys = f"a=crypto:{KEY}\r\n"
    offered = Description.parse(
        f"v=0\r\no=- 1 1 {connection}\r\ns=-\r\nc={connection}\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n{keys}".encode()
    )
    media.give(0, Places((WORLD, 20000), (HERE, 30000)))
    section = media.offer(offered, side).written.media[0]
    assert section.connection == Connection.of(written)


async def test_frames_between_the_proxies_over_ipv6() -> None:
    words: list[MediaWord] = []
    media = OuterMedia(OuterMediaSettings(WORLD, HostPort(WORLD, 0), (0, 0)), lambda _, word: words.append(word))
    media.start()
    loop, tag = asyncio.get_running_loop(), b"t" * 16
    try:
        with (
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as flow,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client,
        ):
            for one in (flow, client):
                one.setblocking(False)
                one.bind((WORLD, 0))
            flow.connect((media.place.host, media.place.port))
            media.told("inner", MediaFlow(tag))
            flow.send(write(Frame(Kind.HELLO, tag)))
            assert read(await asyncio.wait_for(loop.sock_recv(flow, 2048), 5)).kind is Kind.HEARD
            media.told("inner", OpenMedia(7, "video"))
            place = words[-1]
            assert isinstance(place, MediaOpened)
            client.sendto(b"hello", (place.address, place.port))
            frame = await asyncio.wait_for(loop.sock_recv(flow, 2048), 5)
            assert (read(frame).peer, frame[HEAD:]) == (client.getsockname()[:2], b"hello")
            flow.send(write(Frame(Kind.MEDIA, tag, 7, Part.RTP, client.getsockname()[:2])) + b"back")
            assert await asyncio.wait_for(loop.sock_recv(client, 100), 5) == b"back"
    finally:
        media.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(ipv6: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    async with AsyncExitStack() as stack:
        yield await start_edge(tmp_path_factory.mktemp("edge6"), stack, world=WORLD)


async def test_https_over_ipv6(edge: Edge) -> None:
    url = edge.url("get_edge_config?service_name=_cisco-uds")
    status, _, body = await edge.curl("-6", "--user", f"anita:{PASSWORDS['anita']}", url=url)
    assert (status, EdgeConfiguration.parse(body.encode()).https) == (200, (HostPort(EDGE, edge.port),))
    status, _, body = await edge.curl(
        "-6", "--user", f"anita:{PASSWORDS['anita']}", url=edge.url("cucm-uds/version", edge.call_manager)
    )
    assert status == 200, body


async def test_messages_over_ipv6(edge: Edge) -> None:
    session = Session(Account("bram", DOMAIN, PASSWORDS["bram"]))
    context = ssl.create_default_context(cafile=str(edge.authority.ca_file))
    await asyncio.get_running_loop().create_connection(lambda: session, WORLD, edge.port_of("xmpp"))
    await session.secure(context, DOMAIN)
    await session.open_stream()
    await session.authenticate("PLAIN")
    await session.open_stream()
    await session.bind("outside")
    await session.ask(b"<ping xmlns='urn:xmpp:ping'/>", to=DOMAIN)
    assert session.transport is not None
    session.transport.abort()


async def test_who_guesses_over_ipv6_is_kept_out(edge: Edge) -> None:
    url = edge.url("get_edge_config")
    for _ in range(7):
        assert (await edge.curl("-6", "--user", "nobody:guess", url=url))[0] in (401, 429)
    (block,) = [one for one in edge.inner.protection.blocks(time.time()) if one.kind == "person"]
    assert block.who == "nobody"
    # here others were let in, so the address bears it; a neighbour of theirs counts as the same
    assert edge.inner.protection.knows("::2", "anita", time.time())


async def test_an_outer_proxy_with_an_ipv6_address_is_published_with_it(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    text = built_in()
    (line,) = [row for row in text.splitlines() if row.startswith('address = "127.0.20.40"')]
    file.write_text(text.replace(line, 'address = "2001:db8::40"'))
    deployment = load(file)
    (node,) = deployment.nodes("edge-outer")
    records = [one for zone in zones_of(deployment, "outside", "ns-outside") for one in zone.records]
    assert [
        (one.type, one.values) for one in records if node.name.startswith(f"{one.name}.") and one.type != "SRV"
    ] == [("AAAA", ("2001:db8::40",))]
