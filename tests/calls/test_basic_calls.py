"""Two phones call each other through call control: who hears whom, who is told what, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.protocols.sip import events
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.facts import Cause
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import World, media_of


@pytest.fixture
async def world() -> AsyncIterator[World]:
    office = Office()
    office.person("2001", "ANNA", "ANNA2")
    office.person("2002", "BERT")
    office.person("2003", "CARL")
    plan = DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN}))
    made = World(office, plan)
    yield made
    await made.close()


async def test_two_phones_talk_directly_and_the_call_is_recorded(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    bert.ring()
    assert anna.last(events.Progressed).response.status == 180
    taken = bert.answer()
    assert anna.hears(call) == ("127.0.0.9", bert.sound)
    assert media_of(bert.last(events.Invited).sdp or b"") == ("127.0.0.9", anna.sound)
    world.run(60)
    anna.act(call.bye)
    assert bert.last(events.Ended).session is taken
    assert world.control.core.calls == {}
    assert world.control.core.legs == {}
    record = world.kept.calls[0]
    assert (record.caller.number, record.called.number, record.final_called) == ("2001", "2002", "2002")
    assert (record.caller.device, record.called.device) == ("ANNA", "BERT")
    assert record.caller.cause is Cause.NORMAL_CLEARING
    assert record.connected is not None
    assert 59 < record.ended - record.connected < 62
    assert (record.caller.codec, record.caller.media_port) == ("PCMU", anna.sound)


async def test_all_devices_ring_and_the_others_are_told_who_answered(world: World) -> None:
    bert = world.registered("BERT", "2002")
    anna, anna2 = world.registered("ANNA", "2001"), world.registered("ANNA2", "2001", "tcp")
    bert.call("2001")
    anna.ring()
    anna2.ring()
    anna2.answer()
    cancelled = anna.last(events.Cancelled)
    assert 'text="Call completed elsewhere"' in cancelled.reason
    assert bert.last(events.Accepted).response.status == 200


async def test_a_stranger_is_refused_and_a_wrong_password_as_well(world: World) -> None:
    stranger = world.phone("NOBODY", "2001")
    assert stranger.register() in (401, 403)
    world.registered("BERT", "2002")
    stranger.call("2002")
    assert stranger.last(events.Failed).status in (401, 403)
    assert world.kept.calls == []


async def test_busy_unknown_and_unregistered_numbers_are_told_with_their_cause(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    anna.call("2002")
    bert.act(lambda now: bert.invited.reject(now, 486))
    assert anna.last(events.Failed).status == 486
    anna.call("2999")
    assert anna.last(events.Failed).status == 404
    anna.call("2003")
    failed = anna.last(events.Failed)
    assert failed.status == 480
    causes = [record.caller.cause for record in world.kept.calls]
    assert causes == [Cause.USER_BUSY, Cause.UNALLOCATED_NUMBER, Cause.NO_USER_RESPONDING]


async def test_the_caller_gives_up(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    bert.ring()
    anna.act(call.cancel)
    assert bert.all(events.Cancelled)
    assert anna.last(events.Failed).status == 487
    assert world.control.core.calls == {}


async def test_nobody_answers(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    anna.call("2002")
    bert.ring()
    world.run(13)
    assert anna.last(events.Failed).status == 480
    assert bert.all(events.Cancelled)


async def test_a_call_without_offer_gets_one_in_the_answer(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002", offer=False)
    bert.answer()
    accepted = anna.last(events.Accepted)
    assert accepted.offer
    assert media_of(accepted.sdp or b"") == ("127.0.0.9", bert.sound)
    anna.act(lambda now: call.ack(now, anna.description()))
    assert media_of(bert.last(events.Acked).sdp or b"") == ("127.0.0.9", anna.sound)


async def test_a_client_of_the_field_offers_in_its_answer(world: World) -> None:
    anna = world.registered("ANNA", "2001")
    bert = world.phone("BERT", "2002", agent="Cisco-CSF")
    bert.register(headers=(("User-Agent", "Cisco-CSF"),))
    call = anna.call("2002")
    assert bert.last(events.Invited).sdp is None
    bert.answer()
    assert anna.hears(call) == ("127.0.0.9", bert.sound)
    assert media_of(bert.last(events.Acked).sdp or b"") == ("127.0.0.9", anna.sound)


async def test_hold_plays_music_and_resume_joins_again(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    taken = bert.answer()
    anna.act(lambda now: call.reinvite(now, anna.description("sendonly")))
    held = anna.last(events.OfferAnswered)
    assert b"a=inactive" in (held.sdp or b"")
    assert bert.hears(taken)[0] == "127.0.0.1"
    assert world.desk.host.legs == 1
    anna.act(lambda now: call.reinvite(now, anna.description()))
    assert anna.hears(call) == ("127.0.0.9", bert.sound)
    assert bert.hears(taken) == ("127.0.0.9", anna.sound)
    assert world.desk.host.legs == 0
    bert.act(taken.bye)
    assert world.control.core.calls == {}


async def test_a_session_that_is_refreshed_disturbs_nobody(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    bert.answer()
    same = anna.description()
    anna.act(lambda now: call.reinvite(now, same))
    offers = len(bert.all(events.OfferArrived))
    anna.act(lambda now: call.reinvite(now, same))
    assert len(bert.all(events.OfferArrived)) == offers
    assert media_of(anna.last(events.OfferAnswered).sdp or b"") == ("127.0.0.9", bert.sound)


async def test_both_hold_and_each_is_back_when_the_other_is(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    taken = bert.answer()
    anna.act(lambda now: call.reinvite(now, anna.description("sendonly")))
    bert.act(lambda now: taken.reinvite(now, bert.description("inactive")))
    assert world.desk.host.legs == 0
    anna.act(lambda now: call.reinvite(now, anna.description()))
    assert anna.hears(call)[0] == "127.0.0.1"
    bert.act(lambda now: taken.reinvite(now, bert.description()))
    assert anna.hears(call) == ("127.0.0.9", bert.sound)
    assert bert.hears(taken) == ("127.0.0.9", anna.sound)
    anna.act(call.bye)
    assert world.desk.host.legs == 0


async def test_both_offer_at_once(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    taken = bert.answer()
    call.reinvite(world.now, anna.description("sendonly"))
    taken.reinvite(world.now, bert.description())
    world.settle()
    world.run(10)
    assert bert.hears(taken)[0] == "127.0.0.1"
    anna.act(lambda now: call.reinvite(now, anna.description()))
    world.run(10)
    assert anna.hears(call) == ("127.0.0.9", bert.sound)
    assert bert.hears(taken) == ("127.0.0.9", anna.sound)


async def test_an_end_that_refuses_an_offer_stays_as_it_was(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    call = anna.call("2002")
    bert.answer()
    bert.quiet = True
    anna.act(lambda now: call.reinvite(now, anna.description(formats="8")))
    bert.act(lambda now: bert.last(events.OfferArrived).session.refuse_offer(now, 488))
    assert anna.last(events.OfferRefused).status == 488
    assert len(world.control.core.calls) == 1
    anna.act(call.bye)


async def test_a_silent_phone_ends_its_call_by_the_session_timer(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    anna.call("2002", headers=(("Session-Expires", "120;refresher=uac"), ("Supported", "timer")))
    taken = bert.answer()
    world.phones.remove(anna)
    world.run(200)
    assert bert.last(events.Ended).session is taken
    (record,) = world.kept.calls
    assert record.caller.cause is Cause.RECOVERY_ON_TIMER_EXPIRY
    assert world.control.core.calls == {}


async def test_sound_offered_early_by_a_called_end_is_agreed_after_its_answer(world: World) -> None:
    anna = world.registered("ANNA", "2001")
    bert = world.phone("BERT", "2002", agent="Cisco-CSF")
    bert.register()
    call = anna.call("2002")
    session = bert.invited
    bert.act(lambda now: session.ring(now, 183, bert.description(), reliable=True))
    bert.act(session.answer)
    assert anna.hears(call) == ("127.0.0.9", bert.sound)
    assert bert.hears(session) == ("127.0.0.9", anna.sound)
