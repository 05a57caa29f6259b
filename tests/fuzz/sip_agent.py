"""A whole user agent under messages of strangers: it must never raise, and what it sends must be SIP that can be read.

The input is messages parted by NUL NUL; the first byte says how the application behaves. ``@TAG`` in a message becomes
the tag that the agent gave to its newest dialog, so that requests inside of dialogs are reached.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.events import (
    Event,
    InDialogRequest,
    Invited,
    OfferArrived,
    Referred,
    RequestArrived,
    SubscribeArrived,
)
from ringback.protocols.sip.flows import Flow, Transport
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.session_base import WrongState
from ringback.protocols.sip.settings import AgentSettings

_SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
_BREAK = b"\0\0"
_MESSAGES = 40  # in one input
_TURNS = 200  # events or timers that one message may set off


class _World:
    """An agent, its only flow, and an application that does what the first byte says."""

    def __init__(self, choice: int) -> None:
        numbers = itertools.count(1)
        self.agent = Agent(AgentSettings(contact_user="fuzz"), lambda: f"{next(numbers):016x}")
        self.agent.addresses["udp"] = ("127.0.0.1", 5060)
        kind: Transport = "tcp" if choice & 32 else "udp"
        self.flow = Flow(1, kind, ("127.0.0.1", 5060), ("127.0.0.2", 5060), inbound=True)
        self.choice = choice
        self.now = 1000.0
        self.tag = b"none"

    def take(self, data: bytes) -> None:
        try:
            message = parse(data.replace(b"@TAG", self.tag))
        except MalformedMessage as error:
            self.agent.receive_malformed(error, error.message, self.flow)
        else:
            self.agent.receive(message, self.flow, self.now)
        self.settle()

    def settle(self) -> None:
        """Send what is to be sent and let the application act, until nothing is left."""
        for _ in range(_TURNS):
            for outgoing in self.agent.data_to_send():
                self.sent(outgoing.data)
            event = self.agent.next_event()
            if event is None:
                return
            try:
                self.act(event)
            except WrongState:
                continue  # documented: the application came too late
        raise AssertionError("the agent has no end of events")

    def sent(self, data: bytes) -> None:
        message: Request | Response = parse(data)
        if isinstance(message, Request):
            try:
                message.check()
            except MalformedMessage as error:
                if error.status != 416:  # who names an unknown scheme is called back by it
                    raise
            return
        with contextlib.suppress(MalformedMessage):  # an unreadable To goes back as it came
            self.tag = message.to_tag.encode("utf-8", "surrogateescape") or self.tag

    def act(self, event: Event) -> None:
        agent, choice, now = self.agent, self.choice, self.now
        match event:
            case Invited():
                self.invited(event)
            case RequestArrived() | InDialogRequest():
                agent.respond(now, event.transaction, 200 if choice & 2 else 403)
            case SubscribeArrived():
                if choice & 2:
                    event.notifier.accept(now)
                    event.notifier.notify(now)
                else:
                    event.notifier.refuse(now, 489)
            case OfferArrived():
                if choice & 2:
                    event.session.answer_offer(now, _SDP)
                else:
                    event.session.refuse_offer(now)
            case Referred():
                if choice & 2:
                    event.session.accept_refer(now, event.refer)
                else:
                    event.session.refuse_refer(now, event.refer)
            case _:
                pass

    def invited(self, event: Invited) -> None:
        session, choice, now = event.session, self.choice, self.now
        if choice & 1:
            session.ring(now, 183 if choice & 8 else 180, _SDP if choice & 8 else None)
        if choice & 4:
            session.answer(now, _SDP)
        elif choice & 16:
            session.reject(now, 486)

    def pass_time(self) -> None:
        """All timers of the next minutes."""
        for _ in range(_TURNS):
            due = self.agent.next_deadline()
            if due is None or due > 1600.0:
                return
            self.now = max(self.now, due)
            self.agent.handle_timer(self.now)
            self.settle()


def run_agent(data: bytes) -> None:
    """The harness."""
    if not data:
        return
    world = _World(data[0])
    for part in data[1:].split(_BREAK)[:_MESSAGES]:
        world.take(part)
    world.pass_time()


def _request(method: str, number: int, more: str = "", body: bytes = b"", *, tag: str = ";tag=@TAG") -> bytes:
    branch = 1 if method in ("ACK", "CANCEL") else number
    head = (
        f"{method} sip:fuzz@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{branch};rport\r\n"
        f"From: <sip:a@127.0.0.2>;tag=a\r\nTo: <sip:fuzz@127.0.0.1>{tag}\r\nCall-ID: c\r\nCSeq: {number} {method}\r\n"
        f"Contact: <sip:a@127.0.0.2:5060>\r\nMax-Forwards: 70\r\n{more}"
    )
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _seed(choice: int, *messages: bytes) -> bytes:
    return bytes([choice]) + _BREAK.join(messages)


_INVITE = _request("INVITE", 1, "Supported: 100rel, timer, replaces\r\nSession-Expires: 90\r\n", _SDP, tag="")

AGENT: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "sip-agent": (
        run_agent,
        (
            _seed(7, _INVITE, _request("ACK", 1), _request("UPDATE", 2, body=_SDP), _request("BYE", 3)),
            _seed(
                7,
                _INVITE,
                _request("ACK", 1),
                _request("INVITE", 2, body=_SDP),
                _request("INFO", 3),
                _request("BYE", 4),
            ),
            _seed(1, _INVITE, _request("CANCEL", 1, tag=""), _request("ACK", 1)),
            _seed(9, _INVITE, _request("PRACK", 2, "RAck: 1 1 INVITE\r\n"), _request("CANCEL", 1, tag="")),
            _seed(16, _INVITE, _request("ACK", 1)),
            _seed(
                7,
                _INVITE,
                _request("ACK", 1),
                _request("REFER", 2, "Refer-To: <sip:c@d?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>\r\n"),
                _request("NOTIFY", 3, "Event: refer\r\nSubscription-State: active\r\n"),
            ),
            _seed(
                2,
                _request("SUBSCRIBE", 1, "Event: dialog\r\nExpires: 60\r\n", tag=""),
                _request("SUBSCRIBE", 2, "Event: dialog\r\nExpires: 0\r\n"),
            ),
            _seed(2, _request("REGISTER", 1, "Expires: 60\r\n", tag=""), _request("OPTIONS", 2, tag="")),
            _seed(2, _request("MESSAGE", 1, body=_SDP, tag=""), _request("MESSAGE", 1, body=_SDP, tag="")),
        ),
    )
}
