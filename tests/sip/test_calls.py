"""Calls between two agents wired in memory."""

from __future__ import annotations

import pytest

from ringback.protocols.sip.events import (
    Accepted,
    Acked,
    Cancelled,
    Ended,
    Failed,
    Invited,
    OfferAnswered,
    OfferArrived,
    Progressed,
)
from tests.sip.wire import ANSWER, OFFER, Link, nothing_left


class Call:
    """Alice calls Bob."""

    def __init__(self, link: Link, sdp: bytes | None = OFFER) -> None:
        self.link = link
        self.alice = link.party("alice", 5060)
        self.bob = link.party("bob", 5062)
        self.out = self.alice.agent.invite(
            link.now, "sip:bob@127.0.0.1:5062", link.way(self.alice, self.bob), from_="<sip:alice@example.com>", sdp=sdp
        )
        link.run_until(lambda: bool(self.bob.told(Invited)))
        self.inn = self.bob.last(Invited).session

    def answer(self, sdp: bytes | None = ANSWER) -> None:
        self.inn.ring(self.link.now)
        self.inn.answer(self.link.now, sdp)
        self.link.run_until(lambda: bool(self.alice.told(Accepted)))

    def up(self) -> Call:
        self.answer()
        self.link.run_until(lambda: bool(self.bob.told(Acked)))
        return self

    def over(self) -> None:
        self.link.run(100)
        for party in (self.alice, self.bob):
            nothing_left(party)


@pytest.fixture(params=["udp", "tcp"])
def link(request: pytest.FixtureRequest) -> Link:
    return Link(transport=request.param)


def test_ring_answer_and_hang_up(link: Link) -> None:
    call = Call(link)
    call.inn.ring(link.now)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    assert call.out.state == "early"
    assert call.bob.last(Invited).sdp == OFFER
    call.inn.answer(link.now, ANSWER)
    link.run_until(lambda: bool(call.bob.told(Acked)))
    accepted = call.alice.last(Accepted)
    assert (accepted.sdp, accepted.offer) == (ANSWER, False)
    assert (call.out.state, call.inn.state) == ("confirmed", "confirmed")
    call.out.bye(link.now, headers=[("Reason", "Q.850;cause=16")])
    link.run_until(lambda: bool(call.bob.told(Ended)))
    ended = call.bob.last(Ended)
    assert (ended.by, ended.reason) == ("them", "Q.850;cause=16")
    assert call.alice.last(Ended).by == "us"
    call.over()


def test_the_called_one_hangs_up(link: Link) -> None:
    call = Call(link).up()
    call.inn.bye(link.now)
    link.run_until(lambda: bool(call.alice.told(Ended)))
    assert call.alice.last(Ended).by == "them"
    call.over()


def test_cancel(link: Link) -> None:
    call = Call(link)
    call.inn.ring(link.now)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    call.out.cancel(link.now, headers=[("Reason", "SIP;cause=200")])
    link.run_until(lambda: bool(call.alice.told(Failed)))
    assert call.alice.last(Failed).status == 487
    assert call.bob.last(Cancelled).reason == "SIP;cause=200"
    call.over()


def test_refused(link: Link) -> None:
    call = Call(link)
    call.inn.reject(link.now, 486)
    link.run_until(lambda: bool(call.alice.told(Failed)))
    failed = call.alice.last(Failed)
    assert (failed.status, failed.reason) == (486, "Busy Here")
    call.over()


def test_delayed_offer(link: Link) -> None:
    call = Call(link, sdp=None)
    assert call.bob.last(Invited).sdp is None
    call.inn.answer(link.now, OFFER)
    link.run_until(lambda: bool(call.alice.told(Accepted)))
    accepted = call.alice.last(Accepted)
    assert (accepted.sdp, accepted.offer) == (OFFER, True)
    link.run(3)
    assert not call.bob.told(Acked)
    call.out.ack(link.now, ANSWER)
    link.run_until(lambda: bool(call.bob.told(Acked)))
    assert call.bob.last(Acked).sdp == ANSWER
    call.out.bye(link.now)
    call.over()


def test_hold_by_a_second_offer(link: Link) -> None:
    call = Call(link).up()
    held = OFFER + b"a=sendonly\r\n"
    call.inn.reinvite(link.now, held)
    link.run_until(lambda: bool(call.alice.told(OfferArrived)))
    offer = call.alice.last(OfferArrived)
    assert (offer.sdp, offer.how) == (held, "INVITE")
    call.out.answer_offer(link.now, ANSWER + b"a=recvonly\r\n")
    link.run_until(lambda: bool(call.bob.told(OfferAnswered)))
    assert call.bob.last(OfferAnswered).sdp == ANSWER + b"a=recvonly\r\n"
    call.out.bye(link.now)
    call.over()


def test_a_cancel_that_crosses_the_answer_ends_the_call(link: Link) -> None:
    call = Call(link)
    call.inn.ring(link.now)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    call.inn.answer(link.now, ANSWER)
    call.out.cancel(link.now)
    link.run_until(lambda: bool(call.bob.told(Ended)))
    assert call.bob.last(Ended).by == "them"
    assert call.alice.last(Failed).status == 487
    assert not call.alice.told(Accepted)
    call.over()


def test_nobody_there() -> None:
    link = Link()
    alice = link.party("alice", 5060)
    way = link.flow(alice, ("127.0.0.1", 9))
    alice.agent.invite(link.now, "sip:bob@127.0.0.1:9", way, from_="<sip:a@example.com>", sdp=OFFER)
    link.run(40)
    assert alice.last(Failed).status == 408
    link.run(60)
    nothing_left(alice)
