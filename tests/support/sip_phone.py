"""A plain SIP phone for tests: registers over TLS with the first node that answers, calls, and takes every call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ringback.net.sip.node import SipNode
from ringback.net.tls import client_context
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.events import Accepted, Ended, Event, Failed, Invited
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.registration import Registrar, Registration, RegistrationSettings
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings, Credential

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


class Bell:
    """Rings whenever something happens at one of several phones."""

    def __init__(self) -> None:
        self._rings = asyncio.Event()

    def ring(self) -> None:
        """Something happened."""
        self._rings.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> float:
        """Wait until what happened makes a condition true; the seconds that it took. Raises TimeoutError."""
        begin = time.monotonic()
        async with asyncio.timeout(seconds):
            while not condition():
                self._rings.clear()
                await self._rings.wait()
        return time.monotonic() - begin


class SipPhone:
    """A phone. ``events`` are all that happened, in order; ``bell`` rings for each."""

    def __init__(
        self, ca_file: Path, user: str, password: str, number: str, bell: Bell, domain: str = "example.com"
    ) -> None:
        self._credential = Credential(user, password)
        self._number = number
        self._domain = domain
        self.bell = bell
        self.events: list[Event] = []
        agent = Agent(AgentSettings(product="Test phone", contact_user=number, credentials=(self._credential,)))
        self.node = SipNode(agent, self._on_event, client_context=client_context(ca_file))
        self.agent = agent
        self._registration: Registration | None = None

    def _on_event(self, event: Event, now: float) -> None:
        self.events.append(event)
        self.bell.ring()
        if isinstance(event, Invited):
            event.session.ring(now, 180)
            event.session.answer(now, SDP)

    def register(self, servers: list[tuple[str, str, int]], *, keep_alive: int = 2) -> None:
        """Register with the first of these nodes (name, address, port) that answers, and stay so."""
        registrars = tuple(
            Registrar(Target("tls", address, port, name), self._domain) for name, address, port in servers
        )
        settings = RegistrationSettings(
            user=self._number,
            registrars=registrars,
            credentials=(self._credential,),
            expires=60,
            keep_alive=keep_alive,
            retry=(0.2, 1.0),
        )
        self._registration = self.agent.register(settings)
        self._registration.start(time.monotonic())
        self.node.flush()

    @property
    def registered_with(self) -> str:
        """The name of the node it is registered with; empty where with none."""
        mine = self._registration
        if mine is None or mine.registrar is None or mine.state != "registered":
            return ""
        return mine.registrar.target.name

    @property
    def state(self) -> str:
        """The state of the registration."""
        return "off" if self._registration is None else self._registration.state

    def call(self, number: str) -> Session:
        """Call a number through the node it is registered with."""
        flow = None if self._registration is None else self._registration.flow
        if flow is None:
            raise RuntimeError("the phone is not registered")
        session = self.agent.invite(
            time.monotonic(),
            f"sip:{number}@{self._domain}",
            flow,
            from_=f"<sip:{self._number}@{self._domain}>",
            sdp=SDP,
        )
        self.node.flush()
        return session

    def hang_up(self, session: Session) -> None:
        """End a call."""
        session.bye(time.monotonic())
        self.node.flush()

    def saw(self, kind: type[Event], session: Session | None = None) -> bool:
        """Whether something happened, to a call where one is given."""
        return any(
            isinstance(event, kind) and (session is None or getattr(event, "session", None) is session)
            for event in self.events
        )


@asynccontextmanager
async def sip_phone(
    ca_file: Path, user: str, password: str, number: str, bell: Bell, domain: str = "example.com"
) -> AsyncIterator[SipPhone]:
    """A phone on the network, not yet registered."""
    phone = SipPhone(ca_file, user, password, number, bell, domain)
    await phone.node.start()
    try:
        yield phone
    finally:
        await phone.node.stop()


__all__ = ["SDP", "Accepted", "Bell", "Ended", "Failed", "Invited", "SipPhone", "sip_phone"]
