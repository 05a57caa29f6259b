"""The presence service: its listeners, its sign-ins, and everything composed."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import ssl
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, HashAlgorithm

from ringback.net.service import Endpoint
from ringback.net.tls import server_context
from ringback.protocols.xmpp.errors import StanzaError, StreamError
from ringback.protocols.xmpp.management import Management
from ringback.protocols.xmpp.sasl import (
    BEARER,
    PLAIN,
    SCRAM,
    SCRAM_PLUS,
    TOKEN,
    CheckBearer,
    CheckPassword,
    FindVerifier,
    Question,
)
from ringback.protocols.xmpp.server_stream import StreamSettings, management_failed
from ringback.protocols.xmpp.splitter import SplitterLimits
from ringback.protocols.xmpp.stanza import Stanza
from ringback.protocols.xmpp.stream_events import EnableWanted, ResumeWanted
from ringback.protocols.xmpp.tls_pipe import TlsPipe
from ringback.rules.addresses import AddressError
from ringback.services.presence.account import Account
from ringback.services.presence.connection import Connection, Flusher, shared_buffer
from ringback.services.presence.credentials import Credentials, source_of
from ringback.services.presence.errors import CredentialsUnavailableError, NoVerifierError
from ringback.services.presence.features import standard_modules
from ringback.services.presence.info import Info
from ringback.services.presence.login import Login
from ringback.services.presence.module import Component, Module
from ringback.services.presence.rooms.service import RoomService
from ringback.services.presence.router import Router
from ringback.services.presence.session import ClientSession
from ringback.services.presence.settings import Limits, PresenceSettings
from ringback.services.presence.throttle import Throttle
from ringback.services.presence.tokens import AccessTokens, farewell
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.migrate import upgrade

_BACKLOG: Final = 4096  # connections that may wait to be accepted
_TICK: Final = 1.0
_REST_EVERY: Final = 10  # ticks; a stream without a byte for so long gives its parser back
_ACKNOWLEDGE_EVERY: Final = 5  # ticks; clients acknowledge only when they are asked
_UNLOAD_EVERY: Final = 60  # ticks
_ASK_AGAIN: Final = 10  # ticks
_FEATURES: Final = (
    b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    b"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
    b"<sm xmlns='urn:xmpp:sm:3'/>"
    b"<csi xmlns='urn:xmpp:csi:0'/>"
    b"<ver xmlns='urn:xmpp:features:rosterver'/>"
    b"<sub xmlns='urn:xmpp:features:pre-approval'/>"
)

_log = structlog.get_logger("ringback.presence")


class PresenceService:
    """A presence node. See ``ringback.net.service.Service``; also the ``Node`` of its connections."""

    def __init__(self, settings: PresenceSettings) -> None:
        self.settings = settings
        self.limits: Limits = settings.limits
        self._context = server_context(settings.identity)
        self._end_point = _end_point_binding(settings)
        self._credentials = Credentials(settings)
        self._throttle = Throttle()
        self._access = AccessTokens(settings, source_of(settings))
        self._login = Login(settings, self._credentials, self._access, self._throttle)
        self._endpoints: tuple[Endpoint, ...] = ()
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._unauthenticated: dict[str, int] = {}
        self._by_address: dict[str, int] = {}
        self._waiting_to_resume: dict[str, ClientSession] = {}
        self._timers: dict[ClientSession, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is bound; empty before ``start``."""
        return self._endpoints

    async def start(self) -> None:
        """Open the database, start the features, then listen. Raises OSError or sqlalchemy.exc.SQLAlchemyError."""
        settings = self.settings
        self._loop = asyncio.get_running_loop()
        self.flusher = Flusher(self._loop)
        self.storage = await Storage.open(settings.database_url, prepare=upgrade)
        try:
            await self._credentials.start()
            await self._credentials.find_out()
            modules, components = compose(settings)
            self.router = Router(settings, self.storage, self._credentials, modules, components)
            await self._start_features(modules, components)
            await self._access.start(self._taken_back)
            self._set_stream_settings()
            self._buffer = shared_buffer()
            await self._listen()
        except BaseException:
            await self.stop()
            raise
        self._spawn(self._tick(), "presence tick")

    async def stop(self) -> None:
        """Close all streams, stop the features, and keep what was acknowledged."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.end(StreamError("system-shutdown", "The server stops"))
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        router = getattr(self, "router", None)
        if router is not None:
            for session in list(router.by_full.values()):
                router.end_session(session)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if router is not None:
            await router.stop()
            for feature in (*reversed(list(router.components.values())), *reversed(router.modules)):
                await feature.stop()
        await self._login.stop()
        await self._access.stop()
        await self._credentials.stop()
        await self.storage.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        self._endpoints = ()

    async def _start_features(self, modules: Sequence[Module], components: Sequence[Component]) -> None:
        requests = self.router.requests
        requests.register(self.router.contacts.handlers())
        requests.register(Info(self.router).handlers())
        for module in modules:
            await module.start(self.router)
            requests.register(module.handlers())
        for component in components:
            await component.start(self.router)

    def stream_settings_for(self, address: str) -> StreamSettings:
        """What streams from an address are opened with."""
        return self._through_edges if address in self.settings.edges else self._direct

    def _set_stream_settings(self) -> None:
        self._direct = self._stream_settings()
        # The TLS of a client outside ends at the edge, so it has no channel binding in common with us.
        unbound = tuple(name for name in self._direct.mechanisms if name != SCRAM_PLUS)
        self._through_edges = replace(self._direct, mechanisms=unbound)

    def _stream_settings(self) -> StreamSettings:
        limits = self.limits
        scram = (SCRAM_PLUS, SCRAM) if self._credentials.scram_available else ()
        return StreamSettings(
            domain=self.settings.domain,
            mechanisms=(*scram, *((BEARER,) if self._access.available else ()), PLAIN, TOKEN),
            tls_required=self.settings.tls_required,
            features=_FEATURES,
            limits=SplitterLimits(stanza=limits.stanza, depth=limits.depth),
            unauthenticated_limits=SplitterLimits(
                stanza=limits.unauthenticated_stanza, tag=8_192, depth=8, attributes=32
            ),
            negotiation_time=limits.negotiation_time,
        )

    async def _listen(self) -> None:
        settings = self.settings
        wanted = (("xmpp", settings.xmpp_port, False), ("xmpp-tls", settings.xmpps_port, True))
        endpoints = []
        for service, port, direct in wanted:
            listener = _listener(settings.address, port)
            bound = listener.getsockname()
            server = await self._loop.create_server(
                lambda direct=direct: Connection(self, self._loop, self._buffer, direct_tls=direct),  # type: ignore[misc]
                sock=listener,
                backlog=_BACKLOG,
            )
            self._servers.append(server)
            scheme = "xmpps" if direct else "xmpp"
            endpoints.append(Endpoint("presence", settings.node, service, scheme, bound[0], bound[1]))
        await self._login.start()
        endpoints.append(Endpoint("presence", settings.node, "login", "https", *self._login.address))
        self._endpoints = tuple(endpoints)

    # What connections ask (see connection.Node).

    def make_tls(self) -> TlsPipe:
        """A new server-side TLS connection."""
        return TlsPipe(self._context)

    def bindings(self, tls: TlsPipe) -> dict[str, bytes]:
        """Channel bindings of a TLS connection."""
        bindings = {"tls-server-end-point": self._end_point}
        unique = tls.unique()
        if unique is not None:
            bindings["tls-unique"] = unique
        return bindings

    def opened(self, connection: Connection) -> bool:
        """Count a connection."""
        self._connections.add(connection)
        address = connection.address
        self._by_address[address] = self._by_address.get(address, 0) + 1
        self._unauthenticated[address] = self._unauthenticated.get(address, 0) + 1
        if address in self.settings.edges:
            return True  # it counts its clients by itself
        return (
            self._by_address[address] <= self.limits.connections_per_address
            and self._unauthenticated[address] <= self.limits.unauthenticated_per_address
        )

    def signed_in(self, connection: Connection) -> None:
        """It counts as a person's from now on."""
        _count_down(self._unauthenticated, connection.address)
        user, proof = connection.stream.user, connection.proof
        self._throttle.succeeded(user, connection.address)
        if proof is not None and (why := self._access.refuses(user, proof)):
            connection.end(farewell(why))  # it was taken back while the client proved who it is

    def refused(self, connection: Connection, user: str) -> None:
        """Note a failed attempt; it was counted when it began."""
        _log.info("presence.sign_in_refused", user=user, address=connection.address)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection in self._connections:
            self._connections.discard(connection)
            _count_down(self._by_address, connection.address)
            if not connection.stream.user:
                _count_down(self._unauthenticated, connection.address)

    def look_up(self, connection: Connection, question: Question) -> None:
        """Answer a question about credentials: at once what is known here, anything else in a task."""
        if isinstance(question, CheckBearer):
            self._check_bearer(connection, question)
        else:
            self._spawn(self._look_up(connection, question), "look up credentials")

    def _check_bearer(self, connection: Connection, question: CheckBearer) -> None:
        answer, owner = self._access.answer(question.user, question.token, connection.address, self._loop.time())
        if answer is None:
            connection.lookup_failed()
            return
        connection.proof = owner.proof if owner is not None else None
        connection.bearer_checked(answer)

    async def _look_up(self, connection: Connection, question: Question) -> None:
        user = question.user
        if not self._throttle.begins(user, connection.address, self._loop.time()):
            connection.lookup_failed()
            return
        proof = self._access.now()
        refused = self._access.refuses(user, proof) is not None
        try:
            if isinstance(question, FindVerifier):
                # A deactivated person looks like an unknown one, even while an older answer is still kept.
                verifier = await self._credentials.verifier(user, refused=refused)
                if connection.open:
                    connection.proof = proof
                    connection.verifier_found(verifier)
                return
            if isinstance(question, CheckPassword):
                good = await self._credentials.check_password(user, question.password)
            else:
                owner = self._login.take_token(user, question.token)
                good, proof = owner is not None, owner.proof if owner is not None else proof
        except CredentialsUnavailableError:
            self._throttle.undecided(user, connection.address)
            if connection.open:
                connection.lookup_failed()
            return
        except NoVerifierError:
            self._throttle.undecided(user, connection.address)
            if connection.open:
                connection.has_no_verifier()
            return
        if connection.open:
            connection.proof = proof
            connection.checked(good=good and not refused)

    def _taken_back(self) -> None:
        """Keys, revocations or deactivations changed: sign out who may not stay."""
        if not self._servers:
            return
        self._set_stream_settings()
        for session in list(self.router.by_full.values()):
            if session.proof is not None and (why := self._access.refuses(session.jid.local, session.proof)):
                _log.info("presence.signed_out", user=session.jid.local, resource=session.resource, why=why)
                wire, session.wire = session.wire, None
                if wire is not None:
                    wire.end(farewell(why))
                self._end(session)
        for connection in list(self._connections):
            user, proof = connection.stream.user, connection.proof
            if user and proof is not None and connection.session is None and (why := self._access.refuses(user, proof)):
                connection.end(farewell(why))

    def bind(self, connection: Connection, resource: str) -> None:
        """Bind a resource in a task, for the account may have to be loaded."""
        account = self.router.accounts.loaded.get(f"{connection.stream.user}@{self.settings.domain}")
        if account is not None:
            self._bind(connection, resource, account)
        else:
            self._spawn(self._load_and_bind(connection, resource), "bind a resource")

    async def _load_and_bind(self, connection: Connection, resource: str) -> None:
        account = await self.router.accounts.load(f"{connection.stream.user}@{self.settings.domain}", known=True)
        if connection.open and account is not None:
            self._bind(connection, resource, account)

    def _bind(self, connection: Connection, resource: str, account: Account) -> None:
        stream = connection.stream
        # It may have been unloaded between loading and now.
        account = self.router.accounts.loaded.setdefault(account.bare, account)
        try:
            jid = account.jid.with_resource(resource or secrets.token_hex(8))
        except AddressError as error:
            connection.answered(stream.bind_refused(StanzaError("bad-request", str(error))))
            return
        if len(account.sessions) >= self.limits.sessions_per_account and account.find(jid.resource) is None:
            refusal = StanzaError("resource-constraint", "Too many clients are signed in")
            connection.answered(stream.bind_refused(refusal))
            return
        session = self.router.bind(account, jid, stream.language)
        session.wire = connection
        session.proof = connection.proof
        connection.session = session
        connection.answered(stream.bound(session.full))

    # Stream management.

    def enable_management(self, session: ClientSession, wanted: EnableWanted) -> bytes:
        """The answer to ``<enable/>`` (XEP-0198 section 3)."""
        if session.management is not None:
            return management_failed("unexpected-request")
        session.management = Management()
        if not wanted.resume:
            return b"<enabled xmlns='urn:xmpp:sm:3'/>"
        session.resume_id = secrets.token_urlsafe(18)
        self._waiting_to_resume[session.resume_id] = session
        return b"<enabled xmlns='urn:xmpp:sm:3' id='%b' resume='true' max='%d'/>" % (
            session.resume_id.encode(),
            self.limits.resume_time,
        )

    def resume_session(self, connection: Connection, wanted: ResumeWanted) -> None:
        """Go on with a session over another connection (XEP-0198 section 5), only for the same person."""
        stream = connection.stream
        session = self._waiting_to_resume.get(wanted.previous)
        if session is None or session.ended or session.jid.local != stream.user or session.management is None:
            connection.answered(stream.resume_refused("item-not-found"))
            return
        management = session.management
        try:
            session.acknowledged(str(wanted.handled))
        except StreamError as error:
            connection.end(error)
            return
        old, session.wire = session.wire, None
        if old is not None:
            old.end(StreamError("conflict", "The session goes on over another connection"))
        if (timer := self._timers.pop(session, None)) is not None:
            timer.cancel()
        session.wire = connection
        session.proof = connection.proof
        session.overflowed = False
        connection.session = session
        connection.answered(stream.resumed(wanted.previous, management.received))
        for raw in management:
            connection.write(raw)
        if len(management):
            connection.write(b"<r xmlns='urn:xmpp:sm:3'/>")

    def answer_acknowledgement(self, session: ClientSession) -> None:
        """Acknowledge what was received up to now, once that is durable."""
        management = session.management
        wire = session.wire
        if management is None:
            if wire is not None:
                wire.end(StreamError("unsupported-stanza-type", "Stream management is not enabled"))
            return
        answer = b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % management.received

        def durable() -> None:
            if session.wire is wire and wire is not None:
                wire.write(answer)

        def handled() -> None:
            self.storage.when_durable(session.ticket, durable)

        if session.working:

            async def later() -> None:
                handled()

            self.router.start_work(session, later)
        else:
            handled()

    def client_state(self, session: ClientSession, *, active: bool) -> None:
        """Client state indication (XEP-0352)."""
        session.inactive = not active
        if active and session.held:
            session.release()

    def receive(self, session: ClientSession, stanza: Stanza) -> None:
        """A stanza of a signed-in client."""
        self.router.receive(session, stanza)

    def lost(self, session: ClientSession, *, proper: bool) -> None:
        """The connection of a session has gone: keep the session for a while if it can be resumed."""
        if proper or not session.resume_id or session.overflowed or session.ended:
            self._end(session)
            return
        session.inactive = False
        self._timers[session] = self._loop.call_later(self.limits.resume_time, self._end, session)

    def _end(self, session: ClientSession) -> None:
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()
        self._waiting_to_resume.pop(session.resume_id, None)
        self.router.end_session(session)

    # Upkeep.

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("presence.task_failed", task=task.get_name(), exc_info=error)

    def _rest_idle_streams(self) -> None:
        for connection in self._connections:
            if not connection.active:
                connection.stream.rest()
            connection.active = False

    async def _tick(self) -> None:
        count = 0
        while True:
            self.router.tick = self._loop.time()
            count += 1
            if count % _REST_EVERY == 0:
                self._rest_idle_streams()
            if count % _ACKNOWLEDGE_EVERY == 0:
                for session in self.router.by_full.values():
                    session.ask_acknowledgement()
            if count % _UNLOAD_EVERY == 0:
                self.router.accounts.unload_idle(lambda account: account.offline_busy)
            if not self._credentials.scram_known and count % _ASK_AGAIN == 0:
                await self._credentials.find_out()
                self._set_stream_settings()
            await asyncio.sleep(_TICK)


def compose(settings: PresenceSettings) -> tuple[list[Module], list[Component]]:
    """The features of this service, in the order in which they start."""
    rooms = RoomService(settings.conference_domain, archive=settings.archive)
    return standard_modules(archive=settings.archive), [rooms]


def _listener(address: str, port: int) -> socket.socket:
    """A bound socket whose accepted connections are probed by the kernel when they fall silent.

    Raises OSError that names the address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{address}:{port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _count_down(counts: dict[str, int], key: str) -> None:
    left = counts.get(key, 0) - 1
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)


def _end_point_binding(settings: PresenceSettings) -> bytes:
    """``tls-server-end-point`` (RFC 5929 section 4.1): the certificate under its signature's hash, at least SHA-256."""
    pem = settings.identity.certificate.read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    algorithm: HashAlgorithm | None = certificate.signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, MD5 | SHA1):
        algorithm = SHA256()
    der = ssl.PEM_cert_to_DER_cert(pem[: pem.index(b"-----END CERTIFICATE-----") + 26].decode().strip())
    return hashlib.new(algorithm.name, der).digest()
