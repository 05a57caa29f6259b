"""The Bayeux protocol 1.0 (CometD) as a server speaks it: sessions, subscriptions, and what waits for each client.

No socket, no loop, no clock: messages and the time go in, answers and events come out; the driver holds a request that
asks to be held. A client that is not seen for ``idle`` seconds is forgotten, and so is what waited for it; a client for
which more than ``waiting`` events gather is told to begin anew, so that nobody's memory fills ours.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

VERSION: Final = "1.0"
HANDSHAKE: Final = "/meta/handshake"
CONNECT: Final = "/meta/connect"
SUBSCRIBE: Final = "/meta/subscribe"
UNSUBSCRIBE: Final = "/meta/unsubscribe"
DISCONNECT: Final = "/meta/disconnect"
LONG_POLLING: Final = "long-polling"
_MOST_MESSAGES = 64  # in one request
_MOST_CLIENTS = 20_000
_MOST_SUBSCRIPTIONS = 32  # of one client

Packet = dict[str, Any]
"""A Bayeux message as JSON has it."""


class BayeuxError(ValueError):
    """A request is not Bayeux; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer. ``hold``: the client whose next events the answer should wait for, or None: answer at once.
    ``heard``: the clients that showed by their request that they got the answer before it; ``joined``: clients with the
    channels that they listen to from now on."""

    packets: list[Packet]
    hold: str | None = None
    heard: tuple[str, ...] = ()
    joined: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Client:
    seen: float
    channels: set[str] = field(default_factory=set)
    waiting: deque[Packet] = field(default_factory=deque)
    overrun: bool = False
    connected: bool = False


def parse(body: bytes) -> list[Packet]:
    """The messages of a request: a list, or one alone. Raises BayeuxError."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BayeuxError(f"Not JSON: {error}") from error
    packets = found if isinstance(found, list) else [found]
    if not packets or len(packets) > _MOST_MESSAGES:
        raise BayeuxError(f"A request has 1 to {_MOST_MESSAGES} messages")
    for packet in packets:
        if not isinstance(packet, dict) or not isinstance(packet.get("channel"), str):
            raise BayeuxError("A message has no channel")
    return packets


class Bayeux:
    """The sessions of a server. ``may_listen`` says whether a channel exists and may be listened to."""

    def __init__(
        self,
        may_listen: Callable[[str], bool],
        *,
        idle: float = 60.0,
        timeout: float = 30.0,
        waiting: int = 1000,
        new_id: Callable[[], str] = secrets.token_hex,
    ) -> None:
        """``timeout``: seconds that a held request waits; clients learn it as advice."""
        self._may_listen = may_listen
        self._idle = idle
        self.timeout = timeout
        self._waiting = waiting
        self._new_id = new_id
        self._clients: dict[str, _Client] = {}
        self._by_channel: dict[str, set[str]] = {}
        self._joined: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._clients)

    def receive(self, packets: Sequence[Packet], now: float) -> Answer:
        """Handle the messages of one request."""
        answers: list[Packet] = []
        hold: str | None = None
        handlers: Mapping[str, Callable[[Packet, float], Packet]] = {
            HANDSHAKE: self._handshake,
            SUBSCRIBE: self._subscribe,
            UNSUBSCRIBE: self._unsubscribe,
            DISCONNECT: self._disconnect,
        }
        heard: dict[str, None] = {}
        self._joined = []
        for packet in packets:
            channel = packet["channel"]
            if channel in (CONNECT, DISCONNECT) and self._known(packet, now) is not None:
                heard[packet["clientId"]] = None
            if channel == CONNECT:
                # The first one is answered at once, as CometD's own server does: clients wait for it before they go on.
                first = self._is_first(packet)
                answer = self._connect(packet, now)
                if answer["successful"] and len(packets) == 1 and not first and not _wants_no_wait(packet):
                    hold = packet["clientId"]
            elif channel in handlers:
                answer = handlers[channel](packet, now)
            else:
                answer = _refused(packet, f"403:{channel}:nobody publishes here but the server")
            answers.append(answer)
        return Answer(answers, hold, tuple(heard), tuple(self._joined))

    def publish(self, channel: str, data: object) -> list[str]:
        """Let an event wait for all who listen to a channel; their ids, so that held requests can be answered."""
        clients = self.listeners(channel)
        for name in clients:
            self.tell(name, channel, data)
        return clients

    def listeners(self, channel: str) -> list[str]:
        """Who listens to a channel."""
        return list(self._by_channel.get(channel, ()))

    def tell(self, name: str, channel: str, data: object) -> None:
        """Let an event wait for one client."""
        client = self._clients.get(name)
        if client is None:
            return
        if len(client.waiting) >= self._waiting:
            client.overrun = True
            client.waiting.clear()
        client.waiting.append({"channel": channel, "data": data})

    def take(self, name: str) -> list[Packet]:
        """What waits for a client; it counts as delivered."""
        client = self._clients.get(name)
        if client is None:
            return []
        waiting = list(client.waiting)
        client.waiting.clear()
        return waiting

    def give_back(self, name: str, events: Sequence[Packet]) -> None:
        """What was taken did not reach the client: it waits again, before what came meanwhile."""
        if (client := self._clients.get(name)) is not None:
            client.waiting.extendleft(reversed(events))

    def has_waiting(self, name: str) -> bool:
        """Whether anything waits for a client, or it is gone (then waiting makes no sense either)."""
        client = self._clients.get(name)
        return client is None or bool(client.waiting)

    def expire(self, now: float) -> list[str]:
        """Forget clients that were not seen for too long; their ids."""
        gone = [name for name, client in self._clients.items() if client.seen + self._idle <= now]
        for name in gone:
            self._forget(name)
        return gone

    def touch(self, name: str, now: float) -> None:
        """A held request of this client was answered: it is there."""
        if (client := self._clients.get(name)) is not None:
            client.seen = now

    def is_heard(self, channel: str) -> bool:
        """Whether any client listens to a channel."""
        return channel in self._by_channel

    def close_channel(self, channel: str) -> None:
        """Nobody listens to a channel any more."""
        for name in self._by_channel.pop(channel, ()):
            self._clients[name].channels.discard(channel)

    def _handshake(self, packet: Packet, now: float) -> Packet:
        kinds = packet.get("supportedConnectionTypes")
        if not isinstance(kinds, list) or LONG_POLLING not in kinds:
            return _refused(packet, "403::only long-polling is spoken here")
        if len(self._clients) >= _MOST_CLIENTS:
            self.expire(now)
        if len(self._clients) >= _MOST_CLIENTS:
            return _refused(packet, "503::too many clients", {"reconnect": "retry", "interval": 10_000})
        name = self._new_id()
        self._clients[name] = _Client(now)
        answer = _granted(packet)
        answer |= {
            "version": VERSION,
            "minimumVersion": VERSION,
            "supportedConnectionTypes": [LONG_POLLING],
            "clientId": name,
            "advice": self._advice(),
        }
        return answer

    def _connect(self, packet: Packet, now: float) -> Packet:
        client = self._known(packet, now)
        if client is None:
            return _unknown(packet)
        if client.overrun:
            self._forget(packet["clientId"])
            return _unknown(packet)
        client.connected = True
        return _granted(packet) | {"clientId": packet["clientId"], "advice": self._advice()}

    def _is_first(self, packet: Packet) -> bool:
        name = packet.get("clientId")
        client = self._clients.get(name) if isinstance(name, str) else None
        return client is not None and not client.connected

    def _subscribe(self, packet: Packet, now: float) -> Packet:
        client = self._known(packet, now)
        if client is None:
            return _unknown(packet)
        wanted = _channels(packet)
        if not wanted or len(client.channels) + len(wanted) > _MOST_SUBSCRIPTIONS:
            return _refused(packet, "400::say which channels, not too many")
        for channel in wanted:
            if "*" in channel or not self._may_listen(channel):
                return _refused(packet, f"403:{channel}:there is no such channel")
        for channel in wanted:
            if channel not in client.channels:
                self._joined.append((packet["clientId"], channel))
            client.channels.add(channel)
            self._by_channel.setdefault(channel, set()).add(packet["clientId"])
        return _granted(packet) | {"clientId": packet["clientId"], "subscription": packet["subscription"]}

    def _unsubscribe(self, packet: Packet, now: float) -> Packet:
        client = self._known(packet, now)
        if client is None:
            return _unknown(packet)
        for channel in _channels(packet):
            self._leave(packet["clientId"], channel)
        return _granted(packet) | {"clientId": packet["clientId"], "subscription": packet.get("subscription", "")}

    def _disconnect(self, packet: Packet, now: float) -> Packet:
        if self._known(packet, now) is None:
            return _unknown(packet)
        self._forget(packet["clientId"])
        return _granted(packet) | {"clientId": packet["clientId"]}

    def _known(self, packet: Packet, now: float) -> _Client | None:
        name = packet.get("clientId")
        client = self._clients.get(name) if isinstance(name, str) else None
        if client is not None:
            client.seen = now
        return client

    def _forget(self, name: str) -> None:
        for channel in list(self._clients[name].channels):
            self._leave(name, channel)
        del self._clients[name]

    def _leave(self, name: str, channel: str) -> None:
        self._clients[name].channels.discard(channel)
        listeners = self._by_channel.get(channel)
        if listeners is not None:
            listeners.discard(name)
            if not listeners:
                del self._by_channel[channel]

    def _advice(self) -> Packet:
        return {"reconnect": "retry", "interval": 0, "timeout": int(self.timeout * 1000)}


def _channels(packet: Packet) -> list[str]:
    wanted = packet.get("subscription")
    rows = wanted if isinstance(wanted, list) else [wanted]
    return [row for row in rows if isinstance(row, str)] if all(isinstance(row, str) for row in rows) else []


def _wants_no_wait(packet: Packet) -> bool:
    advice = packet.get("advice")
    return isinstance(advice, dict) and advice.get("timeout") == 0


def _granted(packet: Packet) -> Packet:
    answer: Packet = {"channel": packet["channel"], "successful": True}
    if isinstance(packet.get("id"), (str, int)):
        answer["id"] = packet["id"]
    return answer


def _refused(packet: Packet, error: str, advice: Packet | None = None) -> Packet:
    refusal: Packet = {"channel": packet["channel"], "successful": False, "error": error}
    if isinstance(packet.get("id"), (str, int)):
        refusal["id"] = packet["id"]
    if advice is not None or packet["channel"] == HANDSHAKE:
        refusal["advice"] = advice or {"reconnect": "none"}
    return refusal


def _unknown(packet: Packet) -> Packet:
    return _refused(packet, "402::unknown client", {"reconnect": "handshake", "interval": 0})
