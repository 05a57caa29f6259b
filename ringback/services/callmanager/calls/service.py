"""Drives call control: sockets, the clock, the store. It decides nothing.

Nothing in a call's way waits for the store: lines come from the book in memory, registrations of other nodes are looked
at each second, and what is to be kept is written behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import hmac
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.net.service import Endpoint
from ringback.net.sip.limits import Limits
from ringback.net.sip.locate import Locator
from ringback.net.sip.node import Listen, SipNode
from ringback.net.sip.peers import StreamFlow
from ringback.net.tls import client_context, server_context
from ringback.protocols.oauth.known_keys import KnownKeys
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.flows import Flow, Headers
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.settings import AgentSettings
from ringback.rules.call_forwarding import Forwarding, Quiet
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.calls.assembly import Parts, assemble
from ringback.services.callmanager.calls.control import CallControl
from ringback.services.callmanager.calls.core import PhoneBinding
from ringback.services.callmanager.calls.desk import MediaDesk
from ringback.services.callmanager.calls.facts import Records, Registered, Registrations
from ringback.services.callmanager.calls.registrar import Binding
from ringback.services.callmanager.calls.watching import PACKAGES
from ringback.services.callmanager.line_book import Changed, LineBook
from ringback.services.callmanager.settings import CallManagerSettings, CallSettings
from ringback.storage.callmanager.call_rows import MessageCounts

_ROLE = "call-manager"
_HTTPS_PORT = 8443
_LOOK_SECONDS = 1.0
_CHANGES = 1000  # changes of phones that wait for the store; beyond that the newest are dropped and said so
_COLLECTOR = (50_000, 5, 5_000)
"""Python looks for circles of dead objects so rarely: at the usual pace it would take a fifth of the time of calls, at
a tenth of this one a twelfth."""
_UNKNOWN_DIALOG = 481
_KEEPS_CALL = frozenset({"INVITE", "UPDATE", "REFER", "INFO", "MESSAGE"})
_TRIES = 20  # ports that the system chooses
_NONCES = b"ringback sip nonces"

_log = structlog.get_logger("ringback.callmanager.calls")


def _reworded(node: str) -> Callable[[Request, int, str, Headers], tuple[int, str, Headers]]:
    """What it means that this node does not know a call (``Agent.reworded``).

    After a fail-over phones ask the second node for calls that the first one carried. Their sound goes on between the
    ends. A 481 to a hold would end the call at the phone (RFC 3261 section 12.2.1.2), so only BYE gets that; everything
    else is refused by a status that leaves the call as it is, with the reason in words.
    """

    def reworded(request: Request, status: int, reason: str, headers: Headers) -> tuple[int, str, Headers]:
        if status == _UNKNOWN_DIALOG and request.method in _KEEPS_CALL:
            status, reason = 403, "Not During Fail-over"
        if request.to_tag and not headers:
            words = "This call was set up by another node; it can go on and be ended, not held or transferred"
            headers = (("Warning", f'399 {node} "{words}"'), ("Reason", f'Q.850;cause=111;text="{words}"'))
        return status, reason, headers

    return reworded


class _Behind:
    """``core.Changes``: applied one after the other, behind the calls."""

    def __init__(self, book: LineBook) -> None:
        self._book = book
        self._queue: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue(_CHANGES)

    def set_forwarding(self, number: str, forwarding: Forwarding) -> None:
        self._put(lambda: self._book.set_forwarding(number, forwarding))

    def set_quiet(self, phone: str, quiet: Quiet) -> None:
        self._put(lambda: self._book.set_quiet(phone, quiet))

    def set_messages(self, number: str, counts: MessageCounts) -> None:
        self._put(lambda: self._book.set_messages(number, counts))

    def _put(self, change: Callable[[], Awaitable[object]]) -> None:
        try:
            self._queue.put_nowait(change)
        except asyncio.QueueFull:
            _log.error("a phone's change was dropped: the store does not keep up")

    async def run(self) -> None:
        """Apply changes until cancelled."""
        while True:
            change = await self._queue.get()
            try:
                await change()
            except (SQLAlchemyError, OSError) as error:
                _log.error("a phone's change could not be kept", why=str(error))
            except Exception:  # noqa: BLE001 (the changes behind it are of others)
                _log.exception("a phone's change failed")


class CallService:
    """The calls of a node; see ``net.service.Service``. ``bind`` may be called first, to know the ports."""

    def __init__(
        self,
        settings: CallManagerSettings,
        book: LineBook,
        records: Records,
        registrations: Registrations | None = None,
        *,
        first_number: int = 0,
        locator: Locator | None = None,
        limits: Limits = Limits(),  # noqa: B008  frozen
        tokens: KnownKeys | None = None,
    ) -> None:
        """``tokens`` checks access tokens; without it devices sign in by digest alone."""
        self._settings = settings
        self._calls = settings.calls or CallSettings()
        self._book = book
        self._records = records
        self._registrations = registrations
        self._first_number = first_number
        self._locator = locator
        self._limits = limits
        self._tokens = tokens
        self._sockets: dict[str, socket.socket] = {}
        self._endpoints: tuple[Endpoint, ...] = ()
        self._node: SipNode | None = None
        self._desk: MediaDesk | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._unwatch: Callable[[], None] | None = None
        self._wall = time.time() - time.monotonic()
        self.control: CallControl | None = None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: sip, sip-tls."""
        return self._endpoints

    def bind(self) -> tuple[int, int]:
        """Bind the sockets, not yet listening; the ports of SIP and of SIP over TLS. Raises OSError with the address
        in its text."""
        if not self._sockets:
            address, calls = self._settings.address, self._calls
            try:
                self._sockets["tcp"], self._sockets["udp"] = _both(address, calls.sip_port)
                self._sockets["tls"] = _bound(address, calls.sip_tls_port, socket.SOCK_STREAM)
            except OSError:
                self._unbind()
                raise
        return self._sockets["tcp"].getsockname()[1], self._sockets["tls"].getsockname()[1]

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also ssl.SSLError, SQLAlchemyError."""
        port, tls_port = self.bind()
        settings, calls = self._settings, self._calls
        agent = Agent(
            AgentSettings(
                product="Ringback",
                contact_user="",
                allow_events=(*PACKAGES, "refer"),
                supported=("100rel", "timer", "replaces", "norefersub", "outbound", "path"),
                addresses={
                    "udp": (settings.address, port),
                    "tcp": (settings.address, port),
                    "tls": (settings.address, tls_port),
                },
            )
        )
        agent.reworded = _reworded(settings.node)
        self._desk = MediaDesk(calls, settings.address)
        behind = _Behind(self._book)
        now = time.monotonic()
        control = assemble(
            Parts(
                settings=calls,
                node=settings.node,
                agent=agent,
                lines=self._book,
                changes=behind,
                desk=self._desk,
                records=self._records,
                own_hosts=self._own_hosts(),
                nonce_key=self._nonce_key(),
                wall=self._wall,
                first_number=self._first_number,
                tokens=self._tokens,
                authorisation=f"https://{settings.node}:{settings.https_port or _HTTPS_PORT}",
            )
        )
        self.control = control
        agent.on_closed = self._flow_closed
        await self._restore(now)
        self._node = SipNode(
            agent,
            control.handle,
            listen=self._listens(),
            client_context=self._client_context(),
            locator=self._locator,
            limits=self._limits,
            after_turn=self._arm,
            shared=calls.edges,
        )
        await self._node.start()
        self._unwatch = self._book.watch(self._changed)
        if self._tokens is not None:
            self._tokens.listen(self._taken_back)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(behind.run(), name="phones' changes"),
            loop.create_task(self._look(), name="registrations"),
        ]
        gc.freeze()
        gc.set_threshold(*_COLLECTOR)
        self._endpoints = (
            Endpoint(_ROLE, settings.node, "sip", "sip", settings.address, port),
            Endpoint(_ROLE, settings.node, "sip-tls", "sips", settings.address, tls_port),
        )

    async def stop(self) -> None:
        """As ``net.service.Service``: calls in progress are recorded; their media go on between the ends."""
        if self._unwatch is not None:
            self._unwatch()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.control is not None:
            self.control.upkeep.shut_down(time.monotonic())
        if self._node is not None:
            await self._node.stop()
            self._node = None
        await self._save()
        if self._desk is not None:
            await self._desk.close()
            self._desk = None
        self._unbind()
        self._endpoints = ()
        self.control = None

    def use_plan(self, plan: DialPlan) -> None:
        """Another dial plan from now on; before ``start`` too."""
        self._calls = replace(self._calls, plan=plan)
        if self.control is not None:
            self.control.core.use_plan(plan)

    # --- events and time

    def _arm(self) -> None:
        control = self.control
        deadline = control.core.timers.next_deadline() if control is not None else None
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = asyncio.get_running_loop().call_later(max(deadline - time.monotonic(), 0.0), self._fire)

    def _fire(self) -> None:
        self._timer = None
        try:
            if self.control is not None:
                self.control.core.timers.fire(time.monotonic())
        except Exception:  # noqa: BLE001 (one call's timer; those of all others go on)
            _log.exception("a timer of call control failed")
        self._flush()

    def _flush(self) -> None:
        if self._node is not None:
            self._node.flush()
        else:
            self._arm()

    def _flow_closed(self, flow: Flow, now: float) -> None:
        if self.control is not None:
            self.control.upkeep.flow_closed(flow, now)

    def _changed(self, changed: Changed) -> None:
        if self.control is not None:
            self.control.upkeep.book_changed(changed.lines, changed.messages, changed.phones, time.monotonic())
            self._flush()

    def _taken_back(self) -> None:
        """Tokens or people were taken back: who stands on them goes now."""
        control = self.control
        if control is None:
            return
        for flow in control.upkeep.taken_back(control.bearer.taken_back(), time.monotonic()):
            if isinstance(flow, StreamFlow):
                _log.info("a registration was ended: its sign-in was taken back", flow=flow.number)
                flow.connection.abort()
        self._flush()

    # --- registrations

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            control = self.control
            if control is None:
                return
            try:
                control.upkeep.look_after(time.monotonic())
                self._flush()
                await self._save()
                if self._calls.siblings and self._registrations is not None:
                    self._elsewhere(await self._registrations.load())
            except (SQLAlchemyError, OSError) as error:
                _log.warning("registrations could not be shared", why=str(error))
            except Exception:  # noqa: BLE001 (registrations must go on to expire and to be shared)
                _log.exception("looking after registrations failed")

    async def _save(self) -> None:
        control, store = self.control, self._registrations
        taken = control.core.registrar.take_changes() if control is not None else None
        if taken is None or store is None:
            return
        changed = [_kept(one, self._settings.node, self._wall) for one in taken.changed.values()]
        removed = [key for key in taken.removed if key not in taken.changed]
        try:
            await store.save(changed, removed)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("registrations could not be kept", why=str(error))
            if control is not None:
                control.core.registrar.put_back(taken)

    def _elsewhere(self, registered: Sequence[Registered]) -> None:
        control = self.control
        if control is None:
            return
        mine = self._settings.node
        control.upkeep.registered_elsewhere(
            {one.device: one for one in registered if one.node != mine}, time.monotonic()
        )

    async def _restore(self, now: float) -> None:
        """Devices that registered over UDP before a restart are reached at once; others come back by themselves."""
        control, store = self.control, self._registrations
        if control is None or store is None:
            return
        kept = await store.load()
        bindings: list[PhoneBinding] = [
            _binding(one, now, self._wall)
            for one in kept
            if one.node == self._settings.node and one.transport == "udp" and self._book.phone(one.device) is not None
        ]
        control.core.registrar.restore(bindings)
        self._elsewhere(kept)

    # --- what sockets need

    def _listens(self) -> tuple[Listen, ...]:
        address = self._settings.address
        # nodes prove who they are by their certificate; phones have none and sign in by digest
        context = server_context(self._settings.identity, client_authorities=self._settings.ca_file)
        return (
            Listen("udp", address, bound=self._sockets["udp"]),
            Listen("tcp", address, bound=self._sockets["tcp"]),
            Listen("tls", address, bound=self._sockets["tls"], context=context),
        )

    def _client_context(self) -> ssl.SSLContext:
        identity = self._settings.identity
        return client_context(self._settings.ca_file, mode=identity.mode, identity=identity)

    def _own_hosts(self) -> frozenset[str]:
        settings, calls = self._settings, self._calls
        names = {settings.node, settings.address, calls.domain, *calls.domains, *settings.servers}
        names |= {sibling.node for sibling in calls.siblings} | {sibling.peer.address for sibling in calls.siblings}
        return frozenset(name.lower() for name in names if name)

    def _nonce_key(self) -> bytes:
        key = self._calls.credential_key
        return hmac.digest(key, _NONCES, hashlib.sha256) if key else secrets.token_bytes(32)

    def _unbind(self) -> None:
        for bound in self._sockets.values():
            with contextlib.suppress(OSError):
                bound.close()
        self._sockets.clear()


def _both(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """TCP and UDP at one port. A free one of TCP (port 0) may be taken in UDP: then it is another one."""
    for left in reversed(range(1 if port else _TRIES)):
        stream = _bound(address, port, socket.SOCK_STREAM)
        try:
            return stream, _bound(address, stream.getsockname()[1], socket.SOCK_DGRAM)
        except OSError:
            stream.close()
            if not left:
                raise
    raise OSError("No port was tried")


def _bound(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"The call manager can't bind {address} port {port}: {error.strerror}") from error
    made.setblocking(False)
    return made


def _kept(binding: PhoneBinding, node: str, wall: float) -> Registered:
    return Registered(
        device=binding.device,
        contact=binding.contact,
        lines=binding.lines,
        node=node,
        expires=binding.expires_at + wall,
        transport=binding.transport,
        received=binding.received,
        instance=binding.instance,
        user_agent=binding.user_agent,
        since=binding.since + wall,
    )


def _binding(kept: Registered, now: float, wall: float) -> PhoneBinding:
    return Binding(
        device=kept.device,
        contact=kept.contact,
        lines=kept.lines,
        flow=None,
        received=kept.received,
        transport=kept.transport,
        expires_at=kept.expires - wall,
        call_id="",
        cseq=0,
        since=min(kept.since - wall, now),
        instance=kept.instance,
        user_agent=kept.user_agent,
    )
