"""Where a message goes (RFC 6121 section 8.5), with copies (XEP-0280), archive ids (XEP-0359) and offline storage.

Theory of operation. ``receive`` is the hottest path of the service: one dictionary look-up for the receiver, a few
searches in the raw bytes for what decides keeping and copying, one join for the rewritten start tag, one queued write
per receiver. Whoever has one client gets it there; only for several clients the rule of ``session_routing`` is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.splitter import canonical
from ringback.protocols.xmpp.stanza import Stanza, append_child, tail_without
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.session_routing import Evidence, Resource, route_to_sessions
from ringback.services.presence.account import Account
from ringback.services.presence.errors import CredentialsUnavailableError
from ringback.services.presence.session import ClientSession

if TYPE_CHECKING:
    from ringback.services.presence.module import Archive
    from ringback.services.presence.router import Router

_STANZA_ID: Final = "{urn:xmpp:sid:0}stanza-id"
_DELAY: Final = "{urn:xmpp:delay}delay"
_BODY: Final = "{jabber:client}body"
_KEPT_NAMESPACES: Final = (b"urn:xmpp:receipts", b"urn:xmpp:chat-markers:0")
_NAMESPACE_DECLARATION: Final = frozenset({b"xmlns"})
_ROOT: Final[dict[str | None, str]] = {None: "jabber:client"}


class Messages:
    """Delivers messages."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._by_full = router.by_full
        self._loaded = router.accounts.loaded
        self._blocks = router.block_lists

    def receive(self, session: ClientSession, stanza: Stanza) -> None:
        """A client sends a message. Raises StanzaError."""
        address = stanza.attributes.get("to")
        if address is None:
            address = stanza.attributes["to"] = session.bare
            raw = b"".join((b"<message to='", session.account.bare_xml, b"'", stanza.raw[8:]))
            stanza = Stanza("message", stanza.attributes, raw)
        target = self._by_full.get(address)
        account = target.account if target is not None else self._loaded.get(address)
        if account is None or session.deferred or account.behind_offline is not None:
            self._receive_slowly(session, stanza, address)
        else:
            self._receive_for(session, stanza, account, target)

    def _receive_slowly(self, session: ClientSession, stanza: Stanza, address: str) -> None:
        """The address is not in its normal form, not loaded, not a person's, or the full JID of nobody; or offline
        messages go first."""
        router = self._router
        to = router.address(address)
        if to.domain != router.domain:
            router.to_component(session, stanza, to)
            return
        if not to.local:
            raise StanzaError("service-unavailable", "The server takes no messages")
        target = self._by_full.get(str(to)) if to.resource else None
        account = self._loaded.get(str(to.bare))
        if account is not None and not session.deferred and account.behind_offline is None:
            self._receive_for(session, stanza, account, target, missing=bool(to.resource) and target is None)
            return
        session.deferred += 1

        async def later() -> None:
            try:
                found = await router.accounts.load(str(to.bare))
                if found is not None:
                    await router.offline.handed_over(found)
                now = self._by_full.get(str(to)) if to.resource else None
                self._receive_loaded(session, stanza, found, now, missing=bool(to.resource) and now is None)
            except CredentialsUnavailableError:
                router.refuse(session, stanza, StanzaError("remote-server-timeout", "Nobody can tell who this is"))
            except StanzaError as error:
                router.refuse(session, stanza, error)
            finally:
                session.deferred -= 1

        router.start_work(session, later)

    def _receive_loaded(
        self,
        session: ClientSession,
        stanza: Stanza,
        account: Account | None,
        target: ClientSession | None,
        *,
        missing: bool,
    ) -> None:
        if account is None:
            raise StanzaError("service-unavailable", "Nobody here has this address")
        self._receive_for(session, stanza, account, target, missing=missing)

    def _receive_for(
        self,
        session: ClientSession,
        stanza: Stanza,
        account: Account,
        target: ClientSession | None,
        *,
        missing: bool = False,
    ) -> None:
        """The receiving account is known; ``target`` is its session where a full JID names one that is there,
        ``missing`` says that it named one that is not."""
        router = self._router
        if self._blocks:
            self._check_blocking(session, stanza, account, target)
        raw = router.stamped(session, stanza)
        kind = stanza.attributes.get("type", "normal")
        if kind not in {"chat", "normal"} and self._receive_unkept(raw, kind, account, target):
            return
        if missing and kind != "chat":
            raise StanzaError("service-unavailable", "This client is not signed in")
        sender_account = session.account
        if b"body" in raw:  # receipts and markers go out by themselves: they are no answer of the person
            sender_account.note_answer(account.bare, session, router.tick)
        # Names of elements can be written in one way only; a namespace may hide behind references.
        if b"stanza-id" in raw or b"<delay" in raw or b":delay" in raw:
            raw = _without_forgeries(raw, router.domain, account.bare)
        kept = b"body" in raw or any(namespace in raw for namespace in _KEPT_NAMESPACES)
        copy = raw
        if kept and router.archive is not None and b"no-store" not in raw:
            raw, copy = self._archive(router.archive, session, stanza, account, raw)
        if target is not None:
            target.send(raw)
            receivers: list[ClientSession] = [target]
        else:
            receivers = self._choose(account, session.bare)
            for receiver in receivers:
                receiver.send(raw)
            if not receivers and kept:
                self._store(account, raw)
                session.ticket = router.storage.submitted
        if (account.carbons or sender_account.carbons) and (kind == "chat" or kept):
            self._copy(session, account, receivers, raw, copy)

    def _archive(
        self, archive: Archive, session: ClientSession, stanza: Stanza, account: Account, raw: bytes
    ) -> tuple[bytes, bytes]:
        """Keep it for both sides; the message with the receiver's archive id, and with the sender's."""
        sender = session.account
        stanza.attributes["from"] = session.full
        same = account is sender
        owners = (account.bare,) if same else (sender.bare, account.bare)
        kept = Stanza("message", stanza.attributes, raw)
        ids = archive.archive_message(kept, owners, session.full, stanza.attributes["to"])
        session.ticket = self._router.storage.submitted
        copy = _with_id(raw, sender.bare_xml, ids[0]) if ids[0] and sender.carbons and not same else raw
        return _with_id(raw, account.bare_xml, ids[-1]) if ids[-1] else raw, copy

    def _receive_unkept(self, raw: bytes, kind: str, account: Account, target: ClientSession | None) -> bool:
        """Types that are never stored; False for an unknown type, which means normal (section 5.2.2)."""
        if kind == "error":
            if target is not None:
                target.send(raw)
        elif kind == "groupchat":
            if target is None:
                raise StanzaError("service-unavailable", "This is not a room")
            target.send(raw)
        elif kind == "headline":
            for receiver in [target] if target is not None else account.ready:
                receiver.send(raw)
        else:
            return False
        return True

    def _choose(self, account: Account, sender: str) -> list[ClientSession]:
        """The sessions that get a message to the bare JID."""
        ready = account.ready
        if len(ready) <= 1:
            return ready
        answered, when = account.answering.get(sender, (None, 0.0))
        decision = route_to_sessions(
            Evidence(
                self._router.settings.delivery_rule,
                tuple(Resource(session.resource, session.priority, session.signed_in) for session in ready),
                None if answered is None else answered.resource,
                self._router.tick - when,
            )
        )
        return [session for session in ready if session.resource in decision.resources]

    def _store(self, account: Account, raw: bytes) -> None:
        """Keep a message for somebody who is not there. Raises StanzaError where too many wait."""
        stanza = Stanza.parse(raw)
        if stanza.child(_BODY) is None or b"no-store" in raw:
            return
        if account.waiting >= self._router.limits.offline_messages:
            raise StanzaError("service-unavailable", "Too many messages wait for this person")
        account.waiting += 1
        self._router.offline.store(account.bare, raw)

    def _check_blocking(
        self, session: ClientSession, stanza: Stanza, account: Account, target: ClientSession | None
    ) -> None:
        router = self._router
        receiver = target.jid if target is not None else account.jid
        if router.blocked(session.bare, receiver):
            raise StanzaError(
                "not-acceptable", "You block this address", extra=b"<blocked xmlns='urn:xmpp:blocking:errors'/>"
            )
        if router.blocked(account.bare, session.jid):
            raise StanzaError("service-unavailable")

    def _copy(
        self, session: ClientSession, account: Account, receivers: list[ClientSession], raw: bytes, copy: bytes
    ) -> None:
        """Message carbons for the other clients of both sides."""
        if b"urn:xmpp:carbons:2" in raw or (b"no-copy" in raw and b"urn:xmpp:hints" in raw):
            stanza = Stanza.parse(raw)
            if stanza.child("{urn:xmpp:carbons:2}private") is not None:
                return
            if stanza.child("{urn:xmpp:hints}no-copy") is not None:
                return
        sender_account = session.account
        if sender_account.carbons > session.carbons and sender_account is not account:
            self._send_copies(sender_account, [session], b"sent", copy)
        if account.carbons:
            self._send_copies(account, [*receivers, session], b"received", raw)

    @staticmethod
    def _send_copies(account: Account, without: list[ClientSession], direction: bytes, raw: bytes) -> None:
        inner = b"".join((b"<message xmlns='jabber:client'", tail_without(raw, _NAMESPACE_DECLARATION)))
        head = b"<message from='" + account.bare_xml + b"' to='"
        tail = (
            b"' type='chat'><%b xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>%b"
            b"</forwarded></%b></message>" % (direction, inner, direction)
        )
        for other in account.sessions:
            if other.carbons and other not in without:
                other.send(b"".join((head, other.full_xml, tail)))

    def deliver_trusted(self, stanza: Stanza, to: Jid) -> None:
        """A message of a component, the server or a module to a local address."""
        sender = self._router.address(stanza.attributes.get("from", ""))
        bare = str(to.bare)
        if self._blocks and self._router.blocked(bare, sender):
            return
        target = self._by_full.get(str(to)) if to.resource else None
        kind = stanza.attributes.get("type", "normal")
        if kind in {"headline", "error", "groupchat"}:
            for session in [target] if target is not None else self._router.sessions_of(to):
                if target is not None or (kind == "headline" and session.presence is not None):
                    session.send(stanza.raw)
            return

        def arrive(account: Account) -> None:
            if account.behind_offline is not None:
                account.behind_offline.append(lambda: arrive(account))
                return
            raw = stanza.raw
            archive = self._router.archive
            kept = b"body" in raw or any(namespace in raw for namespace in _KEPT_NAMESPACES)
            if archive is not None and kept and b"no-store" not in raw:
                ids = archive.archive_message(stanza, (bare,), str(sender), str(to))
                raw = _with_id(raw, account.bare_xml, ids[0]) if ids[0] else raw
            receivers = [target] if target is not None and not target.ended else self._choose(account, str(sender.bare))
            for receiver in receivers:
                receiver.send(raw)
            if not receivers and not to.resource:
                self._store_any(account, raw)

        self._router.with_account(bare, arrive)

    def _store_any(self, account: Account, raw: bytes) -> None:
        """As ``_store``, for senders that nobody can refuse; invitations wait as well as texts."""
        stanza = Stanza.parse(raw)
        invitation = b"jabber:x:conference" in raw or b"muc#user" in raw
        if (stanza.child(_BODY) is None and not invitation) or b"no-store" in raw:
            return
        if account.waiting < self._router.limits.offline_messages:
            account.waiting += 1
            self._router.offline.store(account.bare, raw)

    def deliver_again(self, account: Account, stanzas: list[bytes]) -> None:
        """What a session never acknowledged before it ended: to the other sessions, else kept (XEP-0198 section 7)."""
        for raw in stanzas:
            if not raw.startswith(b"<message"):
                continue
            stanza = Stanza.parse(raw)
            if stanza.type not in {"", "chat", "normal"} or stanza.child(_BODY) is None:
                continue
            try:
                sender = str(Jid.parse(stanza.attributes.get("from", "")).bare)
            except AddressError:
                sender = ""
            receivers = self._choose(account, sender)
            for receiver in receivers:
                receiver.send(raw)
            if not receivers and account.waiting < self._router.limits.offline_messages:
                account.waiting += 1
                self._router.offline.store(account.bare, raw)


def _with_id(raw: bytes, owner: bytes, stanza_id: bytes) -> bytes:
    child = b"".join((b"<stanza-id xmlns='urn:xmpp:sid:0' by='", owner, b"' id='", stanza_id, b"'/>"))
    if raw.endswith(b"</message>"):
        return b"".join((raw[:-10], child, b"</message>"))
    return append_child(raw, child)


def _without_forgeries(raw: bytes, domain: str, receiver: str) -> bytes:
    """Remove what only the server may say: stanza ids given by us (XEP-0359 section 4: our domain or any account of
    it), and delays noted by the server or by the receiver's account (XEP-0203)."""
    root = Stanza.parse(raw).element()
    forged = [child for child in root.findall(_STANZA_ID) if _is_ours(child.get("by", ""), domain)]
    forged += [child for child in root.findall(_DELAY) if _speaks_for(child.get("from", ""), domain, receiver)]
    if not forged:
        return raw
    for child in forged:
        if child.tail:
            previous = child.getprevious()
            if previous is not None:
                previous.tail = (previous.tail or "") + child.tail
            else:
                root.text = (root.text or "") + child.tail
        root.remove(child)
    return canonical(etree.tostring(root), _ROOT)


def _is_ours(by: str, domain: str) -> bool:
    try:
        jid = Jid.parse(by)
    except AddressError:
        return True  # an address that cannot be read is nobody's
    return jid.domain == domain or jid.domain.endswith("." + domain)


def _speaks_for(sender: str, domain: str, receiver: str) -> bool:
    try:
        jid = Jid.parse(sender) if sender else None
    except AddressError:
        return True
    return jid is not None and (not jid.local or str(jid.bare) == receiver) and _is_ours(jid.domain, domain)
