"""Values of headers: quotes, lists, parameters, and each type read back as written."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sip import usual
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.headers import (
    CSeq,
    MediaType,
    NameAddr,
    Parametered,
    Quoted,
    RAck,
    Reason,
    Replaces,
    SessionExpires,
    SessionId,
    SubscriptionState,
    UriWithParams,
    Via,
    Warning,  # noqa: A004
    parse_params,
    quote,
    split_commas,
    tag_of,
    unquote,
    without_tag,
    write_params,
)
from ringback.protocols.sip.uri import Uri

TOKENS = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_texts_are_read_back_less_their_line_breaks(text: str) -> None:
    assert unquote(quote(text)) == text.replace("\r", " ").replace("\n", " ")


@given(st.lists(TEXTS, max_size=5))
def test_commas_in_quotes_do_not_divide(texts: list[str]) -> None:
    assert [unquote(part) for part in split_commas(", ".join(map(quote, texts)))] == texts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" , ,", []),
        ("a", ["a"]),
        ("a , b,,c", ["a", "b", "c"]),
        ('"a,b" <sip:c,d@e>;x=",", <sip:f>', ['"a,b" <sip:c,d@e>;x=","', "<sip:f>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
    ],
)
def test_lists(text: str, parts: list[str]) -> None:
    assert split_commas(text) == parts


@pytest.mark.parametrize("text", ['"a, b', "<sip:a, b", 'a, "'])
def test_lists_that_do_not_close(text: str) -> None:
    with pytest.raises(MalformedMessage):
        split_commas(text)


@given(st.dictionaries(TOKENS.map(str.lower), st.none() | TOKENS | TEXTS.map(Quoted), max_size=5))
def test_parameters_are_read_back(params: dict[str, str | None]) -> None:
    written = write_params(params)
    assert parse_params(written[1:]) == params if params else written == ""


def test_quotes_are_kept() -> None:
    text = ';+sip.instance="<urn:uuid:1>";+u.sip!model.ccm.cisco.com="503";video;q=0.5'
    assert write_params(parse_params(text[1:])) == text


@pytest.mark.parametrize("text", ["a;;b", "=b", "a;a", "a;A=1", 'a="b', 'a="b"c', ";;", "a;=1"])
def test_parameters_that_cannot_be_told(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_params(text)


def test_one_semicolon_too_many_is_a_slip() -> None:
    assert parse_params("a=1;") == {"a": "1"}


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("sip:a@b", "", "sip:a@b", {}),
        ("sip:a@b;tag=x", "", "sip:a@b", {"tag": "x"}),
        ("<sip:a@b;lr>;tag=x", "", "sip:a@b;lr", {"tag": "x"}),
        ("<sip:a@b?X=y>", "", "sip:a@b?X=y", {}),
        ('"A, \\"B\\" <c>" <sip:a@b>', 'A, "B" <c>', "sip:a@b", {}),
        ("Anita Pérez <sip:a@b>", "Anita Pérez", "sip:a@b", {}),
        ("A   B<sip:a@b> ; tag = x", "A B", "sip:a@b", {"tag": "x"}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
        ('<sip:a@b>;x="<;,>";tag=1', "", "sip:a@b", {"x": "<;,>", "tag": "1"}),
        ("<urn:x-cisco-remotecc:token-registration>", "", "urn:x-cisco-remotecc:token-registration", {}),
    ],
)
def test_addresses(text: str, display: str, uri: str, params: dict[str, str]) -> None:
    read = NameAddr.parse(text)
    assert (read.display, str(read.uri), read.params) == (display, uri, params)
    assert NameAddr.parse(str(read)) == read
    assert tag_of(text) == params.get("tag", "")


@pytest.mark.parametrize(
    "text",
    ["", "<sip:a@b", '"A <sip:a@b>', '"A" sip:a@b', "<sip:a@b>x", "A, B <sip:a@b>", "sip:a@b?x=y", "<>", "<sip:a@b>;;"],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(MalformedMessage):
        NameAddr.parse(text)


@given(TEXTS, st.dictionaries(TOKENS.map(str.lower), st.none() | TOKENS | TEXTS.map(Quoted), max_size=3))
def test_any_address_is_read_back(display: str, params: dict[str, str | None]) -> None:
    address = NameAddr(display, Uri.parse("sip:a@b"), params)
    read = NameAddr.parse(str(address))
    assert (read.display, read.params) == (display, params)
    assert tag_of(str(address)) == (params.get("tag") or "")


def test_tags_change() -> None:
    address = NameAddr.parse('"A" <sip:a@b>;tag=1;x=2')
    assert str(address.with_tag("9")) == '"A" <sip:a@b>;x=2;tag=9'
    assert address.with_tag("").tag == ""
    assert address.with_params({"expires": "60"}).expires == 60


def test_preferences_and_times() -> None:
    assert NameAddr.parse("<sip:a@b>").q == 1.0
    assert NameAddr.parse("<sip:a@b>;q=0.7").q == 0.7
    assert NameAddr.parse("<sip:a@b>;q=x").q == 1.0
    assert NameAddr.parse("<sip:a@b>;expires=x").expires is None
    assert NameAddr.parse("<sip:a@b>;expires=99999999999").expires == 2**32 - 1


def test_hops() -> None:
    via = Via.parse("SIP/2.0/UDP cm1:5070;branch=z9hG4bK1;rport;received=192.0.2.1")
    assert (via.transport, via.host, via.port, via.branch, via.rport) == ("UDP", "cm1", 5070, "z9hG4bK1", None)
    assert via.received == "192.0.2.1"
    assert str(via.with_params(rport="5099")).endswith(";rport=5099;received=192.0.2.1")
    assert via.with_params(rport="5099").rport == 5099
    assert Via.parse("sip / 2.0 / TLS [::1] : 5061 ; branch = x").sent_by == "[::1]:5061"
    assert Via.parse("SIP/2.0/TCP\thost").host == "host"


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/3.0/UDP a", "HTTP/2.0/UDP a", "SIP/2.0/ a", "SIP/2.0/UDP a b"]
)
def test_hops_that_are_none(text: str) -> None:
    with pytest.raises(MalformedMessage):
        Via.parse(text)


@pytest.mark.parametrize(
    "text", ["1", "INVITE", "-1 INVITE", "2147483648 INVITE", "1 IN VITE", "٣ INVITE", "1\u00a0INVITE", ""]
)
def test_sequences_that_are_none(text: str) -> None:
    with pytest.raises(MalformedMessage):
        CSeq.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (CSeq(2147483647, "BYE"), "2147483647 BYE"),
        (RAck(1, 2, "INVITE"), "1 2 INVITE"),
        (Reason("SIP", 200, "Call completed elsewhere"), 'SIP;cause=200;text="Call completed elsewhere"'),
        (Reason("Q.850", 16, "ok"), 'Q.850;cause=16;text="ok"'),
        (Replaces("a@b", "1", "2", True), "a@b;to-tag=1;from-tag=2;early-only"),
        (SessionExpires(1800, "uas"), "1800;refresher=uas"),
        (SessionExpires(90), "90"),
        (SessionId("0" * 31 + "a", "f" * 32), "0" * 31 + "a;remote=" + "f" * 32),
        (SubscriptionState("active", "", 600), "active;expires=600"),
        (SubscriptionState("terminated", "noresource", None, 5), "terminated;reason=noresource;retry-after=5"),
        (Warning(399, "cm1", 'Say "no"'), '399 cm1 "Say \\"no\\""'),
        (UriWithParams("urn:a:b", {"security": "Encrypted"}), "<urn:a:b>;security=Encrypted"),
        (MediaType("multipart/mixed", {"boundary": Quoted("a b")}), 'multipart/mixed;boundary="a b"'),
        (Parametered("dialog", {"id": "7"}), "dialog;id=7"),
    ],
)
def test_values_are_written_and_read(value: CSeq, text: str) -> None:
    assert str(value) == text
    assert type(value).parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RAck, "1 2"),
        (RAck, "4294967296 1 INVITE"),
        (Replaces, "a;to-tag=1"),
        (Replaces, ";to-tag=1;from-tag=2"),
        (SessionExpires, "soon"),
        (SessionExpires, "90;refresher=me"),
        (SessionId, "0" * 31),
        (SessionId, "0" * 32 + ";remote=x"),
        (SubscriptionState, ""),
        (Warning, '1812 overture "In Progress"'),
        (Warning, "399"),
        (UriWithParams, "urn:a:b"),
        (UriWithParams, "x <urn:a:b>"),
        (MediaType, "sdp"),
        (MediaType, "application/"),
    ],
)
def test_values_that_are_none(kind: type[CSeq], text: str) -> None:
    with pytest.raises(MalformedMessage):
        kind.parse(text)


@given(st.text())
def test_any_text_is_a_value_or_malformed(text: str) -> None:
    kinds = (CSeq, MediaType, NameAddr, Parametered, RAck, Reason, Replaces, SessionExpires, SessionId)
    for read in (
        *(kind.parse for kind in kinds),
        SubscriptionState.parse,
        UriWithParams.parse,
        Via.parse,
        Warning.parse,
    ):
        with contextlib.suppress(MalformedMessage):
            value = read(text)
            assert read(str(value)) == value
    for look in (split_commas, tag_of):
        with contextlib.suppress(MalformedMessage):
            assert look(text) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"A" <sip:a@b>;tag=1', '"A" <sip:a@b>'),
        ("<sip:a;tag=1@b>;tag=1", "<sip:a;tag=1@b>"),
        ("<sip:a@b>;x=y;tag=1", "<sip:a@b>;x=y"),
        ("<sip:a@b>;tag=1;x=y", "<sip:a@b>;x=y"),
        ("<sip:a@b> ; TAG = 1", "<sip:a@b>"),
        ("sip:a@b;tag=1", "<sip:a@b>"),
        ("sip:a@b", "sip:a@b"),
        ('"x>;tag=1" <sip:a@b>', '"x>;tag=1" <sip:a@b>'),
    ],
)
def test_tags_are_taken_away_and_nothing_else(text: str, expected: str) -> None:
    assert without_tag(text) == expected


_HOP_PARAMS = st.lists(
    st.sampled_from(
        ["rport", "branch=z9hG4bKa", "branch=", "branch=a=b", "received=1.2.3.4", "rport=5", ' x="a;b"', ""]
    ),
    max_size=4,
)


@given(st.sampled_from(["a.example", "a.example:5060", "[2001:db8::1]:5062", "A:", "a b", ""]), _HOP_PARAMS)
def test_a_hop_read_in_short_is_the_hop_read_in_full(sent_by: str, params: list[str]) -> None:
    text = ";".join([f"SIP/2.0/UDP {sent_by}", *params])
    try:
        quick = usual.hop(text)
    except MalformedMessage:
        with pytest.raises(MalformedMessage):
            Via.parse(text)
        return
    if quick is not None:
        full = Via.parse(text)
        assert quick[0] == full.branch
        assert quick[1].lower() == full.sent_by.lower()
        assert quick[2] == ("rport" in full.params)
