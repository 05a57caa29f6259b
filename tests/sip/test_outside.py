"""What comes from outside and does not follow the script: forks, challenges, strange and broken messages, lost
flows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.protocols.sip.agent import Refusal
from ringback.protocols.sip.digest import Guard, Verdict, ha1
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.events import (
    Accepted,
    Answered,
    Cancelled,
    Ended,
    Event,
    Failed,
    Invited,
    Progressed,
    RegistrationChanged,
    RequestArrived,
)
from ringback.protocols.sip.flows import Flow, Target
from ringback.protocols.sip.message import Request, Response, parse
from ringback.protocols.sip.registration import Registrar, RegistrationSettings
from ringback.protocols.sip.settings import Credential
from tests.sip.test_calls import Call
from tests.sip.wire import ANSWER, OFFER, Link, Party, nothing_left


@pytest.fixture
def link() -> Link:
    return Link()


class Proxy:
    """A place that answers by hand what Alice sends to it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.alice = link.party("alice", 5060)
        self.flow = link.flow(self.alice, ("127.0.0.1", 5090))

    def requests(self, method: str) -> list[Request]:
        return [message for message in self.alice.sent if isinstance(message, Request) and message.method == method]

    def say(self, request: Request, status: int, tag: str, sdp: bytes = b"", *more: tuple[str, str]) -> None:
        rows = [("Contact", f"<sip:{tag}@127.0.0.1:5091>"), ("Record-Route", "<sip:127.0.0.1:5090;lr>"), *more]
        if sdp:
            rows.append(("Content-Type", "application/sdp"))
        response = request.respond(status, to_tag=tag, headers=rows, body=sdp)
        self.alice.agent.receive(parse(response.encode()), self.flow, self.link.now)
        self.link.pump()

    def invite(self, sdp: bytes | None = OFFER) -> Request:
        self.session = self.alice.agent.invite(
            self.link.now, "sip:bob@example.com", self.flow, from_="<sip:alice@example.com>", sdp=sdp
        )
        self.link.pump()
        return self.requests("INVITE")[-1]


def test_the_first_of_several_answers_wins_and_the_others_are_ended(link: Link) -> None:
    proxy = Proxy(link)
    invite = proxy.invite()
    proxy.say(invite, 180, "one")
    proxy.say(invite, 183, "two", ANSWER)
    assert [event.early for event in proxy.alice.told(Progressed)] == ["one", "two"]
    proxy.say(invite, 200, "two", ANSWER)
    proxy.say(invite, 200, "three", ANSWER)
    proxy.say(invite, 200, "one", ANSWER)
    proxy.say(invite, 200, "two", ANSWER)
    assert [event.early for event in proxy.alice.told(Accepted)] == ["two"]
    assert [ack.to_tag for ack in proxy.requests("ACK")] == ["two", "three", "one", "two"]
    assert [bye.to_tag for bye in proxy.requests("BYE")] == ["three", "one"]
    assert proxy.requests("ACK")[0].raw_uri == "sip:two@127.0.0.1:5091"
    assert proxy.requests("ACK")[0].get("Route") == "<sip:127.0.0.1:5090;lr>"
    proxy.session.bye(link.now)
    link.pump()
    for bye in proxy.requests("BYE"):
        proxy.say(bye, 200, bye.to_tag)
    link.run(100)
    nothing_left(proxy.alice)


def test_each_fork_counts_its_own_reliable_responses(link: Link) -> None:
    proxy = Proxy(link)
    invite = proxy.invite()
    reliable = ("Require", "100rel")
    proxy.say(invite, 183, "one", b"", reliable, ("RSeq", "10"))
    proxy.say(invite, 183, "two", b"", reliable, ("RSeq", "500"))
    proxy.say(invite, 183, "one", b"", reliable, ("RSeq", "12"))  # 11 is still missing
    proxy.say(invite, 183, "one", b"", reliable, ("RSeq", "11"))
    proxy.say(invite, 183, "one", b"", reliable, ("RSeq", "10"))
    assert [(each.to_tag, each.get("RAck")) for each in proxy.requests("PRACK")] == [
        ("one", "10 1 INVITE"),
        ("two", "500 1 INVITE"),
        ("one", "11 1 INVITE"),
    ]
    proxy.say(invite, 486, "one")
    assert proxy.alice.last(Failed).status == 486


def test_a_strict_router_gets_the_request_uri_that_it_wants(link: Link) -> None:
    proxy = Proxy(link)
    invite = proxy.invite()
    rows = [
        ("Contact", "<sip:bob@127.0.0.1:5091>"),
        ("Record-Route", "<sip:127.0.0.1:5090>"),
        ("Content-Type", "application/sdp"),
    ]
    response = invite.respond(200, to_tag="one", headers=rows, body=ANSWER)
    proxy.alice.agent.receive(parse(response.encode()), proxy.flow, link.now)
    link.pump()
    ack = proxy.requests("ACK")[0]
    assert (ack.raw_uri, ack.get("Route")) == ("sip:127.0.0.1:5090", "<sip:bob@127.0.0.1:5091>")


def test_an_answer_without_contact_is_acknowledged_at_the_address_that_was_called(link: Link) -> None:
    proxy = Proxy(link)
    invite = proxy.invite()
    response = invite.respond(200, to_tag="one", headers=[("Content-Type", "application/sdp")], body=ANSWER)
    proxy.alice.agent.receive(parse(response.encode()), proxy.flow, link.now)
    link.pump()
    assert proxy.requests("ACK")[0].raw_uri == "sip:bob@example.com"


# --- challenges


def guarded(party: Party, *, proxy: bool = False, lifetime: float = 300.0) -> Guard:
    """Let a party ask for the password ``secret`` of everybody."""
    guard = Guard("example.com", b"k" * 32, lifetime=lifetime)
    asks = ("Proxy-Authenticate", "Proxy-Authorization", 407) if proxy else ("WWW-Authenticate", "Authorization", 401)

    def gate(request: Request, _flow: Flow, now: float) -> Refusal | None:
        answer = guard.answer(request.all(asks[1]))
        verdict = None
        if answer is not None:
            secret = ha1(answer.username, "example.com", "secret", answer.algorithm or guard.algorithms[0])
            verdict = guard.verify(answer, request.method, secret, now, request.body)
            if verdict is Verdict.GOOD:
                return None
        rows = guard.challenges(now, stale=verdict is Verdict.STALE)
        return Refusal(asks[2], "", tuple((asks[0], row) for row in rows))

    party.agent.gate = gate
    return guard


def answering(link: Link, party: Party) -> None:
    """Let a party say 200 to everything."""

    def answer(event: Event) -> None:
        if isinstance(event, RequestArrived):
            party.agent.respond(link.now, event.transaction, 200)

    party.handler = answer


@pytest.mark.parametrize("proxy", [False, True])
def test_challenges_are_answered_with_the_strongest_algorithm(link: Link, *, proxy: bool) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    guarded(bob, proxy=proxy)
    answering(link, bob)
    for number in range(3):
        alice.agent.send_request(
            link.now, "MESSAGE", "sip:bob@example.com", link.way(alice, bob), from_="<sip:a@example.com>",
            credentials=(Credential("alice", "secret"),),
        )  # fmt: skip
        link.run(1)
        assert len(bob.told(RequestArrived)) == number + 1
    sent = [message for message in alice.sent if isinstance(message, Request)]
    assert len(sent) == 4, "the nonce is used again, so only the first request is challenged"
    assert "algorithm=SHA-256" in (sent[1].get("Proxy-Authorization" if proxy else "Authorization") or "")


def test_a_stale_nonce_is_no_refusal(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    guarded(bob, lifetime=10.0)
    answering(link, bob)
    for number in range(2):
        alice.agent.send_request(
            link.now, "MESSAGE", "sip:bob@example.com", link.way(alice, bob), from_="<sip:a@example.com>",
            credentials=(Credential("alice", "secret"),),
        )  # fmt: skip
        link.run(1)
        assert len(bob.told(RequestArrived)) == number + 1
        link.run(60)
    assert len([message for message in alice.sent if isinstance(message, Request)]) == 4


def test_a_wrong_password_is_tried_once(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    guarded(bob)
    alice.agent.invite(
        link.now, "sip:bob@example.com", link.way(alice, bob), from_="<sip:a@example.com>", sdp=OFFER,
        credentials=(Credential("alice", "wrong"),),
    )  # fmt: skip
    link.run(60)
    assert alice.last(Failed).status == 401
    assert len([message for message in alice.sent if isinstance(message, Request) and message.method == "INVITE"]) == 2
    link.run(60)
    nothing_left(alice)


# --- registrations


class Desk:
    """A phone with two registrars that answer as they are told."""

    def __init__(self, link: Link, **more: object) -> None:
        self.link = link
        self.phone = link.party("alice", 5060)
        self.one, self.two = link.party("one", 5071), link.party("two", 5072)
        self.answers: dict[str, list[tuple[int, list[tuple[str, str]]]]] = {"one": [], "two": []}
        for party in (self.one, self.two):
            party.handler = self._react(party)
        self.seen: list[tuple[str, Request]] = []
        registrars = tuple(Registrar(Target("udp", "127.0.0.1", port), "example.com") for port in (5071, 5072))
        settings = RegistrationSettings("2001", registrars, instance="urn:uuid:1", **more)  # type: ignore[arg-type]
        self.registration = self.phone.agent.register(settings)

    def _react(self, party: Party) -> Callable[[Event], None]:
        def react(event: Event) -> None:
            if isinstance(event, RequestArrived):
                self.seen.append((party.name, event.request))
                script = self.answers[party.name]
                status, rows = script.pop(0) if script else (200, [("Expires", "120")])
                if status == 200:
                    contact = (event.request.get("Contact") or "").partition(";expires=")[0]
                    rows = [*rows, ("Contact", f"{contact};expires=120")]
                party.agent.respond(self.link.now, event.transaction, status, headers=rows)

        return react

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.phone.told(RegistrationChanged)]


def test_a_registration_is_kept_up_and_taken_back(link: Link) -> None:
    desk = Desk(link, keep_alive=0, expires=3600)
    desk.registration.start(link.now)
    link.run(1)
    first = desk.seen[0][1]
    assert first.get("Expires") == "3600"
    assert '+sip.instance="<urn:uuid:1>";reg-id=1' in (first.get("Contact") or "")
    assert desk.states == ["connecting", "registered"]
    link.run(600)
    assert [name for name, _ in desk.seen] == ["one"] * 6, "every 115 of 120 seconds"
    assert len({request.call_id for _, request in desk.seen}) == 1
    numbers = [request.cseq.number for _, request in desk.seen]
    assert numbers == sorted(set(numbers))
    desk.registration.stop(link.now)
    link.run(100)
    assert desk.seen[-1][1].get("Expires") == "0"
    assert desk.states[-1] == "off"
    nothing_left(desk.phone)


def test_a_dead_registrar_is_left_within_the_keep_alive_interval_and_returned_to(link: Link) -> None:
    desk = Desk(link)
    desk.registration.start(link.now)
    link.run(1)
    parted = link.parties.pop(("127.0.0.1", 5071))
    before = link.now
    link.run_until(lambda: desk.registration.state != "registered", 120)
    link.run_until(lambda: desk.registration.state == "registered", 120 - (link.now - before))
    assert [reason.id for reason in desk.registration.reasons] == ["registration.registered", "registration.on-standby"]
    link.parties["127.0.0.1", 5071] = parted
    link.run(200)
    assert desk.registration.registrar is not None
    assert desk.registration.registrar.target.port == 5071
    assert [name for name, request in desk.seen if request.get("Expires") == "0"] == ["two"], "the standby is told"


def test_the_standby_is_told_that_the_phone_lives(link: Link) -> None:
    desk = Desk(link, standby_keep_alive=True)
    desk.registration.start(link.now)
    link.run(250)
    standby = [request for name, request in desk.seen if name == "two"]
    assert len(standby) == 2
    assert (standby[0].get("Contact") or "").endswith(";expires=0;cisco-keep-alive")
    assert standby[0].get("Expires") == "0"


def test_too_short_an_interval_is_lengthened(link: Link) -> None:
    desk = Desk(link, expires=60)
    desk.answers["one"] = [(423, [("Min-Expires", "90")])]
    desk.registration.start(link.now)
    link.run(1)
    assert [request.get("Expires") for _, request in desk.seen] == ["60", "90"]
    assert desk.states == ["connecting", "registered"]


def test_when_nobody_registers_the_phone_waits_and_says_why(link: Link) -> None:
    desk = Desk(link)
    desk.answers["one"] = [(503, [])]
    desk.answers["two"] = [(500, [])]
    desk.registration.start(link.now)
    link.run_until(lambda: desk.registration.state == "waiting")
    assert [reason.values["status"] for reason in desk.registration.reasons] == ["503", "500"]
    assert desk.registration.next_try is not None
    link.run(10)
    assert desk.registration.state == "registered"


def test_a_refusal_is_said_in_the_server_s_words(link: Link) -> None:
    desk = Desk(link)
    desk.answers["one"] = [(403, [("Warning", '399 cm1 "Registration is active for another client"')])]
    desk.registration.start(link.now)
    link.run_until(lambda: desk.registration.state == "refused")
    assert desk.registration.reasons[0].values["text"] == "Registration is active for another client"


# --- flows that are lost


def test_a_lost_connection_fails_what_waits_for_it() -> None:
    link = Link(transport="tcp")
    call = Call(link)
    call.inn.ring(link.now)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    for party in (call.alice, call.bob):
        for flow in party.flows.values():
            party.agent.flow_closed(flow, link.now)
    link.pump()
    assert call.alice.last(Failed).status == 503
    assert "connection" in call.bob.last(Cancelled).reason
    call.over()


def test_a_call_outlives_its_connection() -> None:
    link = Link(transport="tcp")
    call = Call(link).up()
    for party in (call.alice, call.bob):
        for flow in party.flows.values():
            party.agent.flow_closed(flow, link.now)
    link.run(10)
    assert (call.out.state, call.inn.state) == ("confirmed", "confirmed")
    call.inn.bye(link.now)
    link.run(5)
    assert call.alice.last(Ended).by == "them"
    call.over()


# --- broken messages


HAND = (
    "{method} sip:bob@127.0.0.1:5062 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\n"
    "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: hand\r\nCSeq: {cseq}\r\n{more}\r\n"
)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (HAND.format(method="INVITE", cseq="1 BYE", more=""), 400),
        (HAND.format(method="INVITE", cseq="9999999999999 INVITE", more=""), 400),
        (HAND.format(method="MESSAGE", cseq="1 MESSAGE", more="Max-Forwards: many\r\n"), 400),
        (HAND.format(method="MESSAGE", cseq="1 MESSAGE", more="To: <sip:c@example.com>\r\n"), 400),
        (HAND.format(method="SUBSCRIBE", cseq="1 SUBSCRIBE", more="Event: dialog\r\n"), 400),
        (HAND.format(method="INVITE", cseq="1 INVITE", more="Replaces: broken\r\n"), 400),
        (HAND.format(method="INVITE", cseq="1 INVITE", more="Session-Expires: never\r\n"), 400),
    ],
)
def test_what_is_malformed_is_refused_and_leaves_nothing(link: Link, text: str, status: int) -> None:
    bob = link.party("bob", 5062)
    flow = link.flow(bob, ("127.0.0.1", 5060))
    bob.agent.receive(parse(text.encode()), flow, link.now)
    link.pump()
    answers = [message.status for message in bob.sent if isinstance(message, Response)]
    assert answers == [status]
    assert not bob.told(Invited)
    link.run(100)
    nothing_left(bob)


@settings(max_examples=300)
@given(
    at=st.integers(0, 2000),
    cut=st.integers(0, 12),
    put=st.binary(max_size=12),
    which=st.integers(0, 40),
)
def test_a_call_with_any_broken_message_ends_without_an_error(at: int, cut: int, put: bytes, which: int) -> None:
    link = Link()
    call = Call(link)
    call.inn.ring(link.now, 183, ANSWER, reliable=True)
    link.run(1)
    call.inn.answer(link.now)
    link.run(1)
    if call.out.state == "confirmed":
        call.out.info(link.now, "text/plain", b"x")
        link.run(1)
    messages = [(call.alice, message) for message in call.alice.sent] + [
        (call.bob, message) for message in call.bob.sent
    ]
    sender, message = messages[which % len(messages)]
    receiver = call.bob if sender is call.alice else call.alice
    data = message.encode()
    place = at % len(data)
    broken = data[:place] + put + data[place + cut :]
    flow = link.flow(receiver, sender.address)
    try:
        receiver.agent.receive(parse(broken), flow, link.now)
    except MalformedMessage as error:
        receiver.agent.receive_malformed(error, error.message, flow)
    link.run(2)
    for event in call.bob.told(Invited) + call.alice.told(Invited):
        event.session.end(link.now)
    call.out.end(link.now)
    link.run(300)
    for party in (call.alice, call.bob):
        for notice in party.told(RequestArrived):
            party.agent.respond(link.now, notice.transaction, 501)
        assert not party.agent.sessions
    assert not call.alice.told(Answered)
