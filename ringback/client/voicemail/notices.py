"""The client's half of the Bayeux protocol 1.0 (CometD), for one channel over long polling.

No socket, no loop, no clock. ``request`` gives the body to post next, ``receive`` takes the answer and gives the events
in it. States: greeting (handshake) → subscribing → listening. Whatever ends the session on the server's side (it does
not know us any more, it advises another handshake, it refuses the channel) is a ``SessionOverError``: what happened
meanwhile is unknown, so who listens must look at the mailbox anew.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from ringback.protocols.cometd import CONNECT, HANDSHAKE, LONG_POLLING, SUBSCRIBE, VERSION

CHANNEL: Final = "/vmrest/mailbox/"
_MOST: Final = 5000  # messages of one answer


class SessionOverError(Exception):
    """The server ended or refused the session; the text says why."""


class GarbledError(Exception):
    """What came is not Bayeux; the text says why."""


class Stage(StrEnum):
    """Where the session stands."""

    GREETING = "greeting"
    SUBSCRIBING = "subscribing"
    LISTENING = "listening"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something happened in the mailbox: the published kind, and the message (its UUID) where it names one."""

    kind: str
    message: str = ""


class _Info(msgspec.Struct):
    message: str = msgspec.field(name="MessageId", default="")


class _Data(msgspec.Struct):
    kind: str = msgspec.field(name="EventType", default="")
    infos: list[_Info] | _Info = msgspec.field(name="MessageInfo", default_factory=list)


class Notices:
    """One session for one subscription."""

    def __init__(self, subscription: str) -> None:
        self._channel = CHANNEL + subscription
        self._client = ""
        self._numbers = itertools.count(1)
        self.stage = Stage.GREETING
        self.hold = 30.0
        """Seconds that the server holds a request for which nothing happens, by its advice."""

    def request(self) -> bytes:
        """The body to post next."""
        packet: dict[str, Any] = {"id": str(next(self._numbers))}
        if self.stage is Stage.GREETING:
            packet |= {
                "channel": HANDSHAKE, "version": VERSION, "minimumVersion": VERSION,
                "supportedConnectionTypes": [LONG_POLLING],
            }  # fmt: skip
        elif self.stage is Stage.SUBSCRIBING:
            packet |= {"channel": SUBSCRIBE, "clientId": self._client, "subscription": self._channel}
        else:
            packet |= {"channel": CONNECT, "clientId": self._client, "connectionType": LONG_POLLING}
        return msgspec.json.encode([packet])

    def receive(self, body: bytes) -> list[Notice]:
        """What the answer tells. Raises SessionOverError, GarbledError."""
        try:
            packets = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise GarbledError(f"not JSON: {error}") from error
        if not isinstance(packets, list) or len(packets) > _MOST or not all(isinstance(one, dict) for one in packets):
            raise GarbledError("not a list of messages")
        notices: list[Notice] = []
        answered = False
        for packet in packets:
            channel = packet.get("channel")
            if channel == self._channel:
                notices.append(_notice(packet.get("data")))
            elif isinstance(channel, str) and channel.startswith("/meta/"):
                answered |= self._meta(channel, packet)
        if not answered:
            raise GarbledError("the answer to the request is missing")
        return notices

    def _meta(self, channel: str, packet: dict[str, Any]) -> bool:
        """Take an answer over; whether it is the one that the stage waits for."""
        if packet.get("successful") is not True:
            raise SessionOverError(str(packet.get("error") or "refused")[:200])
        advice = packet.get("advice")
        if isinstance(advice, dict):
            if advice.get("reconnect") in ("handshake", "none"):
                raise SessionOverError("the server wants another handshake")
            timeout = advice.get("timeout")
            if isinstance(timeout, (int, float)) and 0 <= timeout <= 600_000:
                self.hold = timeout / 1000
        expected = {Stage.GREETING: HANDSHAKE, Stage.SUBSCRIBING: SUBSCRIBE, Stage.LISTENING: CONNECT}[self.stage]
        if channel != expected:
            return False
        if self.stage is Stage.GREETING:
            client = packet.get("clientId")
            if not isinstance(client, str) or not client or len(client) > 256:
                raise GarbledError("the handshake gave no client id")
            self._client = client
            self.stage = Stage.SUBSCRIBING
        elif self.stage is Stage.SUBSCRIBING:
            self.stage = Stage.LISTENING
        return True


def _notice(data: object) -> Notice:
    """An event that can't be read still says that something happened."""
    try:
        found = msgspec.convert(data, _Data)
    except msgspec.ValidationError:
        return Notice("")
    infos = found.infos if isinstance(found.infos, list) else [found.infos]
    return Notice(found.kind[:64], infos[0].message.removeprefix("0:").lower()[:64] if infos else "")
