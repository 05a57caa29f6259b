"""Registering with the first of several registrars that answers, and staying so (RFC 3261 section 10, RFC 5626).

States: off → connecting → registered; waiting when no registrar answered, refused when one said no. While a later
registrar of the list serves, the first is asked from time to time and returned to as soon as it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ringback.protocols.sip.bearer import TokenAnswerer, TokenSource
from ringback.protocols.sip.core import Core, content_of
from ringback.protocols.sip.digest import Answerer
from ringback.protocols.sip.events import FlowWanted, RegistrationChanged
from ringback.protocols.sip.exchange import Exchange
from ringback.protocols.sip.flows import Content, Flow, Target
from ringback.protocols.sip.message import Response
from ringback.protocols.sip.settings import Credential
from ringback.protocols.sip.timers import Timer
from ringback.rules.reasons import Reason

if TYPE_CHECKING:
    from ringback.protocols.sip.transactions import Why

RegistrationState = Literal["off", "connecting", "registered", "waiting", "refused"]
_REFUSALS: Final = frozenset({401, 402, 403, 404, 405, 407, 410, 420, 421, 488, 489, 600, 603, 604, 606})
_CISCO_KEEP_ALIVE: Final = "cisco-keep-alive"
_SERVERS: Final = 16  # whose wishes are remembered


@dataclass(frozen=True, slots=True)
class Registrar:
    """A server to register with: where it is, and the domain for the Request-URI (``sip:domain``)."""

    target: Target
    domain: str


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """What to register.

    ``user``: the address of record's user part (directory number); ``display``: name for From. ``registrars`` in order
    of preference: while a later one serves, the first is asked every ``return_after`` seconds whether it is back.
    ``expires``: seconds asked for; what the server grants counts, refreshed ``delta`` seconds early (the device file's
    timerRegisterDelta), of a short one at half. ``instance``: ``urn:uuid:...`` for +sip.instance; ``reg_id`` 0: no
    outbound (RFC 5626). ``contact_user``: user part of the Contact (empty: ``user``); ``contact_params``: more Contact
    header parameters with their quotes; ``headers``: further header fields of each REGISTER, ``body`` for the first one
    after connecting. ``keep_alive``: seconds between keep-alives: on a connection CRLF, over UDP a REGISTER, to a
    standby registrar the REGISTER with ``Expires: 0`` and ``cisco-keep-alive`` where ``standby_keep_alive``. ``retry``:
    first and longest seconds to wait after all registrars failed (doubling, with up to half of it by chance). ``token``
    gives access tokens for servers that ask for one on TLS (RFC 8898), before digest is tried.
    """

    user: str
    registrars: tuple[Registrar, ...]
    credentials: tuple[Credential, ...] = ()
    display: str = ""
    expires: int = 3600
    delta: int = 5
    instance: str = ""
    reg_id: int = 1
    contact_user: str = ""
    contact_params: tuple[tuple[str, str | None], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Content = None
    keep_alive: int = 120
    standby_keep_alive: bool = False
    return_after: int = 120
    retry: tuple[float, float] = (2.0, 120.0)
    token: TokenSource | None = None


class Registration:
    """Made by ``Agent.register``. Attributes: ``state``, ``reasons`` (why it is in this state), ``registrar`` (the
    current one, or None), ``flow`` (over which it is registered, for INVITEs), ``expires_at``, ``next_try`` (time of
    the next attempt while "waiting" or "refused", else None), ``last_response``, ``service_route`` (Route values, RFC
    3608), ``owner`` of the application."""

    __slots__ = (
        "_call_id",
        "_core",
        "_exchange",
        "_failures",
        "_index",
        "_probe",
        "_probe_timer",
        "_reported",
        "_round",
        "_seq",
        "_tag",
        "_timer",
        "_tokens",
        "_wanted",
        "expires_at",
        "flow",
        "last_response",
        "next_try",
        "owner",
        "reasons",
        "registrar",
        "service_route",
        "settings",
        "state",
    )

    def __init__(self, core: Core, settings: RegistrationSettings) -> None:
        """Raises ValueError without a registrar."""
        if not settings.registrars:
            raise ValueError("a registration needs a registrar")
        self._core = core
        self.settings = settings
        self.state: RegistrationState = "off"
        self.reasons: tuple[Reason, ...] = ()
        self.registrar: Registrar | None = None
        self.flow: Flow | None = None
        self.expires_at = 0.0
        self.next_try: float | None = None
        self.last_response: Response | None = None
        self.service_route: tuple[str, ...] = ()
        self.owner: object = None
        self._call_id = core.tokens() + core.tokens()
        self._tag = ""
        self._seq = 0
        self._index = 0
        self._round: list[Reason] = []
        self._failures = 0
        self._wanted = settings.expires
        self._exchange: Exchange | None = None
        self._timer: Timer | None = None
        self._probe: _Probe | None = None
        self._probe_timer: Timer | None = None
        self._reported = False
        self._tokens: dict[tuple[str, int], TokenAnswerer] = {}

    # --- actions

    def start(self, now: float) -> None:
        """Begin with the first registrar."""
        if self.state == "off":
            self._restart(now)

    def refresh(self, now: float) -> None:
        """Register again now (after the network changed, or a person asked)."""
        if self.state == "off":
            return
        if self.state == "registered" and self.flow is not None and not self.flow.closed:
            self._register(self.flow, now)
        elif self.state != "connecting":
            self._restart(now)

    def stop(self, now: float) -> None:
        """Unregister (Expires 0) and stay off."""
        flow, registered = self.flow, self.state == "registered"
        self._cancel_timers()
        self._exchange = None
        if registered and flow is not None and not flow.closed:
            self._send(flow, 0, _Ignored(), now)
        self._set("off", (Reason.of("registration.off"),))

    # --- from the driver

    def flow_ready(self, target: Target, flow: Flow, now: float) -> None:
        """A flow to ``target`` is open."""
        probe = self._probe
        if probe is not None and probe.registrar.target == target and probe.flow is None:
            probe.begin(flow, now)
            return
        registrar = self.registrar
        if self.state == "connecting" and registrar is not None and registrar.target == target and self.flow is None:
            self._register(flow, now)

    def flow_failed(self, target: Target, reason: Reason, now: float) -> None:
        """No flow to ``target`` can be opened."""
        probe = self._probe
        if probe is not None and probe.registrar.target == target and probe.flow is None:
            self._probe = None
            self._arm_probe(now)
            return
        registrar = self.registrar
        if self.state == "connecting" and registrar is not None and registrar.target == target:
            self._next((reason,), now)

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """From the agent: a connection is gone."""
        probe = self._probe
        if probe is not None and probe.flow is flow:
            self._probe = None
            self._arm_probe(now)
        if flow is self.flow and self.state in ("registered", "connecting"):
            lost = Reason.of("registration.connection-lost", server=self._name())
            self._exchange = None
            self.flow = None
            if self.state == "connecting":
                self._next((lost,), now)
            else:
                self._index = 0
                self._round = [lost]
                self._attempt(now)

    # --- attempts

    def _restart(self, now: float) -> None:
        self._index = 0
        self._round = []
        self._attempt(now)

    def _name(self) -> str:
        return self.registrar.target.host if self.registrar is not None else ""

    def _attempt(self, now: float) -> None:
        self._cancel_timers()
        self.flow = None
        self.next_try = None
        self.registrar = self.settings.registrars[self._index]
        self._set("connecting", (*self._round, Reason.of("registration.connecting", server=self._name())))
        self._core.emit(FlowWanted(self, self.registrar.target))

    def _register(self, flow: Flow, now: float) -> None:
        self.flow = flow
        body = self.settings.body if not self._reported or self.state == "connecting" else None
        self._exchange = self._send(flow, self._wanted, self, now, body)

    def _send(
        self, flow: Flow, expires: int, user: _User, now: float, body: Content = None, extra: str = ""
    ) -> Exchange:
        settings = self.settings
        registrar = self.registrar if not isinstance(user, _Probe) else user.registrar
        domain = (registrar or settings.registrars[0]).domain
        display = f'"{settings.display}" ' if settings.display else ""
        self._tag = self._core.tokens()
        record = f"<sip:{settings.user}@{domain}>"
        rows = [("From", f"{display}{record};tag={self._tag}"), ("To", f"{display}{record}")]
        rows += [("Call-ID", self._call_id), ("Max-Forwards", str(self._core.settings.max_forwards))]
        rows.append(("Contact", self.contact(flow) + extra))
        rows += [("Expires", str(expires)), *self._core.abilities, *self._core.product, *settings.headers]
        more, data = content_of(body)
        answerer = self._answerer(flow)
        return self._core.exchange(
            user, "REGISTER", f"sip:{domain}", [*rows, *more], data, (flow,), self._next_seq, answerer, now
        )

    def _answerer(self, flow: Flow) -> Answerer | None:
        """What answers the challenges of the server at a flow; it remembers what that wants."""
        digest = self._core.answerer(self.settings.credentials or None, flow)
        if self.settings.token is None or not flow.secure:
            return digest
        if flow.remote not in self._tokens:
            if len(self._tokens) >= _SERVERS:
                self._tokens.clear()
            self._tokens[flow.remote] = TokenAnswerer(self.settings.token, digest)
        return self._tokens[flow.remote]

    def contact(self, flow: Flow) -> str:
        """Our Contact value over a flow, as it is registered."""
        settings = self.settings
        params = ""
        if settings.instance:
            params += f';+sip.instance="<{settings.instance}>"'
            if settings.reg_id:
                params += f";reg-id={settings.reg_id}"
        for name, value in settings.contact_params:
            params += f";{name}" if value is None else f";{name}={value}"
        return self._core.contact(flow, settings.contact_user or settings.user, params)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    # --- what comes back

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """The answer to a REGISTER."""
        status = response.status
        if exchange is not self._exchange or status < 200 or self.state == "off":
            return
        self.last_response = response
        if status < 300:
            self._granted(response, flow, now)
        elif status == 423 and _number(response.get("Min-Expires")) > self._wanted:
            self._wanted = _number(response.get("Min-Expires"))
            self._register(flow, now)
        elif status in _REFUSALS:
            self._refused(response, now)
        else:
            self._next((_answered(self._name(), response),), now, response.retry_after)

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """No answer to a REGISTER."""
        if exchange is self._exchange and self.state != "off":
            self._next((Reason.of(f"registration.{why}", server=self._name()),), now)

    def _granted(self, response: Response, flow: Flow, now: float) -> None:
        granted = self._expires_in(response)
        if granted == 0:
            self._next((Reason.of("registration.not-kept", server=self._name()),), now)
            return
        self._reported = True
        self._failures = 0
        self._round = []
        self.expires_at = now + granted
        self.service_route = tuple(str(route) for route in response.service_routes)
        wait = granted / 2 if granted <= 4 * self.settings.delta else float(granted - self.settings.delta)
        if flow.reliable:
            told = _number(response.get("Flow-Timer"))
            flow.keep_alive = float(min(told or self.settings.keep_alive, self.settings.keep_alive))
        elif self.settings.keep_alive:
            wait = min(wait, self.settings.keep_alive / 2)  # a dead server is noticed within the interval
        self._core.timers.cancel(self._timer)
        self._timer = self._core.timers.at(now + wait, self._on_refresh_due)
        self._arm_probe(now)
        texts: tuple[Reason, ...] = (
            Reason.of("registration.registered", server=self._name(), user=self.settings.user),
        )
        if self._index:
            first = self.settings.registrars[0].target.host
            texts += (Reason.of("registration.on-standby", server=self._name(), first=first),)
        self._set("registered", texts)

    def _expires_in(self, response: Response) -> int:
        """What was granted to our contact (RFC 3261 section 10.2.4)."""
        user = self.settings.contact_user or self.settings.user
        header = response.expires
        found = [
            contact
            for contact in response.contacts
            if contact.uri.user == user
            and (
                not self.settings.instance
                or self.settings.instance.lower()
                in (contact.params.get("+sip.instance") or self.settings.instance).lower()
            )
        ]
        if len(found) > 1 and self.flow is not None:
            port = self._core.local_of(self.flow)[1]
            found = [contact for contact in found if contact.uri.port == port] or found
        told = found[0].expires if found else None
        if told is None:
            told = header
        return self._wanted if told is None else told

    def _on_refresh_due(self, now: float) -> None:
        if self.flow is None or self.flow.closed:
            self._restart(now)
        else:
            self._register(self.flow, now)

    def _refused(self, response: Response, now: float) -> None:
        server, status = self._name(), response.status
        self._cancel_timers()
        told = next((warning.text for warning in _warnings(response)), "") or response.reason
        answerer = self._exchange.answerer if self._exchange is not None else None
        if status in (401, 407) and isinstance(answerer, TokenAnswerer) and answerer.token_refused:
            why = Reason.of("registration.token-refused", server=server)
        elif status in (401, 407):
            why = Reason.of("registration.password-refused", server=server, user=self.settings.user)
        else:
            why = Reason.of("registration.refused", server=server, status=status, text=told)
        self._again(now, self.settings.retry[1], "refused", (why,))

    def _next(self, why: tuple[Reason, ...], now: float, retry_after: int | None = None) -> None:
        """The next registrar, or after the last one a pause."""
        self._round.extend(why)
        self._exchange = None
        self.flow = None
        if self._index + 1 < len(self.settings.registrars):
            self._index += 1
            self._attempt(now)
            return
        self._index = 0
        first, longest = self.settings.retry
        pause = min(first * 2**self._failures, longest)
        self._failures = min(self._failures + 1, 16)
        chance = int(self._core.tokens()[:4], 16) / 0xFFFF
        pause += pause / 2 * chance
        reasons, self._round = tuple(self._round), []
        self._again(now, max(pause, float(min(retry_after or 0, 3600))), "waiting", reasons)

    def _again(self, now: float, pause: float, state: RegistrationState, reasons: tuple[Reason, ...]) -> None:
        self._cancel_timers()
        self._exchange = None
        self.next_try = now + pause
        self._timer = self._core.timers.at(self.next_try, self._restart)
        self._set(state, reasons)

    def _set(self, state: RegistrationState, reasons: tuple[Reason, ...]) -> None:
        if state != "registered":
            self.service_route = ()
        if state == self.state and reasons == self.reasons:
            return
        self.state = state
        self.reasons = reasons
        self._core.emit(RegistrationChanged(self, state, reasons))

    def _cancel_timers(self) -> None:
        timers = self._core.timers
        timers.cancel(self._timer)
        timers.cancel(self._probe_timer)
        self._timer = self._probe_timer = None
        self._probe = None

    # --- the other registrars

    def _arm_probe(self, now: float) -> None:
        """Ask the first registrar whether it is back; while it serves, tell the standby that we live."""
        timers = self._core.timers
        if self._probe_timer is not None or self._probe is not None:
            return
        if self._index:
            self._probe_timer = timers.at(now + self.settings.return_after, self._on_probe_due)
        elif self.settings.standby_keep_alive and len(self.settings.registrars) > 1:
            self._probe_timer = timers.at(now + self.settings.keep_alive, self._on_probe_due)

    def _on_probe_due(self, now: float) -> None:
        self._probe_timer = None
        if self.state != "registered":
            return
        registrar = self.settings.registrars[0 if self._index else 1]
        self._probe = _Probe(self, registrar)
        self._core.emit(FlowWanted(self, registrar.target))

    def probed(self, probe: _Probe, flow: Flow, now: float, *, alive: bool) -> None:
        """From the probe: the other registrar answered, or not."""
        if probe is not self._probe:
            return
        self._probe = None
        if not alive or self._index == 0 or self.state != "registered":
            self._arm_probe(now)
            return
        older, self._index, self._round = self.flow, 0, []
        if older is not None and not older.closed:
            self._send(older, 0, _Ignored(), now)
        self.registrar = self.settings.registrars[0]
        self._register(flow, now)


class _Probe:
    """A REGISTER with cisco-keep-alive, or OPTIONS, to a registrar that does not serve us now."""

    __slots__ = ("_registration", "flow", "registrar")

    def __init__(self, registration: Registration, registrar: Registrar) -> None:
        self._registration = registration
        self.registrar = registrar
        self.flow: Flow | None = None

    def begin(self, flow: Flow, now: float) -> None:
        """Ask over a new flow."""
        self.flow = flow
        registration = self._registration
        core, settings = registration._core, registration.settings
        if settings.standby_keep_alive:
            registration._send(flow, 0, self, now, None, f";expires=0;{_CISCO_KEEP_ALIVE}")
            return
        record = f"<sip:{settings.user}@{self.registrar.domain}>"
        rows = [("From", f"{record};tag={core.tokens()}"), ("To", f"<sip:{self.registrar.domain}>")]
        rows += [("Call-ID", core.tokens()), ("Max-Forwards", "70"), ("Contact", registration.contact(flow))]
        uri = f"sip:{self.registrar.domain}"
        core.exchange(self, "OPTIONS", uri, rows, b"", (flow,), registration._next_seq, None, now)

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """Any answer but 408 and 503 says that it lives."""
        if response.status >= 200:
            self._registration.probed(self, flow, now, alive=response.status not in (408, 503))

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """It does not."""
        if self.flow is not None:
            self._registration.probed(self, self.flow, now, alive=False)


class _Ignored:
    """The answer to an unregistration."""

    __slots__ = ()

    def on_response(self, exchange: Exchange, response: Response, flow: Flow, now: float) -> None:
        """Nothing to do."""

    def on_failure(self, exchange: Exchange, why: Why, now: float) -> None:
        """Nothing to do."""


_User = Registration | _Probe | _Ignored


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _answered(server: str, response: Response) -> Reason:
    return Reason.of("registration.answered", server=server, status=response.status, text=response.reason)


def _warnings(response: Response) -> list[_Warned]:
    return [_Warned(value.partition('"')[2].rpartition('"')[0]) for value in response.all("Warning")]


@dataclass(frozen=True, slots=True)
class _Warned:
    text: str
