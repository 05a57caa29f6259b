"""A whole user agent under messages of strangers: it must never raise, and what it sends must be SIP that can be read.

The input is messages parted by NUL NUL; the first byte says how the application behaves, and whether it calls somebody.
``@TAG`` in a message becomes the tag that the agent gave to its newest dialog, so that requests inside of dialogs are
reached; ``@BRANCH``, ``@CALL``, ``@FROM`` and ``@CSEQ`` become those of its newest request, so that responses are.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.events import (
    Accepted,
    Event,
    InDialogRequest,
    Invited,
    OfferArrived,
    Progressed,
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
        self.names = {
            b"@TAG": b"none",
            b"@BRANCH": b"none",
            b"@CALL": b"none",
            b"@FROM": b"none",
            b"@CSEQ": b"1 INVITE",
        }
        if choice & 64:
            sdp = _SDP if choice & 128 else None
            self.agent.invite(self.now, "sip:a@127.0.0.2", self.flow, from_="<sip:fuzz@127.0.0.1>", sdp=sdp)
            self.settle()

    def take(self, data: bytes) -> None:
        for name, value in self.names.items():
            data = data.replace(name, value)
        try:
            message = parse(data)
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
            if message.method != "ACK":
                self.names[b"@BRANCH"] = message.branch.encode()
                self.names[b"@CSEQ"] = str(message.cseq).encode()
            self.names[b"@CALL"] = message.call_id.encode("utf-8", "surrogateescape")
            self.names[b"@FROM"] = message.from_tag.encode("utf-8", "surrogateescape")
            return
        with contextlib.suppress(MalformedMessage):  # an unreadable To goes back as it came
            if message.to_tag:
                self.names[b"@TAG"] = message.to_tag.encode("utf-8", "surrogateescape")

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
            case OfferArrived() | Referred():
                self.asked(event)
            case Accepted() | Progressed():
                self.answered(event)
            case _:
                pass

    def asked(self, event: OfferArrived | Referred) -> None:
        session, now = event.session, self.now
        if isinstance(event, Referred):
            (session.accept_refer if self.choice & 2 else session.refuse_refer)(now, event.refer)
        elif self.choice & 2:
            session.answer_offer(now, _SDP)
        else:
            session.refuse_offer(now)

    def answered(self, event: Accepted | Progressed) -> None:
        if event.offer and isinstance(event, Accepted):
            event.session.ack(self.now, _SDP)
        elif event.offer:
            event.session.answer_offer(self.now, _SDP)

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


def _response(status: int, more: str = "", body: bytes = b"") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    head = (
        f"SIP/2.0 {status} Any\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=@BRANCH;rport\r\n"
        f"From: <sip:fuzz@127.0.0.1>;tag=@FROM\r\nTo: <sip:a@127.0.0.2>;tag=b\r\nCall-ID: @CALL\r\nCSeq: @CSEQ\r\n"
        f"Contact: <sip:a@127.0.0.2:5060>\r\n{more}{kind}"
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


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
            _seed(192, _response(180), _response(200, "Session-Expires: 90;refresher=uac\r\n", _SDP)),
            _seed(64, _response(183, "Require: 100rel\r\nRSeq: 1\r\n", _SDP), _response(200, body=_SDP)),
            _seed(192, _response(302, "Contact: <sip:c@d>\r\n")),
            _seed(192, _response(401, 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n')),
            _seed(192, _response(422, "Min-SE: 4000\r\n"), _response(491), _response(503, "Retry-After: 5\r\n")),
            _seed(2, _request("MESSAGE", 1, body=_SDP, tag=""), _request("MESSAGE", 1, body=_SDP, tag="")),
        ),
    )
}
