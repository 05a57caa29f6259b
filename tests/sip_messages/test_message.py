"""Messages: built, parsed, changed, answered, written."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sip.errors import MalformedMessage, UnbuildableMessage
from ringback.protocols.sip.headers import NameAddr, Via
from ringback.protocols.sip.message import HEADER_LIMIT, Message, Request, Response, parse
from ringback.protocols.sip.names import COMPACT, canonical, reason_phrase
from ringback.protocols.sip.uri import Uri

HEADERS = [
    ("Via", "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport"),
    ("Via", "SIP/2.0/TCP cm1;branch=z9hG4bK0"),
    ("Record-Route", "<sip:127.0.0.2;lr>"),
    ("From", '"Anita" <sip:2001@example.com>;tag=a'),
    ("To", "<sip:2002@example.com>"),
    ("Call-ID", "1@127.0.0.1"),
    ("CSeq", "1 INVITE"),
    ("Max-Forwards", "70"),
]


def invite(*more: tuple[str, str], body: bytes = b"") -> Request:
    return Request("INVITE", "sip:2002@example.com", [*HEADERS, *more], body)


def read(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def test_what_is_written() -> None:
    request = Request("OPTIONS", Uri.parse("sip:a@b"), [("v", "SIP/2.0/UDP c"), ("call-id", "1")], b"xy")
    assert (
        request.encode()
        == b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c\r\nCall-ID: 1\r\nContent-Length: 2\r\n\r\nxy"
    )
    assert Response(200).encode() == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert Response(299, "Fine").encode().startswith(b"SIP/2.0 299 Fine\r\n")
    assert reason_phrase(499) == "Bad Request"


def test_typed_values() -> None:
    request = read(
        invite(
            ("m", "<sip:2001@127.0.0.1:5070>;q=0.5, <sip:b@c>"),
            ("Supported", "replaces, 100Rel"),
            ("k", "timer"),
            ("Require", "norefersub"),
            ("Allow", "INVITE,ACK"),
            ("Expires", "60"),
            ("c", "Application/SDP"),
            ("x", "1800;refresher=uac"),
            ("Min-SE", "90"),
            ("RSeq", "7"),
            ("RAck", "7 1 INVITE"),
            ("Refer-To", "<sip:d@e?Replaces=x>"),
            ("Referred-By", "<sip:a@b>"),
            ("Replaces", "x;to-tag=1;from-tag=2"),
            ("Join", "y;to-tag=1;from-tag=2"),
            ("Reason", 'SIP;cause=200;text="a", Q.850;cause=16'),
            ("o", "Dialog;id=3"),
            ("Subscription-State", "active;expires=9"),
            ("Retry-After", "120 (in a meeting);duration=60"),
            (
                "Call-Info",
                "<urn:x-cisco-remotecc:callinfo>;security=Encrypted;orientation=from, <http://a/b>;purpose=icon",
            ),
            ("Remote-Party-ID", '"A" <sip:2001@cm>;party=calling'),
            ("P-Asserted-Identity", '"A" <sip:2001@cm>, <tel:+15551>'),
            ("Session-ID", "0" * 32),
            ("Warning", '399 cm1 "no"'),
            ("Path", "<sip:p1;lr>,<sip:p2;lr>"),
            ("Service-Route", "<sip:s1;lr>"),
            ("Content-Disposition", "session;handling=optional"),
            body=b"v=0\r\n",
        ).encode()
    )
    assert [str(contact.uri) for contact in request.contacts] == ["sip:2001@127.0.0.1:5070", "sip:b@c"]
    assert request.supported == {"replaces", "100rel", "timer"}
    assert request.require == {"norefersub"}
    assert request.allow == {"INVITE", "ACK"}
    assert request.expires == 60
    assert request.content_type is not None
    assert request.content_type.kind == "application/sdp"
    assert request.session_expires is not None
    assert (request.session_expires.seconds, request.min_se, request.rseq) == (1800, 90, 7)
    assert request.rack == (7, 1, "INVITE")
    assert request.refer_to is not None
    assert request.refer_to.uri.headers == (("Replaces", "x"),)
    assert request.referred_by is not None
    assert request.replaces is not None
    assert request.join is not None
    assert (request.replaces.call_id, request.join.call_id) == ("x", "y")
    assert [reason.cause for reason in request.reasons] == [200, 16]
    assert request.cause == request.reasons[0]
    assert request.event is not None
    assert (request.event.value, request.event.param("id")) == ("dialog", "3")
    assert request.subscription_state is not None
    assert request.subscription_state.active
    assert request.retry_after == 120
    assert [info.params.get("security") for info in request.call_infos] == ["Encrypted", None]
    assert request.remote_party is not None
    assert [str(each.uri) for each in request.asserted_identities] == ["sip:2001@cm", "tel:+15551"]
    assert request.session_id is not None
    assert request.warnings[0].text == "no"
    assert [each.uri.host for each in request.path] == ["p1", "p2"]
    assert request.service_routes[0].uri.host == "s1"
    assert request.content_disposition is not None
    assert request.record_routes[0].uri.loose
    assert (request.branch, request.from_tag, request.to_tag, request.call_id) == ("z9hG4bK1", "a", "", "1@127.0.0.1")
    assert request.body == b"v=0\r\n"


def test_absent_values() -> None:
    request = Request("OPTIONS", "sip:a@b")
    assert request.contact is None
    assert (request.expires, request.rack, request.event, request.cause, request.session_id) == (None,) * 5
    assert (request.routes, request.warnings, request.supported, request.allow) == ([], [], frozenset(), frozenset())
    assert request.get("X") is None
    assert request.all("X") == []
    for look in ("via", "from_", "to", "cseq", "call_id", "from_tag", "branch"):
        with pytest.raises(MalformedMessage):
            getattr(request, look)


@pytest.mark.parametrize(("short", "name"), COMPACT.items())
def test_compact_forms(short: str, name: str) -> None:
    assert canonical(short) == canonical(short.upper()) == canonical(name.swapcase()) == name


def test_unknown_names_meet_under_one_key() -> None:
    request = read(b"OPTIONS sip:a SIP/2.0\r\nx-fOO-bar: 1\r\nX-Foo-Bar : 2\r\n\r\n")
    assert request.all("X-FOO-BAR") == ["1", "2"]


def test_a_star_as_contact() -> None:
    assert invite(("Contact", "*")).contact_star
    assert invite(("Contact", "*")).contacts == []
    assert not invite(("Contact", "<sip:a@b>")).contact_star
    with pytest.raises(MalformedMessage):
        _ = invite(("Contact", "*"), ("Contact", "<sip:a@b>")).contacts


def test_changes_are_seen() -> None:
    request = invite()
    assert request.from_.tag == "a"
    request.set("f", request.from_.with_tag("b"))
    assert request.from_.tag == request.from_tag == "b"
    request.prepend("v", Via("TLS", "proxy", 5061, {"branch": "z9hG4bKp"}))
    assert request.branch == "z9hG4bKp"
    assert len(request.vias) == 3
    request.add("Route", "<sip:r1;lr>")
    request.add("Route", "<sip:r2;lr>")
    assert [route.uri.host for route in request.routes] == ["r1", "r2"]
    request.set_all("Route", [NameAddr("", Uri.parse("sip:r3"))])
    assert [route.uri.host for route in request.routes] == ["r3"]
    request.set_all("Route", [])
    assert not request.has("Route")
    request.remove("Max-Forwards")
    assert request.max_forwards is None
    assert "Max-Forwards" not in request.names()


def test_copies_are_independent() -> None:
    request = invite()
    copied = request.copy()
    copied.add("Via", "SIP/2.0/UDP z")
    copied.set("To", "<sip:x@y>")
    other = request.with_uri("sip:new@b")
    assert len(request.vias) == 2
    assert request.to.uri.user == "2002"
    assert (other.uri.user, request.uri.user) == ("new", "2002")


def test_answers() -> None:
    request = read(invite(("Timestamp", "5"), body=b"x").encode())
    response = request.respond(180, to_tag="t", headers=[("Contact", "<sip:b@c>")], body=b"y")
    assert str(response) == "SIP/2.0 180 Ringing"
    for name in ("Via", "Record-Route", "From", "Call-ID", "CSeq", "Timestamp"):
        assert response.all(name) == request.all(name)
    assert response.to_tag == "t"
    assert request.to_tag == ""
    assert response.body == b"y"
    assert not response.has("Max-Forwards")
    assert (response.is_final, response.is_success) == (False, False)
    response.add("Via", "SIP/2.0/UDP q")
    assert len(request.vias) == 2
    again = parse(response.encode())
    again.check()
    request.set("To", "<sip:a@b>;tag=own")
    assert request.respond(200, to_tag="t").to_tag == "own"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nEvil: b"),
        ("X", "a\nb"),
        ("X\r\nY", "a"),
        ("", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("Content-Length", "7"),
    ],
)
def test_nothing_slips_into_a_header(name: str, value: str) -> None:
    request = invite()
    for change in (request.set, request.add, request.prepend):
        with pytest.raises(UnbuildableMessage):
            change(name, value)
    with pytest.raises(UnbuildableMessage):
        request.respond(200, headers=[(name, value)])
    with pytest.raises(UnbuildableMessage):
        Request("INVITE", "sip:a@b", [(name, value)])


def test_nothing_slips_into_a_first_line() -> None:
    for method, uri in (("IN VITE", "sip:a"), ("INVITE", "sip:a\r\nX: y"), ("INVITE", ""), ("", "sip:a")):
        with pytest.raises(UnbuildableMessage):
            Request(method, uri)
    with pytest.raises(UnbuildableMessage):
        Response(200, "OK\r\nX: y")
    with pytest.raises(UnbuildableMessage):
        Response(700)
    with pytest.raises(UnbuildableMessage):
        invite().respond(200, "OK\r\nX: y")
    with pytest.raises(UnbuildableMessage):
        invite().respond(200, to_tag="a\r\nX: y")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"SIP/2.0 20 OK\r\n\r\n", 400),
        (b"SIP/2.0 \xd9\xa2\xd9\xa0\xd9\xa0 OK\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\nNo colon\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\n: value\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\nA b: value\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\nA: b\nc: d\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\nA: b\rc: d\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\n folded: b\r\n\r\n", 400),
        (b"INVITE sip:a SIP/1.0\r\n\r\n", 505),
        (b"INVITE sip:a SIP/2.0\r\nContent-Length: 1\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\nContent-Length: +0\r\n\r\n", 400),
        (b"INVITE sip:a SIP/2.0\r\nl: 0\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"INVITE sip:a SIP/2.0\r\n" + b"A: b\r\n" * (HEADER_LIMIT + 1) + b"\r\n", 513),
    ],
)
def test_what_is_no_message(data: bytes, status: int) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(data)
    assert caught.value.status == status


def test_datagrams() -> None:
    assert read(b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\n\r\n").method == "OPTIONS"
    assert read(b"OPTIONS sip:a sip/2.0\r\n\r\nbody").body == b"body"
    assert read(b"OPTIONS sip:a SIP/2.0\r\nl: 2\r\n\r\nbody").body == b"bo"
    assert read(b"OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-length: 1\r\n\r\nx").body == b"x"


def test_bytes_that_are_no_utf_8_survive() -> None:
    request = read(b"OPTIONS sip:a SIP/2.0\r\nSubject: \xff\xfe \xc3\xa4\r\n\r\n")
    assert b"Subject: \xff\xfe \xc3\xa4\r\n" in request.encode()
    assert (request.get("Subject") or "").endswith("ä")


def broken(name: str, value: str | None) -> Message:
    request = invite()
    request.set(name, value) if value is not None else request.remove(name)
    return request


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", None),
        ("From", None),
        ("To", None),
        ("Call-ID", None),
        ("CSeq", None),
        ("Call-ID", ""),
        ("CSeq", "1 BYE"),
        ("CSeq", "x INVITE"),
        ("Via", "nothing"),
        ("From", "<>"),
        ("To", "<sip:a@b"),
        ("Max-Forwards", "256"),
        ("Max-Forwards", "many"),
    ],
)
def test_what_routing_needs_is_checked(name: str, value: str | None) -> None:
    request = broken(name, value)
    assert isinstance(request, Request)
    with pytest.raises(MalformedMessage) as caught:
        request.check()
    assert caught.value.status == 400
    assert caught.value.message is request


def test_responses_are_checked_too() -> None:
    response = invite().respond(200)
    response.check()
    response.remove("CSeq")
    with pytest.raises(MalformedMessage):
        response.check()


NAMES = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=10).filter(
    lambda name: canonical(name) != "Content-Length"
)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20).map(
    lambda text: text.strip(" \t")
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.binary(max_size=30))
def test_any_headers_survive(headers: list[tuple[str, str]], body: bytes) -> None:
    request = Request("MESSAGE", "sip:a@b", headers, body)
    again = read(request.encode())
    assert again.items() == request.items()
    assert again.body == body
    assert sorted(again.items()) == sorted((canonical(name), value) for name, value in headers)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    for candidate in (data, b"OPTIONS sip:a SIP/2.0\r\n" + data + b"\r\n\r\n", b"SIP/2.0 200 " + data + b"\r\n\r\n"):
        try:
            message = parse(candidate)
        except MalformedMessage:
            continue
        again = parse(message.encode())
        assert again.items() == message.items()
        assert again.body == message.body
