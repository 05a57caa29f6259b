"""The hub: every stanza of every session comes here and goes on from here.

Theory of operation. ``receive`` is the hot path. It looks at the name and the ``to`` attribute of the raw stanza,
finds the receiver in a dictionary, and gives it the bytes with a rewritten start tag. What cannot be answered at once
(an account that is not in memory, a handler that waits for the database) goes into the session's own queue, which is
worked off in order and holds the client back when it grows.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError, StreamError
from ringback.protocols.xmpp.stanza import Stanza, error_reply, iq_request, tail_without
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.account import Account
from ringback.services.presence.accounts import Accounts
from ringback.services.presence.connection import PAUSED_BY_STORAGE, PAUSED_BY_WORK
from ringback.services.presence.credentials import Credentials
from ringback.services.presence.errors import CredentialsUnavailableError
from ringback.services.presence.messages import Messages
from ringback.services.presence.module import Archive, BlockList, Component, Module, RosterItem, Session
from ringback.services.presence.offline import Offline
from ringback.services.presence.presence import Presence
from ringback.services.presence.requests import Requests
from ringback.services.presence.roster import Roster
from ringback.services.presence.session import ClientSession, Work
from ringback.services.presence.settings import Limits, PresenceSettings
from ringback.services.presence.subscribing import Subscribing
from ringback.storage.presence.engine import Storage

_FROM: Final = frozenset({b"from"})
_SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
_WORK_TIME: Final = 30.0

_log = structlog.get_logger("ringback.presence.router")


class Hooks:
    """The hooks that modules really override, so that those that they do not override cost nothing."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self.session_bound = _overridden(modules, "session_bound")
        self.session_available = _overridden(modules, "session_available")
        self.presence_changed = _overridden(modules, "presence_changed")
        self.session_unavailable = _overridden(modules, "session_unavailable")
        self.session_ended = _overridden(modules, "session_ended")
        self.subscription_changed = _overridden(modules, "subscription_changed")
        self.account_created = _overridden(modules, "account_created")
        self.presence_filter = _overridden(modules, "presence_filter")


def _overridden(modules: Sequence[Module], name: str) -> list[Callable[..., Any]]:
    return [getattr(module, name) for module in modules if getattr(type(module), name) is not getattr(Module, name)]


class Router:
    """See ``module.Hub``, which this is."""

    def __init__(
        self,
        settings: PresenceSettings,
        storage: Storage,
        credentials: Credentials,
        modules: Sequence[Module],
        components: Sequence[Component],
    ) -> None:
        self.settings = settings
        self.limits: Limits = settings.limits
        self.domain = settings.domain
        self.storage = storage
        self.credentials = credentials
        self.modules = modules
        self.components: dict[str, Component] = {component.domain: component for component in components}
        self.hooks = Hooks(modules)
        self.block_lists: dict[str, BlockList] = {}
        self.archive: Archive | None = None
        self.by_full: dict[str, ClientSession] = {}
        self.accounts = Accounts(storage, credentials, self._account_created)
        self.contacts = Roster(self)
        self.presence = Presence(self)
        self.subscriptions = Subscribing(self)
        self.offline = Offline(self)
        self.messages = Messages(self)
        self.requests = Requests(self)
        self.started = time.time()
        self.tick = 0.0
        """The loop's time, renewed every second: good enough to measure silence."""
        self._sign_ins = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    # Sessions.

    def bind(self, account: Account, jid: Jid, language: str) -> ClientSession:
        """A new session; one with the same resource is ended first (RFC 6120 section 7.7.2.2)."""
        old = account.find(jid.resource)
        if old is not None:
            self._replace(old)
        self._sign_ins += 1
        session = ClientSession(jid, account, self._sign_ins, self.limits.unacknowledged, language)
        account.sessions.append(session)
        self.by_full[session.full] = session
        for hook in self.hooks.session_bound:
            hook(session)
        return session

    def _replace(self, session: ClientSession) -> None:
        wire = session.wire
        if wire is not None:
            session.wire = None
            wire.end(StreamError("conflict", "The same resource signed in from elsewhere"))
        self.end_session(session)

    def end_session(self, session: ClientSession) -> None:
        """The session is over for good: presence goes, what was not acknowledged finds another way."""
        if session.ended:
            return
        self.presence.leave(session, None)
        session.ended = True
        account = session.account
        self.by_full.pop(session.full, None)
        account.sessions.remove(session)
        account.ready = [other for other in account.ready if other is not session]
        if session.carbons:
            session.carbons = False
            account.carbons -= 1
        session.held = None
        self.requests.forget(session)
        for hook in self.hooks.session_ended:
            hook(session)
        for component in self.components.values():
            component.session_ended(session)
        confirmations, session.confirmations = session.confirmations, None
        for _, callback in confirmations or ():
            callback(False)
        if session.management is not None:
            self.messages.deliver_again(account, session.management.clear())

    # What a client sends.

    def receive(self, session: ClientSession, stanza: Stanza) -> None:
        """Take a stanza of a signed-in client. Raises StreamError for what ends its stream."""
        sender = stanza.attributes.get("from")
        if sender is not None:
            self._check_sender(session, sender)
        name = stanza.name
        try:
            if name == "message":
                self.messages.receive(session, stanza)
            elif name == "presence":
                self._presence(session, stanza)
            else:
                self.requests.receive(session, stanza)
        except StanzaError as error:
            self.refuse(session, stanza, error)
        if self.storage.backlog > self.limits.storage_backlog:
            self._hold_back(session)

    @staticmethod
    def _check_sender(session: ClientSession, sender: str) -> None:
        if sender in {session.full, session.bare}:
            return
        try:
            jid = Jid.parse(sender)
        except AddressError:
            jid = None
        if jid is None or jid not in {session.jid, session.jid.bare}:
            raise StreamError("invalid-from", "A client may only speak for itself")

    @staticmethod
    def stamped(session: ClientSession, stanza: Stanza) -> bytes:
        """The raw stanza with the true sender and, where it has none of its own, the client's language."""
        name = b"<" + stanza.name.encode()
        stamp = session.stamp
        attributes = stanza.attributes
        rest = tail_without(stanza.raw, _FROM) if "from" in attributes else stanza.raw[len(name) :]
        if "http://www.w3.org/XML/1998/namespace lang" in attributes:
            stamp = b" from='" + session.full_xml + b"'"
        return name + stamp + rest

    def refuse(self, session: ClientSession, stanza: Stanza, error: StanzaError) -> None:
        """Send an error back, from the address that the client wrote to; never in answer to an error or result."""
        kind = stanza.type
        if kind == "error" or (stanza.name == "iq" and kind == "result"):
            return
        session.send(error_reply(stanza, error, stanza.attributes.get("to", ""), session.full))

    def address(self, text: str) -> Jid:
        """Read a ``to``. Raises StanzaError (jid-malformed)."""
        try:
            return Jid.parse(text)
        except AddressError as error:
            raise StanzaError("jid-malformed", str(error)) from error

    def to_component(self, session: ClientSession, stanza: Stanza, to: Jid) -> None:
        """Hand a stanza to the owner of a sub-domain. Raises StanzaError where there is none."""
        component = self.components.get(to.domain)
        if component is None:
            if stanza.name == "presence" and stanza.type not in _SUBSCRIPTION_TYPES:
                return
            raise StanzaError("remote-server-not-found", f"{to.domain} cannot be reached from here")
        attributes = {**stanza.attributes, "from": session.full}
        before = self.storage.submitted
        component.receive(session, Stanza(stanza.name, attributes, self.stamped(session, stanza)), to)
        if self.storage.submitted != before:
            session.ticket = self.storage.submitted  # what the component keeps is acknowledged when it is durable

    def _presence(self, session: ClientSession, stanza: Stanza) -> None:
        kind = stanza.type
        address = stanza.attributes.get("to")
        if not address:
            self._own_presence(session, stanza, kind)
            return
        to = self.address(address)
        if kind in {"", "unavailable", "error"}:
            self._check_blocking(session, to)
            if to.domain not in {self.domain, *self.components}:
                return
            if kind == "error":
                self._presence_error(session, stanza, to)
            else:
                self.presence.direct(session, stanza, to, address)
            return
        if to.domain != self.domain:
            self.to_component(session, stanza, to)
            return
        contact = str(to.bare)
        if kind == "probe":
            if to.local:
                self.with_account(contact, lambda other: self.presence.probe(session, other), session)
        elif kind in _SUBSCRIPTION_TYPES:
            self._check_blocking(session, to)
            if contact != session.bare and to.local:
                self._subscribe(session, stanza, contact)
        else:
            raise StanzaError("bad-request", "There is no such type of presence")

    def _own_presence(self, session: ClientSession, stanza: Stanza, kind: str) -> None:
        if kind in {"", "unavailable"}:
            self.presence.broadcast(session, stanza)
        elif kind not in {"error", "probe"}:
            raise StanzaError("bad-request", "This presence needs an address")

    def _presence_error(self, session: ClientSession, stanza: Stanza, to: Jid) -> None:
        if to.domain in self.components:
            self.to_component(session, stanza, to)
        else:
            for receiver in self.sessions_of(to):
                if to.resource:
                    receiver.send(self.stamped(session, stanza))

    def _subscribe(self, session: ClientSession, stanza: Stanza, contact: str) -> None:
        user = session.account
        other = self.accounts.loaded.get(contact)
        if other is not None and not session.working:
            self._outbound(session, stanza, contact, other)
            return

        async def later() -> None:
            try:
                found = await self.accounts.load(contact)
            except CredentialsUnavailableError:
                self.refuse(session, stanza, StanzaError("remote-server-timeout"))
                return
            try:
                self.subscriptions.outbound(user, contact, self._open_to(found, session), stanza)
            except StanzaError as error:
                self.refuse(session, stanza, error)

        self.start_work(session, later)

    def _outbound(self, session: ClientSession, stanza: Stanza, contact: str, other: Account) -> None:
        self.subscriptions.outbound(session.account, contact, self._open_to(other, session), stanza)

    def _open_to(self, account: Account | None, session: ClientSession) -> Account | None:
        """The account, or None where it blocks the sender: for the sender nothing happens."""
        return None if account is None or self.blocked(account.bare, session.jid) else account

    def _check_blocking(self, session: ClientSession, to: Jid) -> None:
        if self.block_lists and self.blocked(session.bare, to):
            raise StanzaError(
                "not-acceptable", "You block this address", extra=b"<blocked xmlns='urn:xmpp:blocking:errors'/>"
            )

    # Work that waits.

    def start_work(self, session: ClientSession, work: Work) -> None:
        """Run ``work`` after everything that this session has started before; hold the client back if it piles up."""
        if session.work is None:
            session.work = deque()
        session.work.append(work)
        if len(session.work) > self.limits.pending_requests and session.wire is not None:
            session.wire.pause(PAUSED_BY_WORK)
        if not session.working:
            session.working = True
            self.start_task(self._work_off(session), f"work for {session.full}")

    async def _work_off(self, session: ClientSession) -> None:
        try:
            while session.work:
                work = session.work.popleft()
                try:
                    async with asyncio.timeout(_WORK_TIME):
                        await work()
                except TimeoutError:
                    _log.warning("router.work_timeout", session=session.full)
                except Exception:  # noqa: BLE001 - one piece of work fails, is logged, and the next goes on
                    _log.exception("router.work_failed", session=session.full)
                if session.wire is not None and len(session.work) <= self.limits.pending_requests // 2:
                    session.wire.resume(PAUSED_BY_WORK)
        finally:
            session.working = False
            session.work = None
            if session.wire is not None:
                session.wire.resume(PAUSED_BY_WORK)

    def start_task(self, work: Awaitable[None], name: str) -> None:
        """Run a task that this router owns."""

        async def run() -> None:
            await work

        task = asyncio.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def with_account(self, bare: str, then: Callable[[Account], None], session: ClientSession | None = None) -> None:
        """Call ``then`` with the account, now where it is in memory, else after loading; never where it is unknown."""
        account = self.accounts.loaded.get(bare)
        if account is not None:
            then(account)
            return

        async def later() -> None:
            try:
                found = await self.accounts.load(bare)
            except CredentialsUnavailableError:
                return
            if found is not None:
                then(found)

        if session is not None:
            self.start_work(session, later)
        else:
            self.start_task(later(), f"load {bare}")

    async def stop(self) -> None:
        """End all tasks."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.accounts.stop()

    def _hold_back(self, session: ClientSession) -> None:
        wire = session.wire
        if wire is not None:
            wire.pause(PAUSED_BY_STORAGE)
            self.storage.when_durable(self.storage.submitted, lambda: wire.resume(PAUSED_BY_STORAGE))

    # What modules and components ask (see module.Hub).

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sessions(self, bare: str) -> Sequence[ClientSession]:
        """All sessions of an account."""
        account = self.accounts.loaded.get(bare)
        return account.sessions if account is not None else ()

    def session(self, full: str) -> ClientSession | None:
        """The session with this full JID."""
        return self.by_full.get(full)

    def client_session(self, session: Session) -> ClientSession:
        """The session behind the interface. Raises StanzaError where it has ended."""
        found = self.by_full.get(session.full)
        if found is None:
            raise StanzaError("recipient-unavailable")
        return found

    def sessions_of(self, jid: Jid) -> list[ClientSession]:
        """The sessions that an address names: one for a full JID, all for a bare one."""
        if jid.resource:
            session = self.by_full.get(str(jid))
            return [session] if session is not None else []
        return list(self.sessions(str(jid)))

    def blocked(self, owner: str, peer: Jid) -> bool:
        """Whether an account blocks an address."""
        block_list = self.block_lists.get(owner)
        return block_list is not None and block_list.blocks(peer)

    def route(self, stanza: Stanza) -> None:
        """Deliver a stanza of the server, an account or a component."""
        to = self.address(stanza.attributes.get("to", ""))
        if to.domain != self.domain:
            return
        if stanza.name == "message" and to.local:
            self.messages.deliver_trusted(stanza, to)
        elif stanza.name == "presence" and stanza.type in _SUBSCRIPTION_TYPES:
            sender = str(self.address(stanza.attributes.get("from", "")).bare)
            self.with_account(
                str(to.bare),
                lambda user: self.with_account(
                    sender, lambda other: self.subscriptions.inbound(user, other, stanza.type, stanza.raw)
                ),
            )
        else:
            for session in self.sessions_of(to):
                session.send(stanza.raw)

    def send_error(self, stanza: Stanza, error: StanzaError, sender: str, to: str) -> None:
        """Answer with an error."""
        if stanza.type == "error" or (stanza.name == "iq" and stanza.type == "result"):
            return
        session = self.by_full.get(to)
        if session is not None:
            session.send(error_reply(stanza, error, sender, to))

    async def ask(self, session: Session, kind: str, payload: bytes, *, timeout: float = 10.0) -> etree._Element:  # noqa: ASYNC109
        """Ask a client as the server."""
        return await self.requests.ask(self.client_session(session), kind, payload, timeout)

    async def account_exists(self, bare: str) -> bool:
        """Whether the account is known."""
        return await self.accounts.exists(bare)

    async def loaded_account(self, bare: str) -> Account | None:
        """The account, loaded where needed; None where it is not known or nobody can tell."""
        try:
            return await self.accounts.load(bare)
        except CredentialsUnavailableError:
            return None

    async def roster(self, bare: str) -> Mapping[str, RosterItem]:
        """The contacts of an account."""
        account = await self.loaded_account(bare)
        return account.roster if account is not None else {}

    async def is_subscribed(self, owner: str, contact: str) -> bool:
        """Whether ``contact`` may see the presence of ``owner``."""
        account = await self.loaded_account(owner)
        return account is not None and account.lets_see(contact)

    def hide_presence(self, bare: str, jid: Jid) -> None:
        """Show an account as gone to an address."""
        self.with_account(bare, lambda account: self.presence.hide_from(account, jid))

    def show_presence(self, bare: str, jid: Jid) -> None:
        """Show an account again to an address."""
        self.with_account(bare, lambda account: self.presence.show_again(account, jid))

    def push(self, bare: str, payload: bytes) -> None:
        """Send an iq set of the own account to its sessions."""
        for session in self.sessions(bare):
            session.send(iq_request("set", f"push-{time.monotonic_ns():x}", bare, session.full, payload))

    def kept_already(self, session: ClientSession, stanzas: set[bytes]) -> None:
        """These unacknowledged stanzas are still in the database: they are not to be kept twice."""
        if session.management is not None:
            rest = [raw for raw in session.management.clear() if raw not in stanzas]
            self.messages.deliver_again(session.account, rest)

    def _account_created(self, bare: str) -> None:
        for hook in self.hooks.account_created:
            hook(bare)
