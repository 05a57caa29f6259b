"""XMPP of the world: TLS ends here (RFC 6120 section 5); the stream goes on to a presence service, over TLS again.

Nothing of the stream is changed. Only until the client has signed in is it looked at: failures count, and whoever the
company does not let work from outside gets no further. From then on it stands for that person, and ends with their
right to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

import structlog

from ringback.net.certificates import NoStartTlsError, open_stream
from ringback.net.tls import WatchedContext
from ringback.protocols.edge.stream_identity import StreamIdentity
from ringback.protocols.traversal import Opening
from ringback.protocols.xmpp.server_stream import ServerStream, StreamSettings
from ringback.protocols.xmpp.stanza import quote
from ringback.protocols.xmpp.stream_events import Ended, SecureNow
from ringback.rules.catalogue import render
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
from ringback.services.edge.channel import start_tls
from ringback.services.edge.guests import Guests
from ringback.services.edge.settings import XmppSettings
from ringback.services.edge.watch import TenantWatch

_PIECE: Final = 64 * 1024
_MOST_BEFORE_TLS: Final = 16 * 1024  # octets; less than are read at once
_CONNECT: Final = 12.0  # seconds, with TLS: when everybody comes back at once, the presence service takes its time

_log = structlog.get_logger("ringback.edge.xmpp")


class XmppFront:
    """Serves the connections of the listener ``xmpp``: those of one company. ``user_of`` tells whose an access token is
    (folded user id; empty: nobody's); ``failed`` is called with the address, the user and the token of who could not
    sign in."""

    def __init__(
        self,
        settings: XmppSettings,
        public: WatchedContext,
        watch: TenantWatch,
        guests: Guests,
        user_of: Callable[[str], str],
        failed: Callable[[str, str, str], None],
    ) -> None:
        self._settings = settings
        self._public = public
        self._watch = watch
        self._guests = guests
        self._user_of = user_of
        self._failed = failed
        self._before = StreamSettings(domain=settings.domain, mechanisms=(), negotiation_time=settings.before_tls)
        self._tasks: set[asyncio.Task[None]] = set()

    def become(self, settings: XmppSettings) -> None:
        """Lead to these presence services from the next stream on."""
        self._settings = replace(self._settings, nodes=settings.nodes)

    async def stop(self) -> None:
        """End all streams."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def serve(self, opening: Opening) -> asyncio.Protocol:
        """The protocol of a new connection."""
        loop = asyncio.get_running_loop()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = loop.create_task(self._serve(opening, reader, writer), name=f"XMPP of {opening.peer}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=_PIECE, loop=loop), connected, loop=loop)

    async def _serve(self, opening: Opening, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._watch.kept_out(opening.peer.host, later=True) is not None:
                return
            async with asyncio.timeout(self._settings.before_tls):
                if not await self._negotiate(reader, writer):
                    return
                await start_tls(writer, self._public.current())
            inner = await self._reach()
            if inner is None:
                writer.write(_unavailable(self._settings.domain))
                return
            await self._pass(opening.peer.host, (reader, writer), inner)
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError) as error:
            _log.info("edge.xmpp_ended", peer=opening.peer.host, why=type(error).__name__)
        finally:
            await _close(writer)

    async def _negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Up to the point where TLS begins. Every octet after the client's wish is ciphertext, so anything that came
        with it in clear ends the connection (RFC 6120 section 5.4.3.3).

        Between an answer and what follows it, nothing is read: what a client (or somebody on its way) sends in clear
        after its wish must not wait in our buffer until TLS stands, and look like part of it then."""
        stream = ServerStream(self._before, asyncio.get_running_loop().time())
        transport, size = cast(asyncio.Transport, writer.transport), 0
        while True:
            data = await reader.read(_PIECE)
            transport.pause_reading()  # the buffer is empty now: the size says so
            size += len(data)
            if not data or size > _MOST_BEFORE_TLS:
                return False
            events = stream.receive_data(data)
            for piece in stream.data_to_send():
                writer.write(piece)
            await writer.drain()
            if any(isinstance(event, SecureNow) for event in events):
                return True
            if any(isinstance(event, Ended) for event in events):
                return False
            transport.resume_reading()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The first presence service that answers: always the same one while it does, so that resumed streams come
        back to where they were."""
        for name, address in self._settings.nodes:
            try:
                async with asyncio.timeout(_CONNECT):
                    reader, writer = await open_stream(
                        address.host, address.port, self._settings.domain, self._settings.source
                    )
                    try:
                        await writer.start_tls(self._settings.tls, server_hostname=name)
                    except BaseException:
                        writer.close()
                        raise
                    return reader, writer
            except (OSError, ssl.SSLError, TimeoutError, NoStartTlsError, asyncio.IncompleteReadError) as error:
                _log.warning("edge.next_hop", server=name, error=type(error).__name__)
        return None

    async def _pass(
        self,
        address: str,
        outer: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        inner: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Both directions, until one of them ends."""
        identity, turn = StreamIdentity(self._settings.domain), asyncio.Event()
        pumps = (
            asyncio.create_task(_inwards(identity, turn, outer[0], inner[1]), name="XMPP inwards"),
            asyncio.create_task(self._outwards(address, identity, turn, (inner[0], outer[1])), name="XMPP outwards"),
        )
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await _close(inner[1])

    async def _outwards(
        self,
        address: str,
        identity: StreamIdentity,
        turn: asyncio.Event,
        outwards: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Outwards, counting failures until there is success. A server's own words come first in the stream and it
        escapes what others say, so they can't be forged. ``turn`` is set when it is the client's turn again."""
        reader, writer = outwards
        while data := await reader.read(_PIECE):
            for claim in (failures := identity.from_server(data)):
                self._failed(address, claim.user, claim.token)
            if identity.done:
                await self._signed_in(address, identity, data, turn, outwards)
                return
            turn.set()
            writer.write(data)
            await writer.drain()
            if failures and self._watch.kept_out(address) is not None:
                return

    async def _signed_in(
        self,
        address: str,
        identity: StreamIdentity,
        success: bytes,
        turn: asyncio.Event,
        outwards: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """From the success on the stream is somebody's, as long as they may have it."""
        reader, writer = outwards
        claim = identity.claim
        user = self._user_of(claim.token) if claim.token else fold(claim.user)
        reason = self._guests.refuses("xmpp", user) if user else Reason.of("edge.access.nobody")
        if reason is not None:
            _log.info("edge.refused", service="xmpp", user=user, peer=address, why=reason.id)
            writer.write(_not_served(reason))
            return
        self._watch.let_in(address, user)
        pump = asyncio.current_task()
        ended: list[Reason] = []

        def end(why: Reason) -> None:
            ended.append(why)
            if pump is not None:
                pump.cancel()

        leave = self._guests.enter("xmpp", user, end)
        identity.served = True
        turn.set()
        last = success
        try:
            writer.write(success)
            await writer.drain()
            while data := await reader.read(_PIECE):
                last = data
                writer.write(data)
                await writer.drain()
        except asyncio.CancelledError:
            if not ended:
                raise
            if last.rstrip().endswith(b">"):  # not within something that the server has not said in full
                writer.write(_not_served(ended[0]))
        finally:
            leave()


async def _inwards(
    identity: StreamIdentity, turn: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Inwards, turn by turn until the client has signed in, and is to be served."""
    while True:
        while passed := identity.to_server():
            turn.clear()
            writer.write(passed)
            await writer.drain()
        if identity.served:
            break
        if identity.waits:
            await turn.wait()
            continue
        data = await reader.read(_PIECE)
        if not data:
            return
        identity.from_client(data)
    await _pump(reader, writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(0.5):
            await writer.wait_closed()


def _unavailable(domain: str) -> bytes:
    """RFC 6120 section 4.9.3.22: no presence service answers now."""
    return (
        f"<?xml version='1.0'?><stream:stream from='{domain}' version='1.0' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'><stream:error>"
        "<remote-connection-failed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    ).encode()


def _not_served(reason: Reason) -> bytes:
    """RFC 6120 section 4.9.3.14, with the reason in words and as an id of the catalogue (chosen)."""
    return (
        b"<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"
        b"<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        b"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>" + quote(render(reason)) + b"</text>"
        b"<reason xmlns='urn:ringback:edge:0' id='" + reason.id.encode() + b"'/></stream:error></stream:stream>"
    )
