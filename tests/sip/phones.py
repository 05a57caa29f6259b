"""Phones for tests over real sockets: an agent on a node, with what it was told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import TypeVar

from ringback.net.sip.connecting import SecondLook
from ringback.net.sip.locate import Locator
from ringback.net.sip.node import Listen, SipNode
from ringback.protocols.sip.agent import Agent, AgentSettings, Credential
from ringback.protocols.sip.events import Event
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.registration import Registrar, RegistrationSettings

E = TypeVar("E", bound=Event)


class Phone:
    """A user agent that registers and calls."""

    def __init__(
        self,
        user: str,
        *,
        password: str = "secret",
        listen: Sequence[Listen] = (),
        context: ssl.SSLContext | None = None,
        locator: Locator | None = None,
        second_look: SecondLook | None = None,
    ) -> None:
        self.user = user
        self.credentials = (Credential(user, password),)
        self.agent = Agent(AgentSettings(product=user, contact_user=user, credentials=self.credentials))
        self.events: list[Event] = []
        self.node = SipNode(
            self.agent, self._told, listen=listen, client_context=context, locator=locator, second_look=second_look
        )
        self.on_event: Callable[[Event, float], None] | None = None
        self._changed = asyncio.Event()

    @property
    def now(self) -> float:
        """The node's clock."""
        return self.node.clock()

    def _told(self, event: Event, now: float) -> None:
        self.events.append(event)
        self._changed.set()
        if self.on_event is not None:
            self.on_event(event, now)

    def register(self, *targets: Target, **more: object) -> None:
        """Begin to register."""
        settings = RegistrationSettings(
            self.user,
            tuple(Registrar(target, "example.com") for target in targets),
            self.credentials,
            instance="urn:uuid:00000000-0000-1000-8000-0000000000aa",
            **more,  # type: ignore[arg-type]  # passed on as given
        )
        self.registration = self.agent.register(settings)
        self.registration.start(self.now)
        self.node.flush()

    def told(self, kind: type[E]) -> list[E]:
        """The events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(self, kind: type[E], condition: Callable[[E], bool] = lambda _event: True, within: float = 8.0) -> E:
        """The first event of a kind that fits, which may have come already."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.told(kind):
                        if condition(event):
                            return event
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.user} was only told {self.events}") from None
