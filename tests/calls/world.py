"""A call manager's call control and any number of phones, wired in memory: real agents, real media ports, our time.

Time stands still until ``World.run`` moves it; what is sent arrives at once, in order. Every phone keeps the events
that its agent told, and a test waits for nothing: it looks at what is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ringback.protocols.oauth.known_keys import KnownKeys
from ringback.protocols.sip import events
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.flows import Flow, Outgoing, Target, Transport
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings, Credential
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.assembly import Parts, assemble
from ringback.services.callmanager.calls.desk import MediaDesk
from ringback.services.callmanager.calls.facts import CallFacts, QualityFacts
from ringback.services.callmanager.settings import CallSettings
from tests.calls.lines import DOMAIN, Office, secret

NODE = "cm1.halden.example"
MANAGER = ("127.0.0.1", 5060)
WALL = 1_700_000_000.0
_E = TypeVar("_E", bound=events.SipEvent)


def sdp(port: int, *, direction: str = "sendrecv", formats: str = "0 8", version: int = 1, extra: str = "") -> bytes:
    """A phone's description."""
    return (
        f"v=0\r\no=- {port} {version} IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\na={direction}\r\n{extra}"
    ).encode()


@dataclass
class Kept:
    """Records of calls that are over."""

    calls: list[CallFacts] = field(default_factory=list)
    begun: list[CallFacts] = field(default_factory=list)
    quality: list[QualityFacts] = field(default_factory=list)

    def call_began(self, facts: CallFacts) -> None:
        self.begun.append(facts)

    def call_ended(self, facts: CallFacts) -> None:
        self.calls.append(facts)

    def quality_reported(self, facts: QualityFacts) -> None:
        self.quality.append(facts)


class Handset:
    """A phone: an agent with an address, and what it was told. ``sound``: the port of its sound."""

    def __init__(self, world: World, name: str, number: str, transport: Transport, port: int, agent: str) -> None:
        self.world = world
        self.name = name
        self.number = number
        self.sound = port + 10_000
        self.address = ("127.0.0.9", port)
        self.agent = Agent(
            AgentSettings(
                product=agent,
                addresses={transport: self.address},
                credentials=(Credential(name, secret(name)),),
                session_expires=0,
            )
        )
        self.transport = transport
        self.here, self.there = world.join(self, transport, port)
        self.events: list[events.Event] = []
        self.sent: list[Request | Response] = []
        self.received: list[Request | Response] = []
        self.offers_in_answer = False
        self.version = itertools.count(1)
        self.quiet = False

    def all(self, kind: type[_E]) -> list[_E]:
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[_E]) -> _E:
        """The newest event of a kind."""
        found = self.all(kind)
        assert found, f"{self.name} was told {[type(event).__name__ for event in self.events]}"
        return found[-1]

    def register(self, *, expires: int = 3600, instance: str = "", headers: tuple[tuple[str, str], ...] = ()) -> int:
        """Register; the status of the answer."""
        contact = self.agent.contact(self.here, self.number)
        if instance:
            contact += f';+sip.instance="<{instance}>"'
        to = f"sip:{self.number}@{DOMAIN}"
        rows = (("Contact", contact), ("Expires", str(expires)), *headers)
        self.agent.send_request(
            self.world.now, "REGISTER", f"sip:{DOMAIN}", self.here, from_=f"<{to}>", to=f"<{to}>", headers=rows
        )
        self.world.settle()
        return self.last(events.Answered).response.status

    def description(self, direction: str = "sendrecv", formats: str = "0 8") -> bytes:
        """What this phone offers or answers now."""
        return sdp(self.sound, direction=direction, formats=formats, version=next(self.version))

    def call(
        self, number: str, *, offer: bool = True, headers: tuple[tuple[str, str], ...] = (), formats: str = "0 8"
    ) -> Session:
        """Call somebody."""
        uri = number if number.startswith("sip:") else f"sip:{number}@{DOMAIN}"
        session = self.agent.invite(
            self.world.now,
            uri,
            self.here,
            from_=f"<sip:{self.number}@{DOMAIN}>",
            sdp=self.description(formats=formats) if offer else None,
            headers=headers,
        )
        self.world.settle()
        return session

    @property
    def invited(self) -> Session:
        """The newest incoming call."""
        return self.last(events.Invited).session

    def ring(self) -> Session:
        """Ring."""
        session = self.invited
        session.ring(self.world.now)
        self.world.settle()
        return session

    def answer(self, formats: str = "0 8") -> Session:
        """Take the newest incoming call."""
        session = self.invited
        session.answer(self.world.now, self.description(formats=formats))
        self.world.settle()
        return session

    def act(self, action: Callable[[float], object]) -> None:
        """Do something with ``now``, and let everybody react."""
        action(self.world.now)
        self.world.settle()

    def offered(self, event: events.OfferArrived) -> None:
        """Agree to an offer within a call, or offer where we are asked to."""
        self.heard_offers.append(event.sdp)
        direction = "sendrecv"
        if event.sdp is not None and b"a=sendonly" in event.sdp:
            direction = "recvonly"
        elif event.sdp is not None and b"a=inactive" in event.sdp:
            direction = "inactive"
        event.session.answer_offer(self.world.now, self.description(direction))

    @property
    def heard_offers(self) -> list[bytes | None]:
        """The descriptions that came in offers within calls."""
        return self._heard

    _heard: list[bytes | None]

    def hears(self, session: Session) -> tuple[str, int]:
        """Where this phone sends its sound in a call, by the newest description that it was given."""
        found = ("", 0)
        for event in self.events:
            described = getattr(event, "sdp", None)
            if getattr(event, "session", None) is session and described:
                found = media_of(described)
        return found


def media_of(described: bytes) -> tuple[str, int]:
    """Address and port of the sound in a description."""
    text = described.decode()
    address = next(line.split()[-1] for line in text.splitlines() if line.startswith("c="))
    port = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("m=audio"))
    return address, port


class World:
    """See the head of the module. Make it on a running loop, since media ports are real."""

    def __init__(
        self, office: Office, plan: DialPlan, settings: CallSettings | None = None, tokens: KnownKeys | None = None
    ) -> None:
        self.now = 1000.0
        self.office = office
        self.kept = Kept()
        self.at_once = 0
        self.phones: list[Handset] = []
        self._flows = itertools.count(1)
        self._pairs: dict[Flow, tuple[Handset | None, Flow]] = {}
        self._places: dict[tuple[str, int], Flow] = {}
        base = settings or CallSettings(domain=DOMAIN, media_ports=(0, 0))
        self.settings = CallSettings(
            **{name: getattr(base, name) for name in CallSettings.__dataclass_fields__ if name != "plan"}, plan=plan
        )
        self.agent = Agent(
            AgentSettings(product="Ringback", addresses={"udp": MANAGER, "tcp": MANAGER}, session_expires=0)
        )
        self.desk = MediaDesk(self.settings, "127.0.0.1")
        parts = Parts(
            settings=self.settings,
            node=NODE,
            agent=self.agent,
            lines=office,
            changes=office,
            desk=self.desk,
            records=self.kept,
            own_hosts=frozenset({DOMAIN, NODE, MANAGER[0]}),
            nonce_key=b"k" * 32,
            wall=WALL,
            tokens=tokens,
            authorisation=f"https://{NODE}:8443",
        )
        self.control = assemble(parts)
        office.told = lambda lines, messages, phones: self.control.upkeep.book_changed(
            lines, messages, phones, self.now
        )

    def phone(self, name: str, number: str, transport: Transport = "udp", agent: str = "Handset/1") -> Handset:
        """A phone that is not registered yet."""
        handset = Handset(self, name, number, transport, 20_000 + 10 * len(self.phones), agent)
        handset._heard = []
        self.phones.append(handset)
        return handset

    def registered(self, name: str, number: str, transport: Transport = "udp", agent: str = "Handset/1") -> Handset:
        """A phone that is registered."""
        handset = self.phone(name, number, transport, agent)
        assert handset.register() == 200
        return handset

    def join(self, handset: Handset, transport: Transport, port: int) -> tuple[Flow, Flow]:
        """A connection between a phone and the call manager, as each of them sees it."""
        here = Flow(next(self._flows), transport, ("127.0.0.9", port), MANAGER, inbound=False)
        there = Flow(next(self._flows), transport, MANAGER, ("127.0.0.9", port), inbound=True)
        self._pairs[here] = (None, there)
        self._pairs[there] = (handset, here)
        self._places["127.0.0.9", port] = there
        return here, there

    def cut(self, handset: Handset) -> None:
        """A phone's connection breaks; both sides notice."""
        handset.here.closed = handset.there.closed = True
        self.agent.flow_closed(handset.there, self.now)
        self.control.upkeep.flow_closed(handset.there, self.now)
        handset.agent.flow_closed(handset.here, self.now)
        self.settle()

    def move(self, handset: Handset) -> None:
        """A phone has another address and connection, which nobody was told of."""
        handset.here, handset.there = self.join(handset, handset.transport, 29_000 + next(self._flows))

    def settle(self) -> None:
        """Let messages go to and fro until everybody has said everything; not yet, while things happen at once."""
        if self.at_once:
            self.at_once -= 1
            return
        for _ in range(10_000):
            if not self._turn():
                return
        raise AssertionError("The messages never end")

    def run(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        self.settle()
        while True:
            due = [agent.next_deadline() for agent in self._agents()]
            due.append(self.control.core.timers.next_deadline())
            times = [one for one in due if one is not None and one <= end]
            if not times:
                break
            self.now = max(self.now, min(times))
            for agent in self._agents():
                agent.handle_timer(self.now)
            self.control.core.timers.fire(self.now)
            self.settle()
        self.now = end

    async def close(self) -> None:
        """Give the ports back."""
        await self.desk.close()

    def _agents(self) -> list[Agent]:
        return [self.agent, *(phone.agent for phone in self.phones)]

    def _turn(self) -> bool:
        busy = False
        for outgoing in self.agent.data_to_send():
            busy = True
            self._deliver(outgoing, None)
        while (event := self.agent.next_event()) is not None:
            busy = True
            self.control.handle(event, self.now)
        for phone in self.phones:
            for outgoing in phone.agent.data_to_send():
                busy = True
                self._deliver(outgoing, phone)
            while (event := phone.agent.next_event()) is not None:
                busy = True
                phone.events.append(event)
                if isinstance(event, events.OfferArrived) and not phone.quiet and event.session.state != "ended":
                    phone.offered(event)
                elif isinstance(event, events.OfferAnswered) and event.offer:
                    event.session.ack(self.now, phone.description())
        return busy

    def _deliver(self, outgoing: Outgoing, sender: Handset | None) -> None:
        way = outgoing.way
        message = parse(bytes(outgoing.data))
        if isinstance(way, Target):
            found = self._places.get((way.host, way.port))
            if found is None:
                agent = self.agent if sender is None else sender.agent
                agent.send_failed(outgoing, self.now)
                return
            way = found
        receiver, flow = self._pairs[way]
        if sender is not None:
            sender.sent.append(message)
        if receiver is not None:
            receiver.received.append(message)
            receiver.agent.receive(message, flow, self.now)
        else:
            self.agent.receive(message, flow, self.now)
