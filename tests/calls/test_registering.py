"""Registrations: who holds a device, how long, over what; what stays after a lost connection or a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.protocols.sip import events
from ringback.protocols.sip.message import Response
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.facts import Cause
from ringback.services.callmanager.calls.registrar import CONTACT_LIMIT
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import Handset, World

ONE = "urn:uuid:00000000-0000-1000-8000-000000000001"
TWO = "urn:uuid:00000000-0000-1000-8000-000000000002"
ZEROS = "urn:uuid:00000000-0000-0000-0000-000000000000"
TAKE_OVER = (("Reason", 'SIP;cause=200;text="cisco-alarm:111 Last=Application-Requested-Destroy"'),)
CISCO = (("Supported", "replaces, X-cisco-callinfo"),)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    office = Office()
    office.person("2001", "CSFANNA")
    office.person("2002", "BERT")
    office.person("2003", "BERT")
    made = World(office, DialPlan(lines=frozenset(office.table), domains=frozenset({DOMAIN})))
    yield made
    await made.close()


def answer(phone: Handset) -> Response:
    return phone.last(events.Answered).response


def reached(world: World, device: str) -> list[str]:
    return [one.contact for one in world.control.core.registrar.bindings(device, world.now)]


async def test_a_second_client_is_refused_until_it_takes_over(world: World) -> None:
    first, second = world.phone("CSFANNA", "2001"), world.phone("CSFANNA", "2001")
    assert first.register(instance=ONE) == 200
    assert second.register(instance=ZEROS) == 403
    assert "Registration is active for another client" in (answer(second).get("Warning") or "")
    assert second.register(instance=TWO) == 403
    assert second.register(instance=TWO, headers=TAKE_OVER) == 200
    assert len(reached(world, "CSFANNA")) == 1
    assert second.address[1] == world.control.core.registrar.bindings("CSFANNA", world.now)[0].contact_port


async def test_the_same_client_replaces_its_contact(world: World) -> None:
    first = world.phone("CSFANNA", "2001")
    first.register(instance=ONE)
    moved = world.phone("CSFANNA", "2001")
    assert moved.register(instance=ONE) == 200
    assert len(reached(world, "CSFANNA")) == 1


async def test_softphones_are_granted_the_keep_alive_interval(world: World) -> None:
    anna, bert = world.phone("CSFANNA", "2001"), world.phone("BERT", "2002")
    anna.register(expires=3600, headers=CISCO)
    assert answer(anna).get("Expires") == "120"
    assert "x-cisco-newreg" in (answer(anna).get("Contact") or "")
    bert.register(expires=3600)
    assert answer(bert).get("Expires") == "3600"
    assert bert.register(expires=3) == 423
    assert answer(bert).get("Min-Expires") == "10"
    world.run(125)
    assert reached(world, "CSFANNA") == []
    assert reached(world, "BERT")


async def test_plain_phones_keep_a_few_contacts(world: World) -> None:
    for _ in range(CONTACT_LIMIT + 2):
        assert world.phone("BERT", "2002").register() == 200
    assert len(reached(world, "BERT")) == CONTACT_LIMIT


async def test_a_line_of_its_own_or_all_of_them(world: World) -> None:
    bert = world.phone("BERT", "2003")
    assert bert.register() == 200
    (binding,) = world.control.core.registrar.bindings("BERT", world.now)
    assert binding.lines == ("2003",)
    other = world.phone("BERT", "2001")
    assert other.register() == 404


async def test_unregistering(world: World) -> None:
    bert = world.registered("BERT", "2002")
    assert bert.register(expires=0) == 200
    assert reached(world, "BERT") == []


async def test_a_lost_connection_is_no_registration_and_a_call_goes_on_after_the_next(world: World) -> None:
    anna, bert = world.registered("CSFANNA", "2001", "tcp"), world.registered("BERT", "2002")
    call = bert.call("2001")
    anna.answer()
    world.cut(anna)
    assert reached(world, "CSFANNA") == []
    world.move(anna)
    assert anna.register() == 200
    bert.act(call.bye)
    assert anna.all(events.Ended)
    assert world.control.core.calls == {}


async def test_nobody_else_may_use_a_connection_without_digest(world: World) -> None:
    stranger = world.phone("NOBODY", "2001", "tcp")
    stranger.call("2002")
    assert stranger.last(events.Failed).status in (403, 407)
    anna = world.registered("CSFANNA", "2001", "tcp")
    world.registered("BERT", "2002")
    before = len(anna.received)
    anna.call("2002")
    statuses = [message.status for message in anna.received[before:] if isinstance(message, Response)]
    assert 407 not in statuses


async def test_a_killed_client_leaves_nobody_waiting(world: World) -> None:
    anna, bert = world.registered("CSFANNA", "2001", "tcp"), world.registered("BERT", "2002")
    call = bert.call("2001")
    anna.answer()
    world.phones.remove(anna)
    world.cut(anna)
    world.run(100)
    assert call.state == "confirmed"  # the sound goes on while its client may come back
    world.run(40)
    assert bert.last(events.Ended).session is call
    (record,) = world.kept.calls
    assert record.called.cause is Cause.DESTINATION_OUT_OF_ORDER
    assert world.control.core.calls == {}
