"""Capabilities, nodes, bookmarks and block lists: the parts that decide without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import parse_element
from ringback.rules.addresses import Jid
from ringback.services.presence.avatars import photo_of, without_photo
from ringback.services.presence.blocking import BlockList
from ringback.services.presence.pep_caps import CAPS, Claim, claim_of, interests_of, verified, version_of
from ringback.services.presence.pep_nodes import (
    BOOKMARKS,
    MOST_ITEMS,
    MOST_NODES,
    NewItem,
    configured,
    create,
    default_node,
    may_read,
    publish,
)
from ringback.services.presence.private import new_bookmarks, old_bookmarks
from ringback.storage.presence import pep as store
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.migrate import upgrade

# XEP-0115, examples of sections 5.2 and 5.3.
_SIMPLE = """<query xmlns='http://jabber.org/protocol/disco#info'>
<identity category='client' name='Exodus 0.9.1' type='pc'/>
<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
<feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/></query>"""
_COMPLEX = """<query xmlns='http://jabber.org/protocol/disco#info'>
<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
<feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>
<x xmlns='jabber:x:data' type='result'>
<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
<field var='ip_version'><value>ipv4</value><value>ipv6</value></field><field var='os'><value>Mac</value></field>
<field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field>
<field var='software_version'><value>0.11</value></field></x></query>"""


@pytest.mark.parametrize(
    ("answer", "version"), [(_SIMPLE, "QgayPKawpkPSDYmwT/WM94uAlu0="), (_COMPLEX, "q07IKJEyjvHSyhy//CH0CxmKi8w=")]
)
def test_capability_hashes_of_the_specification(answer: str, version: str) -> None:
    query = parse_element(answer.encode())
    assert version_of(query, "sha-1") == version
    assert verified(query, Claim("n", version, "sha-1"))
    assert not verified(query, Claim("n", version, "sha-256"))
    assert not verified(query, Claim("n", version[::-1], "sha-1"))


@pytest.mark.parametrize(
    "change",
    [
        ("<feature var='http://jabber.org/protocol/muc'/>", "<feature var='http://jabber.org/protocol/muc'/>" * 2),
        ("type='pc'/>", "type='pc'/><identity category='client' name='Exodus 0.9.1' type='pc'/>"),
    ],
)
def test_ill_formed_answers_prove_nothing(change: tuple[str, str]) -> None:
    assert version_of(parse_element(_SIMPLE.replace(*change).encode()), "sha-1") is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("hash='sha-1' node='n' ver='v'", Claim("n", "v", "sha-1")),
        ("node='n' ver='v'", None),
        ("hash='md4' node='n' ver='v'", None),
        ("hash='sha-1' ver='v'", None),
        ("hash='sha-1' node='n'", None),
    ],
)
def test_claims(attributes: str, expected: Claim | None) -> None:
    assert claim_of(parse_element(f"<presence><c xmlns='{CAPS}' {attributes}/></presence>".encode())) == expected


def test_interests() -> None:
    query = parse_element(
        b"<query xmlns='http://jabber.org/protocol/disco#info'><feature var='a+notify'/><feature var='b'/></query>"
    )
    assert interests_of(query) == {"a"}


@pytest.mark.parametrize(
    ("model", "owner", "contact", "stranger", "listed"),
    [
        ("open", True, True, True, True),
        ("presence", True, True, False, False),
        ("whitelist", True, False, False, True),
    ],
)
def test_who_reads(model: str, owner: bool, contact: bool, stranger: bool, listed: bool) -> None:
    node = store.KeptNode("a@x", "n", model, 1, True, True, frozenset({"l@x"}))
    found = [
        may_read(node, reader, subscribed=subscribed)
        for reader, subscribed in (("a@x", True), ("c@x", True), ("s@x", False), ("l@x", False))
    ]
    assert found == [owner, contact, stranger, listed]


def test_bookmarks_are_private_from_the_start() -> None:
    node = default_node("a@x", BOOKMARKS)
    assert (node.access_model, node.max_items) == ("whitelist", MOST_ITEMS)
    assert default_node("a@x", "urn:xmpp:avatar:metadata").access_model == "presence"


@pytest.mark.parametrize(
    "options",
    [{"access_model": "authorize"}, {"max_items": "few"}, {"persist_items": "x"}, {"send_last_published_item": "x"}],
)
def test_options_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(StanzaError) as refused:
        configured(default_node("a@x", "n"), options)
    assert refused.value.condition == "not-acceptable"


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    opened = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / 'p.db'}", prepare=upgrade)
    yield opened
    await opened.close()


async def test_publishing_keeps_the_newest(storage: Storage) -> None:
    async def put(node: str, *names: str, **options: str) -> None:
        items = [NewItem(name, b"<x/>") for name in names]
        await storage.transact(lambda connection: publish(connection, "a@x", "a@x/r", node, items, options, now=1.0))

    await put("n", "one")
    await put("n", "two")
    await put("many", "one", "two", max_items="2")
    await put("many", "one")  # again: the newest now
    await put("many", "three")
    async with storage.read() as connection:
        assert await store.item_names(connection, "a@x", "n") == ["two"]
        assert await store.item_names(connection, "a@x", "many") == ["one", "three"]
    with pytest.raises(StanzaError) as refused:
        await put("many", "1", "2", "3")
    assert refused.value.condition == "not-allowed"
    with pytest.raises(StanzaError) as refused:
        await put("many", "1", access_model="open")
    assert refused.value.condition == "conflict"
    assert b"precondition-not-met" in refused.value.extra
    async with storage.read() as connection:
        assert await store.item_names(connection, "a@x", "many") == ["one", "three"]


async def test_an_account_has_so_many_nodes(storage: Storage) -> None:
    for number in range(MOST_NODES):
        node = default_node("a@x", str(number))
        await storage.transact(lambda connection, node=node: create(connection, node))  # type: ignore[misc]
    with pytest.raises(StanzaError) as refused:
        await storage.transact(lambda connection: create(connection, default_node("a@x", "more")))
    assert refused.value.condition == "resource-constraint"
    with pytest.raises(StanzaError) as refused:
        await storage.transact(lambda connection: create(connection, default_node("a@x", "1")))
    assert refused.value.condition == "conflict"


def test_bookmarks_of_both_kinds() -> None:
    old = parse_element(
        b"<storage xmlns='storage:bookmarks'><conference jid='Room@c.x/ignored' name='R &amp; D' autojoin='1'>"
        b"<nick>me</nick></conference><conference jid='quiet@c.x'/><url name='w' url='https://x'/></storage>"
    )
    items = new_bookmarks(old)
    assert [item.item for item in items] == ["room@c.x", "quiet@c.x"]
    again = parse_element(
        old_bookmarks(
            [(item.item, parse_element(item.payload)) for item in items],
            b"<storage xmlns='storage:bookmarks'><url name='w' url='https://x'/></storage>",
        )
    )
    assert [(mark.get("jid"), mark.get("name"), mark.get("autojoin")) for mark in again] == [
        ("room@c.x", "R & D", "true"),
        ("quiet@c.x", None, "false"),
        (None, "w", None),
    ]
    assert again[0].findtext("{storage:bookmarks}nick") == "me"
    assert new_bookmarks(again) == items


@pytest.mark.parametrize(
    ("entry", "jid", "blocked"),
    [
        ("eve@x", "eve@x", True),
        ("eve@x", "eve@x/desk", True),
        ("eve@x/desk", "eve@x/desk", True),
        ("eve@x/desk", "eve@x/phone", False),
        ("eve@x/desk", "eve@x", False),
        ("x", "anyone@x/y", True),
        ("x", "x", True),
        ("x/res", "x/res", True),
        ("x/res", "anyone@x/res", True),
        ("x/res", "anyone@x/other", False),
        ("eve@x", "eve@y", False),
        ("eve@x", "x", False),
    ],
)
def test_block_lists(entry: str, jid: str, blocked: bool) -> None:
    assert BlockList([entry]).blocks(Jid.parse(jid)) is blocked
    assert not BlockList().blocks(Jid.parse(jid))


def test_photos() -> None:
    card = (
        b"<vCard xmlns='vcard-temp'><FN>A</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>aGV\nsbG8=</BINVAL></PHOTO></vCard>"
    )
    kind, digest, picture = photo_of(parse_element(card)) or ("", "", b"")
    assert (kind, picture) == ("image/png", b"hello")
    assert digest == "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
    assert photo_of(parse_element(without_photo(card))) is None
    with pytest.raises(StanzaError):
        photo_of(parse_element(card.replace(b"aGV", b"@@@")))
