"""Bodies: documents as others write them, and everything of ours is read back as it was."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sip.bodies import (
    alarm,
    dialog_info,
    feature_event,
    kpml,
    message_summary,
    multipart,
    presence,
    remotecc,
    service_control,
    sipfrag,
)
from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.headers import MediaType

WORDS = st.text(string.ascii_letters + string.digits + "@.-<>&\"'äö", max_size=20)
NUMBERS = st.integers(0, 2**31)

PARSERS: dict[str, Callable[[bytes], object]] = {
    "alarm": alarm.Alarm.parse,
    "dialog-info": dialog_info.DialogInfo.parse,
    "feature-event": feature_event.parse,
    "kpml-request": kpml.KpmlRequest.parse,
    "kpml-response": kpml.KpmlResponse.parse,
    "message-summary": message_summary.MessageSummary.parse,
    "multipart": lambda data: multipart.parse(data, MediaType("multipart/mixed", {"boundary": "b"})),
    "presence": presence.LinePresence.parse,
    "remotecc": remotecc.parse,
    "remotecc-response": remotecc.RemoteCcResponse.parse,
    "service-control": service_control.ServiceControl.parse,
    "sipfrag": sipfrag.SipFragment.parse,
}


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize(
    "data", [b"", b"<a/>", b"\xff\xfe", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<" * 1000, b"a=b", b"--b\r\n"]
)
def test_what_is_no_body_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(BodyError):
        PARSERS[name](data)


# -- message waiting


def test_a_summary_of_rfc_3842() -> None:
    text = (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n"
        b"Fax-Message: 4 / 0\r\n\r\nTo: <alice@atlanta.example.com>\r\nVoice-Message: 99/99\r\n"
    )
    summary = message_summary.MessageSummary.parse(text)
    assert summary.waiting
    assert summary.account == "sip:alice@vmail.example.com"
    assert summary.voice_messages == message_summary.Count(2, 8, 0, 2)
    assert summary.counts["Fax-Message"] == message_summary.Count(4, 0)


def test_our_summary_as_written() -> None:
    assert message_summary.MessageSummary.voice(1, 3, "sip:vm@example.com").encode() == (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:vm@example.com\r\nVoice-Message: 1/3 (0/0)\r\n"
    )
    assert message_summary.MessageSummary.parse(b"messages-waiting: NO\n") == message_summary.MessageSummary(False)


@given(new=st.integers(0, 10**8), old=st.integers(0, 10**8))
def test_summaries_are_read_back(new: int, old: int) -> None:
    summary = message_summary.MessageSummary.voice(new, old, "sip:a@b")
    assert message_summary.MessageSummary.parse(summary.encode()) == summary


# -- dialogs


def test_a_dialog_document_of_rfc_4235() -> None:
    info = dialog_info.DialogInfo.parse(
        b"""<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="partial"
            entity="sip:alice@example.com">
          <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="hh76a"
              direction="initiator">
            <state event="replaced" code="200">terminated</state><duration>274</duration>
            <replaces call-id="hg287s98s89" local-tag="6762h7" remote-tag="09278hsb"/>
            <local><identity display="Alice">sip:alice@example.com</identity>
              <target uri="sip:alice@pc33.example.com"><param pname="isfocus" pval="true"/></target></local>
            <remote><identity>sip:bob@example.org</identity></remote>
          </dialog></dialog-info>"""
    )
    (dialog,) = info.dialogs
    assert (info.version, info.full, info.entity) == (1, False, "sip:alice@example.com")
    assert (dialog.state, dialog.event, dialog.code, dialog.duration) == ("terminated", "replaced", 200, 274)
    assert dialog.replaces == ("hg287s98s89", "6762h7", "09278hsb")
    assert dialog.local.display == "Alice"
    assert dialog.local.params == (("isfocus", "true"),)
    assert dialog.remote.identity == "sip:bob@example.org"
    assert dialog_info.DialogInfo.parse(info.encode()) == info


def test_a_parked_call_as_phones_want_it() -> None:
    info = dialog_info.DialogInfo(
        "8501@example.com",
        3,
        True,
        (dialog_info.WatchedDialog("8501", "confirmed", park="parked"),),
    )
    data = info.encode()
    assert b'xmlns="urn:ietf:parmams:xml:ns:dialog-info"' in data
    assert b"<call:park><event>parked</event></call:park>" in data
    assert dialog_info.DialogInfo.parse(data) == info


def test_partial_documents_add_up() -> None:
    def info(*dialogs: tuple[str, str], full: bool = False) -> dialog_info.DialogInfo:
        return dialog_info.DialogInfo("e", 1, full, tuple(dialog_info.WatchedDialog(*each) for each in dialogs))

    held = dialog_info.applied({}, info(("a", "early"), ("b", "confirmed"), full=True))
    held = dialog_info.applied(held, info(("a", "confirmed"), ("b", "terminated")))
    assert {key: dialog.state for key, dialog in held.items()} == {"a": "confirmed"}
    assert dialog_info.applied(held, info(full=True)) == {}


@given(
    entity=WORDS,
    version=NUMBERS,
    identity=WORDS,
    display=WORDS,
    state=st.sampled_from(["trying", "early", "confirmed", "terminated"]),
)
def test_dialogs_are_read_back(entity: str, version: int, identity: str, display: str, state: str) -> None:
    side = dialog_info.Participant(identity, display if identity else "", identity)
    info = dialog_info.DialogInfo(entity, version, True, (dialog_info.WatchedDialog("i", state, remote=side),))
    assert dialog_info.DialogInfo.parse(info.encode()) == info


@pytest.mark.parametrize(
    "text",
    [
        b'<dialog-info version="1" state="half" entity="a"/>',
        b'<dialog-info version="-1" state="full" entity="a"/>',
        b'<dialog-info version="1" state="full" entity="a"><dialog id="1"/></dialog-info>',
        b'<dialog-info version="1" state="full" entity="a"><dialog id="1"><state>odd</state></dialog></dialog-info>',
    ],
)
def test_dialogs_that_say_nothing(text: bytes) -> None:
    with pytest.raises(BodyError):
        dialog_info.DialogInfo.parse(text)


# -- presence


def test_presence_as_a_phone_of_cisco_reads_it() -> None:
    line = presence.LinePresence("sip:2001@example.com", True, (presence.Activity.ON_THE_PHONE,))
    data = line.encode()
    for part in (
        b'xmlns="urn:ietf:params:xml:ns:pidf"',
        b'xmlns:e="urn:ietf:params:xml:ns:pidf:status:rpid"',
        b'xmlns:ce="urn:cisco:params:xml:ns:pidf:rpid"',
        b"<e:activities><e:on-the-phone/></e:activities>",
        b"<basic>open</basic>",
    ):
        assert part in data
    assert b"<ce:dnd/>" in presence.LinePresence("a", False, (presence.Activity.DO_NOT_DISTURB,)).encode()


def test_presence_of_others() -> None:
    line = presence.LinePresence.parse(
        b"""<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"
          entity="pres:a@b"><p:tuple id="x"><p:status><p:basic>closed</p:basic></p:status></p:tuple>
          <p:tuple id="y"><p:status><p:basic>open</p:basic>
          <r:activities><r:busy/><r:sleeping/></r:activities></p:status>
          <p:contact>sip:a@c</p:contact><p:note>Lunch</p:note></p:tuple></p:presence>"""
    )
    assert (line.open, line.activities, line.note, line.contact) == (
        True,
        (presence.Activity.BUSY,),
        "Lunch",
        "sip:a@c",
    )


@given(st.lists(st.sampled_from(list(presence.Activity)), unique=True), st.booleans(), WORDS)
def test_presence_is_read_back(activities: list[presence.Activity], reachable: bool, note: str) -> None:
    line = presence.LinePresence("sip:a@b", reachable, tuple(activities), note)
    assert presence.LinePresence.parse(line.encode()) == line


# -- keys


def test_a_request_for_keys_of_rfc_4730() -> None:
    request = kpml.KpmlRequest.parse(
        b"""<?xml version="1.0"?><kpml-request xmlns="urn:ietf:params:xml:ns:kpml-request" version="1.0">
        <pattern persist="persist" interdigittimer="7000"><flush>no</flush><regex tag="dial">[x*#ABCD]</regex>
        <regex>011x{7,15}</regex></pattern></kpml-request>"""
    )
    assert request.patterns == (kpml.KeyPattern("[x*#ABCD]", "dial"), kpml.KeyPattern("011x{7,15}"))
    assert (request.persist, request.inter_digit, request.flush) == ("persist", 7000, False)
    assert kpml.KpmlRequest.parse(request.encode()) == request


def test_what_was_pressed() -> None:
    told = kpml.KpmlResponse.parse(kpml.KpmlResponse(200, "*9#", tag="dial", forced_flush=True).encode())
    assert (told.code, told.digits, told.text, told.tag, told.forced_flush) == (200, "*9#", "Success", "dial", True)
    assert b'code="423" text="Timer Expired"' in kpml.KpmlResponse(423).encode()
    with pytest.raises(BodyError):
        kpml.KpmlResponse.parse(b'<kpml-response version="1.0" code="200" digits="12e"/>')


# -- fragments


def test_fragments() -> None:
    assert sipfrag.SipFragment.parse(b"SIP/2.0 180 Ringing\r\n") == sipfrag.SipFragment(180, "Ringing")
    assert sipfrag.SipFragment.parse(b"SIP/2.0 200 OK") == sipfrag.SipFragment(200, "OK")
    assert sipfrag.SipFragment.parse(b"SIP/2.0 603 Decline\r\nTo: x\r\n\r\n").is_final
    assert sipfrag.SipFragment(486).encode() == b"SIP/2.0 486 Busy Here\r\n"
    for bad in (b"INVITE sip:a SIP/2.0\r\n", b"SIP/2.0 1000 Much\r\n"):
        with pytest.raises(BodyError):
            sipfrag.SipFragment.parse(bad)
    with pytest.raises(BodyError):
        sipfrag.SipFragment(200, "OK\r\nX: y").encode()


# -- several parts

PARTS = st.lists(
    st.builds(
        multipart.Part,
        st.sampled_from(["text/plain", "application/sdp", "application/x-cisco-remotecc-request+xml"]),
        st.binary(max_size=40),
        st.text(string.ascii_letters + "@", max_size=8),
        st.sampled_from(["", "session;handling=optional"]),
    ),
    min_size=1,
    max_size=5,
)


@given(PARTS)
def test_parts_are_read_back(parts: list[multipart.Part]) -> None:
    data = multipart.encode(parts, "a-bound")
    assert list(multipart.parse(data, MediaType.parse(multipart.content_type("a-bound")))) == parts


def test_parts_as_phones_write_them() -> None:
    data = (
        b"preamble\r\n--uniqueBoundary\r\nContent-Type: application/x-cisco-remotecc-request+xml\r\n"
        b"Content-Disposition: session;\r\n handling=optional\r\nX-Other: 1\r\n\r\n<a/>\r\n\r\n--uniqueBoundary  \n"
        b"Content-ID: <2@h>\n\nline\n--uniqueBoundary--\nepilogue"
    )
    first, second = multipart.parse(data, MediaType.parse('multipart/mixed; boundary="uniqueBoundary"'))
    assert first.kind == remotecc.CONTENT_TYPE
    assert first.disposition == "session; handling=optional"
    assert first.headers == (("X-Other", "1"),)
    assert first.body == b"<a/>\r\n"
    assert (second.kind, second.content_id, second.body) == ("text/plain", "2@h", b"line")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"--b\r\n\r\nx\r\n--b--", "multipart/mixed"),
        (b"--b\r\n\r\nx\r\n--b--", "text/plain;boundary=b"),
        (b"--b\r\n\r\nx\r\n", "multipart/mixed;boundary=b"),
        (b"--b--", "multipart/mixed;boundary=b"),
        (b"--b\r\nno header\r\n\r\nx\r\n--b--", "multipart/mixed;boundary=b"),
        (b"--b\r\nContent-Type: text/plain\r\n--b--", "multipart/mixed;boundary=b"),
        (b"--b\r\n\r\nx\r\n" * 65 + b"--b--", "multipart/mixed;boundary=b"),
    ],
)
def test_parts_that_cannot_be_told_apart(data: bytes, kind: str) -> None:
    with pytest.raises(BodyError):
        multipart.parse(data, MediaType.parse(kind))


def test_a_boundary_inside_of_a_part_is_never_written() -> None:
    with pytest.raises(BodyError):
        multipart.encode((multipart.Part("text/plain", b"--uniqueBoundary"),))
    with pytest.raises(BodyError):
        multipart.encode((multipart.Part("text/plain\r\nX: y", b""),))


# -- wishes of phones and call managers

DIALOG = remotecc.DialogId("call@host", "local", "remote")
REQUESTS: tuple[remotecc.RemoteCcRequest, ...] = (
    remotecc.SoftkeyEvent("Park", DIALOG),
    remotecc.SoftkeyEvent("Conference", DIALOG, 1, DIALOG.swapped()),
    remotecc.SoftkeyEvent("Join", DIALOG, 2, None, DIALOG),
    remotecc.SoftkeyEvent("HLog"),
    remotecc.BulkRegister(),
    remotecc.BulkRegister(False),
    remotecc.Options(("joinreq", "cfwdall-anyline"), 6, (("dialog", "hook status"), ("presence", "blf speed dial"))),
    remotecc.AnswerCall(DIALOG),
    remotecc.InitiateCall("+15551234", 2),
    remotecc.HoldRetrieve(DIALOG),
    remotecc.PlayTone("DtLineBusyTone"),
    remotecc.PlayTone("DtZipZip", "all", DIALOG),
    remotecc.StatusLine("Call parked at 8501 <&>", DIALOG, 5, 1, 2),
    remotecc.FeatureNotice(DIALOG, "Join", "Complete"),
    remotecc.DataPassThrough(1, 2, "StationSequenceLast", 3, 4, 5, 6),
    remotecc.DoNotDisturbUpdate(True, "callreject"),
    remotecc.HuntLogUpdate(False),
    remotecc.ForwardAllUpdate(1, "2005", True),
    remotecc.BulkUpdate(
        (remotecc.LineUpdate(0, False), remotecc.LineUpdate(1, True, 2, 3, "2005"), remotecc.LineUpdate(3, False))
    ),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_wishes_are_read_back(request_: remotecc.RemoteCcRequest) -> None:
    assert remotecc.parse(remotecc.encode(request_)) == request_


def test_the_options_of_a_registering_softphone() -> None:
    options = remotecc.parse(
        b"""<?xml version="1.0" encoding="UTF-8"?><x-cisco-remotecc-request><optionsind>
        <combine max="6"><remotecc><status></status></remotecc><service-control></service-control></combine>
        <dialog usage="hook status"><unot></unot><sub></sub></dialog>
        <dialog usage="shared line"><unot></unot><sub></sub></dialog>
        <presence usage="blf speed dial"><unot></unot><sub></sub></presence><joinreq></joinreq>
        <cfwdall-anyline></cfwdall-anyline></optionsind></x-cisco-remotecc-request>"""
    )
    assert options == remotecc.Options(
        ("joinreq", "cfwdall-anyline"),
        6,
        (("dialog", "hook status"), ("dialog", "shared line"), ("presence", "blf speed dial")),
    )
    answer = remotecc.RemoteCcResponse(200, options, ("cfwdall-anyline",))
    assert b"<cfwdall-anyline>Yes</cfwdall-anyline>" in answer.encode()
    assert remotecc.RemoteCcResponse.parse(answer.encode()) == answer
    assert remotecc.RemoteCcResponse.parse(remotecc.RemoteCcResponse(200).encode()) == remotecc.RemoteCcResponse(200)


def test_an_update_as_other_call_managers_write_it() -> None:
    update = remotecc.parse(
        b'<x-cisco-remotecc-request><bulkupdate><contact all="true"><mwi>no</mwi></contact><contact line=" 1"><mwi>yes'
        b"</mwi></contact></bulkupdate></x-cisco-remotecc-request>"
    )
    assert update == remotecc.BulkUpdate((remotecc.LineUpdate(0, False), remotecc.LineUpdate(1, True)))


def test_wishes_that_are_not_known() -> None:
    unknown = remotecc.parse(b"<x-cisco-remotecc-request><privacyreq/></x-cisco-remotecc-request>")
    assert unknown == remotecc.UnknownRequest("privacyreq")
    with pytest.raises(BodyError):
        remotecc.encode(unknown)
    with pytest.raises(BodyError):
        remotecc.parse(b"<x-cisco-remotecc-request><answercallreq/></x-cisco-remotecc-request>")


# -- feature keys, alarms, control


def test_feature_keys_as_phones_write_them() -> None:
    asked = feature_event.parse(
        b"<?xml version='1.0'?><SetForwarding xmlns='http://www.ecma-international.org/standards/ecma-323/csta/ed3'>"
        b"<device/><forwardingType>forwardNoAns</forwardingType><activateForward>true</activateForward>"
        b"<forwardDN>2005</forwardDN><ringCount>3</ringCount></SetForwarding>"
    )
    assert asked == feature_event.Forwarding("", "forwardNoAns", True, "2005", 3, True)


@given(
    device=WORDS,
    on=st.booleans(),
    to=WORDS,
    rings=st.none() | st.integers(0, 20),
    kind=st.sampled_from(feature_event.FORWARD_TYPES),
    request_=st.booleans(),
)
def test_feature_keys_are_read_back(
    device: str,
    on: bool,
    to: str,
    rings: int | None,
    kind: str,
    request_: bool,
) -> None:
    forwarding = feature_event.Forwarding(device, kind, on, to, rings, request_)
    assert feature_event.parse(feature_event.encode(forwarding)) == forwarding
    disturb = feature_event.DoNotDisturb(device, on, request_)
    assert feature_event.parse(feature_event.encode(disturb)) == disturb


def test_an_alarm_of_a_phone() -> None:
    told = alarm.Alarm.parse(
        b"""<?xml version="1.0" encoding="UTF-8"?><x-cisco-alarm><Alarm Name="DeviceTLInfo"><ParameterList>
        <String name="DeviceName">SEP001122334455</String><String name="IPv6Address"></String>
        <Enum name="StatusCode">3</Enum></ParameterList></Alarm></x-cisco-alarm>"""
    )
    assert told.name == "DeviceTLInfo"
    assert told.values == {"DeviceName": "SEP001122334455", "IPv6Address": "", "StatusCode": "3"}
    assert alarm.Alarm.parse(told.encode()) == told


def test_control_of_a_phone() -> None:
    text = b"action=restart\nRegisterCallId={abc@10.0.0.1}\nConfigVersionStamp={}\nCUCMResult=ok\n"
    told = service_control.ServiceControl.parse(text)
    assert told.action == "restart"
    assert told.values == {"RegisterCallId": "abc@10.0.0.1", "ConfigVersionStamp": "", "CUCMResult": "ok"}
    assert told.encode() == text
    with pytest.raises(BodyError):
        service_control.ServiceControl("reset", {"RegisterCallId": "a\nb"}).encode()
