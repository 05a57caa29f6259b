"""Notifications over CometD: who asked for a subscription hears of each change in the mailbox within the moment.

A subscription is asked for over the REST interface, where the door knows who asks; its id can't be guessed and is the
name of the channel, so that the CometD ports need no credentials. It ends when nobody used it for a while.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from ringback.protocols.cometd import Answer, Bayeux, BayeuxError, Packet, parse
from ringback.services.voicemail import answers
from ringback.services.voicemail.door import Door
from ringback.services.voicemail.events import Happened, Kind
from ringback.services.voicemail.settings import VoicemailSettings

PATH: Final = "/vmevents/cometd"
_CHANNEL: Final = "/vmrest/mailbox/"
_PORTS: Final = "X-Notify-Ports"
_LARGEST: Final = 256 * 1024
_UNUSED_SECONDS: Final = 3600.0
_MOST_OF_ONE: Final = 32  # subscriptions of one mailbox; the oldest goes first
_TIDY_SECONDS: Final = 15.0


@dataclass(slots=True)
class _Subscription:
    user: str
    used: float


class Notifications:
    """The handlers of CometD, and the listener of the mailroom."""

    def __init__(self, settings: VoicemailSettings, door: Door) -> None:
        self._settings = settings
        self._door = door
        self._bayeux = Bayeux(self._may_listen)
        self._subscriptions: dict[str, _Subscription] = {}
        self._held: dict[str, asyncio.Event] = {}
        self.ports = (settings.notify_port, settings.notify_tls_port)
        """Where notifications are given, HTTP and HTTPS."""

    def routes(self) -> Sequence[web.RouteDef]:
        """For the REST interface."""
        return [web.post("/vmrest/mailbox", self._request)]

    def cometd_routes(self) -> Sequence[web.RouteDef]:
        """For the notification ports; clients add the kind of message to the path, which means nothing."""
        return [web.post(PATH, self._post), web.post(PATH + "/{kind:[a-z/]*}", self._post)]

    def happened(self, event: Happened) -> None:
        """Tell all who listen to the mailbox."""
        for name, subscription in self._subscriptions.items():
            if subscription.user == event.user:
                clients = [
                    client
                    for kind in event.kinds
                    for client in self._bayeux.publish(_CHANNEL + name, _data(name, kind, event))
                ]
                for client in clients:
                    if (held := self._held.get(client)) is not None:
                        held.set()

    async def keep_tidy(self) -> None:
        """Forget clients and subscriptions that nobody uses, until cancelled."""
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            now = time.monotonic()
            self._bayeux.expire(now)
            for name, one in list(self._subscriptions.items()):
                if self._bayeux.is_heard(_CHANNEL + name):
                    one.used = now
                elif one.used + _UNUSED_SECONDS < now:
                    self._end(name)

    async def _request(self, request: web.Request) -> web.StreamResponse:
        owner = await self._door.owner(request)
        if isinstance(owner, web.StreamResponse):
            return owner
        if request.query.get("method", "").lower() != "requestnotification":
            return answers.refusal(400, "INVALID_PARAMETER", "Only method=requestnotification can be posted here")
        own = [name for name, one in self._subscriptions.items() if one.user == owner.user]
        for name in own[: max(0, len(own) - _MOST_OF_ONE + 1)]:
            self._end(name)
        name = str(uuid.uuid4())
        self._subscriptions[name] = _Subscription(owner.user, time.monotonic())
        headers = {"Cache-Control": "no-store", _PORTS: ",".join(map(str, self.ports))}
        return web.Response(text=name, headers=headers)

    def _end(self, name: str) -> None:
        self._bayeux.close_channel(_CHANNEL + name)
        del self._subscriptions[name]

    def _may_listen(self, channel: str) -> bool:
        return channel.startswith(_CHANNEL) and channel.removeprefix(_CHANNEL) in self._subscriptions

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.content.read(_LARGEST + 1)
        if len(body) > _LARGEST:
            return web.Response(status=413)
        try:
            packets = parse(body)
        except BayeuxError as error:
            return web.Response(status=400, text=str(error))
        answer = self._bayeux.receive(packets, time.monotonic())
        waiting = await self._wait(answer) if answer.hold is not None else self._of(packets)
        return web.Response(
            body=msgspec.json.encode([*waiting, *answer.packets]),
            content_type="application/json",
            charset="utf-8",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    def _of(self, packets: Sequence[Packet]) -> list[Packet]:
        """Events that wait for the clients of a request that is answered at once."""
        names = dict.fromkeys(name for packet in packets if isinstance(name := packet.get("clientId"), str))
        return [event for name in names for event in self._bayeux.take(name)]

    async def _wait(self, answer: Answer) -> list[Packet]:
        """Hold a request until something happens or its time is over; a second one of a client ends the first."""
        name = answer.hold or ""
        if (before := self._held.get(name)) is not None:
            before.set()
        event = self._held[name] = asyncio.Event()
        try:
            if not self._bayeux.has_waiting(name):
                async with asyncio.timeout(self._bayeux.timeout):
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            if self._held.get(name) is event:
                del self._held[name]
        self._bayeux.touch(name, time.monotonic())
        return self._bayeux.take(name)


def _data(name: str, kind: Kind, event: Happened) -> dict[str, Any]:
    message = event.kept.message
    info = {
        "CallerAni": message.sender.number,
        "Sender": message.sender.display_name or message.sender.name,
        "MessageId": message.wire_id,
        "ReceiveTime": str(message.arrived),
        "Priority": message.priority,
        "MsgType": "Voice",
    }
    return {
        "MessageInfo": [info],
        "USN": str(event.kept.changed),
        "EventTime": str(event.at),
        "SubscriptionId": name,
        "MailboxId": event.user,
        "EventType": str(kind),
        "DisplayName": event.name or event.user,
    }
