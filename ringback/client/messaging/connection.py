"""The connection of one person to a presence service: it connects, keeps, resumes and re-makes the stream.

slixmpp speaks the stream (TLS, SASL, binding, stream management); this class decides when and where to connect. One
task, ``run``, owns everything. Each round goes through the targets in the order of ``rules.failover``; of each, through
its addresses. A certificate may carry the domain (RFC 6120 section 13.7.2.1) or, since configuration or person named
it, the host: ``client.trust`` judges both in one handshake.

What proves who we are is asked for before each attempt, so that a token which is over never reaches a server. A token
that is refused is asked about: where another one comes, the attempt is made once more with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from xml.etree.ElementTree import Element

import structlog

from ringback.client.identity.credentials import NoTokenError
from ringback.client.messaging.errors import NotConnectedError, RequestFailedError
from ringback.client.messaging.happenings import Account, Incoming, Lost
from ringback.client.messaging.stream import Attempt, Stream, StreamEnd
from ringback.client.trust import CertificateStopError, Considered, Expected, Place, Purpose
from ringback.rules.addresses import HostPort, Jid
from ringback.rules.failover import Backoff, RoundEvidence, Wait, next_wait, order_tries
from ringback.rules.reasons import Reason

ATTEMPT_SECONDS = 15.0  # from the first packet to a session, one address
REQUEST_SECONDS = 20.0
PING_SECONDS = 50.0  # idle time after which the server is asked whether it is there
PING_ANSWER_SECONDS = 15.0
CERTIFICATE_TRIES = 3  # connections to one address while the judge finds out about its certificate
INBOX_LIMIT = 2000  # stanzas read but not yet handled; beyond it the socket is not read

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """A place where the presence service may answer. ``direct_tls``: TLS from the first byte (XEP-0368).

    ``edge``: it is an edge, behind which the presence service is. ``reasons`` tell why it is tried at this place in the
    order; they are filled in when a round begins.
    """

    server: HostPort
    direct_tls: bool = False
    edge: bool = False
    reasons: tuple[Reason, ...] = ()


class Trust(Protocol):
    """Judges the servers' certificates: ``client.trust.TrustJudge``."""

    def context(self, expected: Expected | None = None) -> ssl.SSLContext:
        """What connections are opened with."""

    async def consider(self, error: BaseException, place: Place) -> Considered:
        """What to do about a certificate that ended one."""


class Watcher(Protocol):
    """Told of the connection's way, for progress, trace and the service's state."""

    def connecting(self, target: Target, address: str) -> None:
        """An attempt begins."""

    def connected(self, target: Target, address: str, took: float, mechanism: str, tls: str) -> None:
        """A session stands."""

    def failed(self, target: Target, address: str, took: float, reason: Reason) -> None:
        """An attempt ended without a session."""

    def waiting(self, wait: Wait, reason: Reason) -> None:
        """All targets failed, the last one for ``reason``; the next round begins after the wait."""

    def distrusted(self, stop: CertificateStopError, reason: Reason) -> None:
        """The server of a session that stood shows a certificate that is not good; it is tried again meanwhile."""

    def refused(self, end: StreamEnd) -> None:
        """The server or its certificate was not accepted, or we were not: no further attempt is made by itself."""


class Connection:
    """Keeps one stream to the presence service. ``run`` until cancelled; ``inbox`` gives what happens, in order."""

    def __init__(
        self,
        account: Account,
        targets: Callable[[], Awaitable[list[Target]]],
        resolve: Callable[[str], Awaitable[list[str]]],
        trust: Trust,
        watcher: Watcher,
        backoff: Backoff | None = None,
        pick: Callable[[], float] = random.random,
    ) -> None:
        """``pick`` gives random numbers from 0 up to 1, which spread the returns of many clients."""
        self._account = account
        self._targets = targets
        self._resolve = resolve
        self._trust = trust
        self._watcher = watcher
        self._backoff = backoff or Backoff()
        self._pick = pick
        self._stream: Stream | None = None
        self._retry = asyncio.Event()
        self._stopping = asyncio.Event()
        self._holder: Target | None = None
        self._moves = 0
        self.inbox: asyncio.Queue[Incoming] = asyncio.Queue()

    @property
    def ready(self) -> bool:
        """Whether stanzas can be sent now."""
        return self._stream is not None and self._stream.ready

    @property
    def features(self) -> frozenset[str]:
        """Names of the stream features in use, as slixmpp calls them."""
        return self._stream.features_in_use if self._stream else frozenset()

    def try_now(self) -> None:
        """End a waiting time."""
        self._retry.set()

    def move(self) -> None:
        """The network is another one, or servers are reached another way: what stands or is being tried is given up at
        once, and the session goes on at the targets of now."""
        self._moves += 1
        self._retry.set()
        if self._stream is not None:
            self._stream.give_up()

    async def run(self) -> None:
        """Connect and stay connected until cancelled, or until the server refuses this person."""
        failures, had_session = 0, False
        self._stream = Stream(self._account, self._deliver)
        try:
            while not self._stopping.is_set():
                self._retry.clear()
                moves = self._moves
                end = await self._round(self._stream)
                if end is None:
                    failures, had_session = 0, True
                    if self._moves != moves:  # it came to stand in the moment of the move
                        self._stream.give_up()
                    end = await self._keep(self._stream)
                    self._deliver(Lost(end.reason))
                    if end.signed_out:
                        self._account.credentials.doubt()
                if self._stopping.is_set():
                    return
                if self._moves != moves:
                    failures = 0
                    continue
                # A certificate that turned bad under a running session is the server's trouble and may pass.
                if end.final and not (had_session and end.certificate is not None):
                    self._watcher.refused(end)
                    return
                if end.stop is not None:
                    self._watcher.distrusted(end.stop, end.reason)
                failures += 1
                wait = next_wait(failures, self._pick(), self._backoff)
                self._watcher.waiting(wait, end.reason)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait.seconds):
                        await self._retry.wait()
        finally:
            await self._stream.close()

    async def stop(self) -> None:
        """End the stream in order: presence goes, the server forgets the session."""
        self._stopping.set()
        self._retry.set()
        if self._stream is not None:
            await self._stream.close()

    def send(self, element: Element, *, confirm: bool = False) -> None:
        """Send a stanza; with ``confirm`` its ``Acked`` is asked for at once. Raises NotConnectedError."""
        if self._stream is None or not self._stream.ready:
            raise NotConnectedError
        self._stream.send_element(element, confirm=confirm)

    async def request(
        self, kind: str, payload: Element, to: Jid | None = None, seconds: float = REQUEST_SECONDS
    ) -> Element:
        """Send an iq of kind get or set and give the answer's iq. Raises NotConnectedError, RequestFailedError."""
        if self._stream is None or not self._stream.ready:
            raise NotConnectedError
        return await self._stream.request(kind, payload, to, seconds)

    def release(self, count: int) -> None:
        """Tell that the inbox was emptied down to ``count``: reading goes on where it was held."""
        if self._stream is not None and count < INBOX_LIMIT // 2:
            self._stream.hold(False)

    def _deliver(self, happening: Incoming) -> None:
        self.inbox.put_nowait(happening)
        if self._stream is not None and self.inbox.qsize() >= INBOX_LIMIT:
            self._stream.hold(True)

    async def _round(self, stream: Stream) -> StreamEnd | None:
        """Try every target once. None: a session stands. It ends early where other targets count now."""
        moves = self._moves
        try:
            targets = self._ordered(stream, await self._targets())
        except NotConnectedError as error:
            return StreamEnd(error.reason)
        end = StreamEnd(Reason.of("presence.no_server"))
        for target in targets:
            try:
                addresses = await self._resolve(target.server.host)
            except OSError as error:
                reason = Reason.of("presence.name_not_found", host=target.server.host, why=error)
                self._watcher.failed(target, "", 0.0, reason)
                end = StreamEnd(reason)
                if self._moves != moves:
                    return end
                continue
            for address in addresses:
                outcome = await self._attempt(stream, target, address)
                if outcome is None or outcome.final or self._moves != moves:
                    return outcome
                end = outcome
        return end

    def _ordered(self, stream: Stream, targets: list[Target]) -> list[Target]:
        """The targets of a round: where the session is kept first, then primary and backups."""
        known = {target.server: target for target in targets}
        holder, location = self._kept_at(stream, known)
        tries = order_tries(RoundEvidence(tuple(known), holder.server if holder is not None else None, location))
        usual = holder or Target(HostPort("", 0))  # a location that is no target speaks as the holder does
        return [
            replace(known.get(each.server, replace(usual, server=each.server)), reasons=(each.reason,))
            for each in tries
        ]

    def _kept_at(self, stream: Stream, known: Mapping[HostPort, Target]) -> tuple[Target | None, HostPort | None]:
        """Who keeps the session that was open, and where it wants it resumed. Where servers are reached another way
        now, or through an edge, the place that a server of the inside named counts only if it is a target."""
        holder = self._holder if stream.resumable else None
        if holder is None:
            return None, None
        moved = all(target.edge != holder.edge for target in known.values())
        named = known.get(stream.location) if stream.location is not None else None
        if moved and known:
            return named, None
        return holder, None if holder.edge and named is None else stream.location

    async def _attempt(self, stream: Stream, target: Target, address: str) -> StreamEnd | None:
        """Connect to one address; again with another token, or once more is known of the certificate."""
        credentials, token = self._account.credentials, ""
        end = StreamEnd(Reason.of("presence.no_server"))
        try:
            token = await credentials.token() if credentials.by_token else ""
            for _ in range(CERTIFICATE_TRIES):
                failed = await self._open(stream, target, address, token)
                if failed is None:
                    return None
                end = failed
                if end.token_refused:
                    token = await credentials.another(end.token_refused)
                elif end.certificate is None or end.stop is not None:
                    return end
        except NoTokenError as error:
            return replace(end, reason=error.reason, final=False)
        return end

    async def _open(self, stream: Stream, target: Target, address: str, token: str) -> StreamEnd | None:
        domain, host = self._account.jid.domain, target.server.host
        expected = Expected(Purpose.XMPP, host=host, domain=domain, service="xmpp-client")
        attempt = Attempt(
            address, target.server.port, domain, self._trust.context(expected), target.direct_tls, token,
            self._account.credentials.password,
        )  # fmt: skip
        started = time.monotonic()
        self._watcher.connecting(target, address)
        failed = await stream.open(attempt, ATTEMPT_SECONDS)
        took = time.monotonic() - started
        if failed is None:
            self._holder = target
            self._watcher.connected(target, address, took, stream.mechanism, stream.tls_version)
            return None
        if failed.certificate is not None:
            place = Place(host, target.server.port, expected, address, starttls=not target.direct_tls)
            considered = await self._trust.consider(failed.certificate, place)
            if considered.outcome == "again":
                return replace(failed, final=False)
            reason = considered.reasons[0] if considered.reasons else failed.reason
            failed = replace(failed, reason=reason, stop=CertificateStopError(place, considered))
        self._watcher.failed(target, address, took, failed.reason)
        return failed

    async def _keep(self, stream: Stream) -> StreamEnd:
        """Watch over a standing session until it ends, asking the server for a sign of life when it is silent."""
        while True:
            end = await stream.ended(PING_SECONDS)
            if end is not None:
                return end
            if stream.silent_for() < PING_SECONDS:
                continue
            try:
                await self.request("get", Element("{urn:xmpp:ping}ping"), seconds=PING_ANSWER_SECONDS)
            except NotConnectedError:
                continue
            except RequestFailedError as error:
                if error.condition == "remote-server-timeout":
                    log.info("presence.silent", server=self._account.jid.domain)
                    stream.drop()
