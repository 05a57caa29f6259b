"""What sessions do beyond ringing, answering and ending: each feature between two agents wired in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ringback.protocols.sip.agent import Agent, Refusal
from ringback.protocols.sip.events import (
    Accepted,
    Acked,
    Answered,
    Cancelled,
    Ended,
    Event,
    Failed,
    InDialogRequest,
    InfoArrived,
    Invited,
    Notified,
    NotifierEnded,
    NotifierRefreshed,
    OfferAnswered,
    OfferArrived,
    OfferRefused,
    Progressed,
    ReferProgress,
    Referred,
    RequestAnswered,
    RequestArrived,
    SubscribeArrived,
    SubscriptionChanged,
    Unanswered,
)
from ringback.protocols.sip.flows import Body
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.session import WrongState
from ringback.protocols.sip.settings import AgentSettings
from tests.sip.test_calls import Call
from tests.sip.wire import ANSWER, OFFER, Link, Party, nothing_left


@pytest.fixture
def link() -> Link:
    return Link()


def methods(party: Party) -> list[str]:
    """The requests that a party sent, in order."""
    return [message.method for message in party.sent if isinstance(message, Request)]


# --- reliable provisional responses (RFC 3262)


def test_early_media_that_must_arrive(link: Link) -> None:
    call = Call(link)
    call.inn.ring(link.now, 183, ANSWER, reliable=True)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    assert call.alice.last(Progressed).sdp == ANSWER
    assert not call.alice.last(Progressed).offer
    call.inn.answer(link.now, ANSWER)
    link.run_until(lambda: bool(call.bob.told(Acked)))
    assert methods(call.alice) == ["INVITE", "PRACK", "ACK"]
    assert call.alice.last(Accepted).sdp is None, "the answer went with the reliable response"
    call.out.bye(link.now)
    call.over()


def test_a_reliable_response_is_repeated_until_its_prack(link: Link) -> None:
    call = Call(link)
    lost: list[Request | Response] = []

    def drop(message: Request | Response) -> bool:
        if isinstance(message, Response) and message.status == 180 and len(lost) < 3:
            lost.append(message)
            return True
        return False

    link.drop = drop
    call.inn.ring(link.now, 180, reliable=True)
    call.inn.answer(link.now, ANSWER)
    link.run_until(lambda: bool(call.bob.told(Acked)))
    assert len(lost) == 3
    assert len(call.alice.told(Progressed)) == 1
    call.out.bye(link.now)
    call.over()


def test_without_prack_the_call_is_refused(link: Link) -> None:
    call = Call(link)
    link.drop = lambda message: isinstance(message, Request) and message.method == "PRACK"
    call.inn.ring(link.now, 180, reliable=True)
    link.run_until(lambda: bool(call.bob.told(Cancelled)))
    link.run(5)
    assert call.alice.last(Failed).status == 504
    call.over()


def test_an_offer_in_a_reliable_response_is_answered_in_prack(link: Link) -> None:
    call = Call(link, sdp=None)
    call.inn.ring(link.now, 183, OFFER, reliable=True)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    progressed = call.alice.last(Progressed)
    assert (progressed.sdp, progressed.offer) == (OFFER, True)
    call.out.answer_offer(link.now, ANSWER)
    link.run_until(lambda: bool(call.bob.told(OfferAnswered)))
    assert call.bob.last(OfferAnswered).sdp == ANSWER
    call.inn.answer(link.now)
    link.run_until(lambda: bool(call.bob.told(Acked)))
    assert not call.alice.last(Accepted).offer
    call.out.bye(link.now)
    call.over()


def test_an_offer_in_prack_is_answered(link: Link) -> None:
    call = Call(link)
    link.drop = lambda message: isinstance(message, Request) and message.method == "PRACK" and not message.body
    call.inn.ring(link.now, 183, ANSWER, reliable=True)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    rack = ("RAck", f"{call.alice.last(Progressed).response.rseq} 1 INVITE")
    call.out.send_request(link.now, "PRACK", headers=[rack], body=OFFER + b"a=second\r\n")
    link.run_until(lambda: bool(call.bob.told(OfferArrived)))
    link.drop = None
    arrived = call.bob.last(OfferArrived)
    assert (arrived.sdp, arrived.how) == (OFFER + b"a=second\r\n", "PRACK")
    call.inn.answer_offer(link.now, ANSWER + b"a=second\r\n")
    call.inn.answer(link.now)
    link.run_until(lambda: bool(call.bob.told(Acked)))
    answers = [message for message in call.bob.sent if isinstance(message, Response) and message.body]
    assert answers[-1].cseq.method == "PRACK"
    assert answers[-1].body == ANSWER + b"a=second\r\n"
    call.out.bye(link.now)
    call.over()


def test_a_prack_that_matches_nothing_is_refused(link: Link) -> None:
    call = Call(link)
    call.inn.ring(link.now)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    call.out.send_request(link.now, "PRACK", headers=[("RAck", "77 1 INVITE")])
    link.run_until(lambda: bool(call.alice.told(RequestAnswered)))
    assert call.alice.last(RequestAnswered).status == 481
    call.out.cancel(link.now)
    call.over()


# --- offers


def test_update_before_the_answer(link: Link) -> None:
    call = Call(link)
    call.inn.ring(link.now, 183, ANSWER, reliable=True)
    link.run_until(lambda: bool(call.alice.told(Progressed)))
    link.run(0.1)
    call.out.update(link.now, OFFER + b"a=inactive\r\n")
    link.run_until(lambda: bool(call.bob.told(OfferArrived)))
    assert call.bob.last(OfferArrived).how == "UPDATE"
    call.inn.answer_offer(link.now, ANSWER + b"a=inactive\r\n")
    link.run_until(lambda: bool(call.alice.told(OfferAnswered)))
    assert call.alice.last(OfferAnswered).sdp == ANSWER + b"a=inactive\r\n"
    call.out.cancel(link.now)
    call.over()


def test_both_sides_offer_at_once(link: Link) -> None:
    call = Call(link).up()
    call.out.reinvite(link.now, OFFER + b"a=from-alice\r\n")
    call.inn.reinvite(link.now, OFFER + b"a=from-bob\r\n")

    def answer(event: Event) -> None:
        if isinstance(event, OfferArrived):
            event.session.answer_offer(link.now, ANSWER)

    call.alice.handler = call.bob.handler = answer
    link.run(12)
    assert call.bob.last(OfferArrived).sdp == OFFER + b"a=from-alice\r\n"
    assert call.alice.last(OfferArrived).sdp == OFFER + b"a=from-bob\r\n"
    assert not call.alice.told(OfferRefused)
    assert not call.bob.told(OfferRefused)
    assert (len(call.alice.told(OfferAnswered)), len(call.bob.told(OfferAnswered))) == (1, 1)
    call.out.bye(link.now)
    call.over()


def test_an_offer_that_is_refused_changes_nothing(link: Link) -> None:
    call = Call(link).up()
    call.out.reinvite(link.now, OFFER + b"a=video\r\n")
    link.run_until(lambda: bool(call.bob.told(OfferArrived)))
    call.inn.refuse_offer(link.now, 488)
    link.run_until(lambda: bool(call.alice.told(OfferRefused)))
    assert call.alice.last(OfferRefused).status == 488
    assert (call.out.state, call.inn.state) == ("confirmed", "confirmed")
    call.inn.reinvite(link.now, OFFER)
    link.run_until(lambda: bool(call.alice.told(OfferArrived)))
    call.out.answer_offer(link.now, ANSWER)
    link.run_until(lambda: bool(call.bob.told(OfferAnswered)))
    call.out.bye(link.now)
    call.over()


def test_a_second_invitation_without_offer_lets_the_other_side_offer(link: Link) -> None:
    call = Call(link).up()
    call.out.reinvite(link.now, None)
    link.run_until(lambda: bool(call.bob.told(OfferArrived)))
    assert call.bob.last(OfferArrived).sdp is None
    call.inn.answer_offer(link.now, OFFER + b"a=mine\r\n")
    link.run_until(lambda: bool(call.alice.told(OfferAnswered)))
    answered = call.alice.last(OfferAnswered)
    assert (answered.sdp, answered.offer) == (OFFER + b"a=mine\r\n", True)
    call.out.ack(link.now, ANSWER + b"a=yours\r\n")
    link.run_until(lambda: bool(call.bob.told(OfferAnswered)))
    assert call.bob.last(OfferAnswered).sdp == ANSWER + b"a=yours\r\n"
    call.out.bye(link.now)
    call.over()


def test_a_second_offer_while_one_is_open_is_ours_to_avoid(link: Link) -> None:
    call = Call(link).up()
    call.out.reinvite(link.now, OFFER)
    with pytest.raises(WrongState):
        call.out.reinvite(link.now, OFFER)
    link.run_until(lambda: bool(call.bob.told(OfferArrived)))
    call.inn.answer_offer(link.now, ANSWER)
    call.out.bye(link.now)
    call.over()


def test_a_description_inside_of_a_multipart_is_found(link: Link) -> None:
    data = (
        b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\n"
        + OFFER
        + b"\r\n--b--\r\n"
    )
    call = Call(link, sdp=None)
    call.inn.answer(link.now, Body("multipart/mixed;boundary=b", data))
    link.run_until(lambda: bool(call.alice.told(Accepted)))
    assert call.alice.last(Accepted).sdp == OFFER
    call.out.ack(link.now, ANSWER)
    call.out.bye(link.now)
    call.over()


# --- session timers (RFC 4028)


def timed(link: Link, alice: AgentSettings, bob: AgentSettings) -> Call:
    """A call between agents of these settings."""
    call = Call.__new__(Call)
    call.link = link
    call.alice, call.bob = link.party("alice", 5060, alice), link.party("bob", 5062, bob)
    call.out = call.alice.agent.invite(
        link.now, "sip:bob@127.0.0.1:5062", link.way(call.alice, call.bob), from_="<sip:alice@example.com>", sdp=OFFER
    )
    link.run_until(lambda: bool(call.bob.told(Invited) or call.alice.told(Failed)))
    call.inn = call.bob.last(Invited).session
    return call


@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_a_session_is_refreshed_by_who_was_agreed(link: Link, refresher: str) -> None:
    call = timed(link, AgentSettings(session_expires=200, refresher=refresher), AgentSettings(session_expires=300)).up()
    assert (call.out.session_expires, call.inn.session_expires) == (200, 200)
    link.run(1000)
    who, other = (call.alice, call.bob) if refresher == "uac" else (call.bob, call.alice)
    assert methods(who).count("UPDATE") in (9, 10)
    assert "UPDATE" not in methods(other)
    assert not call.alice.told(Ended)
    call.out.bye(link.now)
    call.over()


def test_a_refresh_by_invite_where_the_other_side_has_no_update(link: Link) -> None:
    plain = tuple(method for method in AgentSettings().allow if method != "UPDATE")
    call = timed(link, AgentSettings(session_expires=100, refresher="uac"), AgentSettings(allow=plain)).up()

    def answer(event: Event) -> None:
        if isinstance(event, OfferArrived):
            assert event.sdp == OFFER, "the description is the same"
            event.session.answer_offer(link.now, ANSWER)

    call.bob.handler = answer
    link.run(170)
    assert methods(call.alice).count("INVITE") == 4
    assert not call.alice.told(OfferAnswered), "a refresh is nobody's news"
    call.out.bye(link.now)
    call.over()


def test_a_session_that_is_not_refreshed_ends(link: Link) -> None:
    call = timed(link, AgentSettings(session_expires=200, refresher="uac"), AgentSettings()).up()
    link.drop = lambda message: True
    link.run(400)
    assert call.bob.last(Ended).by == "timer"
    assert call.alice.last(Ended).by == "failure"
    link.drop = None
    call.over()


def breaks(link: Link, call: Call) -> None:
    """Alice's connection breaks with what is under way on it; the next one is another."""
    flow = link.way(call.alice, call.bob)
    flow.closed = True
    call.alice.agent.flow_closed(flow, link.now)


def test_a_connection_that_breaks_in_an_offer_ends_no_call() -> None:
    link = Link(transport="tcp")
    call = Call(link).up()
    link.drop = lambda message: True
    call.out.reinvite(link.now, OFFER)
    link.pump()
    breaks(link, call)
    link.run(1)
    refused = call.alice.last(OfferRefused)
    assert (refused.status, refused.response) == (503, None)
    assert (call.out.state, call.alice.told(Ended)) == ("confirmed", [])
    link.drop = None
    call.out.flow = link.way(call.alice, call.bob)
    call.bob.handler = lambda event: (
        event.session.answer_offer(link.now, ANSWER) if isinstance(event, OfferArrived) else None
    )
    call.out.reinvite(link.now, OFFER)
    link.run_until(lambda: bool(call.alice.told(OfferAnswered)))
    call.out.bye(link.now)
    call.over()


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_refresh_that_finds_no_way_is_tried_again_until_the_interval_is_over(comes_back: bool) -> None:
    link = Link(transport="tcp")
    call = timed(link, AgentSettings(session_expires=200, refresher="uac"), AgentSettings()).up()
    link.unreachable = True
    link.run(125)
    assert not call.alice.told(Ended), "tried after 100, 110 and 120 seconds"
    assert call.out.state == "confirmed"
    if comes_back:
        link.unreachable = False
        link.run(600)
        assert methods(call.bob) == []
        assert not call.alice.told(Ended)
        call.out.bye(link.now)
    else:
        link.run(45)
        assert call.alice.last(Ended).by == "timer"
        link.unreachable = False
    call.over()


def test_too_short_a_timer_is_asked_for_again(link: Link) -> None:
    call = timed(link, AgentSettings(session_expires=90), AgentSettings(min_se=600)).up()
    assert call.out.session_expires == 600
    assert next(message.status for message in call.bob.sent if isinstance(message, Response)) == 422
    call.out.bye(link.now)
    call.over()


# --- other requests


def test_info_and_messages_in_a_call(link: Link) -> None:
    call = Call(link).up()
    call.out.info(link.now, "application/dtmf-relay", b"Signal=5\r\n")
    link.run_until(lambda: bool(call.alice.told(RequestAnswered)))
    info = call.bob.last(InfoArrived)
    assert (info.content_type, info.body) == ("application/dtmf-relay", b"Signal=5\r\n")
    call.inn.send_request(link.now, "MESSAGE", body=Body("text/plain", b"hello"))
    link.run_until(lambda: bool(call.alice.told(InDialogRequest)))
    request = call.alice.last(InDialogRequest)
    assert request.request.body == b"hello"
    call.alice.agent.respond(link.now, request.transaction, 202)
    link.run_until(lambda: bool(call.bob.told(RequestAnswered)))
    assert call.bob.last(RequestAnswered).status == 202
    call.out.bye(link.now)
    call.over()


def test_session_ids_are_kept(link: Link) -> None:
    call = Call(link).up()
    assert call.out.remote_uuid == call.inn.local_uuid != ""
    assert call.inn.remote_uuid == call.out.local_uuid != ""
    call.out.bye(link.now)
    call.over()


def test_a_transfer_with_consultation(link: Link) -> None:
    """Bob asks Alice to call Carol in the place of himself."""
    call = Call(link).up()
    carol = link.party("carol", 5064)
    consult = call.bob.agent.invite(
        link.now, "sip:carol@127.0.0.1:5064", link.way(call.bob, carol), from_="<sip:bob@example.com>", sdp=OFFER
    )
    link.run_until(lambda: bool(carol.told(Invited)))
    at_carol = carol.last(Invited).session
    at_carol.answer(link.now, ANSWER)
    link.run_until(lambda: bool(carol.told(Acked)))
    call.inn.refer(link.now, "sip:carol@127.0.0.1:5064", replaces=consult)
    link.run_until(lambda: bool(call.alice.told(Referred)))
    refer = call.alice.last(Referred).refer
    assert refer.target == "sip:carol@127.0.0.1:5064"
    assert refer.referred_by == call.inn.local_uri
    call.out.accept_refer(link.now, refer)
    third = call.alice.agent.invite(
        link.now,
        refer.target,
        link.way(call.alice, carol),
        from_="<sip:alice@example.com>",
        sdp=OFFER,
        replaces=refer.replaces,
    )
    link.run_until(lambda: len(carol.told(Invited)) == 2)
    invited = carol.last(Invited)
    assert invited.replaces is at_carol
    invited.session.answer(link.now, ANSWER)
    at_carol.bye(link.now)
    link.run_until(lambda: bool(call.alice.told(Accepted)) and third.state == "confirmed")
    call.out.refer_progress(link.now, refer, 200, "OK")
    link.run(1)
    told = [(event.status, event.final) for event in call.bob.told(ReferProgress)]
    assert told == [(202, False), (100, False), (200, True)]
    assert call.bob.last(Ended).session is consult
    call.inn.bye(link.now)
    third.bye(link.now)
    link.run(100)
    for party in (call.alice, call.bob, carol):
        nothing_left(party)


def test_a_transfer_without_reports(link: Link) -> None:
    call = Call(link).up()
    call.inn.refer(link.now, "sip:carol@example.com", silent=True)
    link.run_until(lambda: bool(call.alice.told(Referred)))
    refer = call.alice.last(Referred).refer
    assert refer.silent
    call.out.accept_refer(link.now, refer)
    link.run(2)
    assert [(event.status, event.final) for event in call.bob.told(ReferProgress)] == [(202, True)]
    assert "NOTIFY" not in methods(call.alice)
    call.inn.bye(link.now)
    call.over()


def test_a_transfer_that_is_refused(link: Link) -> None:
    call = Call(link).up()
    call.inn.refer(link.now, "sip:carol@example.com")
    link.run_until(lambda: bool(call.alice.told(Referred)))
    call.out.refuse_refer(link.now, call.alice.last(Referred).refer, 603)
    link.run_until(lambda: bool(call.bob.told(ReferProgress)))
    assert (call.bob.last(ReferProgress).status, call.bob.last(ReferProgress).final) == (603, True)
    call.inn.bye(link.now)
    call.over()


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("nobody@example.com;to-tag=1;from-tag=2", 481),
        ("{call};to-tag={there};from-tag={here};early-only", 486),
        ("{call};to-tag={there};from-tag=wrong", 481),
        ("{call}", 400),
    ],
)
def test_replaces_that_fits_nothing(link: Link, value: str, status: int) -> None:
    call = Call(link).up()
    text = value.format(call=call.out.call_id, there=call.inn.local_tag, here=call.out.local_tag)
    carol = link.party("carol", 5064)
    carol.agent.invite(
        link.now,
        "sip:bob@127.0.0.1:5062",
        link.way(carol, call.bob),
        from_="<sip:c@example.com>",
        sdp=OFFER,
        replaces=text,
    )
    link.run_until(lambda: bool(carol.told(Failed)))
    assert carol.last(Failed).status == status
    call.out.bye(link.now)
    call.over()


# --- subscriptions (RFC 6665)


def test_a_subscription_and_its_end(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    ours = alice.agent.subscribe(
        link.now,
        "sip:bob@127.0.0.1:5062",
        link.way(alice, bob),
        event="dialog",
        from_="<sip:alice@example.com>",
        expires=120,
    )
    link.run_until(lambda: bool(bob.told(SubscribeArrived)))
    theirs = bob.last(SubscribeArrived).notifier
    assert (theirs.event, theirs.asked) == ("dialog", 120)
    theirs.accept(link.now)
    theirs.notify(link.now, Body("application/dialog-info+xml", b"<one/>"))
    link.run_until(lambda: bool(alice.told(Notified)))
    assert alice.last(Notified).body == b"<one/>"
    assert alice.last(SubscriptionChanged).state == "active"
    link.run(1)
    for text in (b"<two/>", b"<three/>", b"<four/>"):
        theirs.notify(link.now, Body("application/dialog-info+xml", text))
    link.run(1)
    assert [event.body for event in alice.told(Notified)] == [b"<one/>", b"<two/>", b"<four/>"]
    link.run(300)
    assert len(bob.told(NotifierRefreshed)) == 2
    ours.end(link.now)
    link.run(1)
    assert bob.last(NotifierEnded).why == "unsubscribed"
    assert alice.last(SubscriptionChanged).state == "ended"
    link.run(100)
    nothing_left(alice)
    nothing_left(bob)


def test_a_subscription_that_is_refused_or_ended_by_the_other_side(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)

    def subscribe() -> None:
        alice.agent.subscribe(
            link.now, "sip:bob@127.0.0.1:5062", link.way(alice, bob), event="presence", from_="<sip:alice@example.com>"
        )

    subscribe()
    link.run_until(lambda: bool(bob.told(SubscribeArrived)))
    bob.last(SubscribeArrived).notifier.refuse(link.now, 489)
    link.run_until(lambda: bool(alice.told(SubscriptionChanged)))
    assert (alice.last(SubscriptionChanged).state, alice.last(SubscriptionChanged).status) == ("ended", 489)
    subscribe()
    link.run_until(lambda: len(bob.told(SubscribeArrived)) == 2)
    notifier = bob.last(SubscribeArrived).notifier
    notifier.accept(link.now, pending=True)
    notifier.notify(link.now, pending=True)
    link.run(1)
    assert alice.last(SubscriptionChanged).state == "pending"
    notifier.notify(link.now, Body("application/pidf+xml", b"<presence/>"))
    link.run(1)
    assert alice.last(SubscriptionChanged).state == "active"
    notifier.end(link.now, "noresource")
    link.run(1)
    assert (alice.last(SubscriptionChanged).state, alice.last(SubscriptionChanged).reason) == ("ended", "noresource")
    link.run(100)
    nothing_left(alice)
    nothing_left(bob)


def test_a_subscription_that_nobody_notifies_is_over(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    alice.agent.subscribe(
        link.now, "sip:bob@127.0.0.1:5062", link.way(alice, bob), event="x", from_="<sip:alice@example.com>"
    )
    link.run_until(lambda: bool(bob.told(SubscribeArrived)))
    bob.last(SubscribeArrived).notifier.accept(link.now, expires=60)
    link.run(40)
    assert alice.last(SubscriptionChanged).status == 408
    link.run(100)
    nothing_left(alice)
    nothing_left(bob)


def test_keys_pressed_are_subscribed_to_inside_of_a_call(link: Link) -> None:
    call = Call(link).up()
    keys = call.inn.subscribe(link.now, "kpml", 3600)
    link.run_until(lambda: bool(call.alice.told(SubscribeArrived)))
    notifier = call.alice.last(SubscribeArrived).notifier
    notifier.accept(link.now)
    notifier.notify(link.now, Body("application/kpml-response+xml", b"<kpml code='423'/>"))
    link.run_until(lambda: bool(call.bob.told(Notified)))
    assert call.bob.last(Notified).subscription is keys
    call.out.bye(link.now)
    link.run(1)
    assert call.bob.last(SubscriptionChanged).state == "ended"
    call.over()


# --- requests outside of dialogs


def test_a_message_and_its_answer(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    alice.agent.send_request(
        link.now, "MESSAGE", "sip:bob@127.0.0.1:5062", link.way(alice, bob), from_="<sip:a@example.com>",
        body=Body("text/plain", b"hi"),
    )  # fmt: skip
    link.run_until(lambda: bool(bob.told(RequestArrived)))
    arrived = bob.last(RequestArrived)
    assert arrived.request.body == b"hi"
    bob.agent.respond(link.now, arrived.transaction, 200)
    bob.agent.respond(link.now, arrived.transaction, 500)
    link.run_until(lambda: bool(alice.told(Answered)))
    assert alice.last(Answered).response.status == 200
    link.run(100)
    nothing_left(alice)
    nothing_left(bob)


def test_options_are_answered_without_keeping_anything(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    alice.agent.send_request(
        link.now, "OPTIONS", "sip:bob@127.0.0.1:5062", link.way(alice, bob), from_="<sip:a@example.com>"
    )
    link.run_until(lambda: bool(alice.told(Answered)))
    response = alice.last(Answered).response
    assert response.status == 200
    assert {"INVITE", "UPDATE", "PRACK"} <= response.allow
    assert {"100rel", "timer", "replaces"} <= response.supported
    nothing_left(bob)


@pytest.mark.parametrize(
    ("method", "headers", "status", "named"),
    [
        ("FROBNICATE", [], 405, "Allow"),
        ("MESSAGE", [("Require", "teleportation, timer")], 420, "Unsupported"),
        ("INFO", [], 481, ""),
        ("BYE", [], 481, ""),
        ("SUBSCRIBE", [("Contact", "<sip:a@127.0.0.1>")], 489, ""),
    ],
)
def test_requests_that_nobody_can_answer(
    link: Link, method: str, headers: list[tuple[str, str]], status: int, named: str
) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    alice.agent.send_request(
        link.now, method, "sip:bob@127.0.0.1:5062", link.way(alice, bob), from_="<sip:a@example.com>", headers=headers
    )
    link.run_until(lambda: bool(alice.told(Answered)))
    response = alice.last(Answered).response
    assert response.status == status
    assert not named or response.has(named)
    if status == 420:
        assert response.get("Unsupported") == "teleportation"
    link.run(100)
    nothing_left(bob)


def test_the_second_way_is_tried(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    dead = link.flow(alice, ("127.0.0.1", 9))
    alice.agent.send_request(
        link.now, "OPTIONS", "sip:bob@example.com", [dead, link.way(alice, bob)], from_="<sip:a@example.com>"
    )
    link.run(40)
    assert alice.last(Answered).response.status == 200
    alice.agent.send_request(link.now, "OPTIONS", "sip:bob@example.com", [dead], from_="<sip:a@example.com>")
    link.run(40)
    assert alice.last(Unanswered).why == "timeout"
    link.run(100)
    nothing_left(alice)


def test_a_call_that_is_redirected_says_where_to(link: Link) -> None:
    call = Call(link)
    call.inn.redirect(link.now, ("<sip:carol@example.com>",))
    link.run_until(lambda: bool(call.alice.told(Failed)))
    failed = call.alice.last(Failed)
    assert failed.response is not None
    assert (failed.status, str(failed.response.contacts[0].uri)) == (302, "sip:carol@example.com")
    call.over()


def test_a_request_that_has_gone_too_far(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062, AgentSettings(forwards=True))
    alice.agent.invite(
        link.now, "sip:bob@127.0.0.1:5062", link.way(alice, bob), from_="<sip:a@example.com>", sdp=OFFER, max_forwards=0
    )
    link.run_until(lambda: bool(alice.told(Failed)))
    assert alice.last(Failed).status == 483
    link.run(100)
    nothing_left(bob)


def test_a_request_that_comes_by_two_ways_is_merged(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    way = link.way(alice, bob)
    for _ in range(2):
        alice.agent.send_request(
            link.now,
            "MESSAGE",
            "sip:bob@127.0.0.1:5062",
            way,
            from_="<sip:a@example.com>",
            call_id="same",
            from_tag="same",
        )
    link.run(1)
    assert len(bob.told(RequestArrived)) == 1
    assert alice.last(Answered).response.status == 482


def test_too_many_calls_are_told_to_wait(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062, AgentSettings(max_sessions=1))
    for _ in range(2):
        alice.agent.invite(
            link.now, "sip:bob@127.0.0.1:5062", link.way(alice, bob), from_="<sip:a@example.com>", sdp=OFFER
        )
    link.run(1)
    failed = alice.last(Failed)
    assert failed.response is not None
    assert (failed.status, failed.response.retry_after) == (503, 10)


def gated(refuse: Callable[[Request], Refusal | None]) -> Callable[[Agent], None]:
    def put(agent: Agent) -> None:
        agent.gate = lambda request, _flow, _now: refuse(request)

    return put


def test_what_the_gate_refuses_leaves_nothing(link: Link) -> None:
    alice, bob = link.party("alice", 5060), link.party("bob", 5062)
    gated(lambda _request: Refusal(403, "Not Here", (("Warning", '399 bob "no"'),)))(bob.agent)
    alice.agent.invite(link.now, "sip:bob@127.0.0.1:5062", link.way(alice, bob), from_="<sip:a@example.com>", sdp=OFFER)
    link.run_until(lambda: bool(alice.told(Failed)))
    assert (alice.last(Failed).status, alice.last(Failed).reason) == (403, "Not Here")
    assert not bob.events
    nothing_left(bob)
