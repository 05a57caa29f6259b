"""Personal eventing (XEP-0163): accounts publish, contacts and own clients are told, strangers get nothing.

Publications are rare and live in the database only. Kept in memory: which events each session wants (from its entity
capabilities, XEP-0115, asked once per hash). Requests are in ``pep_requests``.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial

import structlog
from lxml import etree
from sqlalchemy.exc import SQLAlchemyError

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.rules.addresses import Jid
from ringback.services.presence import pep_nodes, pep_requests
from ringback.services.presence.module import Hub, Identity, IqHandler, Module, Session, Target
from ringback.services.presence.pep_caps import INFO, Claim, claim_of, interests_of, verified
from ringback.services.presence.pep_nodes import NewItem, may_read, render_item
from ringback.storage.presence import pep as store
from ringback.storage.presence.engine import StorageClosedError
from ringback.storage.presence.pep import KeptNode

_KNOWN_CLAIMS = 5000
_AT_ONCE = 8  # sessions whose last items are looked up at the same time
_CAPS = re.compile(rb"<c\s[^>]*>")

Watcher = Callable[[str, str, list[NewItem]], Awaitable[None]]
"""Told after a publication of an account: owner, node, items."""

_log = structlog.get_logger("ringback.services.presence.pep")


class PepModule(Module):
    """Nodes, items and notifications of accounts."""

    account_identities: Sequence[Identity] = (Identity("pubsub", "pep"),)
    account_features: Sequence[str] = (
        pep_nodes.PUBSUB,
        *(f"{pep_nodes.PUBSUB}#{name}" for name in pep_requests.FEATURES),
    )

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []
        self._interests: dict[Session, frozenset[str]] = {}
        self._claims: dict[Session, bytes] = {}
        self._known: OrderedDict[Claim, frozenset[str]] = OrderedDict()
        self._asking: dict[Claim, list[Session]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._stopping = False

    async def start(self, hub: Hub) -> None:
        """Remember the hub."""
        self.hub = hub

    async def stop(self) -> None:
        """End what runs."""
        self._stopping = True
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def handlers(self) -> Iterable[IqHandler]:
        """Requests of the two namespaces of XEP-0060."""
        plain, owner = f"{{{pep_nodes.PUBSUB}}}pubsub", f"{{{pep_nodes.PUBSUB}#owner}}pubsub"
        return (
            IqHandler(Target.OWN_ACCOUNT, "get", plain, partial(pep_requests.get, self)),
            IqHandler(Target.OTHER_ACCOUNT, "get", plain, partial(pep_requests.get, self)),
            IqHandler(Target.OWN_ACCOUNT, "set", plain, partial(pep_requests.set_own, self)),
            IqHandler(Target.OTHER_ACCOUNT, "set", plain, pep_requests.set_other),
            IqHandler(Target.OWN_ACCOUNT, "get", owner, partial(pep_requests.get_as_owner, self)),
            IqHandler(Target.OWN_ACCOUNT, "set", owner, partial(pep_requests.set_as_owner, self)),
        )

    async def disco_items(self, bare: str, node: str, asker: Jid) -> bytes | None:
        """The nodes that the asker may read."""
        if node:
            return None
        reader = str(asker.bare)
        subscribed = await self.hub.is_subscribed(bare, reader)
        async with self.hub.storage.read() as connection:
            nodes = await store.load_nodes(connection, bare)
        return b"".join(
            b"<item jid='%b' node='%b'/>" % (quote(bare), quote(kept.node))
            for kept in nodes
            if may_read(kept, reader, subscribed=subscribed)
        )

    # Publishing, for requests and for other modules

    async def publish(
        self,
        owner: str,
        publisher: str,
        node: str,
        items: list[NewItem],
        options: Mapping[str, str] | None = None,
        *,
        watched: bool = True,
    ) -> None:
        """Publish and tell everybody who wants and may know. ``watched`` False: do not tell other modules.

        Options are preconditions when a client publishes, and only the first configuration when a module does.
        Raises StanzaError.
        """
        kept = await self.hub.storage.transact(
            lambda connection: pep_nodes.publish(
                connection, owner, publisher, node, items, options or {}, now=self.hub.now(), enforce=watched
            )
        )
        inside = b"".join(b"<item id='%b'>%b</item>" % (quote(item.item), item.payload) for item in items)
        await self.tell(kept, b"<items node='%b'>%b</items>" % (quote(node), inside))
        if watched:
            for watcher in self.watchers:
                await watcher(owner, node, items)

    async def tell(self, node: KeptNode, event: bytes) -> None:
        """Send an event of a node to all own and contacts' clients that want and may know (XEP-0163 section 4.3)."""
        readers = [node.owner]
        for bare, contact in (await self.hub.roster(node.owner)).items():
            if contact.subscription in ("from", "both") and may_read(node, bare, subscribed=True):
                readers.append(bare)
        tail = b"' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>%b</event></message>" % event
        head = b"<message from='%b' to='" % quote(node.owner)
        for bare in readers:
            for session in self.hub.sessions(bare):
                if node.node in self._interests.get(session, ()) and self._allowed(node.owner, session):
                    session.send(b"".join((head, session.full_xml, tail)))

    def _allowed(self, owner: str, session: Session) -> bool:
        """Whether neither side blocks the other."""
        lists = self.hub.block_lists
        if not lists or owner == session.bare:
            return True
        mine, theirs = lists.get(owner), lists.get(session.bare)
        return not (mine and mine.blocks(session.jid)) and not (theirs and theirs.blocks(Jid.parse(owner)))

    # What sessions want

    def session_available(self, session: Session, stanza: Stanza) -> None:
        """A client came: find out what it wants to be told, and tell it the last of that."""
        self._learn(session, stanza)

    def presence_changed(self, session: Session, stanza: Stanza) -> None:
        """A client may want something else now."""
        self._learn(session, stanza)

    def session_unavailable(self, session: Session) -> None:
        """A client that is not available is told nothing."""
        self._interests.pop(session, None)
        self._claims.pop(session, None)

    def session_ended(self, session: Session) -> None:
        """Forget a session."""
        self.session_unavailable(session)

    def _learn(self, session: Session, stanza: Stanza) -> None:
        match = _CAPS.search(stanza.raw)
        if match is None or self._claims.get(session) == match[0]:
            return
        self._claims[session] = match[0]
        claim = claim_of(stanza.element())
        if claim is None:
            self._want(session, frozenset())
            return
        known = self._known.get(claim)
        if known is not None:
            self._known.move_to_end(claim)
            self._want(session, known)
        elif claim in self._asking:
            self._asking[claim].append(session)
        else:
            self._asking[claim] = [session]
            self._spawn(f"capabilities of {session.full}", self._ask(claim))

    def _want(self, session: Session, interests: frozenset[str]) -> None:
        new = interests - self._interests.get(session, frozenset())
        self._interests[session] = interests
        if new:
            self._spawn(f"last items for {session.full}", self._tell_last(session, new))

    async def _ask(self, claim: Claim) -> None:
        """Ask the sessions with a claim, one after the other, until one proves it; each counts for itself at least."""
        query = b"<query xmlns='%b' node='%b'/>" % (INFO.encode(), quote(f"{claim.node}#{claim.version}"))
        waiting = self._asking[claim]
        try:
            while waiting:
                session = waiting.pop(0)
                answer = await self._answer(session, query)
                if answer is None:
                    continue
                interests = interests_of(answer)
                if session in self._claims:
                    self._want(session, interests)
                if verified(answer, claim):
                    self._known[claim] = interests
                    if len(self._known) > _KNOWN_CLAIMS:
                        self._known.popitem(last=False)
                    break
        finally:
            del self._asking[claim]
        for other in waiting:
            if other in self._claims:
                self._want(other, self._known[claim])

    async def _answer(self, session: Session, query: bytes) -> etree._Element | None:
        try:
            return (await self.hub.ask(session, "get", query)).find(f"{{{INFO}}}query")
        except StanzaError as error:
            _log.info("pep.capabilities_unknown", session=session.full, condition=error.condition)
            return None

    async def _tell_last(self, session: Session, names: frozenset[str]) -> None:
        """Tell a client that came the last items of its account and of its contacts (XEP-0163 section 4.3.4)."""
        async with self._limit:
            contacts = await self.hub.roster(session.bare)
            owners = [bare for bare, contact in contacts.items() if contact.subscription in ("to", "both")]
            async with self.hub.storage.read() as connection:
                found = await store.last_items(connection, (session.bare, *owners), tuple(names))
        for node, item in found:
            if may_read(node, session.bare, subscribed=True) and self._allowed(node.owner, session):
                session.send(
                    b"<message from='%b' to='%b' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>"
                    b"<items node='%b'>%b</items></event></message>"
                    % (quote(node.owner), session.full_xml, quote(node.node), render_item(item))
                )

    def _spawn(self, name: str, work: Coroutine[None, None, None]) -> None:
        if self._stopping:
            work.close()
            return
        task = asyncio.create_task(self._guard(work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (SQLAlchemyError, StorageClosedError, OSError):
            _log.exception("pep.database_failed")
