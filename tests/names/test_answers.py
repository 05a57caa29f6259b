"""What the name server says, without a socket: octets in, octets out."""

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from ringback.services.names import Record, RecordError, Zone, ZoneError
from ringback.services.names.answers import Answerer

ZONE = Zone(
    "example.com",
    (
        Record.parse("_cisco-uds._tcp 300 IN SRV 10 50 8443 cm1"),
        Record("_cisco-uds._tcp", "SRV", ("20 50 8443 cm2",)),
        Record("cm1", "A", ("127.0.10.11",)),
        Record("cm1", "AAAA", ("::1",)),
        Record("cm2.example.com", "A", ("127.0.10.12",)),
        Record("phone", "CNAME", ("cm1",)),
        Record("away", "CNAME", ("elsewhere.test.",)),
        Record("loop", "CNAME", ("loop",)),
        Record("*.branch", "A", ("127.0.10.99",)),
        Record("oslo", "NS", ("ns.oslo",)),
        Record("ns.oslo", "A", ("127.0.10.77",)),
        Record("big", "TXT", tuple(f'"{"x" * 200}{i}"' for i in range(20))),
    ),
)
PINPOINT = Zone("_collab-edge._tls.example.com", (Record("@", "SRV", ("5 0 8443 edge.example.net.",)),))


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return Answerer((ZONE, PINPOINT))


def ask(answerer: Answerer, name: str, kind: str, *, udp: bool = True, edns: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0 if edns else -1)
    wire = answerer.answer(query.to_wire(), udp=udp)
    assert wire is not None
    response = dns.message.from_wire(wire)
    assert query.is_response(response)
    return response


def test_srv_with_the_addresses_of_its_targets(answerer: Answerer) -> None:
    response = ask(answerer, "_cisco-uds._tcp.example.com", "SRV")
    assert response.flags & dns.flags.AA
    assert sorted(str(rdata) for rdata in response.answer[0]) == [
        "10 50 8443 cm1.example.com.",
        "20 50 8443 cm2.example.com.",
    ]
    assert {(str(rrset.name), rrset.rdtype) for rrset in response.additional} == {
        ("cm1.example.com.", RdataType.A),
        ("cm1.example.com.", RdataType.AAAA),
        ("cm2.example.com.", RdataType.A),
    }


def test_names_are_asked_in_any_case(answerer: Answerer) -> None:
    response = ask(answerer, "_CISCO-uds._TCP.Example.COM", "SRV")
    assert len(response.answer[0]) == 2


def test_no_such_name_and_no_such_data_differ(answerer: Answerer) -> None:
    missing = ask(answerer, "nobody.example.com", "A")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    empty = ask(answerer, "cm1.example.com", "SRV")
    assert empty.rcode() == dns.rcode.NOERROR
    for response in (missing, empty):
        assert not response.answer
        assert response.authority[0].rdtype == RdataType.SOA
        assert response.authority[0].ttl == 60  # RFC 2308 section 3: the lesser of TTL and minimum


def test_a_name_above_others_exists(answerer: Answerer) -> None:
    assert ask(answerer, "_tcp.example.com", "A").rcode() == dns.rcode.NOERROR


def test_names_outside_the_zones_are_refused(answerer: Answerer) -> None:
    response = ask(answerer, "example.org", "A")
    assert response.rcode() == dns.rcode.REFUSED
    assert not response.flags & dns.flags.AA


def test_the_closest_zone_answers(answerer: Answerer) -> None:
    response = ask(answerer, "_collab-edge._tls.example.com", "SRV")
    assert [str(rdata) for rdata in response.answer[0]] == ["5 0 8443 edge.example.net."]
    assert ask(answerer, "x._collab-edge._tls.example.com", "SRV").rcode() == dns.rcode.NXDOMAIN


def test_aliases_are_followed_within_the_zones(answerer: Answerer) -> None:
    response = ask(answerer, "phone.example.com", "A")
    assert [rrset.rdtype for rrset in response.answer] == [RdataType.CNAME, RdataType.A]
    outside = ask(answerer, "away.example.com", "A")
    assert [rrset.rdtype for rrset in outside.answer] == [RdataType.CNAME]
    assert outside.rcode() == dns.rcode.NOERROR


def test_an_alias_of_itself_ends(answerer: Answerer) -> None:
    assert ask(answerer, "loop.example.com", "A").rcode() == dns.rcode.NOERROR


def test_wildcards(answerer: Answerer) -> None:
    response = ask(answerer, "any.thing.branch.example.com", "A")
    assert str(response.answer[0].name) == "any.thing.branch.example.com."
    assert ask(answerer, "any.branch.example.com", "SRV").rcode() == dns.rcode.NOERROR


def test_a_delegation_is_a_referral(answerer: Answerer) -> None:
    response = ask(answerer, "cm.oslo.example.com", "A")
    assert not response.flags & dns.flags.AA
    assert response.authority[0].rdtype == RdataType.NS
    assert [str(rdata) for rdata in response.additional[0]] == ["127.0.10.77"]


def test_long_answers_are_cut_on_udp_only(answerer: Answerer) -> None:
    cut = ask(answerer, "big.example.com", "TXT")
    assert cut.flags & dns.flags.TC
    assert len(cut.to_wire()) <= 512
    query = dns.message.make_query("big.example.com", "TXT", use_edns=0, payload=4096)
    wire = answerer.answer(query.to_wire(), udp=True)
    assert wire is not None
    assert len(wire) <= 1232
    whole = ask(answerer, "big.example.com", "TXT", udp=False)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 20


def test_edns_is_answered_with_edns(answerer: Answerer) -> None:
    assert ask(answerer, "cm1.example.com", "A", edns=True).edns == 0
    assert ask(answerer, "cm1.example.com", "A").edns == -1
    query = dns.message.make_query("cm1.example.com", "A", use_edns=1)
    wire = answerer.answer(query.to_wire(), udp=True)
    assert wire is not None
    assert dns.message.from_wire(wire).rcode() == dns.rcode.BADVERS


def test_what_is_no_question_is_refused_in_the_documented_way(answerer: Answerer) -> None:
    update = dns.message.make_query("example.com", "SOA")
    update.set_opcode(dns.opcode.STATUS)
    wire = answerer.answer(update.to_wire(), udp=True)
    assert wire is not None
    assert dns.message.from_wire(wire).rcode() == dns.rcode.NOTIMP
    assert ask(answerer, "example.com", "AXFR", udp=False).rcode() == dns.rcode.REFUSED
    assert answerer.answer(b"\x00" * 11, udp=True) is None
    broken = answerer.answer(b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6, udp=True)
    assert broken is not None
    assert broken[:2] == b"\x12\x34"
    assert broken[3] & 0x0F == dns.rcode.FORMERR


def test_an_answer_is_never_answered(answerer: Answerer) -> None:
    response = ask(answerer, "cm1.example.com", "A")
    assert answerer.answer(response.to_wire(), udp=True) is None
    assert answerer.answer(b"\x12\x34\x81\x00\x00\x01" + b"\x00" * 6, udp=True) is None


def test_a_kept_answer_carries_the_number_of_the_new_question(answerer: Answerer) -> None:
    query = dns.message.make_query("cm1.example.com", "A")
    for number in (1, 2, 65535):
        query.id = number
        wire = answerer.answer(query.to_wire(), udp=True)
        assert wire is not None
        assert dns.message.from_wire(wire).id == number


@pytest.mark.parametrize(
    "record",
    [
        Record("cm1", "A", ("not-an-address",)),
        Record("cm1", "SRV", ("1 2 cm1",)),
        Record("cm1", "NOTYPE", ("x",)),
        Record("cm1", "AXFR", ("x",)),
    ],
)
def test_records_that_do_not_fit_are_named(record: Record) -> None:
    with pytest.raises(RecordError, match="cm1"):
        Answerer((Zone("example.com", (record,)),))


def test_zones_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ZoneError, match="outside"):
        Answerer((Zone("example.com", (Record("cm1.example.org.", "A", ("127.0.0.1",)),)),))
    with pytest.raises(ZoneError, match="CNAME"):
        Answerer((Zone("example.com", (Record("a", "A", ("127.0.0.1",)), Record("a", "CNAME", ("b",)))),))
    with pytest.raises(ZoneError, match="not a DNS name"):
        Answerer((Zone("a..b"),))
    with pytest.raises(ZoneError, match="twice"):
        Answerer((Zone("example.com"), Zone("EXAMPLE.com.")))


def test_lines_of_a_zone_file() -> None:
    assert Record.parse("cm1 A 127.0.0.1") == Record("cm1", "A", ("127.0.0.1",), 300)
    assert Record.parse("cm1 1h IN A 127.0.0.1") == Record("cm1", "A", ("127.0.0.1",), 3600)
    assert Record.parse("x IN 60 SRV 1 2 3 cm1.", 5) == Record("x", "SRV", ("1 2 3 cm1.",), 60)
    for line in ("", "cm1", "cm1 IN", "cm1 300"):
        with pytest.raises(RecordError):
            Record.parse(line)


@given(octets=st.binary(max_size=600), udp=st.booleans())
def test_any_octets_give_an_answer_or_silence(octets: bytes, udp: bool) -> None:
    answerer = Answerer((ZONE,))
    wire = answerer.answer(octets, udp=udp)
    if wire is not None:
        assert wire[:2] == octets[:2]
        assert wire[2] & 0x80


@given(body=st.binary(max_size=300), counts=st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_any_body_behind_a_query_header_gives_an_answer(body: bytes, counts: list[int]) -> None:
    header = b"\xab\xcd\x01\x00" + b"".join(count.to_bytes(2, "big") for count in counts)
    wire = Answerer((ZONE,)).answer(header + body, udp=True)
    assert wire is not None
    assert wire[:2] == b"\xab\xcd"


@given(line=st.text(max_size=80))
def test_any_line_gives_a_record_or_the_documented_error(line: str) -> None:
    try:
        record = Record.parse(line)
        Answerer((Zone("example.com", (record,)),))
    except (RecordError, ZoneError):
        return
    assert record.type
