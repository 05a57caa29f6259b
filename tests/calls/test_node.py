"""A call manager node on real sockets: phones over UDP, TCP and TLS, music that is heard, restarts, strangers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.deployment.authority import Authority
from ringback.net.sip.node import Listen, SipNode
from ringback.net.tls import client_context
from ringback.protocols.sip import events
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.flows import Flow, Target, Transport
from ringback.protocols.sip.message import Response
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings, Credential
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    CallManagerSettings,
    CallSettings,
    DeviceRecord,
    LineRecord,
)
from tests.calls.world import media_of
from tests.support.nodes import call_manager_settings

DOMAIN = "halden.example"
NODE = "cm1.halden.example"
NUMBERS = {"ANNA": "2001", "BERT": "2002"}
PASSWORD = "a pass phrase of phones"


class Phone:
    """A phone on a real socket, with a real port for sound."""

    def __init__(self, manager: CallManager, authority: Authority, name: str, transport: Transport) -> None:
        self.name, self.number, self.transport = name, NUMBERS[name], transport
        self.events: list[events.Event] = []
        self.bell = asyncio.Event()
        service = "sip-tls" if transport == "tls" else "sip"
        port = next(endpoint.port for endpoint in manager.endpoints if endpoint.service == service)
        self.target = Target(transport, "127.0.0.1", port, NODE)
        self.sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sound.bind(("127.0.0.1", 0))
        self.sound.setblocking(False)
        self.agent = Agent(
            AgentSettings(product="Handset", contact_user=self.number, credentials=(Credential(name, PASSWORD),))
        )
        listen = [Listen("udp", "127.0.0.1")] if transport == "udp" else []
        context = client_context(authority.ca_file)
        self.node = SipNode(self.agent, self._on_event, listen=listen, client_context=context)
        self.flow: Flow | None = None

    async def start(self) -> None:
        await self.node.start()
        if self.transport == "udp":
            self.flow = self.node.datagram_flow((self.target.host, self.target.port))
        else:
            self.flow = await self.node.connect(self.target)

    async def stop(self) -> None:
        await self.node.stop()
        self.sound.close()

    def _on_event(self, event: events.Event, now: float) -> None:
        self.events.append(event)
        self.bell.set()
        if isinstance(event, events.Invited):
            event.session.answer(now, self.description())
        elif isinstance(event, events.OfferArrived):
            event.session.answer_offer(now, self.description(b"recvonly" if b"sendonly" in (event.sdp or b"") else b""))

    def description(self, direction: bytes = b"") -> bytes:
        port = self.sound.getsockname()[1]
        return (
            f"v=0\r\no=- {port} {len(self.events) + 1} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na={direction.decode() or 'sendrecv'}\r\n"
        ).encode()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for events until a condition holds."""
        async with asyncio.timeout(15):
            while not condition():
                self.bell.clear()
                await self.bell.wait()

    def saw(self, kind: type[events.Event], count: int = 1) -> bool:
        return sum(isinstance(event, kind) for event in self.events) >= count

    async def register(self) -> Response:
        flow = self.flow
        assert flow is not None
        address = f"<sip:{self.number}@{DOMAIN}>"
        rows = (("Contact", self.agent.contact(flow, self.number)), ("Expires", "600"))
        before = sum(isinstance(event, events.Answered) for event in self.events)
        self.agent.send_request(
            time.monotonic(), "REGISTER", f"sip:{DOMAIN}", flow, from_=address, to=address, headers=rows
        )
        self.node.flush()
        await self.until(lambda: self.saw(events.Answered, before + 1))
        return next(event.response for event in reversed(self.events) if isinstance(event, events.Answered))

    def call(self, number: str) -> Session:
        flow = self.flow
        assert flow is not None
        address = f"<sip:{self.number}@{DOMAIN}>"
        session = self.agent.invite(
            time.monotonic(), f"sip:{number}@{DOMAIN}", flow, from_=address, sdp=self.description()
        )
        self.node.flush()
        return session

    def act(self, action: Callable[[float], object]) -> None:
        action(time.monotonic())
        self.node.flush()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def settings(tmp_path: Path, authority: Authority) -> CallManagerSettings:
    plan = DialPlan(lines=frozenset(NUMBERS.values()), domains=frozenset({DOMAIN}))
    devices = tuple(
        DeviceRecord(name, user=name, password=PASSWORD, lines=(LineRecord(number),))
        for name, number in NUMBERS.items()
    )
    return replace(
        call_manager_settings(NODE, tmp_path, authority),
        devices=devices,
        calls=CallSettings(
            sip_port=0, sip_tls_port=0, domain=DOMAIN, plan=plan, media_ports=(0, 0), credential_key=b"k" * 32
        ),
    )


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def serve(stack: AsyncExitStack, settings: CallManagerSettings) -> CallManager:
    manager = CallManager(settings)
    await manager.start()
    stack.push_async_callback(manager.stop)
    return manager


async def phone(
    stack: AsyncExitStack, manager: CallManager, authority: Authority, name: str, transport: Transport
) -> Phone:
    made = Phone(manager, authority, name, transport)
    await made.start()
    stack.push_async_callback(made.stop)
    return made


@pytest.mark.parametrize("ways", [("udp", "tcp"), ("tls", "tls"), ("tcp", "udp")])
async def test_phones_over_any_transport(
    stack: AsyncExitStack, settings: CallManagerSettings, authority: Authority, ways: tuple[Transport, Transport]
) -> None:
    manager = await serve(stack, settings)
    anna = await phone(stack, manager, authority, "ANNA", ways[0])
    bert = await phone(stack, manager, authority, "BERT", ways[1])
    assert (await anna.register()).status == 200
    assert (await bert.register()).status == 200
    call = anna.call("2002")
    await anna.until(lambda: anna.saw(events.Accepted))
    accepted = next(event for event in anna.events if isinstance(event, events.Accepted))
    assert media_of(accepted.sdp or b"") == ("127.0.0.1", bert.sound.getsockname()[1])
    anna.act(call.bye)
    await bert.until(lambda: bert.saw(events.Ended))


async def test_who_is_held_hears_music(
    stack: AsyncExitStack, settings: CallManagerSettings, authority: Authority
) -> None:
    manager = await serve(stack, settings)
    anna = await phone(stack, manager, authority, "ANNA", "udp")
    bert = await phone(stack, manager, authority, "BERT", "udp")
    await anna.register()
    await bert.register()
    call = anna.call("2002")
    await anna.until(lambda: anna.saw(events.Accepted))
    anna.act(lambda now: call.reinvite(now, anna.description(b"sendonly")))
    await bert.until(lambda: bert.saw(events.OfferArrived))
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(15):
        packets = [await loop.sock_recv(bert.sound, 2000) for _ in range(25)]
    sequence = [int.from_bytes(packet[2:4]) for packet in packets if packet[1] & 0x7F == 0]
    assert sequence == sorted(sequence)
    assert len({packet[12:] for packet in packets}) > 5  # music, not one frame again and again


async def test_a_restarted_node_reaches_its_phones_at_once(
    stack: AsyncExitStack, settings: CallManagerSettings, authority: Authority
) -> None:
    first = await serve(stack, settings)
    port = next(endpoint.port for endpoint in first.endpoints if endpoint.service == "sip")
    anna = await phone(stack, first, authority, "ANNA", "udp")
    bert = await phone(stack, first, authority, "BERT", "udp")
    await anna.register()
    await bert.register()
    await first.stop()
    calls = settings.calls
    assert calls is not None
    await serve(stack, replace(settings, calls=replace(calls, sip_port=port)))
    anna.call("2002")
    await anna.until(lambda: anna.saw(events.Accepted))
    assert bert.saw(events.Invited)


async def test_a_call_that_the_node_does_not_know_is_left_alone_but_can_be_ended(
    stack: AsyncExitStack, settings: CallManagerSettings, authority: Authority
) -> None:
    first = await serve(stack, settings)
    port = next(endpoint.port for endpoint in first.endpoints if endpoint.service == "sip")
    anna = await phone(stack, first, authority, "ANNA", "udp")
    bert = await phone(stack, first, authority, "BERT", "udp")
    await anna.register()
    await bert.register()
    call = anna.call("2002")
    await anna.until(lambda: anna.saw(events.Accepted))
    await first.stop()
    calls = settings.calls
    assert calls is not None
    await serve(stack, replace(settings, calls=replace(calls, sip_port=port)))
    anna.act(lambda now: call.reinvite(now, anna.description(b"sendonly")))
    await anna.until(lambda: anna.saw(events.OfferRefused))
    refused = next(event for event in anna.events if isinstance(event, events.OfferRefused))
    assert refused.status == 403
    assert refused.response is not None
    assert "set up by another node" in refused.response.warnings[0].text
    assert call.state == "confirmed"
    anna.act(call.bye)
    await anna.until(lambda: anna.saw(events.Ended))
