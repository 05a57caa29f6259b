"""Opening connections for a node: names looked up, targets tried in turn, what waits for one bounded."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

from ringback.net.sip.locate import Locator
from ringback.net.sip.peers import StreamFlow
from ringback.net.sip.streams import StreamConnection
from ringback.protocols.sip.events import FlowWanted
from ringback.protocols.sip.flows import Flow, Outgoing, Target
from ringback.protocols.sip.location import Wanted, default_port
from ringback.rules.reasons import Reason

if TYPE_CHECKING:
    from ringback.net.sip.node import SipNode

_WITHIN = 5.0  # seconds for one connection, handshake included
_WAITING = 256  # messages that may wait for one connection
_ATTEMPTS = 8  # targets tried for one message
_TASKS = 1024  # connections being opened at once


_LOOKS = 3  # connections to one target while it is found out whether its certificate is good

SecondLook = Callable[[ssl.SSLCertVerificationError, str, str, int], Awaitable[bool]]
"""Told of a certificate that ended a connection (the error, the name asked for, address, port): whether to connect once
more, since more is known of it now."""


class ConnectError(OSError):
    """No flow to a target; ``reason`` says why (ids of the catalogue, ``registration. ...``)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"{reason.id}: {reason.values}")
        self.reason = reason


class Connector:
    """A node's connections to targets. All its tasks end with ``stop``."""

    def __init__(
        self, node: SipNode, context: ssl.SSLContext | None, locator: Locator | None, second_look: SecondLook | None
    ) -> None:
        self._second_look = second_look
        self._node = node
        self._context = context
        self._locator = locator
        self._open: dict[Target, StreamFlow] = {}
        self._opening: dict[Target, asyncio.Task[Flow]] = {}
        self._waiting: dict[Target, list[Outgoing]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def change_context(self, context: ssl.SSLContext | None) -> None:
        """Connections from now on are opened with this context."""
        self._context = context

    async def stop(self) -> None:
        """Cancel what is under way."""
        tasks = [*self._opening.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, ConnectError):
                await task
        self._open.clear()

    def forget(self, flow: StreamFlow) -> None:
        """From the node: a connection is gone."""
        for target in [target for target, held in self._open.items() if held is flow]:
            del self._open[target]

    # --- messages to targets

    def send(self, outgoing: Outgoing, target: Target) -> None:
        """Send over an open connection, or open one and let it wait."""
        flow = self._open.get(target)
        if flow is not None and not flow.closed:
            self._node.send(Outgoing(outgoing.data, flow, outgoing.owner))
            return
        waiting = self._waiting.get(target)
        if waiting is None:
            if len(self._tasks) >= _TASKS:
                self._refuse(outgoing)
                return
            self._waiting[target] = [outgoing]
            self._own(self._send_when_open(target), f"sip send to {target.host}")
        elif len(waiting) < _WAITING:
            waiting.append(outgoing)
        else:
            self._refuse(outgoing)

    def _refuse(self, outgoing: Outgoing) -> None:
        """Tell the agent later, since it is in the middle of something."""
        node = self._node
        asyncio.get_running_loop().call_soon(self._tell_failed, node, outgoing)

    @staticmethod
    def _tell_failed(node: SipNode, outgoing: Outgoing) -> None:
        node.agent.send_failed(outgoing, node.clock())
        node.flush()

    async def _send_when_open(self, target: Target) -> None:
        node = self._node
        try:
            flow = await self.flow_to(target)
        except ConnectError:
            for outgoing in self._waiting.pop(target, []):
                node.agent.send_failed(outgoing, node.clock())
        else:
            for outgoing in self._waiting.pop(target, []):
                node.send(Outgoing(outgoing.data, flow, outgoing.owner))
        node.flush()

    # --- flows for registrations

    def open_for(self, wanted: FlowWanted) -> None:
        """From the node: a registration wants a flow."""
        self._own(self._open_for(wanted), f"sip registration at {wanted.target.host}")

    async def _open_for(self, wanted: FlowWanted) -> None:
        node, registration, target = self._node, wanted.registration, wanted.target
        try:
            flow = await self.flow_to(target)
        except ConnectError as refused:
            registration.flow_failed(target, refused.reason, node.clock())
        else:
            registration.flow_ready(target, flow, node.clock())
        node.flush()

    # --- opening

    async def flow_to(self, target: Target) -> Flow:
        """An open flow, or a new one; those who want the same wait together. Raises ConnectError."""
        held = self._open.get(target)
        if held is not None and not held.closed:
            return held
        task = self._opening.get(target)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._flow_to(target), name=f"sip connect {target.host}")
            self._opening[target] = task
            task.add_done_callback(lambda _done: self._opening.pop(target, None))
        return await asyncio.shield(task)

    async def _flow_to(self, target: Target) -> Flow:
        why = Reason.of("registration.unreachable", server=target.host)
        for place in (await self._located(target))[:_ATTEMPTS]:
            try:
                flow = await self._reach(place, target)
            except ConnectError as refused:
                why = refused.reason
                if self._locator is not None:
                    self._locator.failed(place)
                continue
            if self._locator is not None:
                self._locator.succeeded(place)
            return flow
        raise ConnectError(why)

    async def _located(self, target: Target) -> tuple[Target, ...]:
        """RFC 3263, where the target is not an address already."""
        literal = ":" in target.host or target.host.rpartition(".")[2].isdigit()
        if literal:
            return (Target(target.transport, target.host, target.port or default_port(target.transport), target.name),)
        if self._locator is None:
            raise ConnectError(Reason.of("registration.not-found", server=target.host, text="no name server is known"))
        secure = target.transport == "tls"
        wanted = Wanted(target.host, target.port, target.transport, secure, (target.transport,))
        found = await self._locator.locate(wanted)
        if not found.targets:
            raise ConnectError(Reason.of("registration.not-found", server=target.host, text="no address"))
        return found.targets

    async def _reach(self, place: Target, wanted: Target) -> Flow:
        node = self._node
        if place.transport == "udp":
            datagram = node.datagram_flow((place.host, place.port))
            if datagram is None:
                raise ConnectError(Reason.of("registration.unreachable", server=wanted.host))
            return datagram
        name = wanted.name or place.name or wanted.host
        if place.transport == "tls" and self._context is None:
            why = Reason.of("registration.certificate-refused", server=wanted.host, text="no authorities are known")
            raise ConnectError(why)
        try:
            connection = await self._connected(place, name)
        except ssl.SSLError as error:
            text = getattr(error, "verify_message", "") or error.reason or "TLS failed"
            raise ConnectError(Reason.of("registration.certificate-refused", server=wanted.host, text=text)) from error
        except TimeoutError as error:
            raise ConnectError(Reason.of("registration.timeout", server=wanted.host)) from error
        except OSError as error:
            raise ConnectError(Reason.of("registration.unreachable", server=wanted.host)) from error
        flow = connection.flow
        if flow is None or flow.closed:
            raise ConnectError(Reason.of("registration.unreachable", server=wanted.host))
        self._open[wanted] = flow
        if not wanted.behind:
            self._open[place] = flow
        return flow

    async def _connected(self, place: Target, name: str) -> StreamConnection:
        """A connection. Raises OSError, TimeoutError, ssl.SSLError."""
        secure = self._context if place.transport == "tls" else None
        tried = 0
        while True:
            tried += 1
            try:
                async with asyncio.timeout(_WITHIN):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        lambda: StreamConnection(self._node, place.transport, inbound=False),
                        place.host,
                        place.port,
                        ssl=secure,
                        server_hostname=name if secure is not None else None,
                    )
            except ssl.SSLCertVerificationError as error:
                look = self._second_look
                if look is None or tried == _LOOKS or not await look(error, name, place.host, place.port):
                    raise
            else:
                return connection

    def _own(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
