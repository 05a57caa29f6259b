"""The message archive of accounts (XEP-0313): keeps what the router hands over and answers its owners.

A message is kept once for both sides under one id, as the bytes that were routed. The write is queued with the others
of its moment and committed in a group; the router holds the sender's acknowledgement until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.archive_query import (
    FEATURES,
    FORM,
    MAM,
    ArchiveClock,
    answer,
    metadata,
    read_query,
)
from ringback.services.presence.module import Hub, Iq, IqHandler, Module, Target
from ringback.storage.presence import archive as store

_LIST_LIMIT = 1000


@dataclass(slots=True)
class Preferences:
    """Whose messages an account keeps: ``rule`` is always, never or roster; ``contacts`` the roster where needed."""

    rule: str
    always: frozenset[str]
    never: frozenset[str]
    contacts: set[str]

    def keeps(self, peer: str) -> bool:
        """Whether messages with a bare JID are kept."""
        if peer in self.always:
            return True
        if peer in self.never:
            return False
        return self.rule == "always" or (self.rule == "roster" and peer in self.contacts)


class ArchiveModule(Module):
    """Archives messages between people. Accounts without preferences keep everything."""

    server_features: Sequence[str] = FEATURES  # where Profanity looks; XEP-0313 section 8 puts them on the account
    account_features: Sequence[str] = FEATURES

    def __init__(self) -> None:
        self._clock = ArchiveClock()
        self._preferences: dict[str, Preferences] = {}

    async def start(self, hub: Hub) -> None:
        """Take charge of archiving."""
        self._hub = hub
        async with hub.storage.read() as connection:
            kept = await store.all_preferences(connection)
            self._clock.passed(await store.newest_id(connection))
        for owner, (rule, always, never) in kept.items():
            self._preferences[owner] = Preferences(rule, always, never, await self._contacts(owner, rule))
        hub.archive = self

    async def stop(self) -> None:
        """Hand the charge back."""
        self._hub.archive = None

    async def _contacts(self, owner: str, rule: str) -> set[str]:
        return set(await self._hub.roster(owner)) if rule == "roster" else set()

    def handlers(self) -> Iterable[IqHandler]:
        """Queries, form, metadata and preferences, of one's own archive only."""
        own = partial(IqHandler, Target.OWN_ACCOUNT)
        return (
            own("get", f"{{{MAM}}}query", lambda iq: FORM),
            own("set", f"{{{MAM}}}query", self._query),
            own("get", f"{{{MAM}}}metadata", self._metadata),
            own("get", f"{{{MAM}}}prefs", self._show_preferences),
            own("set", f"{{{MAM}}}prefs", self._set_preferences),
        )

    def subscription_changed(self, owner: str, contact: str, subscription: str) -> None:
        """Follow the roster of accounts that keep messages with their contacts only."""
        preferences = self._preferences.get(owner)
        if preferences is not None:
            (preferences.contacts.discard if subscription == "remove" else preferences.contacts.add)(contact)

    def archive_message(self, stanza: Stanza, owners: Sequence[str], sender: str, to: str) -> Sequence[bytes]:
        """See ``module.Archive``."""
        bare, _, resource = sender.partition("/")
        receiver = owners[-1]
        both = len(owners) > 1
        alone = not both and receiver == bare  # to oneself: kept once, as the sender's
        sender_keeps = (both or alone) and self._keeps(bare, receiver)
        receiver_keeps = not alone and self._keeps(receiver, bare)
        if not (sender_keeps or receiver_keeps):
            return (b"",) * len(owners)
        archive_id = self._clock.next(self._hub.now())
        storage = self._hub.storage
        number = storage.addresses.number
        row = (
            archive_id,
            number(bare),
            number(receiver),
            sender_keeps,
            receiver_keeps,
            resource,
            to.partition("/")[2],
            stanza.raw,
        )
        storage.write(store.APPEND, row)
        found = b"%d" % archive_id
        if sender_keeps and receiver_keeps:
            return (found, found)
        return (found if sender_keeps else b"", found if receiver_keeps else b"") if both else (found,)

    def _keeps(self, owner: str, peer: str) -> bool:
        preferences = self._preferences.get(owner)
        return preferences is None or preferences.keeps(peer)

    async def _query(self, iq: Iq) -> bytes:
        session = iq.session
        return await answer(self._hub.storage, session.bare, read_query(iq.payload), session.send, session.full_xml)

    async def _metadata(self, iq: Iq) -> bytes:
        return await metadata(self._hub.storage, iq.session.bare)

    def _show_preferences(self, iq: Iq) -> bytes:
        kept = self._preferences.get(iq.session.bare)
        return _render(kept or Preferences("always", frozenset(), frozenset(), set()))

    async def _set_preferences(self, iq: Iq) -> bytes:
        rule = iq.payload.get("default", "")
        if rule not in ("always", "never", "roster"):
            raise StanzaError("bad-request", "The default is always, never or roster")
        always, never = (_addresses(iq.payload, name) for name in ("always", "never"))
        owner = iq.session.bare
        chosen = Preferences(rule, always, never, await self._contacts(owner, rule))
        self._preferences[owner] = chosen
        row = {"owner": owner, "rule": rule, "always": "\n".join(always), "never": "\n".join(never)}
        await self._hub.storage.durable(self._hub.storage.write(store.SET_PREFERENCES, row))
        return _render(chosen)


def _addresses(prefs: etree._Element, name: str) -> frozenset[str]:
    found = prefs.findall(f"{{{MAM}}}{name}/{{{MAM}}}jid")
    if len(found) > _LIST_LIMIT:
        raise StanzaError("policy-violation", f"A list has at most {_LIST_LIMIT} addresses")
    try:
        return frozenset(str(Jid.parse(element.text or "").bare) for element in found)
    except AddressError as error:
        raise StanzaError("jid-malformed", str(error)) from error


def _render(preferences: Preferences) -> bytes:
    always, never = (
        b"".join(b"<jid>%b</jid>" % quote(jid) for jid in sorted(jids))
        for jids in (preferences.always, preferences.never)
    )
    return b"<prefs xmlns='urn:xmpp:mam:2' default='%b'><always>%b</always><never>%b</never></prefs>" % (
        preferences.rule.encode(),
        always,
        never,
    )
