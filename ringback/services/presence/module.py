"""The seam of the presence service: what a feature may ask, and what it is told.

Theory of operation. The core (streams, sessions, roster, presence, routing) knows no feature. A feature is either

* a ``Module``: works for the accounts and the server itself (archive, personal eventing, blocking, private storage);
  it names the requests it answers and overrides the hooks that it needs; hooks that it does not override cost nothing;
* or a ``Component``: owns a sub-domain such as ``conference.example.com`` and gets every stanza sent there.

Everything runs on one event loop. Hooks without ``async`` are called on the hot path: they must not block, must not
wait and should take microseconds; whatever they keep they hand to ``hub.storage.write``, which returns at once and
commits in groups. An ``async`` handler may wait for the database or for another session. Addresses are passed as
normalised text (``str(Jid)``), because they are keys of dictionaries; ``Jid`` appears where parts are wanted.

The domain has no server-to-server connections here: every sender is a local session, the server or a component.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza
from ringback.rules.addresses import Jid
from ringback.storage.presence.engine import Storage

__all__ = [
    "Archive",
    "BlockList",
    "Component",
    "Hub",
    "Identity",
    "Iq",
    "IqHandler",
    "Module",
    "RosterItem",
    "Session",
    "Stanza",
    "StanzaError",
    "Target",
]


class Target(Enum):
    """Whose request it is, by the address that it was sent to."""

    OWN_ACCOUNT = "own account"
    """To no address or to the sender's own bare JID."""
    SERVER = "server"
    """To the domain."""
    OTHER_ACCOUNT = "other account"
    """To the bare JID of another account of the domain. The handler checks permission (``hub.is_subscribed``)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A disco identity (XEP-0030)."""

    category: str
    type: str
    name: str = ""


class Session(Protocol):
    """A bound resource of a local account.

    It lives from resource binding until the client leaves or, with stream management, until the time to resume is
    over; a resumption keeps the object. Hold it freely, but drop it at ``session_ended``. Compare by identity.
    """

    @property
    def jid(self) -> Jid:
        """The full JID."""

    @property
    def full(self) -> str:
        """The full JID as text."""

    @property
    def full_xml(self) -> bytes:
        """The full JID ready for an attribute value: for joins in a fan-out."""

    @property
    def bare(self) -> str:
        """The account's bare JID as text."""

    @property
    def resource(self) -> str:
        """The resource."""

    @property
    def available(self) -> bool:
        """Whether initial presence was sent and no unavailable presence since (RFC 6121 section 4)."""

    @property
    def priority(self) -> int:
        """The priority of the last presence, -128 to 127; 0 while not available."""

    @property
    def presence(self) -> Stanza | None:
        """The last broadcast presence with its ``from`` stamped, without ``to``; None while not available."""

    @property
    def interested(self) -> bool:
        """Whether the client asked for its roster and so gets roster pushes (RFC 6121 section 2.1.6)."""

    @property
    def ended(self) -> bool:
        """Whether the session is over for good: nothing can be sent any more."""

    def send(self, raw: bytes) -> None:
        """Queue one whole stanza for this client. Never waits; writes are joined per turn of the loop.

        ``raw`` must be one complete stanza, addressed already. While the client is away between connections it is
        kept for resumption. To an ended session it is a no-op: use ``hub.route`` for what must not be lost.
        """


@dataclass(frozen=True, slots=True)
class Iq:
    """A request of type get or set that a handler is asked to answer.

    ``to`` is the bare JID of the account or the domain that is asked (for ``OWN_ACCOUNT`` always the sender's own
    bare JID, also where the attribute was absent). ``payload`` is the only child element of the iq (not to be
    changed); ``stanza`` the whole with raw bytes.
    """

    session: Session
    to: Jid
    id: str
    type: str
    payload: etree._Element
    stanza: Stanza

    @property
    def sender(self) -> Jid:
        """The full JID of the sender."""
        return self.session.jid


IqAnswer = Callable[[Iq], "Awaitable[bytes] | bytes"]
"""Answers with the payload of the result, ready XML (``b""`` for an empty result), or raises StanzaError.

A plain function is called on the hot path; a coroutine function runs in a task, one after the other per session, with
a time limit of 30 s. Stanzas that the handler sends to ``iq.session`` before it returns go out before the result.
"""


@dataclass(frozen=True, slots=True)
class IqHandler:
    """A request that a module answers: ``name`` is ``{namespace}local`` of the payload, ``type`` ``get`` or ``set``."""

    target: Target
    type: str
    name: str
    answer: IqAnswer


@dataclass(slots=True)
class RosterItem:
    """A contact of an account (RFC 6121 section 2). Read-only for modules.

    ``subscription`` is none, to, from or both; ``asks`` whether a request of the account is pending out;
    ``pending_in`` whether a request of the contact waits for the account's answer (such an item may be unknown to
    clients: ``visible`` False); ``approved`` whether a request is approved in advance.
    """

    jid: str
    name: str = ""
    groups: tuple[str, ...] = ()
    subscription: str = "none"
    asks: bool = False
    pending_in: bool = False
    approved: bool = False
    visible: bool = True
    request: bytes = b""
    """The presence stanza of the pending request as received, to be shown at every sign-in."""


class BlockList(Protocol):
    """Whom an account blocks (XEP-0191)."""

    def blocks(self, jid: Jid) -> bool:
        """Whether stanzas from and to this address are stopped: matches full, bare, domain/resource, domain."""


class Archive(Protocol):
    """Keeps messages for accounts (XEP-0313)."""

    def archive_message(self, stanza: Stanza, owners: Sequence[str], sender: str, to: str) -> Sequence[bytes]:
        """Keep one message for each owner; the id of each, in order, ready for XML (``b""`` where not kept).

        Called on the hot path for messages worth keeping (type chat or normal with a body or a marker or receipt,
        no ``no-store`` hint; never groupchat or error) before they are delivered. ``owners`` are bare JIDs of local
        accounts (sender and recipient, once where equal); ``sender`` the full JID, ``to`` as addressed, normalised.
        ``stanza.raw`` has its ``from`` and ``to`` stamped, forged stanza-ids of ours removed, and no stanza-id of
        ours yet. Must only compute and call ``hub.storage.write``: the sender's acknowledgement waits until that
        write is durable. The core adds ``<stanza-id xmlns='urn:xmpp:sid:0' by='OWNER' id='...'/>`` itself.
        """


class Hub(Protocol):
    """What the core offers to modules and components."""

    @property
    def domain(self) -> str:
        """The domain of the accounts."""

    @property
    def storage(self) -> Storage:
        """The database."""

    @property
    def block_lists(self) -> dict[str, BlockList]:
        """By bare JID, only accounts that block somebody. The blocking module keeps it true; the core looks here.

        The core enforces XEP-0191 on messages, presence and iq between accounts; components check for themselves.
        """

    @property
    def archive(self) -> Archive | None:
        """The archive in charge; an archive module sets itself in ``start``."""

    @archive.setter
    def archive(self, archive: Archive | None) -> None: ...

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""

    def sessions(self, bare: str) -> Sequence[Session]:
        """All bound sessions of an account, in order of signing in; empty where there is none."""

    def session(self, full: str) -> Session | None:
        """The session with this full JID."""

    def route(self, stanza: Stanza) -> None:
        """Deliver a stanza of the server, an account or a component as if it had just been received.

        Its ``from`` and ``to`` are trusted and must be in ``attributes`` and ``raw``, normalised. Messages follow the
        rules of RFC 6121 section 8, with offline storage, carbons and archive; presence goes to its address without a
        subscription check (except subscription requests, which are handled as such).
        """

    def send_error(self, stanza: Stanza, error: StanzaError, sender: str, to: str) -> None:
        """Answer ``stanza`` with an error from ``sender`` to ``to``, unless it is itself an error or a result."""

    async def ask(self, session: Session, kind: str, payload: bytes, *, timeout: float = 10.0) -> etree._Element:  # noqa: ASYNC109
        """Ask a client as the server (iq ``kind`` get or set); the whole result iq.

        Raises StanzaError with the client's condition, ``remote-server-timeout`` after ``timeout`` seconds, or
        ``recipient-unavailable`` when the session ends.
        """

    async def account_exists(self, bare: str) -> bool:
        """Whether the account is known here or to the call managers. False also when no call manager answers."""

    async def roster(self, bare: str) -> Mapping[str, RosterItem]:
        """The contacts of an account by bare JID; empty for one that is not known."""

    async def is_subscribed(self, owner: str, contact: str) -> bool:
        """Whether ``contact`` (bare) may see the presence of ``owner`` (bare): from, both, or the same account."""

    def hide_presence(self, bare: str, jid: Jid) -> None:
        """Send unavailable presence of all sessions of ``bare`` to ``jid`` where it could see them (on blocking)."""

    def show_presence(self, bare: str, jid: Jid) -> None:
        """Send the current presence of all sessions of ``bare`` to ``jid`` where it may see them (on unblocking)."""

    def push(self, bare: str, payload: bytes) -> None:
        """Send an iq set of the own account to every session of ``bare`` (for pushes such as blocking's)."""


class Module:
    """A feature for accounts and the server. Override what is needed; see the head of this file for the rules."""

    server_features: Sequence[str] = ()
    """disco#info features of the domain."""
    account_features: Sequence[str] = ()
    """disco#info features of every bare JID."""
    account_identities: Sequence[Identity] = ()
    """disco#info identities of every bare JID, beside ``account/registered``."""

    async def start(self, hub: Hub) -> None:
        """Load what must be in memory. Called once, before any stream is accepted, after the database is migrated."""

    async def stop(self) -> None:
        """Mirror of ``start``; streams are closed already, the database is still open."""

    def handlers(self) -> Iterable[IqHandler]:
        """The requests that this module answers; asked once, after ``start``."""
        return ()

    async def disco_items(self, bare: str, node: str, asker: Jid) -> bytes | None:
        """Ready ``<item/>`` elements for disco#items of an account that ``asker`` may see, or None."""
        return None

    def session_bound(self, session: Session) -> None:
        """A resource was bound (not at a resumption)."""

    def session_available(self, session: Session, stanza: Stanza) -> None:
        """Initial presence was broadcast and the presence of the contacts was sent to this session."""

    def presence_changed(self, session: Session, stanza: Stanza) -> None:
        """A later available presence was broadcast (also a changed capability hash)."""

    def session_unavailable(self, session: Session) -> None:
        """The session became unavailable after having been available (also just before it ends)."""

    def session_ended(self, session: Session) -> None:
        """The session is over; drop references to it."""

    def subscription_changed(self, owner: str, contact: str, subscription: str) -> None:
        """The roster of ``owner`` says a new subscription for ``contact`` (``remove`` for a deleted item)."""

    def account_created(self, bare: str) -> None:
        """An account signed in, or was written to, for the first time."""

    def presence_filter(self, session: Session, stanza: Stanza) -> Stanza:
        """A chance to add to an outgoing broadcast presence (XEP-0398 avatar hash); called once per broadcast.

        Overriding this is the only way for a module to change a client's presence; return ``stanza`` for no change.
        """
        return stanza


class Component(Protocol):
    """The owner of a sub-domain.

    It receives every stanza to that domain and answers through ``Session.send`` (fan-out: render the tail once, join
    per receiver) or ``Hub.route`` (what must reach an account rather than a session). When a session that sent it
    available presence ends, it receives that session's unavailable presence, as from the client.
    """

    @property
    def domain(self) -> str:
        """The sub-domain, for example ``conference.example.com``."""

    @property
    def identity(self) -> Identity:
        """What the server's disco#items shows beside the address."""

    async def start(self, hub: Hub) -> None:
        """As for modules."""

    async def stop(self) -> None:
        """As for modules."""

    def receive(self, session: Session, stanza: Stanza, to: Jid) -> None:
        """A stanza of ``session``. ``stanza.raw`` is as the client sent it but for ``from``, which is stamped with
        the full JID (also in ``attributes``). Called on the hot path; where work waits for the database, hand it to
        a task of the component's own. A raised StanzaError is sent back to the sender.
        """

    def session_ended(self, session: Session) -> None:
        """The session is over; drop references to it (its unavailable presence was received before)."""
