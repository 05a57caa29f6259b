"""The line of a softphone: the SIP node, the registration of its device, and what is told of it.

Registers by the device file: every call manager of the group in order, TLS before TCP where the file does not ask for
encryption, TLS alone where it does. Outside the company's network it registers with the same call managers through the
edge, over TLS alone. What arrives and belongs to no call is answered here.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog

import ringback
from ringback.client.calling.devices import OwnDevice
from ringback.client.calling.errors import refused
from ringback.client.calling.media import CallMedia, MediaProfile
from ringback.client.calling.phone import PhoneCard
from ringback.client.calling.phone_line import sip_uri
from ringback.client.edge import EdgeRoute, EdgeWay
from ringback.media.transport.host import MediaHost
from ringback.media.transport.ports import PortRange
from ringback.net.names import NameClient
from ringback.net.sip.connecting import SecondLook
from ringback.net.sip.locate import Locator
from ringback.net.sip.node import Listen, SipNode
from ringback.net.sip.peers import StreamFlow
from ringback.protocols.device_config import DeviceConfig, SecurityMode, Transport
from ringback.protocols.sip import events
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.bodies.message_summary import MessageSummary
from ringback.protocols.sip.flows import Flow, Target
from ringback.protocols.sip.flows import Transport as Wire
from ringback.protocols.sip.message import Response
from ringback.protocols.sip.registration import Registrar, Registration, RegistrationSettings
from ringback.protocols.sip.settings import AgentSettings, Credential
from ringback.protocols.sip.subscription import Subscription
from ringback.rules.reasons import Reason

_MODEL = "503"  # Client Services Framework
_NO_SERVER = {False: "calls.phone.no_server", True: "calls.phone.no_calls_outside"}
_EDGE_REASON = "Ringback-Reason"
_DESTROY = 'SIP;cause=200;text="cisco-alarm:111 Name={device} Last=Application-Requested-Destroy"'
_SUMMARY = "message-summary"
MOVE_SECONDS = 30.0  # for registering again from another network
_ELSEWHERE = "active for another client"
# Through an edge: it closes connections that are silent for long, and translators on the way forget sooner.
EDGE_EXPIRES = 120
EDGE_KEEP_ALIVE = 25

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """``names``: who looks names up; ``context``: what connections over TLS are opened with; ``display``: our name;
    ``token``: gives the access token of now, for call managers that ask for one (empty: there is none);
    ``second_look``: told of certificates that end a connection; ``refused``: told when no call manager lets us in;
    ``route``: says whether call managers are reached through an edge, ``edge_context`` what TLS to it is opened with;
    ``barred``: why the edge gives this person no calls, where it said so; it is told the id of the reason where that
    came by SIP; ``let_in``: told when it does give them."""

    names: NameClient
    context: Callable[[], ssl.SSLContext]
    display: str
    token: Callable[[], str] = str
    second_look: SecondLook | None = None
    refused: Callable[[], None] = lambda: None
    route: EdgeRoute = field(default_factory=EdgeRoute)
    edge_context: Callable[[EdgeWay], ssl.SSLContext] | None = None
    barred: Callable[[str], Reason | None] = lambda _: None
    let_in: Callable[[], None] = lambda: None


class Line:
    """One device's line. ``start`` it, ``stop`` it; ``told`` gets every event that is none of the registration."""

    def __init__(
        self,
        settings: LineSettings,
        own: OwnDevice,
        instance: str,
        card: PhoneCard,
        told: Callable[[events.SipEvent], None],
        profile: Callable[[], MediaProfile],
    ) -> None:
        if own.config is None or not own.config.lines:
            raise refused("calls.phone.no_file", device=own.device.name, why=own.problem)
        self.own = own
        self._config: DeviceConfig = own.config
        self._settings = settings
        self._instance = instance
        self._card = card
        self._told = told
        self._profile = profile
        self._node: SipNode | None = None
        self._registration: Registration | None = None
        self._way: EdgeWay | None = None
        self._host: MediaHost | None = None
        self._hosts: list[MediaHost] = []
        self._flush: asyncio.Handle | None = None
        self._messages: tuple[Flow, Subscription] | None = None
        self._changed = asyncio.Event()
        self._taking_over = False
        self._picture_rate = 0

    # --- what calls need

    @property
    def agent(self) -> Agent:
        """The SIP core."""
        if self._node is None:
            raise refused("calls.refused.not_registered")
        return self._node.agent

    @property
    def flow(self) -> Flow | None:
        """The connection over which we are registered."""
        registration = self._registration
        return registration.flow if registration is not None and registration.state == "registered" else None

    @property
    def number(self) -> str:
        """The directory number."""
        return self._config.lines[0].name

    @property
    def domain(self) -> str:
        """The domain of the cluster."""
        return self._config.domain or self.server

    @property
    def server(self) -> str:
        """The call manager of now."""
        registration = self._registration
        if registration is not None and registration.registrar is not None:
            target = registration.registrar.target
            return target.behind or target.host
        return self._config.servers[0].name if self._config.servers else ""

    @property
    def device(self) -> str:
        """The device name."""
        return self.own.device.name

    @property
    def display(self) -> str:
        """Our name."""
        return self._config.lines[0].display_name or self._settings.display

    @property
    def route(self) -> tuple[str, ...]:
        """What requests outside of a dialog carry as Route: the edge's, outside."""
        way = self._way
        return (way.sip_route,) if way is not None and way.sip_route else ()

    @property
    def edge(self) -> str:
        """The edge through which the call managers are reached; empty: directly."""
        way, registration = self._way, self._registration
        if way is None:
            return ""
        registrar = registration.registrar if registration is not None else None
        return registrar.target.host if registrar is not None else way.edge.host

    @property
    def way(self) -> EdgeWay | None:
        """The edge through which we are registered; None: directly."""
        return self._way

    @property
    def next_way(self) -> EdgeWay | None:
        """The way to the call managers that counts now: by it we register when the network changed."""
        return self._settings.route.now

    @property
    def why_not(self) -> Reason:
        """Why nobody can be called now."""
        refused_why = self._card.now.text if self._card.now.state == "refused" else None
        return refused_why or Reason.of("calls.refused.not_registered")

    def now(self) -> float:
        """The clock of the SIP core, for an action: what it wants to send leaves at the end of this turn."""
        if self._node is None:
            return time.monotonic()
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_soon(self._flush_now, self._node)
        return self._node.clock()

    def _flush_now(self, node: SipNode) -> None:
        self._flush = None
        node.flush()

    def media(self) -> CallMedia:
        """The media of a new call, at the address from which the call manager sees us. Raises CallError."""
        flow = self.flow
        if flow is None:
            raise refused("calls.refused.not_registered")
        host = self._media_host(flow.local[0])
        return CallMedia(host, self._profile(), picture_rate=self._picture_rate)

    def remember_pictures(self, media: CallMedia) -> None:
        """What pictures could take in a call that ended: the next one begins there (E9)."""
        if media.pictures is not None and media.picture is not None:
            self._picture_rate = media.pictures.rate.optimum

    def _media_host(self, address: str) -> MediaHost:
        if self._host is None or self._host.pool.address != address:
            ports = PortRange(self._config.start_media_port, self._config.stop_media_port)
            self._host = MediaHost(address, ports)
            self._hosts.append(self._host)
        return self._host

    # --- life

    async def start(self) -> None:
        """Begin to register. The card tells how it goes."""
        registrars = self._registrars()
        agent = Agent(
            AgentSettings(
                product=f"Ringback/{ringback.__version__}",
                contact_user=self.number,
                allow_events=("kpml", "dialog", "refer", _SUMMARY),
                credentials=self._credentials(),
            )
        )
        udp = bool(registrars) and registrars[-1].target.transport == "udp"
        listen = (Listen("udp", "0.0.0.0"),) if udp else ()
        self._node = node = SipNode(
            agent,
            self._handle,
            listen=listen,
            client_context=self._settings.context(),
            locator=Locator(self._settings.names),
            second_look=self._settings.second_look,
        )
        await node.start()
        self._register(node, registrars)

    def _register(self, node: SipNode, registrars: tuple[Registrar, ...]) -> None:
        """Begin a registration by the way that counts now."""
        way, timers, route = self._way, self._config.timers, self.route
        if not registrars:
            why = self._settings.barred("") if way is not None else None
            why = why or Reason.of(_NO_SERVER[way is not None], device=self.device)
            self._card.state("refused", why, calm=way is not None)
            return
        if way is not None and self._settings.edge_context is not None:
            node.change_context(self._settings.edge_context(way))
        else:
            node.change_context(self._settings.context())
        headers = (("Reason", _DESTROY.format(device=self.device)),) if self._taking_over else ()
        self._registration = registration = node.agent.register(
            RegistrationSettings(
                user=self.number,
                registrars=registrars,
                display=self.display,
                expires=timers.register_expires if way is None else min(EDGE_EXPIRES, timers.register_expires),
                delta=timers.register_delta,
                instance=self._instance,
                contact_params=(
                    ("+u.sip!devicename.ccm.cisco.com", f'"{self.device}"'),
                    ("+u.sip!model.ccm.cisco.com", f'"{_MODEL}"'),
                ),
                headers=(*headers, *(("Route", value) for value in route)),
                keep_alive=timers.keep_alive_expires if way is None else EDGE_KEEP_ALIVE,
                standby_keep_alive=way is None,
                return_after=self._config.connection_monitor,
                token=self._token_for,
            )
        )
        self._card.state("connecting", Reason.of("calls.phone.connecting", server=self.server), server=self.server)
        registration.start(self.now())

    async def stop(self) -> None:
        """Leave in order: the call manager forgets us."""
        node, self._node = self._node, None
        registration, self._registration = self._registration, None
        if node is not None:
            if registration is not None:
                registration.stop(node.clock())
            await node.stop()
        self._messages = None
        for host in self._hosts:
            host.close()
        self._hosts.clear()
        self._host = None

    async def try_now(self) -> None:
        """Register at once; where another computer has the device, take it over."""
        registration = self._registration
        if registration is None or registration.state == "registered":
            return
        if registration.state == "refused" and _is_elsewhere(registration.last_response) and not self._taking_over:
            self._taking_over = True
            await self.stop()
            await self.start()
            return
        registration.refresh(self.now())

    def token_changed(self) -> None:
        """There is a new access token: try again where the last one was refused."""
        registration = self._registration
        if registration is not None and registration.state == "refused":
            registration.refresh(self.now())

    async def network_changed(self) -> None:
        """Give the old connection up, which nobody may ever answer on, and register from the address of now.

        Returns when that is done; raises TimeoutError where it takes too long.
        """
        registration, before, node = self._registration, self.flow, self._node
        if node is not None and self._settings.route.now is not self._way:
            self._give_up()
            self._register(node, self._registrars())
            if self._registration is None:
                return
        elif registration is None:
            return
        elif isinstance(before, StreamFlow):
            before.connection.abort()  # its end makes the registration begin anew, with the first server
        else:
            registration.refresh(self.now())
        async with asyncio.timeout(MOVE_SECONDS):
            while self.flow is None or self.flow is before:
                self._changed.clear()
                await self._changed.wait()

    def _give_up(self) -> None:
        """Let the registration go without a word: there is no way to the server any more, and it would take a goodbye
        that still reaches it for the end of our calls."""
        registration, self._registration = self._registration, None
        if registration is None:
            return
        flow, registration.flow = registration.flow, None
        registration.stop(self.now())
        self.agent.forget(registration)
        if isinstance(flow, StreamFlow):
            flow.connection.abort()

    def media_host(self) -> MediaHost | None:
        """Where media of calls are at home now; None where we are not registered."""
        return self._media_host(self.flow.local[0]) if self.flow is not None else None

    def _registrars(self) -> tuple[Registrar, ...]:
        """Where to register, in order, by the way that counts now."""
        outside = self._way = self._settings.route.now
        if outside is not None:
            return tuple(
                Registrar(Target("tls", edge.host, edge.port, behind=server.name), server.name)
                for server in self._config.servers
                for edge in outside.sip
            )
        encrypted = self._config.security_mode is SecurityMode.ENCRYPTED or self._config.transport == Transport.TLS
        udp = self._config.transport == Transport.UDP
        ways: tuple[Wire, ...] = ("tls",) if encrypted else ("tls", "udp" if udp else "tcp")
        rows = []
        for way in ways:
            for server in self._config.servers:
                port = server.secured_sip_port if way == "tls" else server.sip_port
                rows.append(Registrar(Target(way, server.name, port), self._config.domain or server.name))
        return tuple(rows)

    def _credentials(self) -> tuple[Credential, ...]:
        told = self.own.device.credential
        return (Credential(told.user, told.secret, told.realm),) if told is not None else ()

    def _token_for(self, server: str) -> str:
        """The access token, where the authorisation server that a challenge names is one of our call managers."""
        try:
            host = (urlsplit(server).hostname or "").lower()
        except ValueError:
            return ""
        ours = server.startswith("https://") and host in {one.name.lower() for one in self._config.servers}
        return self._settings.token() if ours else ""

    # --- what SIP tells

    def _handle(self, event: events.SipEvent, _: float) -> None:
        if isinstance(event, events.RegistrationChanged):
            self._registered(event.registration)
        else:
            self._told(event)

    def _registered(self, registration: Registration) -> None:
        node = self._node
        if node is None or registration is not self._registration:
            return
        self._changed.set()
        secure = registration.flow is not None and registration.flow.secure
        retry = None
        if registration.next_try is not None:
            retry = max(registration.next_try - node.clock(), 0.0)
        reasons, barred = registration.reasons, self._barred(registration.last_response)
        elsewhere = registration.state == "refused" and _is_elsewhere(registration.last_response)
        if registration.state == "refused" and not elsewhere:
            self._settings.refused()
            reasons = (*barred, *reasons)
        if elsewhere:
            reasons = (Reason.of("calls.phone.elsewhere", device=self.device), *reasons)
        if registration.state == "registered":
            why = "calls.phone.registered_secure" if secure else "calls.phone.registered"
            if self.edge:
                why = "calls.phone.registered_edge"
            values = {"server": self.server, "number": self.number, "edge": self.edge or "-"}
            reasons = (Reason.of(why, **values), *reasons)
            self._watch_messages(registration.flow)
            if self.edge:
                self._settings.let_in()
        calm = registration.state == "refused" and bool(barred)
        self._card.state(registration.state, *reasons, server=self.server, secure=secure, retry_in=retry, calm=calm)

    def _barred(self, response: Response | None) -> tuple[Reason, ...]:
        """Why the edge itself refused us, where it says that it did."""
        said = response.get(_EDGE_REASON) if response is not None and self.edge else None
        why = self._settings.barred(said) if said else None
        return (why,) if why is not None else ()

    def _watch_messages(self, flow: Flow | None) -> None:
        """Let this server tell how many messages wait (RFC 3842); again wherever we register anew."""
        before = self._messages
        if flow is None or (before is not None and before[0] is flow):
            return
        address = sip_uri(self.number, self.domain)
        subscription = self.agent.subscribe(
            self.now(),
            address,
            flow,
            event=_SUMMARY,
            from_=f"<{address}>",
            contact=self.agent.contact(flow, self.number),
            route=self.route,
        )
        self._messages = (flow, subscription)

    def answer_stranger(self, event: events.SipEvent) -> None:
        """What belongs to no call: message counts are taken, the rest is answered as the protocol wants it."""
        match event:
            case events.RequestArrived(transaction=transaction, request=request):
                status = 200
                if request.method == "NOTIFY":
                    self._notified(request.get("Event") or "", request.body)
                elif request.method not in ("MESSAGE", "INFO", "OPTIONS"):
                    status = 501
                self.agent.respond(self.now(), transaction, status)
            case events.InDialogRequest(transaction=transaction):
                self.agent.respond(self.now(), transaction, 200)
            case events.SubscribeArrived(notifier=notifier):
                notifier.refuse(self.now(), 489)
            case events.Referred(session=session, refer=refer):
                session.refuse_refer(self.now(), refer, 603)
            case events.Notified(content_type=_, body=body, subscription=subscription):
                self._notified(subscription.event, body)
            case _:
                pass  # of the agent's further events none concerns a softphone

    def _notified(self, package: str, body: bytes) -> None:
        if package.partition(";")[0].strip() != _SUMMARY:
            return
        try:
            summary = MessageSummary.parse(body)
        except BodyError as error:
            log.info("calling.message_summary_unread", why=str(error))
            return
        voice = summary.voice_messages.new
        self._card.set(messages=voice or int(summary.waiting))


def _is_elsewhere(response: Response | None) -> bool:
    """Whether the device was refused because another client has it (``docs/interfaces/calls.md``)."""
    return response is not None and response.status == 403 and _ELSEWHERE in (response.get("Warning") or "")
