"""Presence: who is there, told to those who may know (RFC 6121 section 4).

Theory of operation. A broadcast renders what follows the address once; each delivery is one join and one write. The
people of a domain all live here, so a probe is not a stanza: the new client is handed the presence that its contacts
have, provided that each contact's own roster lets it see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote, tail_without
from ringback.rules.addresses import Jid
from ringback.services.presence.account import Account
from ringback.services.presence.session import ClientSession

if TYPE_CHECKING:
    from ringback.services.presence.router import Router

_ADDRESSES: Final = frozenset({b"from", b"to"})
_GONE: Final = b" type='unavailable'/>"


class Presence:
    """Keeps and sends the presence of sessions."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def broadcast(self, session: ClientSession, stanza: Stanza) -> None:
        """A client says without an address that it is available or not. Raises StanzaError."""
        if stanza.type == "unavailable":
            self.leave(session, stanza)
            return
        priority = _priority(stanza)
        account = session.account
        stamped = Stanza("presence", stanza.attributes, self._router.stamped(session, stanza))
        for change in self._router.hooks.presence_filter:
            stamped = change(session, stamped)
        first = session.presence is None
        session.presence = stamped
        session.priority = priority
        if account.ready != (ready := self._ready(account)):
            account.ready = ready
        self._tell_all(account, session, tail_without(stamped.raw, _ADDRESSES))
        if first:
            self._became_available(session, stamped)
        else:
            for hook in self._router.hooks.presence_changed:
                hook(session, stamped)
        if priority >= 0:
            self._router.offline.deliver(session)

    def leave(self, session: ClientSession, stanza: Stanza | None) -> None:
        """The session becomes unavailable: all who saw it are told (section 4.5)."""
        tail = _GONE if stanza is None else tail_without(stanza.raw, _ADDRESSES)
        directed, session.directed = session.directed, None
        account = session.account
        was_available = session.presence is not None
        if was_available:
            session.presence = None
            session.priority = 0
            account.ready = self._ready(account)
            self._tell_all(account, session, tail)
            if stanza is not None and not session.ended:
                session.send(b"".join((b"<presence from='", session.full_xml, b"' to='", session.full_xml, b"'", tail)))
        if directed:
            self._tell_directed(session, directed, tail)
        if was_available:
            status = (stanza.text("{jabber:client}status") or "") if stanza is not None else ""
            self._router.accounts.save_last_active(account, status[:1024])
            for hook in self._router.hooks.session_unavailable:
                hook(session)

    def direct(self, session: ClientSession, stanza: Stanza, to: Jid, address: str) -> None:
        """Presence to one address only (section 4.6)."""
        target = str(to)
        if stanza.type == "unavailable":
            if session.directed is not None:
                session.directed.discard(target)
        else:
            if session.directed is None:
                session.directed = set()
            if len(session.directed) >= self._router.limits.roster:
                raise StanzaError("resource-constraint", "Presence was sent to too many addresses")
            session.directed.add(target)
        tail = tail_without(self._router.stamped(session, stanza), _ADDRESSES)
        raw = b"".join((b"<presence from='", session.full_xml, b"' to='", quote(address), b"'", tail))
        self._deliver(session, to, raw)

    def probe(self, session: ClientSession, contact: Account) -> None:
        """A client asks for somebody's presence itself (section 4.3)."""
        account = session.account
        if not contact.lets_see(account.bare) or self._router.blocked(contact.bare, session.jid):
            return
        seen = False
        for other in contact.sessions:
            if other.presence is not None:
                self._show(other, session)
                seen = True
        if not seen:
            head = b"<presence from='%b' to='%b'" % (contact.bare_xml, session.full_xml)
            session.send(head + _GONE)

    def show_to(self, account: Account, contact: Account) -> None:
        """A subscription was granted: the contact's clients see all clients of the account."""
        for session in account.sessions:
            if session.presence is not None:
                for other in contact.sessions:
                    if other.presence is not None:
                        self._show(session, other)

    def show_gone(self, account: Account, contact: Account) -> None:
        """A subscription was taken away: the contact's clients see the account's clients leave."""
        for session in account.sessions:
            if session.presence is not None:
                self._send_gone(session, contact.sessions)

    def hide_from(self, account: Account, jid: Jid) -> None:
        """Show the account's clients as gone to an address that could see them (blocking)."""
        bare = str(jid.bare)
        for session in account.sessions:
            directed = session.directed is not None and bool({bare, str(jid)} & session.directed)
            if session.presence is not None and (account.lets_see(bare) or directed):
                self._send_gone(session, self._router.sessions_of(jid))

    def show_again(self, account: Account, jid: Jid) -> None:
        """Show the account's clients again to an address that may see them (unblocking)."""
        if account.lets_see(str(jid.bare)):
            for session in account.sessions:
                if session.presence is not None:
                    for other in self._router.sessions_of(jid):
                        if other.presence is not None:
                            self._show(session, other)

    @staticmethod
    def _ready(account: Account) -> list[ClientSession]:
        return [session for session in account.sessions if session.presence is not None and session.priority >= 0]

    def _became_available(self, session: ClientSession, stanza: Stanza) -> None:
        account = session.account
        for other in account.sessions:
            if other is not session and other.presence is not None:
                self._show(other, session)
        loaded = self._router.accounts.loaded
        blocks = self._router.block_lists
        for item in account.roster.values():
            if item.subscription not in {"to", "both"}:
                continue
            contact = loaded.get(item.jid)
            if contact is None or not contact.sessions or not contact.lets_see(account.bare):
                continue
            if blocks and (
                self._router.blocked(account.bare, contact.jid) or self._router.blocked(contact.bare, session.jid)
            ):
                continue
            for other in contact.sessions:
                if other.presence is not None:
                    self._show(other, session)
        self._router.subscriptions.show_requests(session)
        for hook in self._router.hooks.session_available:
            hook(session, stanza)

    def _tell_all(self, account: Account, session: ClientSession, tail: bytes) -> None:
        """To all other clients of the person, and to all who are subscribed and there."""
        head = b"<presence from='" + session.full_xml + b"' to='"
        tail = b"'" + tail
        key = session.full_xml
        if account.sessions:
            raw = b"".join((head, account.bare_xml, tail))
            for own in account.sessions:
                if own.presence is not None:
                    own.send_presence(key, raw)
        loaded = self._router.accounts.loaded
        blocks = self._router.block_lists
        for contact in account.presence_subscribers():
            other = loaded.get(contact)
            if other is None or not other.sessions:
                continue
            if blocks and self._parted(session, other):
                continue
            raw = b"".join((head, other.bare_xml, tail))
            for receiver in other.sessions:
                if receiver.presence is not None:
                    receiver.send_presence(key, raw)

    def _parted(self, session: ClientSession, contact: Account) -> bool:
        """Whether one of the two blocks the other."""
        router = self._router
        return router.blocked(session.bare, contact.jid) or router.blocked(contact.bare, session.jid)

    def _tell_directed(self, session: ClientSession, directed: set[str], tail: bytes) -> None:
        subscribers = set(session.account.presence_subscribers())
        for target in directed:
            to = Jid.parse(target)
            if str(to.bare) in subscribers:
                continue
            raw = b"".join((b"<presence from='", session.full_xml, b"' to='", quote(target), b"'", tail))
            self._deliver(session, to, raw)

    def _deliver(self, session: ClientSession, to: Jid, raw: bytes) -> None:
        component = self._router.components.get(to.domain)
        if component is not None:
            component.receive(session, Stanza.parse(raw), to)
            return
        if self._router.block_lists and self._router.blocked(str(to.bare), session.jid):
            return
        for receiver in self._router.sessions_of(to):
            if receiver.presence is not None or to.resource:
                receiver.send_presence(session.full_xml, raw)

    @staticmethod
    def _show(shown: ClientSession, to: ClientSession) -> None:
        """The current presence of one session to another."""
        if shown.presence is not None:
            tail = tail_without(shown.presence.raw, _ADDRESSES)
            raw = b"".join((b"<presence from='", shown.full_xml, b"' to='", to.full_xml, b"'", tail))
            to.send_presence(shown.full_xml, raw)

    @staticmethod
    def _send_gone(session: ClientSession, receivers: list[ClientSession]) -> None:
        for other in receivers:
            if other.presence is not None:
                head = b"<presence from='%b' to='%b'" % (session.full_xml, other.full_xml)
                other.send_presence(session.full_xml, head + _GONE)


def _priority(stanza: Stanza) -> int:
    """The priority, 0 where absent (section 4.7.2.3). Raises StanzaError."""
    if b"priority" not in stanza.raw:
        return 0
    text = (stanza.text("{jabber:client}priority") or "0").strip()
    try:
        priority = int(text) if len(text) <= 4 and text.isascii() else 999
    except ValueError:
        priority = 999
    if not -128 <= priority <= 127:
        raise StanzaError("bad-request", "The priority is not a number from -128 to 127")
    return priority
