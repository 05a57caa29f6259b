"""Reading stanzas: what others can forge is left out, and any element gives a value or nothing, never an error."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring

from hypothesis import given
from hypothesis import strategies as st

from ringback.client.messaging import stanzas
from ringback.rules.addresses import Jid

OWN = Jid.parse("anita@example.com")
CARBON = """<message xmlns='jabber:client' from='{sender}' to='anita@example.com/x'><{way} xmlns='urn:xmpp:carbons:2'>
<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{inner}' to='{to}' type='chat' id='i1'>
<body>Words</body></message></forwarded></{way}></message>"""
ARCHIVED = """<message xmlns='jabber:client' from='{archive}'><result xmlns='urn:xmpp:mam:2' queryid='q1' id='a1'>
<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-11-20T10:00:00Z'/>
<message xmlns='jabber:client' from='bruno@example.com/x' type='chat' id='i1'><body>Words</body></message>
</forwarded></result></message>"""


def test_a_carbon_of_our_own_account_is_unwrapped() -> None:
    text = CARBON.format(sender="anita@example.com", inner="anita@example.com/desk", to="bruno@example.com", way="sent")
    read = stanzas.read_message(fromstring(text), OWN)
    assert read is not None
    assert (read.carbon, read.body, str(read.to)) == ("sent", "Words", "bruno@example.com")


def test_a_carbon_of_somebody_else_is_not_believed() -> None:
    for sender in ("mallory@example.com", "example.com", "anita@example.com.evil.example", "anita@example.com/x"):
        text = CARBON.format(sender=sender, inner="anita@example.com/desk", to="bruno@example.com", way="sent")
        read = stanzas.read_message(fromstring(text), OWN)
        assert read is None, sender


def test_only_our_archive_gives_ids_to_our_messages() -> None:
    text = """<message xmlns='jabber:client' from='bruno@example.com/x' type='chat' id='i1'><body>Words</body>
    <stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='bruno@example.com'/>
    <stanza-id xmlns='urn:xmpp:sid:0' id='ours' by='anita@example.com'/></message>"""
    read = stanzas.read_message(fromstring(text), OWN)
    assert read is not None
    assert read.stanza_id == "ours"
    room = text.replace("type='chat'", "type='groupchat'").replace(
        "bruno@example.com/x", "room@rooms.example.com/bruno"
    )
    read = stanzas.read_message(fromstring(room), OWN)
    assert read is not None
    assert read.stanza_id == ""


def test_an_archived_message_keeps_its_time_and_id() -> None:
    read = stanzas.read_archived(fromstring(ARCHIVED.format(archive="anita@example.com")), OWN)
    assert read is not None
    query, message = read
    assert (query, message.stanza_id, message.body) == ("q1", "a1", "Words")
    assert message.at is not None
    assert message.at.isoformat() == "2026-11-20T10:00:00+00:00"
    forged = stanzas.read_archived(fromstring(ARCHIVED.format(archive="mallory@example.com")), OWN)
    assert forged is not None
    assert forged[1].stanza_id == ""


def test_receipts_go_by_id_and_ask_for_none() -> None:
    told = stanzas.receipt(Jid.parse("bruno@example.com/x"), "m1", "r1")
    read = stanzas.read_message(with_sender(told, "anita@example.com/x"), Jid.parse("bruno@example.com"))
    assert read is not None
    assert (read.receipt_for, read.wants_receipt, read.body) == ("m1", False, "")


def test_a_text_says_all_that_the_other_side_needs() -> None:
    text = stanzas.text_message("page-1", Jid.parse("bruno@example.com"), "Hello", room=False)
    read = stanzas.read_message(with_sender(text, "anita@example.com/x"), Jid.parse("bruno@example.com"))
    assert read is not None
    assert (read.id, read.origin_id, read.body, read.kind) == ("page-1", "page-1", "Hello", "chat")
    assert read.wants_receipt
    assert read.markable
    in_room = stanzas.text_message("page-1", Jid.parse("room@rooms.example.com"), "Hello", room=True)
    assert in_room.get("type") == "groupchat"
    assert in_room.find("{urn:xmpp:receipts}request") is None


def with_sender(element: Element, sender: str) -> Element:
    """A stanza as a server delivers it."""
    element.set("from", sender)
    return element


_names = st.sampled_from(
    ["message", "presence", "body", "delay", "result", "forwarded", "x", "item", "status", "invite", "error", "event",
     "sent", "received", "stanza-id", "origin-id", "displayed", "show", "priority", "idle", "photo", "composing"]
)  # fmt: skip
_spaces = st.sampled_from(
    [stanzas.CLIENT, stanzas.CARBONS, stanzas.FORWARD, stanzas.DELAY, stanzas.ARCHIVE, stanzas.MUC_USER, stanzas.IDS,
     stanzas.RECEIPTS, stanzas.MARKERS, stanzas.STATES, stanzas.IDLE, stanzas.CONFERENCE, "urn:other"]
)  # fmt: skip
_attributes = st.dictionaries(
    st.sampled_from(["from", "to", "id", "type", "by", "stamp", "jid", "code", "queryid", "since", "nick", "xml:lang"]),
    st.one_of(
        st.sampled_from(["anita@example.com", "a@b/c", "110", "2026-11-22T01:02:03Z", "error"]), st.text(max_size=12)
    ),
    max_size=4,
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 4) -> Element:
    """Any element of names that mean something somewhere."""
    element = Element(f"{{{draw(_spaces)}}}{draw(_names)}", draw(_attributes))
    element.text = draw(st.one_of(st.none(), st.text(max_size=20)))
    if depth:
        for child in draw(st.lists(elements(depth - 1), max_size=3)):
            element.append(child)
    return element


@given(elements())
def test_any_element_is_read_or_left(element: Element) -> None:
    for read in (stanzas.read_message(element, OWN), stanzas.read_presence(element)):
        assert read is None or isinstance(read.sender, Jid)
    archived = stanzas.read_archived(element, OWN)
    assert archived is None or archived[1].archived


@given(st.text(max_size=40))
def test_any_time_is_read_or_left(text: str) -> None:
    moment = stanzas.parse_time(text)
    assert moment is None or moment.utcoffset() is not None


def test_no_text_of_a_stanza_makes_a_number_out_of_bounds() -> None:
    for text in ("1" * 5000, "-129", "128", "٣", "1e3", " 5 ", ""):
        try:
            element = fromstring(f"<presence xmlns='jabber:client' from='a@b/c'><priority>{text}</priority></presence>")
        except ParseError:
            continue
        read = stanzas.read_presence(element)
        assert read is not None
        assert -128 <= read.priority <= 127
