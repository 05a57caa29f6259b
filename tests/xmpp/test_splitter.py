"""The splitter: any chunking gives the same stanzas, any bytes give stanzas or a documented error."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ringback.protocols.xmpp.splitter import Closed, Element, Item, Opened, Splitter, SplitterLimits, canonical
from ringback.protocols.xmpp.stanza import parse_element

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>"
)
STANZAS = (
    b"<presence/>",
    b"<presence></presence>",
    b"<presence>/></presence>",
    b"<presence a='/'></presence>",
    b"<presence to='a&gt;b' from=\"it's\"/>",
    b"<message to='b@x' id='\xc3\xa9'><body>h\xc3\xa9 &gt; &#x1F600;</body></message>",
    b"<message to=\"q\"><x xmlns='urn:x'><message xmlns='jabber:client' to='z'><body/></message></x></message >",
    b"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    b"<message><body><![CDATA[</message>]]></body></message>",
    b"<message><body><![CDATA[it's < a 'quoted]]></body></message>",
    b"<presence to='a>b>c>d>e>f'/>",
    b"<message\n\tto='x'\n>\n<body> </body>\n</message>",
)
CONDITIONS = {
    "bad-format",
    "bad-namespace-prefix",
    "not-well-formed",
    "policy-violation",
    "restricted-xml",
    "unsupported-encoding",
}


def feed(
    chunks: list[bytes], limits: SplitterLimits | None = None, *, rest: bool = False, defers: bool | None = None
) -> tuple[list[Item], str]:
    splitter = Splitter(limits or SplitterLimits())
    splitter.defers = splitter.defers if defers is None else defers
    items: list[Item] = []
    for chunk in chunks:
        items += splitter.feed(chunk)
        if rest:
            splitter.rest()
    return items, splitter.error.condition if splitter.error else ""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def raws(items: list[Item]) -> list[bytes]:
    return [item.raw for item in items if isinstance(item, Element)]


@given(
    st.lists(st.tuples(st.sampled_from(STANZAS), st.sampled_from([b"", b" ", b"\n", b"  \n"])), max_size=12),
    st.lists(st.integers(0, 100_000), max_size=40),
    st.booleans(),
    st.sampled_from([None, True]),
)
def test_any_chunking_gives_the_same_stanzas(
    parts: list[tuple[bytes, bytes]], places: list[int], rest: bool, defers: bool | None
) -> None:
    data = HEADER + b"".join(stanza + space for stanza, space in parts) + b"</stream:stream>"
    items, error = feed(cut(data, places), rest=rest, defers=defers)
    assert error == ""
    assert isinstance(items[0], Opened)
    assert isinstance(items[-1], Closed)
    assert raws(items) == [stanza for stanza, _ in parts]


@given(
    st.binary(max_size=300), st.lists(st.integers(0, 1000), max_size=8), st.booleans(), st.sampled_from([None, True])
)
def test_any_bytes_give_items_or_a_documented_error(
    data: bytes, places: list[int], header: bool, defers: bool | None
) -> None:
    whole, error = feed([HEADER + data if header else data], defers=defers)
    assert error == "" or error in CONDITIONS
    pieces, error_of_pieces = feed(cut(HEADER + data if header else data, places), defers=defers)
    assert pieces == whole
    assert error_of_pieces == error


@given(
    st.recursive(
        st.sampled_from([b"<a/>", b"text", b"<b xmlns='urn:b'>&amp;</b>", b"\xc3\xbc"]),
        lambda inner: st.lists(inner, max_size=4).map(lambda parts: b"<c x='&lt;'>" + b"".join(parts) + b"</c>"),
        max_leaves=20,
    )
)
def test_a_slice_is_the_stanza(content: bytes) -> None:
    stanza = b"<message>" + content + b"</message>"
    items, error = feed([HEADER, stanza])
    assert error == ""
    assert raws(items) == [stanza]


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"<message><!-- no --></message>", "restricted-xml"),
        (b"<message><?php no?></message>", "restricted-xml"),
        (b"<message>&lol;</message>", "restricted-xml"),
        (b"<message>&#0;</message>", "not-well-formed"),
        (b"<message></presence>", "not-well-formed"),
        (b"<message a='1' a='2'/>", "not-well-formed"),
        (b"<x:message/>", "bad-namespace-prefix"),
        (b"<message>\xff</message>", "not-well-formed"),
        (b"text", "bad-format"),
        (b"<![CDATA[text]]>", "bad-format"),
        (b"&#32;<message/>", "bad-format"),
        (b"<message " + b"a" * 20_000, "policy-violation"),
        (b"<message>" + b"x" * 300_000, "policy-violation"),
        (b"<message>" + b"x" * 300_000 + b"</message>", "policy-violation"),
        (b"<message>" + b"<a>" * 100, "policy-violation"),
        (b"<message " + b" ".join(b"a%d=''" % number for number in range(100)) + b"/>", "policy-violation"),
    ],
)
def test_what_is_refused_is_refused_however_it_is_cut(data: bytes, condition: str) -> None:
    stanza = b"<presence/>"
    for chunks in (
        [HEADER + stanza + data],
        [HEADER, stanza, *(data[at : at + 997] for at in range(0, len(data), 997))],
    ):
        items, error = feed(chunks)
        assert error == condition
        assert raws(items) == [stanza], "what came before the fault is served"


def test_a_document_type_is_refused_before_anything_is_expanded() -> None:
    bomb = b"<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;&b;'>]>" + HEADER[21:] + b"<message>&c;</message>"
    items, error = feed([bomb])
    assert (items, error) == ([], "restricted-xml")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_another_encoding_is_refused(encoding: str) -> None:
    data = f"<?xml version='1.0' encoding='{encoding}'?><stream:stream".encode()
    assert feed([data + HEADER[35:]])[1] == "unsupported-encoding"
    assert feed(["<?xml version='1.0'?><a>".encode("utf-16")])[1] == "unsupported-encoding"


def test_a_slice_stands_by_itself_whatever_the_root_declared() -> None:
    root = (
        b"<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:c='jabber:client' xmlns:e='urn:e' to='x'>"
        b"<c:message to='a' e:mark='&#10;1'><c:body>1 &lt; 2</c:body><e:x><y/></e:x></c:message>"
    )
    (raw,) = raws(feed([root])[0])
    element = parse_element(raw)
    assert element.tag == "{jabber:client}message"
    assert element.findtext("{jabber:client}body") == "1 < 2"
    assert element.get("{urn:e}mark") == "\n1"
    assert element.find("{urn:e}x/y") is not None
    assert raw.startswith(b"<message ")


def test_a_prefix_of_the_root_inside_a_stanza_is_carried_along() -> None:
    root = HEADER.replace(b" to=", b" xmlns:e='urn:e' to=")
    stanza = b"<message><e:x/><stream:y/></message>"
    (raw,) = raws(feed([root, stanza])[0])
    element = parse_element(raw)
    assert [child.tag for child in element] == ["{urn:e}x", "{http://etherx.jabber.org/streams}y"]


def test_writing_anew_keeps_the_meaning() -> None:
    raw = b"<message xml:lang='de'><body>a&#13;<b xmlns=''><c/></b>d &amp; e</body></message>"
    again = canonical(raw, {None: "jabber:client"})
    assert etree.tostring(parse_element(again), method="c14n") == etree.tostring(parse_element(raw), method="c14n")


def test_an_idle_stream_gives_its_parser_back_and_goes_on() -> None:
    splitter = Splitter(SplitterLimits())
    splitter.feed(HEADER)
    for _ in range(3):
        assert splitter.idle
        splitter.rest()
        assert raws(splitter.feed(b" <presence/><message>x</mess")) == [b"<presence/>"]
        splitter.rest()
        assert raws(splitter.feed(b"age>")) == [b"<message>x</message>"]


@pytest.mark.parametrize("defers", [None, True])
def test_every_stanza_comes_out_with_its_last_byte(defers: bool | None) -> None:
    """Byte by byte: an expat that puts unfinished tags off must not keep a stanza back."""
    splitter = Splitter(SplitterLimits())
    splitter.defers = splitter.defers if defers is None else defers
    for number in HEADER:
        opened = splitter.feed(bytes([number]))
    assert [type(item) for item in opened] == [Opened]
    for stanza in STANZAS:
        for number in stanza[:-1]:
            assert splitter.feed(bytes([number])) == []
        assert raws(splitter.feed(stanza[-1:])) == [stanza]


def test_a_tag_without_end_is_refused_also_where_it_is_held_back() -> None:
    _, error = feed([HEADER, b"<message a='", *[b"x" * 1000] * 20], defers=True)
    assert error == "policy-violation"
