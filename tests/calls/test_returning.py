"""A call comes while a device is on its way: it waits for it, and rings where it is then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.protocols.sip import events
from ringback.rules.call_forwarding import Destination, Forwarding, Quiet
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.facts import Registered
from ringback.services.callmanager.calls.returning import RETURN_SECONDS
from ringback.services.callmanager.settings import CallSettings, Sibling
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import WALL, Handset, World

INSTANCE = "urn:uuid:8a2f6c1e-58b1-4f6c-9f64-2c9f1d0e7a11"
SECOND, SECOND_PORT = "cm2.halden.example", 28_000
TO_CARL = Forwarding(unregistered_internal=Destination(number="2003"), no_answer_internal=Destination(number="2003"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    office = Office()
    office.person("2001", "CSFANNA", "ANNA2")
    office.person("2002", "BERT")
    office.person("2003", "CARL")
    office.set_forwarding("2001", TO_CARL)
    plan = DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN}))
    second = Sibling(SECOND, "127.0.0.9", SECOND_PORT, "tcp")
    made = World(office, plan, CallSettings(domain=DOMAIN, media_ports=(0, 0), siblings=(second,)))
    yield made
    await made.close()


def anna_of(world: World) -> Handset:
    """Anna's softphone, registered over TCP."""
    anna = world.phone("CSFANNA", "2001", "tcp")
    assert anna.register(instance=INSTANCE) == 200
    return anna


def rung(handset: Handset) -> int:
    """How often a phone was called."""
    return len(handset.all(events.Invited))


async def test_a_call_waits_for_who_changes_the_network(world: World) -> None:
    anna, bert, carl = anna_of(world), world.registered("BERT", "2002"), world.registered("CARL", "2003")
    world.cut(anna)
    world.run(RETURN_SECONDS / 2)
    call = bert.call("2001")
    assert (rung(anna), rung(carl), bert.all(events.Failed)) == (0, 0, [])
    world.run(RETURN_SECONDS / 4)
    world.move(anna)
    assert anna.register(instance=INSTANCE) == 200
    assert (rung(anna), rung(carl)) == (1, 0)
    anna.ring()
    assert bert.last(events.Progressed).response.status == 180
    anna.answer()
    assert call.state == "confirmed"
    bert.act(call.bye)
    assert world.control.core.calls == {}
    assert not world.control.ringing.returning


async def test_who_does_not_come_back_is_away(world: World) -> None:
    anna, bert, carl = anna_of(world), world.registered("BERT", "2002"), world.registered("CARL", "2003")
    world.cut(anna)
    world.run(1)
    bert.call("2001")
    world.run(RETURN_SECONDS - 2)
    assert rung(carl) == 0
    world.run(2)
    assert rung(carl) == 1
    carl.answer()
    world.move(anna)
    assert anna.register(instance=INSTANCE) == 200
    assert rung(anna) == 0, "the call is with somebody else"


async def test_who_is_back_and_does_not_answer_is_given_the_whole_time(world: World) -> None:
    anna, bert, carl = anna_of(world), world.registered("BERT", "2002"), world.registered("CARL", "2003")
    world.cut(anna)
    bert.call("2001")
    world.run(RETURN_SECONDS - 1)
    world.move(anna)
    anna.register(instance=INSTANCE)
    anna.ring()
    world.run(11)
    assert rung(carl) == 0
    world.run(2)
    assert rung(carl) == 1
    assert anna.all(events.Cancelled)


async def test_who_said_good_bye_is_not_waited_for(world: World) -> None:
    anna, bert, carl = anna_of(world), world.registered("BERT", "2002"), world.registered("CARL", "2003")
    anna.register(expires=0, instance=INSTANCE)
    world.cut(anna)
    bert.call("2001")
    assert rung(carl) == 1


async def test_a_call_that_rings_nowhere_any_more_rings_where_its_device_is_now(world: World) -> None:
    """The old connection is dead, and nobody knows yet: nothing comes back from it."""
    anna, bert = anna_of(world), world.registered("BERT", "2002")
    call = bert.call("2001")
    anna.ring()
    before = anna.invited
    world.move(anna)
    assert anna.register(instance=INSTANCE, headers=(("Reason", 'SIP;text="Application-Requested-Destroy"'),)) == 200
    assert rung(anna) == 2
    assert anna.invited is not before
    anna.answer()
    assert call.state == "confirmed"
    assert world.control.core.calls_on("CSFANNA", "2001") == 1


async def test_a_connection_that_breaks_while_it_rings_loses_no_call(world: World) -> None:
    anna, bert, carl = anna_of(world), world.registered("BERT", "2002"), world.registered("CARL", "2003")
    call = bert.call("2001")
    anna.ring()
    world.cut(anna)
    world.run(2)
    assert (rung(carl), bert.all(events.Failed)) == (0, [])
    world.move(anna)
    anna.register(instance=INSTANCE)
    assert rung(anna) == 2
    anna.answer()
    assert call.state == "confirmed"


async def test_a_device_that_is_switched_on_rings_with_the_others(world: World) -> None:
    anna, bert = anna_of(world), world.registered("BERT", "2002")
    call = bert.call("2001")
    anna.ring()
    second = world.registered("ANNA2", "2001")
    assert rung(second) == 1
    second.register()  # again, from where it is
    assert (rung(anna), rung(second)) == (1, 1)
    second.answer()
    assert call.state == "confirmed"
    assert anna.all(events.Cancelled)


async def test_one_that_does_not_want_to_be_disturbed_stays_so(world: World) -> None:
    anna, bert, carl = anna_of(world), world.registered("BERT", "2002"), world.registered("CARL", "2003")
    world.office.set_quiet("CSFANNA", Quiet.REJECT)
    world.cut(anna)
    bert.call("2001")
    assert rung(carl) == 1, "it would not ring when it is back either"
    second = anna_of(world)
    assert rung(second) == 0


async def test_whoever_gives_up_is_waited_for_no_more(world: World) -> None:
    anna, bert = anna_of(world), world.registered("BERT", "2002")
    world.cut(anna)
    call = bert.call("2001")
    world.run(1)
    bert.act(call.cancel)
    world.move(anna)
    anna.register(instance=INSTANCE)
    assert rung(anna) == 0
    assert world.control.core.calls == {}
    assert not world.control.ringing.returning


async def test_a_device_that_comes_back_to_the_other_node_rings_there(world: World) -> None:
    anna, bert = anna_of(world), world.registered("BERT", "2002")
    world.cut(anna)
    call = bert.call("2001")
    other = world.phone(SECOND, SECOND)
    other.here, other.there = world.join(other, "tcp", SECOND_PORT)
    place = f"sip:2001@{anna.address[0]}:{anna.address[1]}"
    there = Registered("CSFANNA", place, ("2001",), SECOND, WALL + world.now + 60, "tcp", "127.0.0.9:29999")
    world.control.upkeep.registered_elsewhere({"CSFANNA": there}, world.now)
    world.settle()
    assert str(other.last(events.Invited).request.uri) == f"sip:2001@{SECOND};x-ringback-device=CSFANNA"
    other.answer()
    assert call.state == "confirmed"
