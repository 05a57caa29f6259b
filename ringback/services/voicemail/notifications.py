"""Notifications over CometD: who asked for a subscription hears of each change in the mailbox within the moment.

A subscription is asked for over the REST interface, where the door knows who asks; its id can't be guessed and is the
name of the channel, so that the CometD ports need no credentials. It ends when nobody used it for a while.

Subscriptions outlast the service. What was kept and not told, since the service was killed between the two or the
connection broke, is told to whoever comes back for it (``storage.voicemail.notices``). A client shows with its next
request that it got an answer; where it could not show it, it may be told twice, with the same message and USN.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import structlog
from aiohttp import hdrs, web
from sqlalchemy.exc import SQLAlchemyError

from ringback.protocols.cometd import Answer, Bayeux, BayeuxError, Packet, parse
from ringback.services.voicemail import answers
from ringback.services.voicemail.door import Door, Owner
from ringback.services.voicemail.events import Happened, Kind
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.services.voicemail.untold import Pair, Untold
from ringback.storage.voicemail.notices import Listener, Notice, NoticeStore
from ringback.storage.voicemail.records import Counts

PATH: Final = "/vmevents/cometd"
_CHANNEL: Final = "/vmrest/mailbox/"
_PORTS: Final = "X-Notify-Ports"
_LARGEST: Final = 256 * 1024
_UNUSED_SECONDS: Final = 3600.0
_MOST_OF_ONE: Final = 32  # subscriptions of one mailbox; the oldest goes first
_TIDY_SECONDS: Final = 15.0

_log = structlog.get_logger("ringback.voicemail.notifications")


@dataclass(slots=True)
class _Subscription:
    user: str
    used: float


class Notifications:
    """The handlers of CometD, and the listener of the mailroom."""

    def __init__(self, settings: VoicemailSettings, door: Door, store: NoticeStore) -> None:
        self._settings = settings
        self._door = door
        self._store = store
        self._untold = Untold(store)
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

    async def start(self) -> None:
        """Subscriptions of before go on. Raises sqlalchemy.exc.SQLAlchemyError."""
        now = time.monotonic()
        for one in await self._store.listeners():
            self._subscriptions[one.name] = _Subscription(one.user, now)

    def happened(self, event: Happened) -> None:
        """Tell all who listen to the mailbox."""
        for name, subscription in self._subscriptions.items():
            if subscription.user == event.user:
                clients = self._bayeux.listeners(_CHANNEL + name)
                for kind in event.kinds:
                    self._tell(clients, name, kind, event)

    def _tell(self, clients: Iterable[str], name: str, kind: Kind, event: Happened) -> None:
        """Tell those who were not told yet."""
        if kind is Kind.NEW:
            clients = self._untold.give((name, event.kept.message.id), clients)
        for client in clients:
            self._bayeux.tell(client, _CHANNEL + name, _data(name, kind, event))
            if (held := self._held.get(client)) is not None:
                held.set()

    def _tell_again(self, notice: Notice, clients: Iterable[str]) -> None:
        """What was kept before."""
        kept = replace(notice.kept, changed=notice.changed)
        event = Happened((Kind.NEW,), kept.user, kept, Counts(), notice.at, notice.name)
        self._tell(clients, notice.listener, Kind.NEW, event)

    async def keep_tidy(self) -> None:
        """Forget clients and subscriptions that nobody uses, and tell what another node kept, until cancelled."""
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            now = time.monotonic()
            gone = self._bayeux.expire(now)
            unused = []
            for name, one in list(self._subscriptions.items()):
                if self._bayeux.is_heard(_CHANNEL + name):
                    one.used = now
                elif one.used + _UNUSED_SECONDS < now:
                    unused.append(name)
            given = self._untold.given
            try:
                await self._end(unused)
                notices = await self._store.untold()
            except (OSError, SQLAlchemyError) as error:
                _log.warning("notifications.not_tidied", error=type(error).__name__)
                continue
            self._untold.forget(gone, given - {(one.listener, one.kept.message.id) for one in notices})
            for notice in notices:
                self._tell_again(notice, self._bayeux.listeners(_CHANNEL + notice.listener))

    async def _request(self, request: web.Request) -> web.StreamResponse:
        owner = await self._door.owner(request)
        if isinstance(owner, web.StreamResponse):
            return owner
        try:
            return await self._subscribe(owner, request)
        except (SQLAlchemyError, OSError) as error:
            _log.error("notifications.database_refused", error=type(error).__name__)
            return answers.refusal(503, "SERVICE_UNAVAILABLE", "Notifications can't begin now: try again later")

    async def _subscribe(self, owner: Owner, request: web.Request) -> web.StreamResponse:
        if request.query.get("method", "").lower() != "requestnotification":
            return answers.refusal(400, "INVALID_PARAMETER", "Only method=requestnotification can be posted here")
        own = [name for name, one in self._subscriptions.items() if one.user == owner.user]
        await self._end(own[: max(0, len(own) - _MOST_OF_ONE + 1)])
        name = str(uuid.uuid4())
        await self._store.add(Listener(name, owner.user))
        self._subscriptions[name] = _Subscription(owner.user, time.monotonic())
        headers = {"Cache-Control": "no-store", _PORTS: ",".join(map(str, self.ports))}
        return web.Response(text=name, headers=headers)

    async def _end(self, names: Sequence[str]) -> None:
        if not names:
            return
        for name in names:
            self._bayeux.close_channel(_CHANNEL + name)
            del self._subscriptions[name]
        await self._store.remove(names)

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
        await self._untold.confirm(answer.heard)
        await self._catch_up(answer)
        if answer.hold is not None:
            waiting = await self._wait(answer.hold)
        else:
            waiting = self._of(packets)
        response = web.Response(
            body=msgspec.json.encode([*(event for _, event in waiting), *answer.packets]),
            content_type="application/json",
            charset="utf-8",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            for client in dict.fromkeys(client for client, _ in waiting):
                self._bayeux.give_back(client, [event for owner, event in waiting if owner == client])
            return response  # whose connection the server finds closed, and says nothing of it
        for client, event in waiting:
            self._untold.take(client, _pairs(event))
        return response

    async def _catch_up(self, answer: Answer) -> None:
        """Who begins to listen hears at once what was kept while nobody did; at the next tidying where the database
        refuses now."""
        for client, channel in answer.joined:
            try:
                notices = await self._store.untold(channel.removeprefix(_CHANNEL))
            except (OSError, SQLAlchemyError) as error:
                _log.warning("notifications.not_caught_up", error=type(error).__name__)
                return
            for notice in notices:
                self._tell_again(notice, [client])

    def _of(self, packets: Sequence[Packet]) -> list[tuple[str, Packet]]:
        """Events that wait for the clients of a request that is answered at once."""
        names = dict.fromkeys(name for packet in packets if isinstance(name := packet.get("clientId"), str))
        return [(name, event) for name in names for event in self._bayeux.take(name)]

    async def _wait(self, name: str) -> list[tuple[str, Packet]]:
        """Hold a request until something happens or its time is over; a second one of a client ends the first."""
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
        return [(name, event) for event in self._bayeux.take(name)]


def _pairs(event: Packet) -> list[Pair]:
    """The notice that an event brings, where it brings one."""
    data = event["data"]
    if data["EventType"] != Kind.NEW:
        return []
    return [(data["SubscriptionId"], info["MessageId"].removeprefix("0:")) for info in data["MessageInfo"]]


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
