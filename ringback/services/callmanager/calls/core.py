"""What all parts of call control share: the agent, the calls, the timers, and what is known of lines and phones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.session import Session
from ringback.protocols.sip.timers import Timer, TimerQueue
from ringback.rules.call_forwarding import Forwarding, Quiet
from ringback.rules.dial_plan import Caller, DialPlan, Origin, Route, route
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.facts import Records, Registered
from ringback.services.callmanager.calls.identity import Shown
from ringback.services.callmanager.calls.joining import Desk
from ringback.services.callmanager.calls.leg import Leg
from ringback.services.callmanager.calls.peers import Peers
from ringback.services.callmanager.calls.registrar import Binding, Registrar
from ringback.services.callmanager.settings import CallSettings
from ringback.storage.callmanager.call_rows import DigestHashes, Line, MessageCounts, Phone

_CALL_NUMBERS: Final = 0xFFFFFF  # the id of a call has 24 bits in records; the node's number stands above them
_ROUTES: Final = 10_000  # remembered at most
PhoneBinding = Binding

_log: Final = structlog.get_logger("ringback.callmanager.calls")


class Lines(Protocol):
    """What is read of lines and phones; never waits. ``line_book.LineBook`` is one."""

    @property
    def lines(self) -> Mapping[str, Line]:
        """All lines by number."""

    def line(self, number: str) -> Line | None:
        """The line of a directory number."""

    def line_of_contact(self, contact: str) -> Line | None:
        """The line that a contact UUID stands for."""

    def phone(self, name: str) -> Phone | None:
        """A phone by its name, in any case."""

    def phone_of_user(self, user: str) -> Phone | None:
        """The phone that signs in as this user."""

    def phones_of(self, number: str) -> tuple[Phone, ...]:
        """The phones that share a line."""

    def phones_of_person(self, user: str) -> tuple[Phone, ...]:
        """The phones that a person owns."""

    def pickup_group(self, name: str) -> frozenset[str]:
        """The numbers of the lines of a pick-up group."""

    def digest(self, user: str) -> DigestHashes | None:
        """The hashes of a digest user's secret."""


class Changes(Protocol):
    """What phones change for good; each is written behind, and the lines tell it soon after."""

    def set_forwarding(self, number: str, forwarding: Forwarding) -> None:
        """Forward a line."""

    def set_quiet(self, phone: str, quiet: Quiet) -> None:
        """Do not disturb of a phone."""

    def set_messages(self, number: str, counts: MessageCounts) -> None:
        """Messages that wait at a line."""


@dataclass(slots=True)
class Core:
    """``own_hosts``: names and addresses that mean this cluster in a SIP URI. ``remote``: devices that are registered
    with other nodes, by name. ``wall``: what to add to ``now`` for Unix seconds. ``security``: kept by the driver."""

    settings: CallSettings
    node: str
    agent: Agent
    lines: Lines
    peers: Peers
    registrar: Registrar
    desk: Desk
    records: Records
    changes: Changes
    own_hosts: frozenset[str]
    wall: float = 0.0
    timers: TimerQueue = field(default_factory=TimerQueue)
    calls: dict[int, Call] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    by_device: dict[str, set[Leg]] = field(default_factory=dict)
    by_line: dict[str, set[Leg]] = field(default_factory=dict)
    remote: dict[str, Registered] = field(default_factory=dict)
    watchers: list[Callable[[str, float], None]] = field(default_factory=list)
    _shown: dict[str, tuple[Line, Shown]] = field(default_factory=dict)
    _routes: dict[tuple[str, str, Origin], Route] = field(default_factory=dict)
    _call_number: int = 0
    _leg_number: int = 0

    @property
    def domain(self) -> str:
        """The domain of the cluster's addresses."""
        return self.settings.domain or self.node

    def route(self, dialled: str, number: str, origin: Origin) -> Route:
        """Where a call goes that a number dials (``dial_plan.route``). The plan stays the same, and the
        same few numbers are dialled again and again, so what was decided is remembered."""
        key = (dialled, number, origin)
        found = self._routes.get(key)
        if found is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            found = self._routes[key] = route(dialled, Caller(number, origin), self.settings.plan)
        return found

    def use_plan(self, plan: DialPlan) -> None:
        """Another plan from now on: people came or went. Calls that are set up stay as they are."""
        self.settings = replace(self.settings, plan=plan)
        self._routes.clear()

    def at(self, when: float, action: Callable[[float], None]) -> Timer:
        """Do something at a time. Where a session ended in the same moment, its own event settles the matter."""

        def guarded(now: float) -> None:
            try:
                action(now)
            except SipError as error:
                _log.info("too late", what="timer", why=str(error))

        return self.timers.at(when, guarded)

    def new_call(self, now: float) -> Call:
        """A call with the next number."""
        self._call_number = self._call_number % _CALL_NUMBERS + 1
        call = Call(self._call_number, now)
        self.calls[call.number] = call
        return call

    def new_leg(self, session: Session, shown: Shown, *, outgoing: bool, now: float) -> Leg:
        """A leg with the next number."""
        self._leg_number += 1
        leg = Leg(self._leg_number, session, shown, outgoing=outgoing, now=now)
        session.owner = leg
        self.legs[session.id] = leg
        return leg

    def begin_numbers(self, after: int) -> None:
        """Count calls and legs from here on: what was used before a restart is not used again soon."""
        self._call_number = after % _CALL_NUMBERS
        self._leg_number = after

    def place(self, leg: Leg, device: str, line: str) -> None:
        """A leg belongs to a device and line from now on, and counts there."""
        leg.device, leg.line = device, line
        if device:
            self.by_device.setdefault(device, set()).add(leg)
        if line:
            self.by_line.setdefault(line, set()).add(leg)

    def forget(self, leg: Leg) -> None:
        """A leg is over: it counts nowhere any more, and its session, which lives on for a while, lets go of it."""
        self.legs.pop(leg.session.id, None)
        leg.session.owner = leg.parted
        for key, kept in ((leg.device, self.by_device), (leg.line, self.by_line)):
            entry = kept.get(key)
            if entry is not None:
                entry.discard(leg)
                if not entry:
                    del kept[key]

    def calls_on(self, device: str, line: str) -> int:
        """How many calls a line has on a device."""
        legs = self.by_device.get(device)
        return sum(leg.line == line for leg in legs) if legs else 0

    def line_changed(self, line: str, now: float) -> None:
        """Tell who watches that something about the calls of a line changed."""
        if line:
            for watcher in self.watchers:
                watcher(line, now)

    def shown_line(self, line: Line) -> Shown:
        """How a line is presented."""
        kept = self._shown.get(line.number)
        if kept is None or kept[0] is not line:
            kept = self._shown[line.number] = (line, Shown(line.number, line.name, self.domain))
        return kept[1]
