"""Each message of RFC 4475 and RFC 5118 gives what those documents say."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.headers import Via
from ringback.protocols.sip.message import Message, Request, Response, parse
from ringback.protocols.sip.reader import Reader
from ringback.protocols.sip.uri import Uri
from tests.sip_messages.torture import Tortured, load

RFC4475 = load("rfc4475")
RFC5118 = load("rfc5118")
EVERY = [*RFC4475.values(), *RFC5118.values()]
VALID = [each for each in EVERY if not each.status]
INVALID = [each for each in EVERY if each.status]


def name_of(case: Tortured) -> str:
    return case.name


def read(name: str) -> Request:
    message = parse(RFC4475[name].data if name in RFC4475 else RFC5118[name].data)
    assert isinstance(message, Request)
    return message


def read_response(name: str) -> Response:
    message = parse(RFC4475[name].data)
    assert isinstance(message, Response)
    return message


def ask_everything(message: Message) -> None:
    """What a registrar or user agent would ask for."""
    _ = (message.vias, message.contacts, message.routes, message.record_routes, message.expires)
    _ = (message.content_type, message.require, message.supported, message.allow, message.warnings)


def test_the_documents_are_complete() -> None:
    assert len(RFC4475) == 49
    assert len(RFC5118) == 12


@pytest.mark.parametrize("case", VALID, ids=name_of)
def test_valid_messages_are_read(case: Tortured) -> None:
    message = parse(case.data)
    message.check()
    ask_everything(message)


@pytest.mark.parametrize("case", VALID, ids=name_of)
def test_valid_messages_survive_being_written(case: Tortured) -> None:
    message = parse(case.data)
    again = parse(message.encode())
    assert again.items() == message.items()
    assert again.body == message.body
    assert str(again) == str(message)


@pytest.mark.parametrize("case", INVALID, ids=name_of)
def test_invalid_messages_earn_their_status(case: Tortured) -> None:
    def take() -> None:
        message = parse(case.data)
        message.check()
        ask_everything(message)

    with pytest.raises(MalformedMessage) as caught:
        take()
    assert caught.value.status == case.status


@pytest.mark.parametrize("case", INVALID, ids=name_of)
def test_an_invalid_request_can_still_be_answered(case: Tortured) -> None:
    try:
        message: Message | None = parse(case.data)
    except MalformedMessage as error:
        message = error.message
    if case.name == "bigcode":
        assert message is None  # a response that nobody answers
        return
    if isinstance(message, Response):
        assert case.name == "scalarlg"
        return
    assert isinstance(message, Request)
    response = parse(message.respond(case.status).encode())
    assert response.all("Via") == message.all("Via")
    assert response.get("Call-ID") == message.get("Call-ID")


def test_a_short_tortuous_invite() -> None:
    message = read("wsinv")
    assert message.to.tag == "1918181833n"
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == message.from_tag == "98asjd8"
    assert message.max_forwards == 68
    assert message.cseq == (9, "INVITE")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.get("Subject") == ""
    assert message.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    contact = message.contact
    assert contact is not None
    assert contact.display == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert contact.q == 0.33
    assert message.routes[0].uri.loose
    assert message.uri.params == {"unknownparam": None}
    assert len(message.body) == 150


def test_wide_range_of_valid_characters() -> None:
    message = read("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_escapes() -> None:
    message = read("esc01")
    assert message.uri.user == "sips:user@example.com"
    assert message.uri.host == "example.net"
    assert str(message.uri) == "sip:sips%3Auser%40example.com@example.net"
    assert message.to.uri == Uri.parse("sip:user@example.com")
    assert message.from_.uri.user == "I have spaces"
    contact = message.contact
    assert contact is not None
    assert contact.uri.user == "caller"
    assert contact.uri.params == {"lr": None, "name": "value%41"}


def test_escaped_nulls() -> None:
    message = read("escnull")
    assert message.to.uri.user == "null-\0-null"
    assert [contact.uri.user for contact in message.contacts] == ["\0", "\0\0"]
    assert message.contacts[0].uri != message.contacts[1].uri


def test_percent_is_no_escape_outside_of_uris() -> None:
    message = read("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display == "%Z%45"
    assert len(message.contacts) == 2  # C%6Fntact is another header
    assert message.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_no_space_before_the_bracket() -> None:
    assert read("lwsdisp").from_.display == "caller"


def test_long_values() -> None:
    message = read("longreq")
    assert len(message.vias) == 34
    assert message.to.uri.port == 6000
    assert message.branch == ""
    assert message.vias[-1].received == "192.0.2.5"
    assert len(message.vias[-1].branch) > 200


def test_a_datagram_holds_one_message() -> None:
    assert read("dblreq").method == "REGISTER"
    assert read("dblreq").body == b""


def test_a_stream_holds_both() -> None:
    found = Reader().feed(RFC4475["dblreq"].data)
    assert [item.method for item in found if isinstance(item, Request)] == ["REGISTER", "INVITE"]


def test_semicolon_in_the_user_part() -> None:
    uri = read("semiuri").uri
    assert (uri.user, uri.host, uri.params) == ("user;par=u@example.net", "example.com", {})


def test_unknown_transports() -> None:
    assert [via.transport for via in read("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_reason_phrases() -> None:
    assert read_response("unreason").reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert (read_response("noreason").status, read_response("noreason").reason) == (100, "")


def test_numbers_too_large() -> None:
    message = read("scalar02")
    assert message.expires == 2**32 - 1
    assert message.contacts[0].expires == 2**32 - 1
    with pytest.raises(MalformedMessage):
        _ = message.max_forwards
    assert read_response("scalarlg").retry_after is None


def test_extensions_to_be_refused() -> None:
    message = read("bext01")
    assert message.require == {"nothingsupportsthis", "nothingsupportsthiseither"}
    assert message.proxy_require == {"noproxiessupportthis", "nordoanyproxiessupportthis"}


def test_parameters_of_header_and_of_uri() -> None:
    header = read("cparam01").contacts[0]
    assert (header.params, header.uri.params) == ({"unknownparam": None}, {})
    uri = read("cparam02").contacts[0]
    assert (uri.params, uri.uri.params) == ({}, {"unknownparam": None})


def test_a_route_inside_a_contact() -> None:
    uri = read("regescrt").contacts[0].uri
    assert uri.headers == (("Route", "<sip:sip.example.com>"),)
    assert uri.bare().headers == ()


def test_a_response_with_two_vias_is_not_ours() -> None:
    assert len(read_response("bcast").vias) == 2


def test_max_forwards_of_zero_is_read() -> None:
    assert read("zeromf").max_forwards == 0


def test_software_of_rfc_2543() -> None:
    message = read("inv2543")
    assert (message.branch, message.from_tag, message.max_forwards) == ("", "", None)
    assert not message.record_routes[0].uri.loose
    assert message.to.params == {"user": "phone"}
    assert len(message.body) > 0


def test_an_ambiguous_port_belongs_to_the_address() -> None:
    ambiguous, plain = read("port-ambiguous").uri, read("port-unambiguous").uri
    assert (ambiguous.host, ambiguous.port) == ("2001:db8::10:5070", None)
    assert (plain.host, plain.port) == ("2001:db8::10", 5070)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_received_with_and_without_brackets(name: str) -> None:
    assert read(name).via.received == "2001:db8::9:255"
    assert ";received=2001:db8::9:255" in str(Via("UDP", "a", None).with_params(received="2001:db8::9:255"))


def test_three_colons_are_two() -> None:
    assert read("ipv6-bug-abnf-3-colons").uri.host == read("ipv6-correct-abnf-2-colons").uri.host
    assert read("ipv6-bug-abnf-3-colons").uri == read("ipv6-correct-abnf-2-colons").uri


def test_mapped_addresses() -> None:
    vias = read("ipv4-mapped-ipv6").vias
    hosts = [str(IPv6Address("::ffff:192.0.2.10")), str(IPv6Address("::ffff:192.0.2.2"))]
    assert [(via.host, via.port) for via in vias] == [(hosts[0], 19823), (hosts[1], None)]
