"""A call at a line: forwarded, diverted, busy, quiet, emergency; what the next one is told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.protocols.sip import events
from ringback.rules.call_forwarding import Destination, Forwarding, Quiet
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.facts import RedirectReason
from ringback.services.callmanager.settings import CallSettings, SipPeer, Trunk
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import Handset, World, media_of, sdp

MAIL, GATEWAY, CLUSTER = 20_500, 20_510, 20_520


@pytest.fixture
async def world() -> AsyncIterator[World]:
    office = Office()
    office.person("2001", "ANNA", "ANNA2", pilot="2999")
    office.person("2002", "BERT", pilot="2999")
    office.person("2003", "CARL")
    plan = DialPlan(
        lines=frozenset(office.table),
        domains=frozenset({DOMAIN}),
        remote={"3001": "branch"},
        trunks=frozenset({"gateway"}),
        default_trunk="gateway",
        country="CH",
        outside_prefix="0",
        voicemail_pilot="2999",
        voicemail_trunk="mail",
        emergency_to="2001",
    )
    trunks = (
        Trunk("mail", "voicemail", (SipPeer("mail.example", "127.0.0.9", MAIL, "udp"),)),
        Trunk("gateway", "gateway", (SipPeer("gw.example", "127.0.0.9", GATEWAY, "udp"),)),
        Trunk("branch", "cluster", (SipPeer("cm.branch.example", "127.0.0.9", CLUSTER, "udp"),)),
    )
    made = World(office, plan, CallSettings(domain=DOMAIN, media_ports=(0, 0), trunks=trunks))
    yield made
    await made.close()


def system(world: World, name: str, port: int) -> Handset:
    """Another system."""
    handset = world.phone(name, name)
    handset.here, handset.there = world.join(handset, "udp", port)
    return handset


def diverted(phone: Handset) -> list[str]:
    return phone.last(events.Invited).request.all("Diversion")


async def test_all_calls_are_forwarded_and_the_next_line_sees_from_where(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    carl = world.registered("CARL", "2003")
    world.office.set_forwarding("2002", Forwarding(all=Destination(number="2003")))
    anna.call("2002")
    assert not bert.all(events.Invited)
    assert diverted(carl) == [f'"Person 2002" <sip:2002@{DOMAIN}>;privacy=off;reason=unconditional;screen=yes']
    call = carl.answer()
    assert "Person 2003" in (anna.last(events.Accepted).response.get("Remote-Party-ID") or "")
    carl.act(call.bye)
    (record,) = world.kept.calls
    assert (record.original_called, record.final_called, record.last_redirect) == ("2002", "2003", "2002")
    assert record.last_reason is RedirectReason.ALL


async def test_nobody_answers_and_voicemail_takes_the_call_for_the_right_mailbox(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    mail = system(world, "MAIL", MAIL)
    world.office.set_forwarding("2002", Forwarding(no_answer_internal=Destination(voicemail=True)))
    call = anna.call("2002")
    bert.ring()
    world.run(13)
    assert bert.all(events.Cancelled)
    assert diverted(mail) == [f'"Person 2002" <sip:2002@{DOMAIN}>;privacy=off;reason=no-answer;screen=yes']
    mail.answer()
    assert anna.hears(call) == ("127.0.0.9", mail.sound)


async def test_busy_and_unregistered_lines_forward_too_and_circles_end(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    world.office.set_forwarding("2003", Forwarding(unregistered_internal=Destination(number="2002")))
    world.office.set_forwarding("2002", Forwarding(busy_internal=Destination(number="2003")))
    anna.call("2003")
    assert "reason=unavailable" in diverted(bert)[0]
    bert.act(lambda now: bert.invited.reject(now, 486))
    assert anna.last(events.Failed).status in (480, 486)
    assert world.control.core.calls == {}


async def test_the_busy_trigger_lets_two_calls_wait_and_no_third(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    carl = world.registered("CARL", "2003")
    anna.call("2002")
    bert.answer()
    carl.call("2002")
    bert.ring()
    assert len(bert.all(events.Invited)) == 2
    anna.call("2002")
    assert anna.last(events.Failed).status == 486
    assert len(bert.all(events.Invited)) == 2


async def test_do_not_disturb_rings_silently_or_not_at_all(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    world.office.set_quiet("BERT", Quiet.SILENT)
    anna.call("2002")
    assert "silent" in (bert.last(events.Invited).request.get("Alert-Info") or "")
    bert.act(lambda now: bert.invited.reject(now, 486))
    world.office.set_quiet("BERT", Quiet.REJECT)
    anna.call("2002")
    assert len(bert.all(events.Invited)) == 1
    assert anna.last(events.Failed).status == 486


async def test_an_emergency_call_is_not_stopped_by_anything(world: World) -> None:
    bert, anna = world.registered("BERT", "2002"), world.registered("ANNA", "2001")
    world.office.set_quiet("ANNA", Quiet.REJECT)
    world.office.set_forwarding("2001", Forwarding(all=Destination(number="2003")))
    for _ in range(6):
        bert.call("112")
    assert len(anna.all(events.Invited)) == 6
    anna.answer()
    assert bert.last(events.Accepted).response.status == 200


async def test_a_declined_call_stops_ringing_everywhere(world: World) -> None:
    bert = world.registered("BERT", "2002")
    anna, anna2 = world.registered("ANNA", "2001"), world.registered("ANNA2", "2001")
    bert.call("2001")
    anna.ring()
    anna2.ring()
    anna.act(lambda now: anna.invited.reject(now, 603))
    assert anna2.all(events.Cancelled)
    assert bert.last(events.Failed).status == 603


async def test_one_busy_device_lets_the_others_ring_on(world: World) -> None:
    bert = world.registered("BERT", "2002")
    anna, anna2 = world.registered("ANNA", "2001"), world.registered("ANNA2", "2001")
    bert.call("2001")
    anna.act(lambda now: anna.invited.reject(now, 486))
    anna2.answer()
    assert bert.last(events.Accepted).response.status == 200


async def test_sound_before_the_answer_is_passed_on(world: World) -> None:
    anna, gateway = world.registered("ANNA", "2001"), system(world, "GATEWAY", GATEWAY)
    call = anna.call("0443334455")
    request = gateway.last(events.Invited).request
    assert request.uri.user == "+41443334455"
    gateway.act(lambda now: gateway.invited.ring(now, 183, sdp(40_000)))
    assert anna.hears(call) == ("127.0.0.9", 40_000)
    gateway.answer()
    assert anna.last(events.Accepted).response.status == 200


async def test_a_private_caller_is_shown_to_trunks_only(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    gateway = system(world, "GATEWAY", GATEWAY)
    anna.call("2002", headers=(("Privacy", "id"),))
    request = bert.last(events.Invited).request
    text = request.encode().decode()
    assert "sip:2001@" not in text
    assert "Person 2001" not in text
    assert request.from_.display == "Anonymous"
    anna.call("0443334455", headers=(("Privacy", "id"),))
    told = gateway.last(events.Invited).request
    assert "sip:2001@" in (told.get("P-Asserted-Identity") or "")
    assert told.get("Privacy") == "id"


async def test_calls_to_and_from_another_cluster_do_not_go_in_circles(world: World) -> None:
    anna, branch = world.registered("ANNA", "2001"), system(world, "BRANCH", CLUSTER)
    anna.call("3001")
    assert branch.last(events.Invited).request.max_forwards == 69
    branch.act(lambda now: branch.invited.reject(now, 486))
    branch.call("3001")
    assert branch.last(events.Failed).status == 403
    branch.call("2001")
    assert len(branch.all(events.Failed)) == 1, branch.last(events.Failed)
    assert anna.last(events.Invited).request.from_.uri.user == "BRANCH"
    gateway = system(world, "GATEWAY", GATEWAY)
    gateway.call("0443334455")
    assert gateway.last(events.Failed).status == 403


async def test_an_encrypted_phone_and_a_plain_one_are_joined_by_the_relay(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    offer = sdp(anna.sound, extra=key).replace(b"RTP/AVP", b"RTP/SAVP")
    call = anna.agent.invite(
        world.now, f"sip:2002@{DOMAIN}", anna.here, from_=f"<sip:2001@{DOMAIN}>", to=f"<sip:2002@{DOMAIN}>", sdp=offer
    )
    world.settle()
    invited = bert.last(events.Invited)
    assert b"RTP/AVP" in (invited.sdp or b"")
    assert b"crypto" not in (invited.sdp or b"")
    assert media_of(invited.sdp or b"")[0] == "127.0.0.1"
    bert.answer()
    answered = anna.last(events.Accepted).sdp or b""
    assert b"RTP/SAVP" in answered
    assert b"a=crypto:1 AES_CM_128_HMAC_SHA1_80" in answered
    assert world.desk.host.legs == 2
    anna.act(call.bye)
    assert world.desk.host.legs == 0
