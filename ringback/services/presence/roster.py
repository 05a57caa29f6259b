"""The roster as clients see it: get with versioning, set, remove, and pushes (RFC 6121 section 2)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import iq_request, quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.account import Account
from ringback.services.presence.module import Iq, IqHandler, RosterItem, Target

if TYPE_CHECKING:
    from ringback.services.presence.router import Router

ROSTER_NS: Final = "jabber:iq:roster"
_QUERY: Final = f"{{{ROSTER_NS}}}query"
_ITEM: Final = f"{{{ROSTER_NS}}}item"
_GROUP: Final = f"{{{ROSTER_NS}}}group"
_LONGEST_NAME: Final = 1023


class Roster:
    """Answers roster requests and pushes changes."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def handlers(self) -> tuple[IqHandler, ...]:
        """The requests to the own account, and the refusal of those to others'."""
        return (
            IqHandler(Target.OWN_ACCOUNT, "get", _QUERY, self._get),
            IqHandler(Target.OWN_ACCOUNT, "set", _QUERY, self._set),
            IqHandler(Target.OTHER_ACCOUNT, "get", _QUERY, _forbid),
            IqHandler(Target.OTHER_ACCOUNT, "set", _QUERY, _forbid),
        )

    def _get(self, iq: Iq) -> bytes:
        session = self._router.client_session(iq.session)
        account = session.account
        session.interested = True
        version = iq.payload.get("ver")
        if version is None:
            return _query(account, b"", self._items(account))
        if version == account.version and version:
            return b""
        return _query(account, _version(account), self._items(account))

    @staticmethod
    def _items(account: Account) -> bytes:
        return b"".join(item_xml(item) for item in account.roster.values() if item.visible)

    def _set(self, iq: Iq) -> bytes:
        account = self._router.client_session(iq.session).account
        items = iq.payload.findall(_ITEM)
        if len(items) != 1 or len(iq.payload) != 1:
            raise StanzaError("bad-request", "A roster set has exactly one item")
        element = items[0]
        try:
            contact = str(Jid.parse(element.get("jid", "")).bare)
        except AddressError as error:
            raise StanzaError("bad-request" if not element.get("jid") else "jid-malformed", str(error)) from error
        if contact == account.bare:
            raise StanzaError("not-allowed", "Nobody is a contact of themselves")
        if element.get("subscription") == "remove":
            self._remove(account, contact)
        else:
            self._put(account, contact, element)
        return b""

    def _put(self, account: Account, contact: str, element: etree._Element) -> None:
        groups = tuple(group.text or "" for group in element.findall(_GROUP))
        name = element.get("name", "")
        if len(set(groups)) != len(groups):
            raise StanzaError("bad-request", "A group is named twice")
        if not all(groups) or any(len(group.encode()) > _LONGEST_NAME for group in groups):
            raise StanzaError("not-acceptable", "A group has no name or a name that is too long")
        if len(name.encode()) > _LONGEST_NAME:
            raise StanzaError("not-acceptable", "The name is too long")
        item = account.roster.get(contact)
        if item is None:
            if len(account.roster) >= self._router.limits.roster:
                raise StanzaError("not-allowed", "The contact list is full")
            item = account.roster[contact] = RosterItem(contact)
        item.name, item.groups, item.visible = name, groups, True
        self.save(account, item)

    def _remove(self, account: Account, contact: str) -> None:
        item = account.roster.get(contact)
        if item is None or not item.visible:
            raise StanzaError("item-not-found", "There is no such contact")
        # RFC 6121 section 2.5.2: both subscriptions end with the item.
        self._router.subscriptions.end_all(account, item)
        self._router.accounts.drop_item(account, contact)
        self._push(account, b"<item jid='%b' subscription='remove'/>" % quote(contact))
        for module in self._router.hooks.subscription_changed:
            module(account.bare, contact, "remove")

    def save(self, account: Account, item: RosterItem) -> None:
        """Keep a changed item and tell all interested clients."""
        self._router.accounts.save_item(account, item)
        if item.visible:
            self._push(account, item_xml(item))

    def _push(self, account: Account, item: bytes) -> None:
        payload = b"<query xmlns='jabber:iq:roster'%b>%b</query>" % (_version(account), item)
        for session in account.sessions:
            if session.interested:
                session.send(iq_request("set", f"push-{secrets.token_hex(6)}", "", session.full, payload))


def item_xml(item: RosterItem) -> bytes:
    """One ``<item/>``."""
    attributes = [b"<item jid='", quote(item.jid), b"' subscription='", item.subscription.encode(), b"'"]
    if item.name:
        attributes += (b" name='", quote(item.name), b"'")
    if item.asks:
        attributes.append(b" ask='subscribe'")
    if item.approved:
        attributes.append(b" approved='true'")
    if not item.groups:
        return b"".join(attributes) + b"/>"
    groups = b"".join(b"<group>%b</group>" % quote(group) for group in item.groups)
    return b"%b>%b</item>" % (b"".join(attributes), groups)


def _version(account: Account) -> bytes:
    return b" ver='%b'" % (account.version or "0").encode()


def _query(_account: Account, version: bytes, items: bytes) -> bytes:
    return b"<query xmlns='jabber:iq:roster'%b>%b</query>" % (version, items)


def _forbid(_iq: Iq) -> bytes:
    raise StanzaError("forbidden", "This is another person's contact list")
