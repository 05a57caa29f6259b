"""What of SIP passes the edge, without any socket."""

from __future__ import annotations

import pytest

from ringback.protocols.edge.sip_screen import Refused, Registered, Registering, Served, SipScreen
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import Request, Response, parse
from ringback.rules.addresses import HostPort

SERVED = Served(
    frozenset({"example.com"}), frozenset({"cm1.example.com", "10.1.1.11"}), frozenset({"edge.example.com"})
)
LISTENER, PEER = HostPort("203.0.113.20", 5061), HostPort("198.51.100.7", 4711)
DIGEST = (
    'Authorization: Digest username="CSFANITA", realm="example.com", nonce="n", uri="sip:example.com", '
    'response="00000000000000000000000000000000", algorithm=MD5\r\n'
)


def request(
    method: str = "REGISTER",
    *,
    uri: str = "sip:cm1.example.com",
    from_: str = "<sip:2001@example.com>",
    to: str = "<sip:2001@example.com>",
    more: str = "",
    number: int = 1,
    body: str = "",
) -> Request:
    message = parse(
        (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TLS 192.168.7.7:5061;branch=z9hG4bK{method}{number};rport\r\n"
            f"From: {from_};tag=f\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
            f"{more}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


def answer(asked: Request, status: int, more: str = "") -> Response:
    made = asked.respond(status, to_tag="t")
    for line in more.splitlines():
        name, _, value = line.partition(": ")
        made.add(name, value)
    return made


@pytest.fixture
def screen() -> SipScreen:
    return SipScreen(SERVED, LISTENER, PEER)


@pytest.fixture
def registered(screen: SipScreen) -> SipScreen:
    asked = request(more=DIGEST)
    assert isinstance(screen.request_in(asked), Registering)
    assert screen.response_out(answer(asked, 200, "Expires: 120")) == Registered(
        "in", Registering("CSFANITA", "", "cm1.example.com"), 120
    )
    return screen


def refused(found: object) -> Refused:
    assert isinstance(found, Refused)
    return found


def test_nothing_passes_before_a_registration(screen: SipScreen) -> None:
    for method in ("INVITE", "SUBSCRIBE", "REFER", "BYE", "INFO", "NOTIFY", "UPDATE", "PRACK"):
        found = refused(screen.request_in(request(method)))
        assert (found.status, found.suspicious, found.reason.id) == (403, True, "edge.sip.unregistered"), method
    assert refused(screen.request_in(request("ACK"))).status == 0
    assert refused(screen.response_in(answer(request("INVITE"), 200))).status == 0
    options = refused(screen.request_in(request("OPTIONS")))
    assert (options.status, options.suspicious) == (200, False), "answered here: no call manager is asked"
    asked = request()
    assert isinstance(screen.request_in(asked), Registering)
    screen.response_out(answer(asked, 401, 'WWW-Authenticate: Digest realm="example.com", nonce="n"'))
    assert refused(screen.request_in(request("INVITE"))).status == 403


@pytest.mark.parametrize("method", ["MESSAGE", "PUBLISH", "HELLO"])
def test_methods_that_clients_need_not_are_refused(registered: SipScreen, method: str) -> None:
    found = refused(registered.request_in(request(method)))
    assert (found.status, found.suspicious) == (405, True)
    assert "INVITE" in dict(found.headers)["Allow"]


@pytest.mark.parametrize(
    ("parts", "passes"),
    [
        ({"uri": "sip:2002@example.com"}, True),
        ({"uri": "sip:2002@cm1.example.com"}, True),
        ({"uri": "sip:2002@CM1.EXAMPLE.COM."}, True),
        ({"uri": "sip:2002@evil.example"}, False),
        ({"uri": "sip:2002@169.254.169.254"}, False),
        ({"uri": "sip:2002@example.com", "to": "<sip:2002@evil.example>"}, False),
        ({"uri": "sip:2002@example.com", "from_": "<sip:ceo@evil.example>"}, False),
        ({"uri": "sip:2002@example.com", "from_": '"Anonymous" <sip:anonymous@anonymous.invalid>'}, True),
        ({"uri": "sip:2002@10.1.1.11", "to": "<sip:9@any.example>;tag=there"}, True),
        ({"uri": "sip:2002@10.1.1.99", "to": "<sip:9@any.example>;tag=there"}, False),
        ({"uri": "tel:+41445550101", "to": "<tel:+41445550101>"}, True),
    ],
)
def test_only_people_of_the_domain_and_call_managers(
    registered: SipScreen, parts: dict[str, str], passes: bool
) -> None:
    found = registered.request_in(request("INVITE", **parts))  # type: ignore[arg-type]
    assert (found is None) is passes


def test_the_edge_takes_itself_out_and_other_routes_lead_nowhere(registered: SipScreen) -> None:
    routed = request(
        "INVITE",
        more="Route: <sip:edge.example.com:5061;transport=tls;lr>, <sip:cm1.example.com;lr>\r\nPath: <sip:x>\r\n",
    )
    assert registered.request_in(routed) is None
    assert not routed.has("Route")
    assert not routed.has("Path")
    invited = request("INVITE", uri="sip:2001@192.168.7.7")
    registered.request_out(invited)
    assert invited.all("Record-Route") == ["<sip:edge.example.com:5061;transport=tls;lr>"], "as the client wrote it"
    strange = request("INVITE", more="Route: <sip:10.9.9.9;lr>\r\n")
    assert refused(registered.request_in(strange)).reason.id == "edge.sip.route"
    assert refused(registered.request_in(request("INVITE", more="Route: <sip:203.0.113.20;lr>\r\n" * 9))).status == 513


def test_what_comes_back_leads_through_the_edge_and_shows_what_the_world_sees(registered: SipScreen) -> None:
    asked = request("INVITE", uri="sip:2002@example.com")
    assert registered.request_in(asked) is None
    asked.set("Via", "SIP/2.0/TLS 192.168.7.7:5061;branch=z9hG4bKx;rport=40001;received=10.1.1.41")
    ringing = answer(asked, 180)
    registered.response_out(ringing)
    assert (ringing.via.received, ringing.via.rport) == ("198.51.100.7", 4711)
    assert ringing.all("Record-Route") == ["<sip:203.0.113.20:5061;transport=tls;lr>"]
    trying = answer(asked, 100)
    registered.response_out(trying)
    assert not trying.has("Record-Route")
    theirs = answer(request("INVITE"), 200, "Record-Route: <sip:edge.example.com;lr>")
    assert registered.response_in(theirs) is None
    assert not theirs.has("Record-Route"), "only the client comes back through the edge"
    bye = request("BYE", to="<sip:2001@example.com>;tag=t")
    registered.request_out(bye)
    assert not bye.has("Record-Route")


def test_a_token_passes_as_digest_does(screen: SipScreen) -> None:
    device = 'Contact: <sip:2001@h>;+u.sip!devicename.ccm.cisco.com="CSFANITA"\r\n'
    asked = request(more=f"Authorization: Bearer abc.def.ghi\r\n{device}")
    assert screen.request_in(asked) == Registering("", "CSFANITA", "cm1.example.com")
    assert asked.get("Authorization") == "Bearer abc.def.ghi"


@pytest.mark.parametrize(
    "kind",
    [
        "Content-Type: multipart/mixed;boundary=x\r\n",
        "",
        "Content-Type: application/x-unknown\r\n",
        "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
    ],
)
def test_what_the_edge_can_t_read_does_not_pass_as_a_description(registered: SipScreen, kind: str) -> None:
    assert refused(registered.request_in(request("INVITE", more=kind, body="v=0"))).status == 415
    assert refused(registered.request_in(request("ACK", more=kind, body="v=0"))).status == 0
    assert registered.request_in(request("INFO", more=kind, body="v=0")) is None
    answered = answer(request("INVITE"), 200, kind)
    answered.body = b"v=0"
    assert registered.response_in(answered) is None
    assert answered.body == b""


@pytest.mark.parametrize(
    ("status", "more", "given", "outcome"),
    [
        (401, 'WWW-Authenticate: Digest realm="r", nonce="n"', False, "other"),
        (401, 'WWW-Authenticate: Digest realm="r", nonce="n", stale=TRUE', True, "other"),
        (401, 'WWW-Authenticate: Digest realm="r", nonce="n"', True, "wrong"),
        (403, 'Warning: 399 cm1 "TLS authentication failure"', True, "wrong"),
        (403, 'Warning: 399 cm1 "Registration is active for another client"', True, "other"),
        (404, "", True, "wrong"),
        (503, "", True, "other"),
        (200, "", True, "in"),
    ],
)
def test_how_a_registration_was_answered(screen: SipScreen, status: int, more: str, given: bool, outcome: str) -> None:
    asked = request(more=DIGEST if given else "")
    assert isinstance(screen.request_in(asked), Registering)
    found = screen.response_out(answer(asked, status, more))
    assert found is not None
    assert found.outcome == outcome
    assert screen.registered is (status == 200)
    assert screen.response_out(answer(asked, 200)) is None, "an answer that nobody asked for lets nobody in"


def test_the_ack_of_what_the_edge_answered_itself_goes_nowhere(registered: SipScreen) -> None:
    asked = request("INVITE")
    registered.answered(asked)
    ack = request("ACK")
    ack.set("Via", asked.all("Via")[0])
    assert refused(registered.request_in(ack)).status == 0
    assert registered.request_in(request("ACK", to="<sip:2002@example.com>;tag=t")) is None


def test_unreadable_and_endless_messages(registered: SipScreen) -> None:
    with pytest.raises(MalformedMessage):
        registered.request_in(request("INVITE", more="Contact: <<>\r\n"))
    assert refused(registered.request_in(request("INVITE", more="Subject: x\r\n" * 130))).status == 513
