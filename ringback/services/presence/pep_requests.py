"""Requests of personal eventing (XEP-0060 as XEP-0163 uses it): one function for each kind of iq."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence import pep_nodes
from ringback.services.presence.module import Iq
from ringback.services.presence.pep_nodes import NewItem, check_name, configured, default_node, options_of, refused
from ringback.services.presence.rendering import serialise
from ringback.storage.presence import pep as store
from ringback.storage.presence.pep import KeptNode

if TYPE_CHECKING:
    from ringback.services.presence.pep import PepModule

FEATURES: Final = (
    "access-open",
    "access-presence",
    "access-whitelist",
    "auto-create",
    "auto-subscribe",
    "config-node",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "filtered-notifications",
    "item-ids",
    "last-published",
    "modify-affiliations",
    "multi-items",
    "persistent-items",
    "publish",
    "publish-options",
    "purge-nodes",
    "retract-items",
    "retrieve-default",
    "retrieve-items",
)

_NS = pep_nodes.PUBSUB
_OWNER = f"{_NS}#owner"
_FORM = "{jabber:x:data}x"


def _action(iq: Iq, namespace: str, *names: str) -> tuple[str, etree._Element]:
    for name in names:
        found = iq.payload.find(f"{{{namespace}}}{name}")
        if found is not None:
            return name, found
    for child in iq.payload:
        raise _unsupported(etree.QName(child).localname)
    raise StanzaError("bad-request", "The request is empty")


def _unsupported(feature: str) -> StanzaError:
    detail = b"<unsupported xmlns='%b#errors' feature='%b'/>" % (_NS.encode(), quote(feature))
    return StanzaError("feature-not-implemented", "Accounts do not offer this", extra=detail)


def _wrap(inside: bytes, namespace: str = _NS) -> bytes:
    return b"<pubsub xmlns='%b'>%b</pubsub>" % (namespace.encode(), inside)


async def get(pep: PepModule, iq: Iq) -> bytes:
    """Items of one's own or somebody else's node; what one is subscribed to; the default configuration."""
    name, action = _action(iq, _NS, "items", "subscriptions", "affiliations", "default")
    owner = str(iq.to.bare)
    if name != "items":
        if owner != iq.session.bare:
            raise StanzaError("forbidden", "This is for the owner")
        if name == "default":
            return _wrap(b"<default>%b</default>" % pep_nodes.render_form(default_node(owner, "")))
        return _wrap(b"<%b/>" % name.encode())
    node_name = check_name(action.get("node", ""), "node")
    limit = action.get("max_items", "")
    if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise StanzaError("bad-request", "max_items is a number")
    names = tuple(item.get("id", "") for item in action.iterchildren(f"{{{_NS}}}item"))[: pep_nodes.MOST_ITEMS]
    subscribed = await pep.hub.is_subscribed(owner, iq.session.bare)
    async with pep.hub.storage.read() as connection:
        node = await store.load_node(connection, owner, node_name)
        if node is None:
            _refuse_missing(owner == iq.session.bare or subscribed)
        else:
            _check_access(node, iq.session.bare, subscribed=subscribed)
        items = await store.load_items(connection, owner, node_name, limit=int(limit) if limit else None, names=names)
    inside = b"".join(pep_nodes.render_item(item) for item in items)
    return _wrap(b"<items node='%b'>%b</items>" % (quote(node_name), inside))


def _refuse_missing(known: bool) -> None:
    if known:
        raise StanzaError("item-not-found", "There is no such node")
    # A stranger learns nothing of what there is: the same answer as for a node for contacts.
    raise refused("not-authorized", "presence-subscription-required", "This is for contacts only")


def _check_access(node: KeptNode, reader: str, *, subscribed: bool) -> None:
    if pep_nodes.may_read(node, reader, subscribed=subscribed):
        return
    if node.access_model == "presence" or not subscribed:
        raise refused("not-authorized", "presence-subscription-required", "This is for contacts only")
    raise refused("not-allowed", "closed-node", "This is for chosen people only")


async def set_other(iq: Iq) -> bytes:
    """Nobody publishes for somebody else; subscriptions follow presence and are not asked for."""
    name, _ = _action(iq, _NS, "publish", "retract", "create", "subscribe", "unsubscribe", "options")
    if name in ("subscribe", "unsubscribe", "options"):
        raise _unsupported("subscribe")
    raise StanzaError("forbidden", "Only the owner publishes here")


async def set_own(pep: PepModule, iq: Iq) -> bytes:
    """Publish, retract or create."""
    name, action = _action(iq, _NS, "publish", "retract", "create")
    owner = iq.session.bare
    if name == "create":
        return await _create(pep, iq, action)
    node = check_name(action.get("node", ""), "node")
    if name == "publish":
        items = [_item(element) for element in action.iterchildren(f"{{{_NS}}}item")]
        options = options_of(iq.payload.find(f"{{{_NS}}}publish-options/{_FORM}"))
        await pep.publish(owner, iq.session.full, node, items, options)
        done = b"".join(b"<item id='%b'/>" % quote(item.item) for item in items)
        return _wrap(b"<publish node='%b'>%b</publish>" % (quote(node), done))
    names = [check_name(item.get("id", ""), "item") for item in action.iterchildren(f"{{{_NS}}}item")]
    if not names:
        raise refused("bad-request", "item-required", "Name the items")
    await retract(pep, owner, node, names, tell=action.get("notify") in ("1", "true"))
    return b""


def _item(element: etree._Element) -> NewItem:
    children = list(element)
    if len(children) != 1:
        detail = "invalid-payload" if children else "payload-required"
        raise refused("bad-request", detail, "An item has one element")
    name = element.get("id") or pep_nodes.new_item_name()
    return NewItem(check_name(name, "item"), serialise(children[0]))


async def retract(pep: PepModule, owner: str, node: str, names: list[str], *, tell: bool) -> None:
    """Take items back. Raises StanzaError (item-not-found)."""

    async def work(connection: AsyncConnection) -> KeptNode:
        kept = await store.load_node(connection, owner, node)
        present = await store.item_names(connection, owner, node)
        if kept is None or not set(names) <= set(present):
            raise StanzaError("item-not-found", "There is no such item")
        await connection.execute(store.DROP_ITEM, [{"of": owner, "at": node, "which": name} for name in names])
        return kept

    kept = await pep.hub.storage.transact(work)
    if tell:
        gone = b"".join(b"<retract id='%b'/>" % quote(name) for name in names)
        await pep.tell(kept, b"<items node='%b'>%b</items>" % (quote(node), gone))


async def _create(pep: PepModule, iq: Iq, action: etree._Element) -> bytes:
    name = action.get("node") or pep_nodes.new_item_name()
    node = default_node(iq.session.bare, check_name(name, "node"))
    node = configured(node, options_of(iq.payload.find(f"{{{_NS}}}configure/{_FORM}")))
    await pep.hub.storage.transact(lambda connection: pep_nodes.create(connection, node))
    return _wrap(b"<create node='%b'/>" % quote(name))


async def _own_node(connection: AsyncConnection, owner: str, name: str) -> KeptNode:
    node = await store.load_node(connection, owner, check_name(name, "node"))
    if node is None:
        raise StanzaError("item-not-found", "There is no such node")
    return node


async def get_as_owner(pep: PepModule, iq: Iq) -> bytes:
    """The configuration or the whitelist of an own node; the default configuration."""
    name, action = _action(iq, _OWNER, "configure", "affiliations", "default")
    owner = iq.session.bare
    if name == "default":
        return _wrap(b"<default>%b</default>" % pep_nodes.render_form(default_node(owner, "")), _OWNER)
    async with pep.hub.storage.read() as connection:
        node = await _own_node(connection, owner, action.get("node", ""))
    if name == "configure":
        form = pep_nodes.render_form(node)
        return _wrap(b"<configure node='%b'>%b</configure>" % (quote(node.node), form), _OWNER)
    people = [(owner, "owner"), *((bare, "member") for bare in sorted(node.whitelist))]
    inside = b"".join(b"<affiliation jid='%b' affiliation='%b'/>" % (quote(jid), word.encode()) for jid, word in people)
    return _wrap(b"<affiliations node='%b'>%b</affiliations>" % (quote(node.node), inside), _OWNER)


async def set_as_owner(pep: PepModule, iq: Iq) -> bytes:
    """Configure, empty or delete an own node, or change who is on its whitelist."""
    name, action = _action(iq, _OWNER, "configure", "delete", "purge", "affiliations")
    owner, node_name = iq.session.bare, action.get("node", "")

    async def configure(connection: AsyncConnection) -> KeptNode:
        node = configured(await _own_node(connection, owner, node_name), options_of(action.find(_FORM)))
        await pep_nodes.keep_node(connection, node)
        return node

    async def empty(connection: AsyncConnection) -> KeptNode:
        node = await _own_node(connection, owner, node_name)
        await connection.execute(store.DROP_ITEMS, {"of": owner, "at": node_name})
        if name == "delete":
            await connection.execute(store.DROP_NODE, {"of": owner, "at": node_name})
        return node

    async def admit(connection: AsyncConnection) -> KeptNode:
        node = _admitted(await _own_node(connection, owner, node_name), action)
        await pep_nodes.keep_node(connection, node)
        return node

    work = {"configure": configure, "affiliations": admit}.get(name, empty)
    node = await pep.hub.storage.transact(work)
    if work is empty:
        await pep.tell(node, b"<%b node='%b'/>" % (name.encode(), quote(node_name)))
    return b""


def _admitted(node: KeptNode, action: etree._Element) -> KeptNode:
    people = set(node.whitelist)
    for entry in action.iterchildren(f"{{{_OWNER}}}affiliation"):
        try:
            bare = str(Jid.parse(entry.get("jid", "")).bare)
        except AddressError as error:
            raise StanzaError("jid-malformed", str(error)) from error
        word = entry.get("affiliation", "")
        if word not in ("member", "none") or bare == node.owner:
            raise StanzaError("not-acceptable", "Others are members or nothing")
        (people.add if word == "member" else people.discard)(bare)
    if len(people) > pep_nodes.MOST_ITEMS:
        raise StanzaError("policy-violation", "The whitelist is too long")
    return KeptNode(
        node.owner, node.node, node.access_model, node.max_items, node.persist, node.send_last, frozenset(people)
    )
