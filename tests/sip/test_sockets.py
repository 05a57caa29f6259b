"""Agents on real sockets: UDP, TCP and TLS, registered with digest through a back-to-back agent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringback.deployment.authority import Authority
from ringback.net.sip.limits import Limits
from ringback.net.sip.node import Listen, SipNode
from ringback.net.tls import client_context, server_context
from ringback.protocols.sip.agent import Agent, AgentSettings
from ringback.protocols.sip.events import (
    Accepted,
    Ended,
    Event,
    Invited,
    OfferAnswered,
    OfferArrived,
    Progressed,
    RegistrationChanged,
)
from ringback.protocols.sip.flows import Target, Transport
from tests.sip.phones import Phone
from tests.sip.switchboard import Switchboard
from tests.sip.wire import ANSWER, OFFER

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


class House:
    """A switchboard with phones of one transport."""

    def __init__(self, board: Switchboard, transport: Transport, ca_file: Path) -> None:
        self.board = board
        self.transport: Transport = transport
        self.ca_file = ca_file
        self.phones: list[Phone] = []

    @property
    def target(self) -> Target:
        return Target(self.transport, HOST, self.board.port(self.transport), "cm1.example.com")

    async def phone(self, user: str, **more: object) -> Phone:
        listen = [Listen("udp", HOST)] if self.transport == "udp" else []
        phone = Phone(user, listen=listen, context=client_context(self.ca_file))
        self.phones.append(phone)
        await phone.node.start()
        phone.register(self.target, **more)
        return phone

    async def registered(self, user: str) -> Phone:
        phone = await self.phone(user)
        await phone.wait(RegistrationChanged, lambda event: event.state == "registered")
        return phone


@asynccontextmanager
async def house(transport: Transport, authority: Authority) -> AsyncIterator[House]:
    context = server_context(authority.issue("cm1", ["cm1.example.com"]))
    listen = [Listen("udp", HOST), Listen("tcp", HOST), Listen("tls", HOST, context=context)]
    board = Switchboard(listen)
    await board.node.start()
    made = House(board, transport, authority.ca_file)
    try:
        yield made
    finally:
        for phone in made.phones:
            await phone.node.stop()
        await board.node.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_register_call_hold_and_hang_up(transport: Transport, authority: Authority) -> None:
    async with house(transport, authority) as home:
        alice, bob = await home.registered("u1"), await home.registered("u2")
        flow = alice.registration.flow
        assert flow is not None
        out = alice.agent.invite(alice.now, "sip:u2@example.com", flow, from_="<sip:u1@example.com>", sdp=OFFER)
        alice.node.flush()
        invited = await bob.wait(Invited)
        assert invited.sdp == OFFER
        assert invited.session.secure == (transport == "tls")
        invited.session.ring(bob.now)
        bob.node.flush()
        await alice.wait(Progressed, lambda event: event.response.status == 180)
        invited.session.answer(bob.now, ANSWER)
        bob.node.flush()
        assert (await alice.wait(Accepted)).sdp == ANSWER
        held = OFFER + b"a=sendonly\r\n"
        out.reinvite(alice.now, held)
        alice.node.flush()
        assert (await bob.wait(OfferArrived)).sdp == held
        invited.session.answer_offer(bob.now, ANSWER + b"a=recvonly\r\n")
        bob.node.flush()
        assert (await alice.wait(OfferAnswered)).sdp == ANSWER + b"a=recvonly\r\n"
        out.bye(alice.now)
        alice.node.flush()
        assert (await bob.wait(Ended)).by == "them"


async def test_a_wrong_password_is_refused_and_said(authority: Authority) -> None:
    async with house("tcp", authority) as home:
        phone = Phone("u1", password="wrong")
        home.phones.append(phone)
        await phone.node.start()
        phone.register(home.target)
        event = await phone.wait(RegistrationChanged, lambda event: event.state == "refused")
        assert event.reasons[0].id == "registration.password-refused"


async def test_a_certificate_of_another_name_is_refused_and_said(authority: Authority) -> None:
    async with house("tls", authority) as home:
        phone = Phone("u1", context=client_context(authority.ca_file))
        home.phones.append(phone)
        await phone.node.start()
        phone.register(Target("tls", HOST, home.board.port("tls"), "cm2.example.com"))
        event = await phone.wait(RegistrationChanged, lambda event: event.state == "waiting")
        assert [reason.id for reason in event.reasons] == ["registration.certificate-refused"]


async def test_the_second_registrar_serves_when_the_first_is_gone(authority: Authority) -> None:
    async with house("tcp", authority) as first, house("tcp", authority) as second:
        phone = Phone("u1")
        first.phones.append(phone)
        await phone.node.start()
        phone.register(first.target, second.target, return_after=1)
        await phone.wait(RegistrationChanged, lambda event: event.state == "registered")
        port = first.board.port("tcp")
        await first.board.node.stop()
        event = await phone.wait(
            RegistrationChanged,
            lambda event: event.state == "registered" and event.reasons[-1].id == "registration.on-standby",
        )
        assert event.reasons[-1].values["first"] == HOST
        assert "u1" in second.board.bindings
        again = Switchboard([Listen("tcp", HOST, port)])
        await again.node.start()
        try:
            phone.events.clear()
            await phone.wait(
                RegistrationChanged,
                lambda event: event.state == "registered" and event.reasons[-1].id == "registration.registered",
            )
            assert "u1" in again.bindings
        finally:
            await phone.node.stop()
            await again.node.stop()


async def test_strangers_are_held_back_and_registered_ones_are_not(authority: Authority) -> None:
    async with house("udp", authority) as home:
        alice = await home.registered("u1")
        bob = await home.registered("u2")
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(HOST, home.board.port("udp"))
        )
        options = (
            b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK%d\r\n"
            b"From: <sip:x@y>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        for number in range(3000):
            transport.sendto(options % (number, number))
        flow = alice.registration.flow
        assert flow is not None
        alice.agent.invite(alice.now, "sip:u2@example.com", flow, from_="<sip:u1@example.com>", sdp=OFFER)
        alice.node.flush()
        await bob.wait(Invited)
        transport.close()
        assert home.board.node.figures["messages of strangers dropped"] > 1000


async def test_one_mistake_of_the_application_stops_nothing(authority: Authority) -> None:
    async with house("udp", authority) as home:
        alice, bob = await home.registered("u1"), await home.registered("u2")
        wrong = iter([True])

        def fail_once(event: Event, _now: float) -> None:
            if isinstance(event, Invited) and next(wrong, False):
                raise LookupError("a mistake in handling the first call")

        bob.on_event = fail_once
        flow = alice.registration.flow
        assert flow is not None
        for expected in (1, 2):
            alice.agent.invite(alice.now, "sip:u2@example.com", flow, from_="<sip:u1@example.com>", sdp=OFFER)
            alice.node.flush()
            await bob.wait(Invited, lambda _event, count=expected: len(bob.told(Invited)) >= count)  # type: ignore[misc]
        second = bob.told(Invited)[1]
        second.session.answer(bob.now, ANSWER)
        bob.node.flush()
        assert (await alice.wait(Accepted)).sdp == ANSWER
        assert bob.node.figures["mistakes"] == 1
        assert bob.node._timer is not None


def test_strangers_from_everywhere_have_one_budget() -> None:
    node = SipNode(Agent(AgentSettings()), lambda _event, _now: None, limits=Limits(all_rate=10, all_burst=20))
    crowd = [(f"192.0.2.{number % 250}", 1024 + number) for number in range(1000)]
    assert sum(node.admits(peer, 100.0) for peer in crowd) == 20
    assert sum(node.admits(peer, 101.0) for peer in crowd) == 10
    assert node.figures["messages of strangers dropped"] == 1970


async def test_a_busy_socket_is_looked_at_from_time_to_time_and_a_calm_one_at_once() -> None:
    node = SipNode(Agent(AgentSettings()), lambda event, now: None, listen=[Listen("udp", HOST)])
    await node.start()
    endpoint = node._datagrams[0]
    loop = asyncio.get_running_loop()
    caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    caller.bind((HOST, 0))
    caller.setblocking(False)
    endpoint.flow(caller.getsockname()).protected = True  # as if it had registered

    async def ask(number: int) -> None:
        await loop.sock_sendto(caller, _options(number, caller.getsockname()[1]), endpoint.local)
        assert (await loop.sock_recv(caller, 65_535)).startswith(b"SIP/2.0 200")

    try:
        async with asyncio.timeout(20):
            await ask(0)
            assert not endpoint.is_busy()
            number = 0
            while not endpoint.is_busy():
                for _ in range(50):
                    caller.sendto(_options(number := number + 1, caller.getsockname()[1]), endpoint.local)
                for _ in range(50):
                    assert (await loop.sock_recv(caller, 65_535)).startswith(b"SIP/2.0 200")
            while endpoint.is_busy():  # one after the other they are fewer than are called busy
                await ask(number := number + 1)
            await ask(number + 1)
    finally:
        caller.close()
        await node.stop()


def _options(number: int, port: int) -> bytes:
    return (
        f"OPTIONS sip:{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@{HOST}>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: {number}\r\nCSeq: {number} OPTIONS\r\n\r\n"
    ).encode()
