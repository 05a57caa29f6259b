"""Transfer, park, pick-up, move and conference through call control: the right ends hear each other afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.protocols.sip import events
from ringback.protocols.sip.session import Session
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.facts import Cause, RedirectReason
from ringback.services.callmanager.settings import CallSettings
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import Handset, World, media_of

OURS = "127.0.0.1"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    office = Office()
    office.person("2001", "ANNA", "ANNA2", group="sales")
    office.person("2002", "BERT", group="sales")
    office.person("2003", "CARL", group="sales")
    office.person("2004", "DORA")
    plan = DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN}), park_slots=("701", "702"))
    made = World(office, plan, CallSettings(domain=DOMAIN, media_ports=(0, 0), park_reminder_seconds=30))
    yield made
    await made.close()


def phones(world: World, *names: str) -> list[Handset]:
    numbers = {"ANNA": "2001", "ANNA2": "2001", "BERT": "2002", "CARL": "2003", "DORA": "2004"}
    return [world.registered(name, numbers[name]) for name in names]


def connected(caller: Handset, called: Handset) -> tuple[Session, Session]:
    """A call that is up."""
    out = caller.call(called.number)
    return out, called.answer()


def gone(world: World) -> None:
    """Nothing is left: no call, no leg, no media port."""
    core = world.control.core
    assert core.calls == {}
    assert core.legs == {}
    assert core.by_device == {}
    assert world.desk.host.legs == 0
    for phone in world.phones:
        assert not phone.agent.sessions


async def test_blind_transfer(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:2003@{DOMAIN}"))
    assert [one.status for one in anna.all(events.ReferProgress)][:1] == [202]
    assert bert.hears(taken)[0] == OURS  # the ringing tone
    carl.ring()
    got = carl.answer()
    assert anna.last(events.ReferProgress).status == 200
    assert anna.last(events.ReferProgress).final
    assert bert.hears(taken) == ("127.0.0.9", carl.sound)
    assert carl.hears(got) == ("127.0.0.9", bert.sound)
    anna.act(out.bye)
    carl.act(got.bye)
    assert bert.all(events.Ended)
    gone(world)
    first, second = world.kept.calls
    assert first.called.cause is Cause.CALL_SPLIT
    assert second.last_reason is RedirectReason.TRANSFER
    assert (second.caller.number, second.final_called) == ("2002", "2003")


async def test_blind_transfer_to_nobody_comes_back(world: World) -> None:
    anna, bert = phones(world, "ANNA", "BERT")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:2003@{DOMAIN}"))
    assert anna.last(events.ReferProgress).status == 480
    assert bert.hears(taken) == ("127.0.0.9", anna.sound)
    assert anna.hears(out) == ("127.0.0.9", bert.sound)
    bert.act(taken.bye)
    assert anna.last(events.Ended).session is out
    gone(world)


async def test_attended_transfer(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.reinvite(now, anna.description("sendonly")))
    consult, asked = connected(anna, carl)
    anna.act(lambda now: consult.reinvite(now, anna.description("sendonly")))
    anna.act(lambda now: out.refer(now, f"sip:2003@{DOMAIN}", replaces=consult))
    assert anna.last(events.ReferProgress).status == 200
    assert bert.hears(taken) == ("127.0.0.9", carl.sound)
    assert carl.hears(asked) == ("127.0.0.9", bert.sound)
    assert consult in [event.session for event in anna.all(events.Ended)]
    world.run(6)
    assert out in [event.session for event in anna.all(events.Ended)]
    bert.act(taken.bye)
    gone(world)


async def test_transfer_to_a_call_that_still_rings(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    out, taken = connected(anna, bert)
    consult = anna.call("2003")
    carl.ring()
    anna.act(lambda now: out.refer(now, f"sip:2003@{DOMAIN}", replaces=consult))
    got = carl.answer()
    assert bert.hears(taken) == ("127.0.0.9", carl.sound)
    assert carl.hears(got) == ("127.0.0.9", bert.sound)
    world.run(6)
    carl.act(got.bye)
    gone(world)


async def test_park_and_retrieve(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:*68@{DOMAIN}"))
    told = anna.last(events.ReferProgress)
    assert (told.status, told.reason) == (200, "Parked 701")
    anna.act(out.bye)
    assert bert.hears(taken)[0] == OURS
    got = carl.call("701")
    assert carl.hears(got) == ("127.0.0.9", bert.sound)
    assert bert.hears(taken) == ("127.0.0.9", carl.sound)
    bert.act(taken.bye)
    assert carl.all(events.Ended)
    gone(world)


async def test_an_empty_slot_is_said_so_and_a_parked_call_comes_back(world: World) -> None:
    anna, bert = phones(world, "ANNA", "BERT")
    anna.call("702")
    assert anna.last(events.Failed).status == 404
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:701@{DOMAIN}"))
    anna.act(out.bye)
    world.run(31)
    back = anna.answer()
    assert anna.hears(back) == ("127.0.0.9", bert.sound)
    assert bert.hears(taken) == ("127.0.0.9", anna.sound)
    bert.act(taken.bye)
    gone(world)


async def test_a_parked_call_that_hangs_up_frees_its_slot(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:701@{DOMAIN}"))
    bert.act(taken.bye)
    world.run(6)
    carl.call("701")
    assert carl.last(events.Failed).status == 404
    gone(world)


async def test_pick_up_of_the_own_group(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    dora = phones(world, "DORA")[0]
    out = dora.call("2002")
    bert.ring()
    got = carl.call("*8")
    assert 'text="Call completed elsewhere"' in bert.last(events.Cancelled).reason
    assert dora.hears(out) == ("127.0.0.9", carl.sound)
    assert carl.hears(got) == ("127.0.0.9", dora.sound)
    dora.act(out.bye)
    anna.call("*8")
    assert anna.last(events.Failed).status == 404
    gone(world)


async def test_pick_up_of_a_line_is_for_its_group_only(world: World) -> None:
    anna, bert, dora = phones(world, "ANNA", "BERT", "DORA")
    out = anna.call("2002")
    bert.ring()
    dora.call("*82002")
    assert dora.last(events.Failed).status == 404
    bert.answer()
    anna.act(out.bye)
    gone(world)


async def test_move_to_another_device_of_the_person(world: World) -> None:
    anna, anna2, bert = phones(world, "ANNA", "ANNA2", "BERT")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:2001@{DOMAIN};x-ringback-device=ANNA2"))
    anna2.ring()
    assert anna.hears(out) == ("127.0.0.9", bert.sound)
    got = anna2.answer()
    assert out in [event.session for event in anna.all(events.Ended)]
    assert bert.hears(taken) == ("127.0.0.9", anna2.sound)
    assert anna2.hears(got) == ("127.0.0.9", bert.sound)
    anna2.act(got.bye)
    gone(world)


async def test_nobody_moves_a_call_to_the_phone_of_another_person(world: World) -> None:
    anna, bert, _ = phones(world, "ANNA", "BERT", "CARL")
    out, _ = connected(anna, bert)
    anna.act(lambda now: out.refer(now, f"sip:2003@{DOMAIN};x-ringback-device=CARL"))
    assert anna.last(events.ReferProgress).status == 403
    anna.act(out.bye)
    gone(world)


async def test_conference_of_three_becomes_a_plain_call_when_one_leaves(world: World) -> None:
    anna, bert, carl = phones(world, "ANNA", "BERT", "CARL")
    out, taken = connected(anna, bert)
    anna.act(lambda now: out.reinvite(now, anna.description("sendonly")))
    consult, asked = connected(anna, carl)
    anna.act(lambda now: out.refer(now, f"sip:conference@{DOMAIN}", replaces=consult))
    assert anna.last(events.ReferProgress).status == 200
    assert {anna.hears(out)[0], bert.hears(taken)[0], carl.hears(asked)[0]} == {OURS}
    assert world.desk.host.legs == 3
    anna.act(out.bye)
    assert bert.hears(taken) == ("127.0.0.9", carl.sound)
    assert carl.hears(asked) == ("127.0.0.9", bert.sound)
    carl.act(asked.bye)
    gone(world)


async def test_a_conference_grows_and_drops(world: World) -> None:
    anna, bert, carl, dora = phones(world, "ANNA", "BERT", "CARL", "DORA")
    room = anna.call(f"sip:conference@{DOMAIN}")
    assert anna.hears(room)[0] == OURS
    for phone in (bert, carl, dora):
        room.refer(world.now, f"sip:{phone.number}@{DOMAIN}")
        world.settle()
        phone.answer()
    assert world.desk.host.legs == 4
    anna.act(lambda now: room.refer(now, f"sip:2003@{DOMAIN};method=BYE"))
    assert carl.all(events.Ended)
    assert world.desk.host.legs == 3
    for phone in (anna, bert, dora):
        assert len(phone.agent.sessions) == 1
    anna.act(room.bye)
    bert.act(bert.invited.bye)
    assert dora.all(events.Ended)
    gone(world)


async def test_ten_in_a_conference(world: World) -> None:
    office = world.office
    numbers = [str(number) for number in range(3000, 3009)]
    for number in numbers:
        office.person(number, f"P{number}")
    anna = phones(world, "ANNA")[0]
    room = anna.call(f"sip:conference@{DOMAIN}")
    assert media_of(anna.last(events.Accepted).sdp or b"")[0] == OURS
    others = [world.registered(f"P{number}", number) for number in numbers]
    for other in others:
        out = other.call("2001")
        taken = anna.answer()
        room.refer(world.now, f"sip:conference@{DOMAIN}", replaces=taken)
        world.settle()
        assert other.hears(out)[0] == OURS
    assert world.desk.host.legs == 10
    anna.act(room.bye)
    for other in others:
        for session in list(other.agent.sessions.values()):
            other.act(session.bye)
    gone(world)
