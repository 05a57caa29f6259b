"""Blocking (XEP-0191). Accounts that block nobody cost nothing: they are not in ``Hub.block_lists``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.module import Hub, Iq, IqHandler, Module, Target
from ringback.storage.presence import private as store

BLOCKING = "urn:xmpp:blocking"
MOST_BLOCKED = 1000  # addresses of one account


class BlockList:
    """Whom an account blocks (``module.BlockList``)."""

    def __init__(self, jids: Iterable[str] = ()) -> None:
        self.jids = set(jids)

    def blocks(self, jid: Jid) -> bool:
        """Whether a full address, its account, its domain with the resource, or its domain is on the list
        (RFC 3921 section 10, which XEP-0191 section 3.1 takes over)."""
        jids = self.jids
        if f"{jid.local}@{jid.domain}" in jids or jid.domain in jids:
            return True
        return bool(jid.resource) and (str(jid) in jids or f"{jid.domain}/{jid.resource}" in jids)


class BlockingModule(Module):
    """Lets accounts block addresses; the core and the rooms obey the lists."""

    server_features: Sequence[str] = (BLOCKING,)

    async def start(self, hub: Hub) -> None:
        """Bring the lists back."""
        self._hub = hub
        async with hub.storage.read() as connection:
            kept = await store.load_blocked(connection)
        for owner, jids in kept.items():
            hub.block_lists[owner] = BlockList(jids)

    def handlers(self) -> Iterable[IqHandler]:
        """The three requests, for one's own list."""
        return (
            IqHandler(Target.OWN_ACCOUNT, "get", f"{{{BLOCKING}}}blocklist", self._show),
            IqHandler(Target.OWN_ACCOUNT, "set", f"{{{BLOCKING}}}block", self._block),
            IqHandler(Target.OWN_ACCOUNT, "set", f"{{{BLOCKING}}}unblock", self._unblock),
        )

    def _list(self, owner: str) -> set[str]:
        kept = self._hub.block_lists.get(owner)
        return set(kept.jids) if isinstance(kept, BlockList) else set()

    def _show(self, iq: Iq) -> bytes:
        return b"<blocklist xmlns='urn:xmpp:blocking'>%b</blocklist>" % _items(sorted(self._list(iq.session.bare)))

    async def _block(self, iq: Iq) -> bytes:
        wanted, owner = _addresses(iq.payload), iq.session.bare
        if not wanted:
            raise StanzaError("bad-request", "Name the addresses to block")
        if any(jid in (owner, iq.to.domain) or jid.startswith(f"{owner}/") for jid in wanted):
            raise StanzaError("not-allowed", "You cannot block yourself or your own domain")
        before = self._list(owner)
        if len(before | set(wanted)) > MOST_BLOCKED:
            raise StanzaError("resource-constraint", f"At most {MOST_BLOCKED} addresses can be blocked")
        new = [jid for jid in wanted if jid not in before]
        for jid in new:
            # Before the list holds, or the farewell would be stopped as well (section 3.3).
            self._hub.hide_presence(owner, Jid.parse(jid))
        self._hub.block_lists[owner] = BlockList(before | set(new))
        if new:
            ticket = self._hub.storage.write(store.BLOCK, *({"owner": owner, "jid": jid} for jid in new))
            await self._hub.storage.durable(ticket)
        self._hub.push(owner, b"<block xmlns='urn:xmpp:blocking'>%b</block>" % _items(wanted))
        return b""

    async def _unblock(self, iq: Iq) -> bytes:
        owner = iq.session.bare
        before = self._list(owner)
        wanted = _addresses(iq.payload)
        gone = [jid for jid in wanted if jid in before] if wanted else sorted(before)
        left = before - set(gone)
        if left:
            self._hub.block_lists[owner] = BlockList(left)
        else:
            self._hub.block_lists.pop(owner, None)
        if gone:
            ticket = self._hub.storage.write(store.UNBLOCK, *({"of": owner, "who": jid} for jid in gone))
            await self._hub.storage.durable(ticket)
        for jid in gone:
            self._hub.show_presence(owner, Jid.parse(jid))
        self._hub.push(owner, b"<unblock xmlns='urn:xmpp:blocking'>%b</unblock>" % _items(wanted))
        return b""


def _items(jids: Iterable[str]) -> bytes:
    return b"".join(b"<item jid='%b'/>" % quote(jid) for jid in jids)


def _addresses(payload: etree._Element) -> list[str]:
    try:
        found = [str(Jid.parse(item.get("jid", ""))) for item in payload.iterchildren(f"{{{BLOCKING}}}item")]
    except AddressError as error:
        raise StanzaError("jid-malformed", str(error)) from error
    return list(dict.fromkeys(found))
