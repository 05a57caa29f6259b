"""Agents wired to each other in memory: time is a number, and the link loses, delays, doubles and reorders by a
seed."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.events import Event, FlowWanted
from ringback.protocols.sip.flows import Flow, Target, Transport, Way
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.settings import AgentSettings

E = TypeVar("E", bound=Event)

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
ANSWER = OFFER.replace(b"40000", b"50000")


@dataclass(frozen=True)
class Weather:
    """What a link does: chances of loss and doubling, seconds of delay at least and at most."""

    loss: float = 0.0
    double: float = 0.0
    delay: tuple[float, float] = (0.001, 0.001)


def tokens(seed: str) -> Callable[[], str]:
    """Texts like those of ``Tokens``, the same in each run."""
    source = random.Random(seed)
    return lambda: f"{source.getrandbits(64):016x}"


class Party:
    """An agent with its address, what it was told, and all that it sent."""

    def __init__(self, name: str, address: tuple[str, int], settings: AgentSettings, transport: Transport) -> None:
        self.name = name
        self.address = address
        self.agent = Agent(settings, tokens(name))
        self.agent.addresses[transport] = address
        self.events: list[Event] = []
        self.flows: dict[tuple[str, int], Flow] = {}
        self.sent: list[Request | Response] = []
        self.handler: Callable[[Event], None] | None = None

    def told(self, kind: type[E]) -> list[E]:
        """The events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[E]) -> E:
        """The newest event of a kind."""
        found = self.told(kind)
        assert found, f"{self.name} was not told {kind.__name__}, but {[type(event).__name__ for event in self.events]}"
        return found[-1]


class Link:
    """The network between parties."""

    def __init__(self, seed: int = 0, weather: Weather = Weather(), transport: Transport = "udp") -> None:
        self.now = 1000.0
        self.weather = weather
        self.transport: Transport = transport
        self.random = random.Random(seed)
        self.parties: dict[tuple[str, int], Party] = {}
        self._count = itertools.count()
        self._under_way: list[tuple[float, int, Party, Party, bytes]] = []
        self.lost = 0
        self.drop: Callable[[Request | Response], bool] | None = None
        self.unreachable = False

    def party(self, name: str, port: int, settings: AgentSettings | None = None) -> Party:
        """A new agent at 127.0.0.1:port."""
        address = ("127.0.0.1", port)
        chosen = settings or AgentSettings(product=name, contact_user=name)
        party = self.parties[address] = Party(name, address, chosen, self.transport)
        return party

    def flow(self, owner: Party, peer: tuple[str, int]) -> Flow:
        """The flow of an agent to an address."""
        found = owner.flows.get(peer)
        if found is None or found.closed:
            found = Flow(next(self._count), self.transport, owner.address, peer, inbound=False)
            owner.flows[peer] = found
        return found

    def pump(self) -> None:
        """Put what the agents want to send on its way, and hand out their events."""
        busy = True
        while busy:
            busy = False
            for party in list(self.parties.values()):
                for outgoing in party.agent.data_to_send():
                    busy = True
                    if self.unreachable:  # as the driver tells it
                        party.agent.send_failed(outgoing, self.now)
                    else:
                        self._send(party, outgoing.way, outgoing.data)
                while (event := party.agent.next_event()) is not None:
                    busy = True
                    party.events.append(event)
                    if isinstance(event, FlowWanted):
                        peer = (event.target.host, event.target.port)
                        event.registration.flow_ready(event.target, self.flow(party, peer), self.now)
                    if party.handler is not None:
                        party.handler(event)

    def _send(self, party: Party, way: Way, data: bytes) -> None:
        address = (way.host, way.port) if isinstance(way, Target) else way.remote
        message = parse(data)
        party.sent.append(message)
        peer = self.parties.get(address)
        if peer is None or (self.drop is not None and self.drop(message)):
            self.lost += 1
            return
        weather = self.weather
        reliable = self.transport != "udp"
        if not reliable and self.random.random() < weather.loss:
            self.lost += 1
            return
        copies = 2 if not reliable and self.random.random() < weather.double else 1
        for _ in range(copies):
            wait = weather.delay[0] if reliable else self.random.uniform(*weather.delay)
            heapq.heappush(self._under_way, (self.now + wait, next(self._count), party, peer, data))

    def step(self, until: float) -> bool:
        """Go to the next thing that happens; False where nothing does before ``until``."""
        self.pump()
        moments = [
            each for each in (party.agent.next_deadline() for party in self.parties.values()) if each is not None
        ]
        if self._under_way:
            moments.append(self._under_way[0][0])
        if not moments or min(moments) > until:
            self.now = max(self.now, until)
            return False
        self.now = max(self.now, min(moments))
        while self._under_way and self._under_way[0][0] <= self.now:
            _, _, sender, receiver, data = heapq.heappop(self._under_way)
            receiver.agent.receive(parse(data), self.flow(receiver, sender.address), self.now)
        for party in self.parties.values():
            party.agent.handle_timer(self.now)
        self.pump()
        return True

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self.step(until):
            pass

    def run_until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let time pass until something is so."""
        until = self.now + seconds
        self.pump()
        while not condition():
            assert self.step(until), "it did not happen in time"

    def way(self, owner: Party, peer: Party) -> Flow:
        """How ``owner`` reaches ``peer``."""
        return self.flow(owner, peer.address)


def nothing_left(party: Party) -> None:
    """No transaction, dialog or timer is left in an agent."""
    agent = party.agent
    assert not agent.clients, [(key, each.state) for key, each in agent.clients.items()]
    assert not agent.servers, [(key, each.state) for key, each in agent.servers.items()]
    assert not agent.users, list(agent.users)
    assert not agent.sessions
    assert not agent.merged
    assert len(agent.timers) == 0, len(agent.timers)
