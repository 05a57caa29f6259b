"""Calls over a link that loses, doubles, delays and reorders, with actions at any moment: all ends, nothing is left."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ringback.protocols.sip.events import (
    Accepted,
    Cancelled,
    Ended,
    Event,
    Failed,
    InDialogRequest,
    Invited,
    OfferArrived,
    Progressed,
    Referred,
)
from ringback.protocols.sip.flows import Transport
from ringback.protocols.sip.session import Session, WrongState
from tests.sip.wire import ANSWER, OFFER, Link, Party, Weather, nothing_left
from tests.support.soak import often


class Players:
    """Two agents and somebody impatient who presses everything."""

    def __init__(self, link: Link, seed: int) -> None:
        self.link = link
        self.random = random.Random(seed)
        self.alice, self.bob = link.party("alice", 5060), link.party("bob", 5062)
        for party in (self.alice, self.bob):
            party.handler = self._react
        self.sessions: list[Session] = []
        self.closing = False

    def call(self) -> None:
        caller, called = (self.alice, self.bob) if self.random.random() < 0.7 else (self.bob, self.alice)
        sdp = OFFER if self.random.random() < 0.7 else None
        uri = f"sip:{called.name}@127.0.0.1:{called.address[1]}"
        way = self.link.way(caller, called)
        self.sessions.append(
            caller.agent.invite(self.link.now, uri, way, from_=f"<sip:{caller.name}@example.com>", sdp=sdp)
        )

    def _react(self, event: Event) -> None:
        """What an application must do; the rest is chance."""
        now = self.link.now
        if isinstance(event, Invited):
            self.sessions.append(event.session)
            if self.closing:
                event.session.reject(now, 480)
        elif isinstance(event, Accepted) and event.offer:
            event.session.ack(now, ANSWER)
        elif isinstance(event, (OfferArrived, Progressed)):
            if isinstance(event, OfferArrived) or event.offer:
                event.session.answer_offer(now, OFFER if event.sdp is None else ANSWER)
        elif isinstance(event, Referred):
            event.session.accept_refer(now, event.refer)
            event.session.refer_progress(now, event.refer, 200, "OK")
        elif isinstance(event, InDialogRequest):
            event_party = self.alice if event.session.id in self.alice.agent.sessions else self.bob
            event_party.agent.respond(now, event.transaction, 200)

    def press(self) -> None:
        """Any button, on any call."""
        if not self.sessions:
            return
        session, now = self.random.choice(self.sessions), self.link.now
        actions = [
            lambda: session.ring(now, reliable=self.random.random() < 0.5),
            lambda: session.ring(now, 183, ANSWER if session.request.body else OFFER, reliable=True),
            lambda: session.answer(now, ANSWER if session.request.body else OFFER),
            lambda: session.answer(now, ANSWER if session.request.body else OFFER),
            lambda: session.reject(now, self.random.choice([486, 603, 302])),
            lambda: session.cancel(now),
            lambda: session.reinvite(now, OFFER),
            lambda: session.reinvite(now, OFFER),
            lambda: session.update(now, OFFER),
            lambda: session.update(now),
            lambda: session.info(now, "text/plain", b"x"),
            lambda: session.send_request(now, "MESSAGE", body=b"x"),
            lambda: session.refer(now, "sip:carol@example.com"),
            lambda: session.bye(now),
        ]
        try:
            self.random.choice(actions)()
        except WrongState:
            return  # the session says that it does not fit, and is unchanged

    def told(self, session: Session, *kinds: type[Event]) -> int:
        events = [*self.alice.events, *self.bob.events]
        return sum(1 for event in events if isinstance(event, kinds) and getattr(event, "session", None) is session)


def play(seed: int, weather: Weather, transport: Transport, presses: int) -> None:
    link = Link(seed, weather, transport)
    players = Players(link, seed)
    for _ in range(presses):
        if players.random.random() < 0.15 or not players.sessions:
            players.call()
        else:
            players.press()
        link.run(players.random.choice([0.0, 0.01, 0.1, 0.5, 3.0]))
    players.closing = True
    for session in tuple(players.sessions):
        session.end(link.now)
        link.pump()
    link.run(400)
    for session in players.sessions:
        assert session.state == "ended", (session.id, session.state)
        ended = players.told(session, Ended)
        failed = players.told(session, Failed)
        accepted = players.told(session, Accepted)
        cancelled = players.told(session, Cancelled)
        if session.direction == "out":
            assert (accepted, ended, failed) in ((1, 1, 0), (0, 0, 1)), (accepted, ended, failed)
        else:
            assert ended + cancelled <= 1, (ended, cancelled)
    parties: tuple[Party, Party] = (players.alice, players.bob)
    for party in parties:
        nothing_left(party)


@pytest.mark.soak
@settings(max_examples=often(60, 6000))
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    double=st.sampled_from([0.0, 0.3]),
    slow=st.sampled_from([0.001, 0.2, 2.0]),
    transport=st.sampled_from(["udp", "tcp"]),
)
@example(seed=1, loss=0.3, double=0.3, slow=0.2, transport="udp")
def test_whatever_is_pressed_and_lost_all_calls_end(
    seed: int, loss: float, double: float, slow: float, transport: Transport
) -> None:
    play(seed, Weather(loss, double, (0.001, slow)), transport, 40)


@pytest.mark.soak
@settings(max_examples=often(25, 1000))
@given(seed=st.integers(0, 2**32))
def test_a_call_comes_about_over_a_bad_link(seed: int) -> None:
    link = Link(seed, Weather(0.2, 0.1, (0.01, 0.3)))
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)

    def answer(event: Event) -> None:
        if isinstance(event, Invited):
            event.session.ring(link.now)
            event.session.answer(link.now, ANSWER)

    bob.handler = answer
    way = link.way(alice, bob)
    out = alice.agent.invite(link.now, "sip:bob@127.0.0.1:5062", way, from_="<sip:a@example.com>", sdp=OFFER)
    link.run_until(lambda: bool(alice.told(Accepted) or alice.told(Failed)), 40)
    assume(bob.told(Invited))  # once in some thousand times each repetition of the INVITE is lost or comes too late
    link.run_until(lambda: bob.last(Invited).session.state == "confirmed", 40)
    assert alice.last(Accepted).sdp == ANSWER
    out.bye(link.now)
    link.run(200)
    assert bob.last(Ended).by == "them"
    nothing_left(alice)
    nothing_left(bob)
