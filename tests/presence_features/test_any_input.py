"""Whatever a client sends in its requests: a result or a stanza error, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, parse_element
from ringback.services.presence.archive_query import MAM, read_query
from ringback.services.presence.avatars import photo_of, without_photo
from ringback.services.presence.pep_caps import claim_of, version_of
from ringback.services.presence.pep_nodes import configured, default_node, options_of
from ringback.services.presence.private import new_bookmarks
from ringback.services.presence.rooms import administration, form, wire
from ringback.services.presence.rooms.model import Affiliation, RoomConfiguration
from tests.rooms.support import ROOM, Listener, enter, room_with

_text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="￾￿"), max_size=30)
_words = st.one_of(
    _text,
    st.sampled_from(
        ["", "0", "1", "true", "max", "a@x", "a@x/r", "2020-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9" * 18]
    ),
)
_FIELDS = [
    *("with", "start", "end", "ids", "after-id", "before-id", "FORM_TYPE"),
    *("pubsub#max_items", "pubsub#access_model", "pubsub#persist_items", "pubsub#send_last_published_item"),
    *("muc#roomconfig_maxusers", "muc#roomconfig_whois", "muc#roomconfig_membersonly", "muc#roomconfig_roomowners"),
    *("muc#maxhistoryfetch", "muc#roomconfig_roomadmins"),
]


def _refused(action: Callable[[], object]) -> None:
    try:
        action()
    except StanzaError as refused:
        assert refused.condition  # noqa: PT017 - both outcomes are right


@st.composite
def _forms(draw: st.DrawFn, kind: str = "") -> etree._Element:
    root = etree.Element("{jabber:x:data}x", {"type": "submit"})
    names = draw(st.lists(st.sampled_from(_FIELDS), max_size=5))
    for name in [*(["FORM_TYPE"] if kind else []), *names]:
        field = etree.SubElement(root, "{jabber:x:data}field", {"var": name})
        for value in [kind] if name == "FORM_TYPE" and kind else draw(st.lists(_words, max_size=3)):
            etree.SubElement(field, "{jabber:x:data}value").text = value
    return root


@given(fields=_forms(MAM), paging=st.dictionaries(st.sampled_from(["max", "after", "before", "index"]), _words))
def test_archive_queries(fields: etree._Element, paging: dict[str, str]) -> None:
    query = etree.Element(f"{{{MAM}}}query")
    query.append(fields)
    place = etree.SubElement(query, "{http://jabber.org/protocol/rsm}set")
    for name, value in paging.items():
        etree.SubElement(place, f"{{http://jabber.org/protocol/rsm}}{name}").text = value
    _refused(lambda: read_query(query))


@given(fields=_forms())
def test_configurations(fields: etree._Element) -> None:
    _refused(lambda: configured(default_node("a@x", "n"), options_of(fields)))
    _refused(lambda: form.read(RoomConfiguration(), form.read_fields(fields)))
    _refused(lambda: form.read_people(form.read_fields(fields)))


_attributes = st.dictionaries(
    st.sampled_from(["jid", "nick", "role", "affiliation"]),
    st.one_of(_words, st.sampled_from(["owner", "admin", "member", "none", "outcast", "moderator", "visitor", "Adam"])),
)


@given(lines=st.lists(_attributes, max_size=4), actor=st.sampled_from(["anita", "adam", "eve"]))
def test_administration_never_leaves_a_room_without_owner(lines: list[dict[str, str]], actor: str) -> None:
    room = room_with(anita=Affiliation.OWNER, adam=Affiliation.ADMIN)
    for name in ("anita", "adam"):
        enter(room, Listener.of(name), name.title())
    query = etree.Element(f"{{{wire.MUC_ADMIN}}}query")
    for line in lines:
        etree.SubElement(query, f"{{{wire.MUC_ADMIN}}}item", line)
    _refused(lambda: administration.change(room, f"{actor}@example.com/desk", query))
    _refused(lambda: administration.read_list(room, f"{actor}@example.com/desk", query))
    assert room.owners
    if actor == "eve":
        assert set(room.affiliations) == {"anita@example.com", "adam@example.com"}


@given(jid=_words, name=_words, extra=_words, element=st.sampled_from(["conference", "url", "other"]))
def test_bookmarks_photos_and_claims(jid: str, name: str, extra: str, element: str) -> None:
    storage = etree.Element("{storage:bookmarks}storage")
    mark = etree.SubElement(storage, f"{{storage:bookmarks}}{element}", {"jid": jid, "name": name, "autojoin": extra})
    etree.SubElement(mark, "{storage:bookmarks}nick").text = extra
    _refused(lambda: [parse_element(item.payload) for item in new_bookmarks(storage)])
    card = etree.Element("{vcard-temp}vCard")
    photo = etree.SubElement(card, "{vcard-temp}PHOTO")
    etree.SubElement(photo, "{vcard-temp}BINVAL").text = extra
    _refused(lambda: photo_of(card))
    assert photo_of(parse_element(without_photo(etree.tostring(card)))) is None
    presence = etree.Element("presence")
    etree.SubElement(presence, "{http://jabber.org/protocol/caps}c", {"hash": "sha-1", "node": jid, "ver": name})
    claim_of(presence)
    version_of(storage, "sha-1")


@given(by=_words, body=_text, prefix=st.sampled_from(["", "p:"]), tail=_text)
def test_messages_keep_what_people_wrote(by: str, body: str, prefix: str, tail: str) -> None:
    message = etree.fromstring("<message xmlns='jabber:client' type='groupchat'/>")
    message.set("id", by)
    etree.SubElement(message, "{jabber:client}body").text = body
    forged = etree.SubElement(
        message, "{urn:xmpp:sid:0}stanza-id", {"by": by, "id": "1"}, nsmap={"p": "urn:xmpp:sid:0"} if prefix else None
    )
    forged.tail = tail
    own = etree.SubElement(message, "{urn:xmpp:sid:0}stanza-id", {"by": str(ROOM), "id": "1"})
    own.tail = tail
    raw = etree.tostring(message, encoding="utf-8")
    cleaned = Stanza.parse(wire.clean_message(Stanza.parse(raw), str(ROOM)).raw)
    assert (cleaned.text("{jabber:client}body") or "") == body
    assert cleaned.id == by
    ids = [child.get("by") for child in cleaned.element() if child.tag == "{urn:xmpp:sid:0}stanza-id"]
    assert ids == ([] if by.strip().lower() == str(ROOM) else [by])
