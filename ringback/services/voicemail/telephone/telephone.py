"""The telephone side of a voicemail node: calls of the call managers are answered, lamps told.

Calls come from the call managers only, which say whose call it was and why it came here (``diverted``). The service
calls phones too, where somebody wants to hear a message on one (``outgoing``). The message-waiting state of a mailbox
is sent to a call manager (NOTIFY, RFC 3842) whenever it changes, at every start for all mailboxes, and again until one
has taken it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from dataclasses import dataclass, field
from typing import Final

import structlog

from ringback.media.transport.dtls import DtlsIdentity
from ringback.media.transport.host import MediaHost
from ringback.media.transport.ports import PortRange
from ringback.net.sip.node import Listen, SipNode
from ringback.net.tls import client_context, server_context
from ringback.protocols.sdp.description import SdpError
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.bodies import message_summary
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.events import (
    Accepted,
    Answered,
    Ended,
    Event,
    Failed,
    InfoArrived,
    Invited,
    OfferArrived,
    RequestArrived,
    Unanswered,
)
from ringback.protocols.sip.flows import Body, Flow, Target
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.settings import AgentSettings
from ringback.protocols.sip.uri import Uri
from ringback.rules.name_search import fold
from ringback.services.voicemail.errors import CallError
from ringback.services.voicemail.events import Happened
from ringback.services.voicemail.settings import CallManagerPeer, VoicemailSettings
from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.desk import Desk
from ringback.services.voicemail.telephone.diverted import diverted
from ringback.services.voicemail.telephone.line import Line
from ringback.services.voicemail.telephone.live import LiveCall
from ringback.services.voicemail.telephone.outgoing import Node, PhoneCall
from ringback.services.voicemail.telephone.prompts import language_of
from ringback.storage.voicemail.records import Counts
from ringback.storage.voicemail.store import VoicemailStore

_AGAIN_SECONDS: Final = 10.0
_SIGNAL: Final = re.compile(rb"(?im)^\s*Signal\s*=\s*([0-9*#A-D])")
_AT_ONCE: Final = 50  # lamps told together at a start
_EARLY_KEYS: Final = 32

_log = structlog.get_logger("ringback.voicemail.telephone")


@dataclass(slots=True)
class _Running:
    session: Session
    line: Line
    live: LiveCall | None = None
    task: asyncio.Task[None] | None = None
    gone: bool = False
    early: list[str] = field(default_factory=list)

    def press(self, digit: str) -> None:
        """A key, which waits where the dialogue has not begun."""
        if self.live is not None:
            self.live.key(digit)
        elif len(self.early) < _EARLY_KEYS:
            self.early.append(digit)


@dataclass(slots=True)
class _Lamp:
    """What a line's phones are to show; ``tries`` so far. ``asked``: a call manager was told and has not answered;
    ``after``: not before this moment again (of the monotonic clock)."""

    extension: str
    cluster: str
    counts: Counts
    tries: int = 0
    asked: bool = False
    after: float = 0.0


class Telephone:
    """Answers calls and tells lamps; ``start`` binds, ``stop`` ends calls, keeping what was recorded."""

    def __init__(self, settings: VoicemailSettings, store: VoicemailStore, desk: Desk) -> None:
        self._settings = settings
        self._store = store
        self._desk = desk
        self._identity = DtlsIdentity.generate()
        self._addresses = frozenset(peer.address for peer in settings.sip_peers)
        self._hosts = frozenset(peer.host for peer in settings.sip_peers)
        self._calls: dict[Session, _Running] = {}
        self._host: MediaHost | None = None
        self._node: SipNode | None = None
        self._owners = {fold(one.user): one for one in settings.mailboxes}
        self._peers_of: dict[str, list[CallManagerPeer]] = {}
        for peer in settings.sip_peers:
            self._peers_of.setdefault(peer.cluster, []).append(peer)
        self._lamps: dict[str, _Lamp] = {}
        self._lamp_task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._told: dict[object, tuple[str, Counts]] = {}
        self._called: dict[Session, PhoneCall] = {}
        self._agent = Agent(
            AgentSettings(
                product="Ringback voicemail",
                addresses={
                    "udp": (settings.address, settings.sip_port),
                    "tcp": (settings.address, settings.sip_port),
                    "tls": (settings.address, settings.sip_tls_port),
                },
                contact_user="voicemail",
                max_sessions=settings.most_calls,
            )
        )

    @property
    def ports(self) -> tuple[int, int]:
        """What is bound: for UDP and TCP, for TLS."""
        bound = {} if self._node is None else {transport: port for transport, _, port in self._node.endpoints}
        return bound.get("udp", 0), bound.get("tls", 0)

    @property
    def calls(self) -> int:
        """How many calls are in progress."""
        return len(self._calls)

    async def start(self) -> None:
        """Bind. Raises OSError."""
        settings = self._settings
        first, last = settings.media_ports
        self._host = MediaHost(settings.address, PortRange(first, last))
        self._node = SipNode(
            self._agent,
            self._on_event,
            listen=(
                Listen("udp", settings.address, settings.sip_port),
                Listen("tcp", settings.address, settings.sip_port),
                Listen("tls", settings.address, settings.sip_tls_port, context=self._server_context()),
            ),
            client_context=client_context(settings.ca_file, mode=settings.identity.mode, identity=settings.identity),
        )
        await self._node.start()
        for user in self._owners:
            self._light(user, await self._store.counts(user))
        self._lamp_task = asyncio.create_task(self._keep_telling(), name="lamps")

    async def stop(self) -> None:
        """Mirror of ``start``."""
        now = time.monotonic()
        for running in list(self._calls.values()):
            running.session.end(now)
            if running.live is not None:
                running.live.hang_up()
        await asyncio.gather(*(called.close() for called in list(self._called.values())))
        self._called.clear()
        tasks = [running.task for running in self._calls.values() if running.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lamp_task is not None:
            self._lamp_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._lamp_task
            self._lamp_task = None
        if self._node is not None:
            await self._node.stop()
            self._node = None
        if self._host is not None:
            self._host.close()
            self._host = None

    # --- calls

    def _on_event(self, event: Event, now: float) -> None:
        match event:
            case Invited(session, request, flow, sdp):
                self._invited(session, request, flow, sdp, now)
            case OfferArrived(session, _, sdp):
                self._offered(session, sdp, now)
            case InfoArrived():
                self._informed(event)
            case Accepted(session) if (called := self._called.get(session)) is not None:
                called.told(event)
            case Failed(session) | Ended(session) if (called := self._called.pop(session, None)) is not None:
                called.told(event)
            case Ended(session):
                self._ended(session)
            case Answered(handle, response):
                self._lamp_answered(handle, response.status)
            case Unanswered(handle):
                self._lamp_answered(handle, 0)
            case RequestArrived(transaction):
                self._agent.respond(now, transaction, 405, headers=(("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS"),))

    def _invited(self, session: Session, request: Request, flow: Flow, sdp: bytes | None, now: float) -> None:
        if not self._is_call_manager(flow):
            session.reject(now, 403)
            return
        if sdp is None or self._host is None:
            session.reject(now, 488)
            return
        if self._settings.pilot and _caller(request)[0] == self._settings.pilot:
            session.reject(now, 480)  # our own call to a phone that nobody took
            return
        running = _Running(session, self._line_for(session))
        try:
            answer = running.line.answer(sdp)
        except (SdpError, OSError) as error:
            _log.warning("telephone.call_refused", why=str(error))
            session.reject(now, 488 if isinstance(error, SdpError) else 503, headers=_warning(error))
            return
        self._calls[session] = running
        session.ring(now, 180)
        session.answer(now, answer)
        running.task = asyncio.get_running_loop().create_task(self._run(running, request), name="voicemail call")

    def _is_call_manager(self, flow: Flow) -> bool:
        """By the certificate on TLS, where an address proves nothing; else by the address."""
        if flow.secure:
            return any(name in self._hosts for name in flow.peer_names)
        return flow.remote[0] in self._addresses

    def _server_context(self) -> ssl.SSLContext:
        context = server_context(self._settings.identity)
        if self._settings.ca_file is not None:
            context.load_verify_locations(cafile=self._settings.ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _line_for(self, session: Session) -> Line:
        if self._host is None:
            raise OSError("the telephone is not running")

        def key(digit: str) -> None:
            self._calls[session].press(digit)

        def recorded() -> None:
            if (live := self._calls[session].live) is not None:
                live.recorded()

        def warned() -> None:
            if (live := self._calls[session].live) is not None:
                live.warn()

        settings = self._settings
        return Line(
            self._host,
            self._identity,
            key,
            recorded,
            longest=settings.longest_seconds,
            law=settings.law,
            on_warning=warned,
        )

    async def _run(self, running: _Running, request: Request) -> None:
        session = running.session
        try:
            running.live = await self._live(session, request)
            for digit in running.early:
                running.live.key(digit)
            if running.gone:
                running.live.hang_up()
            await running.live.run(running.line)
        finally:
            await running.line.close()
            del self._calls[session]

    async def _live(self, session: Session, request: Request) -> LiveCall:
        number, name = _caller(request)
        way = diverted(request)
        found = await self._desk.arrival(number, name, way)
        settings = self._settings
        call = it.Call(
            found.to,
            found.caller,
            settings.operator,
            way.number,
            busy=way.reason == "user-busy",
            longest=settings.longest_seconds,
            pin_length=settings.pins.length,
        )
        return LiveCall(
            call,
            found.sender,
            self._desk,
            language=language_of(found.locale),
            end=lambda: self._hang_up(session),
            transfer=lambda target: self._transfer(session, target),
        )

    def _offered(self, session: Session, sdp: bytes | None, now: float) -> None:
        running = self._calls.get(session)
        if running is None or sdp is None:
            session.refuse_offer(now)
            return
        try:
            session.answer_offer(now, running.line.answer(sdp))
        except (SdpError, OSError) as error:
            _log.warning("telephone.offer_refused", why=str(error))
            session.refuse_offer(now)

    def _informed(self, event: InfoArrived) -> None:
        """Keys of phones that have no telephone events (application/dtmf-relay)."""
        running = self._calls.get(event.session)
        found = _SIGNAL.search(event.body) if "dtmf" in event.content_type.lower() else None
        if running is not None and found is not None:
            running.press(found[1].decode())

    def call(self, user: str, number: str, rings: int) -> PhoneCall:
        """Let a phone ring for the owner of a mailbox; how it goes is told by what is given back. Raises CallError
        where no call can be made now."""
        owner = self._owners.get(user)
        peers = self._peers_of.get(owner.cluster, ()) if owner is not None else ()
        if self._node is None or self._host is None or not peers:
            raise CallError(503, "SERVICE_UNAVAILABLE", "No call manager can be asked for a call now")
        node = Node(self._agent, self._host, self._identity, self._settings, self._called.__setitem__, self._node.flush)
        made = PhoneCall(node, peers[0], number, rings)
        try:
            made.begin()
        except OSError as error:
            raise CallError(503, "SERVICE_UNAVAILABLE", "There is no room for another call now") from error
        return made

    def _ended(self, session: Session) -> None:
        running = self._calls.get(session)
        if running is None:
            return
        running.gone = True
        if running.live is not None:
            running.live.hang_up()

    def _hang_up(self, session: Session) -> None:
        session.end(time.monotonic())
        self._ended(session)
        if self._node is not None:
            self._node.flush()

    def _transfer(self, session: Session, number: str) -> None:
        with contextlib.suppress(SipError):  # the call is not there any more: so much the better
            session.refer(time.monotonic(), f"sip:{number}@{Uri.parse(session.remote_uri).host}")
        if self._node is not None:
            self._node.flush()

    # --- lamps

    def happened(self, event: Happened) -> None:
        """A mailbox changed: its lamp is told."""
        self._light(event.user, event.counts)

    def _light(self, user: str, counts: Counts) -> None:
        owner = self._owners.get(user)
        if owner is not None and owner.extension:
            self._lamps[user] = _Lamp(owner.extension, owner.cluster, counts)
            self._wake.set()

    async def _keep_telling(self) -> None:
        """Tell what is to be told, again after a while where nobody took it, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS if self._lamps else None):
                    await self._wake.wait()
            self._wake.clear()
            now = time.monotonic()
            due = [(user, one) for user, one in self._lamps.items() if not one.asked and one.after <= now]
            for user, lamp in due[: max(0, _AT_ONCE - len(self._told))]:
                self._tell(user, lamp)

    def _tell(self, user: str, lamp: _Lamp) -> None:
        peers = self._peers_of.get(lamp.cluster, ())
        if not peers or self._node is None:
            del self._lamps[user]
            return
        peer = peers[lamp.tries % len(peers)]
        lamp.tries += 1
        lamp.asked = True
        counts, extension = lamp.counts, lamp.extension
        summary = message_summary.MessageSummary(
            counts.new > 0,
            f"sip:{extension}@{self._settings.node}",
            {"Voice-Message": message_summary.Count(counts.new, counts.old, counts.urgent_new, counts.urgent_old)},
        )
        address = f"<sip:{extension}@{peer.host}>"
        handle = self._agent.send_request(
            time.monotonic(),
            "NOTIFY",
            f"sip:{extension}@{peer.host}",
            Target("tls", peer.address, peer.port, peer.host),
            from_=f"<sip:voicemail@{self._settings.node}>",
            to=address,
            headers=(("Event", message_summary.EVENT), ("Subscription-State", "active")),
            body=Body(message_summary.CONTENT_TYPE, summary.encode()),
        )
        self._told[handle] = (user, counts)
        self._node.flush()

    def _lamp_answered(self, handle: object, status: int) -> None:
        told = self._told.pop(handle, None)
        if told is None:
            return
        user, counts = told
        lamp = self._lamps.get(user)
        if lamp is not None and lamp.counts == counts:
            lamp.asked = False
            lamp.after = time.monotonic() + _AGAIN_SECONDS
        if 200 <= status < 300 or status == 404:  # a line that nobody has has no lamp either
            if lamp is not None and lamp.counts == counts:
                del self._lamps[user]
            if self._lamps:
                self._wake.set()
            return
        _log.warning("telephone.lamp_not_told", mailbox=user, status=status)


def _caller(request: Request) -> tuple[str, str]:
    """Number and name of who calls."""
    shown: NameAddr = next(iter(request.asserted_identities), request.from_)
    return shown.uri.number, shown.display


def _warning(error: Exception) -> tuple[tuple[str, str], ...]:
    """Why a call was refused, for who reads traces (RFC 3261 section 20.43)."""
    return (("Warning", f'399 voicemail "{str(error)[:120]}"'),) if isinstance(error, SdpError) else ()
