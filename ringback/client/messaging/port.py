"""What the books need of the connection: to send, and to ask."""

from __future__ import annotations

from typing import Protocol
from xml.etree.ElementTree import Element

from ringback.rules.addresses import Jid


class Port(Protocol):
    """A way to the presence service; both raise NotConnectedError while there is no session."""

    @property
    def ready(self) -> bool:
        """Whether stanzas can be sent now."""

    def send(self, element: Element, *, confirm: bool = False) -> None:
        """Send a message or presence; ``confirm`` asks the server to acknowledge it at once."""

    async def request(self, kind: str, payload: Element, to: Jid | None = None, seconds: float = 20.0) -> Element:
        """Send an iq and give the answer's iq. Raises RequestFailedError."""

    async def fence(self) -> None:
        """Return when everything that came before now has been handled."""
