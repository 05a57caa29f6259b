"""The person's own availability: what was set by hand, else whether anybody is at the keyboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

import msgspec

from ringback.client.messaging.port import Port
from ringback.client.messaging.stanzas import ACTIVITY, CLIENT, IDLE
from ringback.client.store.store import Store

IDLE_SECONDS = 300
_CSI = "urn:xmpp:csi:0"
_ON_CALL = "On a call"  # for clients that do not know the activity

Chosen = Literal["", "available", "away", "dnd", "offline"]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the person set; kept, so that do not disturb survives a restart. ``at`` is an ISO time."""

    chosen: Chosen = ""
    status: str = ""
    at: str = ""


class OwnPresence:
    """Keeps the choice and tells the server. ``send`` raises NotConnectedError."""

    def __init__(self, port: Port, store: Store) -> None:
        self._port = port
        self._store = store
        self.choice = Choice()
        self.idle_since: datetime | None = None
        self._on_call = False

    async def load(self) -> None:
        """Take over what was chosen last time."""
        self.choice = await self._store.get("meta", "presence", Choice) or Choice()

    async def choose(self, chosen: Chosen, status: str | None) -> None:
        """Set the availability by hand (empty: the devices decide); ``status`` None leaves the message."""
        words = self.choice.status if status is None else status
        now = datetime.now(UTC).isoformat()
        at = self.choice.at if chosen == self.choice.chosen else now
        self.choice = Choice(chosen=chosen, status=words, at=at if chosen else "")
        await self._store.put("meta", "presence", self.choice)
        if self._port.ready:
            self.send()

    def on_call(self, on: bool) -> None:
        """The person talks on the phone, or not any more: others see it, and what was before comes back after."""
        if self._on_call != on:
            self._on_call = on
            if self._port.ready:
                self.send()

    def report(self, idle_seconds: int, *, tells_server: bool) -> None:
        """The person is at the keyboard, or not since so many seconds: away after five minutes (XEP-0319).

        ``tells_server``: the server wants to know, to send less meanwhile (XEP-0352).
        """
        was = self.idle_since is not None
        if idle_seconds < IDLE_SECONDS:
            self.idle_since = None
        elif not was:
            self.idle_since = datetime.now(UTC) - timedelta(seconds=min(idle_seconds, 10**8))
        if was == (self.idle_since is not None) or not self._port.ready:
            return
        self.send()
        if tells_server:
            self.tell_server()

    def tell_server(self) -> None:
        """Whether anybody looks (XEP-0352 section 4.2); each new or resumed session counts as looked at until told."""
        self._port.send(Element(f"{{{_CSI}}}{'inactive' if self.idle_since else 'active'}"))

    def send(self) -> None:
        """Tell everybody who may see it."""
        presence = Element(f"{{{CLIENT}}}presence")
        chosen, idle = self.choice.chosen, self.idle_since
        if chosen == "offline":
            # RFC 6121 has no invisible state: who wants to be seen as offline sends unavailable and stays connected.
            presence.set("type", "unavailable")
        elif chosen in ("away", "dnd") or ((idle is not None or self._on_call) and not chosen):
            SubElement(presence, f"{{{CLIENT}}}show").text = chosen or "away"
        status = self.choice.status or (_ON_CALL if self._on_call else "")
        if status:
            SubElement(presence, f"{{{CLIENT}}}status").text = status
        if self._on_call and chosen != "offline":
            # XEP-0108 knows the activity; in the presence it needs no subscription to a node and ends with the session.
            talking = SubElement(SubElement(presence, f"{{{ACTIVITY}}}activity"), f"{{{ACTIVITY}}}talking")
            SubElement(talking, f"{{{ACTIVITY}}}on_the_phone")
        if idle is not None and chosen in ("", "away") and not self._on_call:
            SubElement(presence, f"{{{IDLE}}}idle", {"since": idle.isoformat().replace("+00:00", "Z")})
        self._port.send(presence)
