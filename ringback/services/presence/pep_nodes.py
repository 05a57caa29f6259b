"""Nodes of personal eventing: their configuration, who may read them, what is published (XEP-0060, XEP-0163)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lxml import etree
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.storage.presence import pep as store
from ringback.storage.presence.pep import KeptItem, KeptNode

PUBSUB = "http://jabber.org/protocol/pubsub"
ERRORS = f"{PUBSUB}#errors"
BOOKMARKS = "urn:xmpp:bookmarks:1"
OLD_BOOKMARKS = "storage:bookmarks"
_DATA = "jabber:x:data"

MOST_NODES = 100  # of one account
MOST_ITEMS = 1000  # of one node
NAME_LIMIT = 512  # octets of the name of a node or an item
_ACCESS_MODELS = ("open", "presence", "whitelist")
_SEND_LAST = {"never": False, "on_sub": False, "on_sub_and_presence": True}


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item as it comes in."""

    item: str
    payload: bytes


def refused(condition: str, detail: str, text: str) -> StanzaError:
    """An error with a condition of XEP-0060."""
    return StanzaError(condition, text, extra=b"<%b xmlns='%b'/>" % (detail.encode(), ERRORS.encode()))


def check_name(name: str, what: str) -> str:
    """The name of a node or an item. Raises StanzaError."""
    if not name:
        raise refused("bad-request", f"{what}id-required" if what == "node" else "item-required", f"Name the {what}")
    if len(name.encode()) > NAME_LIMIT:
        raise StanzaError("policy-violation", f"The name of this {what} is too long")
    return name


def default_node(owner: str, name: str) -> KeptNode:
    """How a node is that is made by publishing to it: for contacts, one item; bookmarks are nobody else's business."""
    private = name in (BOOKMARKS, OLD_BOOKMARKS)
    return KeptNode(
        owner,
        name,
        access_model="whitelist" if private else "presence",
        max_items=MOST_ITEMS if name == BOOKMARKS else 1,
        persist=True,
        send_last=True,
        whitelist=frozenset(),
    )


def options_of(form: etree._Element | None) -> dict[str, str]:
    """The fields of a configuration or of publish-options, without the prefix ``pubsub#``."""
    if form is None:
        return {}
    fields: dict[str, str] = {}
    for field in form.iterchildren(f"{{{_DATA}}}field"):
        name = field.get("var", "")
        if name.startswith("pubsub#"):
            fields[name.removeprefix("pubsub#")] = field.findtext(f"{{{_DATA}}}value") or ""
    return fields


def configured(node: KeptNode, options: Mapping[str, str]) -> KeptNode:
    """The node with options; those that do not matter here are passed over. Raises StanzaError (not-acceptable)."""
    for name, value in options.items():
        if name == "access_model":
            if value not in _ACCESS_MODELS:
                raise refused("not-acceptable", "unsupported-access-model", f"There is no access model {value!r} here")
            node = replace(node, access_model=value)
        elif name == "max_items":
            node = replace(node, max_items=_max_items(value))
        elif name == "persist_items":
            node = replace(node, persist=_flag(value))
        elif name == "send_last_published_item":
            if value not in _SEND_LAST:
                raise StanzaError("not-acceptable", "send_last_published_item is never or on_sub_and_presence")
            node = replace(node, send_last=_SEND_LAST[value])
    return node


def _max_items(value: str) -> int:
    if value == "max":
        return MOST_ITEMS
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise StanzaError("not-acceptable", "max_items is a number or max")
    return min(max(int(value), 1), MOST_ITEMS)


def _flag(value: str) -> bool:
    if value not in ("0", "1", "true", "false"):
        raise StanzaError("not-acceptable", "This option is 0 or 1")
    return value in ("1", "true")


def render_form(node: KeptNode) -> bytes:
    """The configuration form of a node."""
    fields = (
        ("FORM_TYPE", "hidden", f"{PUBSUB}#node_config"),
        ("pubsub#access_model", "list-single", node.access_model),
        ("pubsub#max_items", "text-single", str(node.max_items)),
        ("pubsub#persist_items", "boolean", "1" if node.persist else "0"),
        ("pubsub#send_last_published_item", "list-single", "on_sub_and_presence" if node.send_last else "never"),
    )
    inside = b"".join(
        b"<field var='%b' type='%b'><value>%b</value></field>" % (name.encode(), kind.encode(), quote(value))
        for name, kind, value in fields
    )
    return b"<x xmlns='jabber:x:data' type='form'>%b</x>" % inside


def may_read(node: KeptNode, reader: str, *, subscribed: bool) -> bool:
    """Whether a bare JID may read the node; ``subscribed``: it may see the owner's presence (XEP-0060 section 4.5)."""
    if reader == node.owner or node.access_model == "open":
        return True
    return subscribed if node.access_model == "presence" else reader in node.whitelist


# What happens in one transaction


def _row(node: KeptNode) -> dict[str, object]:
    return {
        "owner": node.owner,
        "node": node.node,
        "access_model": node.access_model,
        "max_items": node.max_items,
        "persist": node.persist,
        "send_last": node.send_last,
        "whitelist": "\n".join(sorted(node.whitelist)),
    }


async def keep_node(connection: AsyncConnection, node: KeptNode) -> None:
    """Write a node down, and drop the items that are too many now."""
    await connection.execute(store.SET_NODE, _row(node))
    await _trim(connection, node)


async def create(connection: AsyncConnection, node: KeptNode) -> None:
    """Make a node. Raises StanzaError (conflict, resource-constraint)."""
    existing = await store.load_nodes(connection, node.owner)
    if any(known.node == node.node for known in existing):
        raise StanzaError("conflict", "There is such a node already")
    if len(existing) >= MOST_NODES:
        raise refused("resource-constraint", "max-nodes-exceeded", f"An account has at most {MOST_NODES} nodes")
    await keep_node(connection, node)


async def publish(
    connection: AsyncConnection,
    owner: str,
    publisher: str,
    name: str,
    items: list[NewItem],
    options: Mapping[str, str],
    *,
    now: float,
    enforce: bool = True,
) -> KeptNode:
    """Put items into a node, which is made with the options where it does not exist.

    Where it exists and ``enforce`` holds, the options are conditions (XEP-0060 section 7.1.5). Raises StanzaError.
    """
    node = await store.load_node(connection, owner, name)
    if node is None:
        node = configured(default_node(owner, name), options)
        await create(connection, node)
    elif enforce and configured(node, options) != node:
        raise refused("conflict", "precondition-not-met", "The node is configured otherwise")
    if len(items) > node.max_items:
        raise refused("not-allowed", "max-items-exceeded", f"The node has room for {node.max_items} items")
    first = max(int(now * 1_000_000), await store.newest_position(connection, owner, name) + 1)
    rows = [
        {
            "owner": owner,
            "node": name,
            "item": item.item,
            "position": first + offset,
            "publisher": publisher,
            "payload": item.payload,
        }
        for offset, item in enumerate(items)
    ]
    if rows:
        await connection.execute(store.SET_ITEM, rows)
    await _trim(connection, node)
    return node


async def _trim(connection: AsyncConnection, node: KeptNode) -> None:
    kept = await store.item_names(connection, node.owner, node.node)
    for name in kept[: max(len(kept) - node.max_items, 0)]:
        await connection.execute(store.DROP_ITEM, {"of": node.owner, "at": node.node, "which": name})


def render_item(item: KeptItem) -> bytes:
    """An ``<item/>``."""
    return b"<item id='%b'>%b</item>" % (quote(item.item), item.payload)


def new_item_name() -> str:
    """The name of an item that came without one."""
    return secrets.token_hex(8)
