"""Lamps, waiting messages, feature keys and remote call control."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ringback.protocols.sip import events
from ringback.protocols.sip.bodies import dialog_info, feature_event, message_summary, presence, remotecc
from ringback.protocols.sip.flows import Body, Target
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.subscription import Subscription
from ringback.rules.call_forwarding import Quiet
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.settings import CallSettings, SipPeer, Trunk
from ringback.storage.callmanager.call_rows import MessageCounts
from tests.calls.lines import DOMAIN, Office
from tests.calls.world import Handset, World

REQUEST = "application/x-cisco-remotecc-request+xml"
CISCO = (("Supported", "replaces, X-cisco-callinfo, X-cisco-sis-7.0.0"),)
MAILBOX = "127.0.0.9"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    office = Office()
    office.person("2001", "ANNA", pilot="2999")
    office.person("2002", "BERT", pilot="2999")
    office.person("2003", "CARL")
    office.person("2004", "DORA")
    plan = DialPlan(
        lines=frozenset(office.table),
        domains=frozenset({DOMAIN}),
        park_slots=("701",),
        voicemail_pilot="2999",
        voicemail_trunk="mail",
    )
    mail = Trunk("mail", "voicemail", (SipPeer("mail.example", MAILBOX, 20_050, "udp"),))
    made = World(office, plan, CallSettings(domain=DOMAIN, media_ports=(0, 0), trunks=(mail,)))
    yield made
    await made.close()


def watch(phone: Handset, number: str, package: str, body: Body | None = None) -> Subscription:
    """Subscribe to something of a line."""
    subscription = phone.agent.subscribe(
        phone.world.now,
        f"sip:{number}@{DOMAIN}",
        phone.here,
        event=package,
        from_=f"<sip:{phone.number}@{DOMAIN}>",
        to=f"<sip:{number}@{DOMAIN}>",
        body=body,
    )
    phone.world.settle()
    return subscription


def activities(phone: Handset) -> tuple[bool, tuple[str, ...]]:
    """The newest presence that a phone was told."""
    told = presence.LinePresence.parse(phone.last(events.Notified).body)
    return told.open, tuple(str(each) for each in told.activities)


async def test_a_lamp_follows_a_line(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    dora = world.registered("DORA", "2004")
    watch(dora, "2002", "presence")
    assert activities(dora) == (True, ())
    out = anna.call("2002")
    bert.ring()
    assert activities(dora) == (True, ("alerting",))
    bert.answer()
    assert activities(dora) == (True, ("on-the-phone",))
    anna.act(out.bye)
    assert activities(dora) == (True, ())
    world.office.set_quiet("BERT", Quiet.REJECT)
    world.settle()
    assert activities(dora) == (True, ("dnd",))
    bert.register(expires=0)
    assert activities(dora)[0] is False


async def test_dialogs_of_a_line_are_told_with_versions(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    dora = world.registered("DORA", "2004")
    watch(dora, "2002", "dialog")
    out = anna.call("2002")
    bert.answer()
    infos = [dialog_info.DialogInfo.parse(event.body) for event in dora.all(events.Notified)]
    assert [info.version for info in infos] == list(range(len(infos)))
    (dialog,) = infos[-1].dialogs
    assert (dialog.state, dialog.direction, dialog.remote.identity) == ("confirmed", "recipient", f"sip:2001@{DOMAIN}")
    anna.act(out.bye)
    assert dialog_info.DialogInfo.parse(dora.last(events.Notified).body).dialogs == ()


async def test_messages_from_voicemail_reach_lamps_asked_and_unasked(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    watch(anna, "2001", "message-summary")
    mail = world.phone("MAIL", "2999")
    mail.here, mail.there = world.join(mail, "udp", 20_050)
    for number in ("2001", "2002"):
        mail.agent.send_request(
            world.now,
            "PUBLISH",
            f"sip:{number}@{DOMAIN}",
            mail.here,
            from_=f"<sip:2999@{DOMAIN}>",
            headers=(("Event", "message-summary"), ("Expires", "3600")),
            body=Body(message_summary.CONTENT_TYPE, message_summary.MessageSummary.voice(2, 1).encode()),
        )
        world.settle()
        assert mail.last(events.Answered).response.status == 200
    told = message_summary.MessageSummary.parse(anna.last(events.Notified).body)
    assert (told.waiting, told.voice_messages.new, told.voice_messages.old) == (True, 2, 1)
    unasked = bert.last(events.RequestArrived).request
    assert unasked.method == "NOTIFY"
    assert message_summary.MessageSummary.parse(unasked.body).waiting
    assert not anna.all(events.RequestArrived)


async def test_nobody_else_lights_a_lamp(world: World) -> None:
    anna = world.registered("ANNA", "2001")
    anna.agent.send_request(
        world.now,
        "PUBLISH",
        f"sip:2002@{DOMAIN}",
        anna.here,
        from_=f"<sip:2001@{DOMAIN}>",
        headers=(("Event", "message-summary"),),
        body=Body(message_summary.CONTENT_TYPE, message_summary.MessageSummary.voice(2, 1).encode()),
    )
    world.settle()
    assert anna.last(events.Answered).response.status == 403
    assert world.office.table["2002"].messages == MessageCounts()


async def test_waiting_messages_are_told_to_a_phone_that_registers(world: World) -> None:
    world.office.set_messages("2001", MessageCounts(new=3))
    anna = world.registered("ANNA", "2001")
    request = anna.last(events.RequestArrived).request
    assert message_summary.MessageSummary.parse(request.body).voice_messages.new == 3


async def test_the_forwarding_code_and_the_feature_key_set_the_same(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    carl = world.registered("CARL", "2003")
    call = anna.call("*21*2002")
    assert anna.hears(call)[0] == "127.0.0.1"
    world.run(3)
    assert anna.last(events.Ended).session is call
    assert world.office.table["2001"].forwarding.all.number == "2002"
    carl.call("2001")
    invite = bert.last(events.Invited).request
    assert f"sip:2001@{DOMAIN}>;privacy=off;reason=unconditional" in (invite.get("Diversion") or "")
    wanted = feature_event.encode(feature_event.Forwarding("ANNA", "forwardImmediate", False, request=True))
    watch(anna, "2001", "as-feature-event", Body(feature_event.CONTENT_TYPE, wanted))
    assert not world.office.table["2001"].forwarding.all
    quiet = feature_event.encode(feature_event.DoNotDisturb("ANNA", on=True, request=True))
    watch(anna, "2001", "as-feature-event", Body(feature_event.CONTENT_TYPE, quiet))
    assert world.office.phones["ANNA"].quiet is Quiet.SILENT


def softkey(phone: Handset, event: str, call: Session, consult: Session | None = None) -> int:
    """Press a key of a Cisco phone; the code of the answer."""
    dialog = remotecc.DialogId(call.call_id, call.local_tag, call.remote_tag)
    other = None if consult is None else remotecc.DialogId(consult.call_id, consult.local_tag, consult.remote_tag)
    body = remotecc.encode(remotecc.SoftkeyEvent(event, dialog, 1, other))
    phone.agent.send_request(
        phone.world.now,
        "REFER",
        f"sip:{DOMAIN}",
        phone.here,
        from_=f"<sip:{phone.number}@{DOMAIN}>",
        headers=(
            ("Contact", phone.agent.contact(phone.here, phone.number)),
            ("Refer-To", "cid:key@phone"),
            ("Require", "norefersub"),
        ),
        body=Body(REQUEST, body),
    )
    phone.world.settle()
    assert phone.last(events.Answered).response.status == 202
    notify = next(m for m in reversed(phone.received) if isinstance(m, Request) and m.method == "NOTIFY")
    return remotecc.RemoteCcResponse.parse(notify.body).code


async def test_keys_of_a_cisco_phone(world: World) -> None:
    anna = world.phone("ANNA", "2001", agent="Cisco-CSF")
    assert anna.register(headers=CISCO) == 200
    bulk = anna.last(events.RequestArrived).request
    assert bulk.method == "REFER"
    assert b"bulkupdate" in bulk.body
    bert, carl = world.registered("BERT", "2002"), world.registered("CARL", "2003")
    out = anna.call("2002")
    taken = bert.answer()
    consult = anna.call("2003")
    asked = carl.answer()
    assert softkey(anna, "Conference", out, consult) == 200
    assert {anna.hears(out)[0], bert.hears(taken)[0], carl.hears(asked)[0]} == {"127.0.0.1"}
    assert softkey(anna, "RmLastConf", out) == 200
    assert carl.all(events.Ended)
    assert softkey(anna, "Park", out) == 200
    assert b"Parked 701" in b"".join(message.body for message in anna.received)
    assert anna.all(events.Ended)
    back = anna.call("701")
    assert anna.hears(back) == ("127.0.0.9", bert.sound)
    assert softkey(anna, "Park", taken) == 481  # somebody else's call


async def test_a_ringing_call_is_diverted_to_voicemail_by_key_and_by_redirection(world: World) -> None:
    anna, bert = world.registered("ANNA", "2001"), world.registered("BERT", "2002")
    mail = world.phone("MAIL", "2999")
    mail.here, mail.there = world.join(mail, "udp", 20_050)
    anna.call("2002")
    ringing = bert.ring()
    assert softkey(bert, "IDivert", ringing) == 200
    invite = mail.last(events.Invited).request
    assert f"sip:2002@{DOMAIN}>;privacy=off;reason=deflection" in (invite.get("Diversion") or "")
    mail.answer()
    assert anna.last(events.Accepted).response.status == 200
    bert.call("2001")
    anna.act(lambda now: anna.invited.redirect(now, (f"<sip:2999@{DOMAIN}>",)))
    assert len(mail.all(events.Invited)) == 2
    assert isinstance(mail.there, object)
    assert Target("udp", MAILBOX, 20_050, "mail.example") == world.control.core.peers.voicemail().targets[0]  # type: ignore[union-attr]
