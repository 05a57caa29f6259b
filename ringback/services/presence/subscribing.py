"""Subscription requests between accounts: the table of RFC 6121 appendix A at work (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote, tail_without
from ringback.protocols.xmpp.subscriptions import INBOUND, OUTBOUND
from ringback.services.presence.account import Account, set_state, state_of
from ringback.services.presence.module import RosterItem

if TYPE_CHECKING:
    from ringback.services.presence.router import Router
    from ringback.services.presence.session import ClientSession

_ADDRESSES = frozenset({b"from", b"to"})


class Subscribing:
    """Moves both sides' roster items from state to state, and sends what has to be sent."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def outbound(self, user: Account, contact: str, other: Account | None, stanza: Stanza) -> None:
        """``user`` sends a subscription stanza to ``contact`` (bare); ``other`` its account where it has one.

        Raises StanzaError.
        """
        kind = stanza.type
        item = user.roster.get(contact)
        known = item is not None
        if item is None:
            if len(user.roster) >= self._router.limits.roster and kind == "subscribe":
                raise StanzaError("not-allowed", "The contact list is full")
            item = RosterItem(contact, visible=False)
        before = state_of(item)
        transition = OUTBOUND[before, kind]
        changed = transition.state is not before
        set_state(item, transition.state)
        if kind == "subscribed" and not transition.passes and item.subscription in {"none", "to"} and not item.approved:
            item.approved = changed = True  # approval in advance (section 3.4)
        elif kind == "unsubscribed" and item.approved:
            item.approved, changed = False, True
        if not item.pending_in:
            item.request = b""
        if changed:
            if kind in {"subscribe", "subscribed"}:
                item.visible = True
            user.roster[contact] = item
            self._keep(user, item)
        elif not known and kind != "subscribe":
            return  # nothing is between these two
        if transition.passes:
            raw = self._addressed(stanza, user, contact)
            if other is not None:
                self.inbound(other, user, kind, raw)
            if changed and other is not None:
                self._presence_follows(user, other, kind)

    def inbound(self, user: Account, sender: Account, kind: str, raw: bytes) -> None:
        """A subscription stanza of ``sender`` arrives at ``user``."""
        item = user.roster.get(sender.bare) or RosterItem(sender.bare, visible=False)
        before = state_of(item)
        if kind == "subscribe" and (item.subscription in {"from", "both"} or item.approved):
            if item.subscription not in {"from", "both"}:
                item.subscription = "from" if item.subscription == "none" else "both"
                item.approved = False
                self._keep(user, item)
            self._approve_again(user, sender)
            return
        transition = INBOUND[before, kind]
        changed = transition.state is not before
        set_state(item, transition.state)
        item.request = raw if item.pending_in and kind == "subscribe" else item.request if item.pending_in else b""
        if changed:
            user.roster[sender.bare] = item
        if not transition.passes:
            if changed:
                self._keep(user, item)
            return
        for session in user.sessions:
            if session.available if kind == "subscribe" else session.interested:
                session.send(raw)
        if changed:
            self._keep(user, item)
        if kind == "unsubscribe":
            self._router.presence.show_gone(user, sender)

    def end_all(self, user: Account, item: RosterItem) -> None:
        """The item is being removed: end both subscriptions and whatever is pending (section 2.5.2)."""
        kinds = []
        if item.subscription in {"to", "both"} or item.asks:
            kinds.append("unsubscribe")
        if item.subscription in {"from", "both"} or item.pending_in:
            kinds.append("unsubscribed")
        for kind in kinds:
            raw = b"<presence from='%b' to='%b' type='%b'/>" % (user.bare_xml, quote(item.jid), kind.encode())

            def arrive(other: Account, kind: str = kind, raw: bytes = raw) -> None:
                self.inbound(other, user, kind, raw)
                if kind == "unsubscribed":
                    self._router.presence.show_gone(user, other)

            self._router.with_account(item.jid, arrive)

    def show_requests(self, session: ClientSession) -> None:
        """Every request that waits is shown to a client that becomes available (section 3.1.3)."""
        for item in list(session.account.roster.values()):
            if item.pending_in and item.request:
                session.send(item.request)

    def _approve_again(self, user: Account, sender: Account) -> None:
        raw = b"<presence from='%b' to='%b' type='subscribed'/>" % (user.bare_xml, sender.bare_xml)
        self.inbound(sender, user, "subscribed", raw)
        self._router.presence.show_to(user, sender)

    def _presence_follows(self, user: Account, other: Account, kind: str) -> None:
        if kind == "subscribed":
            self._router.presence.show_to(user, other)
        elif kind == "unsubscribed":
            self._router.presence.show_gone(user, other)

    def _keep(self, account: Account, item: RosterItem) -> None:
        account.subscribers = None
        empty = item.subscription == "none" and not (item.asks or item.pending_in or item.approved or item.visible)
        if empty:
            self._router.accounts.drop_item(account, item.jid)
        else:
            self._router.contacts.save(account, item)
        for module in self._router.hooks.subscription_changed:
            module(account.bare, item.jid, item.subscription)

    @staticmethod
    def _addressed(stanza: Stanza, user: Account, contact: str) -> bytes:
        tail = tail_without(stanza.raw, _ADDRESSES)
        return b"".join((b"<presence from='", user.bare_xml, b"' to='", quote(contact), b"'", tail))
