"""What happens to a call that reached a line: which devices ring, or where it is sent, and why.

Two pure functions: ``arrive`` when the call comes in, ``unanswered`` when the ringing ended without an answer. They
take what is known of the line now and give back a decision with its reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from msgspec import Struct

from ringback.rules.reasons import Reason

HOP_LIMIT = 12
"""How often one call may be forwarded."""


class Trigger(StrEnum):
    """Why a call is forwarded."""

    ALL = "all"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    UNREGISTERED = "unregistered"


class Quiet(StrEnum):
    """Do not disturb of a device: off, calls are shown without a sound, or calls are refused as if it were busy."""

    OFF = "off"
    SILENT = "ringer-off"
    REJECT = "call-reject"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where calls are forwarded: to voicemail, to a number, or nowhere (both unset)."""

    voicemail: bool = False
    number: str = ""

    def __bool__(self) -> bool:
        return self.voicemail or bool(self.number)


NOWHERE = Destination()


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The forwarding of a line. Internal calls come from lines of the same enterprise, external ones from trunks."""

    all: Destination = NOWHERE
    busy_internal: Destination = NOWHERE
    busy_external: Destination = NOWHERE
    no_answer_internal: Destination = NOWHERE
    no_answer_external: Destination = NOWHERE
    unregistered_internal: Destination = NOWHERE
    unregistered_external: Destination = NOWHERE

    def on(self, trigger: Trigger, *, internal: bool) -> Destination:
        """Where calls go that this happens to."""
        if trigger is Trigger.ALL:
            return self.all
        side = "internal" if internal else "external"
        found: Destination = getattr(self, f"{trigger.value.replace('-', '_')}_{side}")
        return found

    def on_all(self, to: Destination) -> Forwarding:
        """The same with all calls forwarded there."""
        return replace(self, all=to)


NO_FORWARDING = Forwarding()


class DeviceState(Struct, frozen=True):
    """A device with the line, now. ``calls`` counts those of this line on it; from ``busy_trigger`` on it is busy.
    ``returning``: it is not registered, but was until moments ago and is expected back."""

    name: str
    registered: bool = True
    quiet: Quiet = Quiet.OFF
    calls: int = 0
    busy_trigger: int = 2
    returning: bool = False


class Arrival(Struct, frozen=True):
    """A call at a line. ``caller`` is its number, ``internal`` whether it comes from inside the enterprise; ``visited``
    are the lines that forwarded this call before, in order. ``emergency``: as ``dial_plan.Route``."""

    line: str
    forwarding: Forwarding
    devices: tuple[DeviceState, ...]
    caller: str = ""
    internal: bool = True
    visited: tuple[str, ...] = ()
    voicemail_pilot: str = ""
    emergency: bool = False


class Action(StrEnum):
    """What to do: ring, wait for a device that comes back, send on, or refuse as busy (SIP 486), unreachable (480) or
    declined (603)."""

    RING = "ring"
    WAIT = "wait"
    FORWARD = "forward"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"


class Decision(Struct, frozen=True):
    """What to do, and why. ``ring`` and ``silent`` are device names (``silent`` ring without a sound); ``to`` and
    ``trigger`` are set to forward; ``to`` is the pilot where it goes to voicemail."""

    action: Action
    reasons: tuple[Reason, ...]
    ring: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    to: str = ""
    voicemail: bool = False
    trigger: Trigger | None = None


class Outcome(StrEnum):
    """How ringing ended without an answer: nobody did, every device was busy, or somebody declined."""

    NO_ANSWER = "no-answer"
    BUSY = "busy"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"


def arrive(arrival: Arrival) -> Decision:
    """What to do with a call that comes in."""
    reasons: tuple[Reason, ...] = ()
    if arrival.emergency:
        reasons = (Reason.of("forward.ignored.emergency"),)
    elif arrival.forwarding.all:
        to = _number(arrival, arrival.forwarding.all)
        if to and to == arrival.caller:  # who gets the calls of a line can still call it
            reasons = (Reason.of("forward.ignored.own", line=arrival.line, to=to),)
        else:
            decision = _forward(arrival, Trigger.ALL, reasons)
            if decision is not None:
                return decision
    return _ring(arrival, reasons)


def unanswered(arrival: Arrival, outcome: Outcome) -> Decision:
    """What to do when the devices rang in vain. A declined call goes where busy ones go, or is refused as declined."""
    if outcome is Outcome.NO_ANSWER:
        told, trigger, action = Reason.of("ring.no-answer", line=arrival.line), Trigger.NO_ANSWER, Action.UNREACHABLE
    elif outcome is Outcome.DECLINED:
        told, trigger, action = Reason.of("ring.declined", line=arrival.line), Trigger.BUSY, Action.DECLINED
    elif outcome is Outcome.BUSY:
        told, trigger, action = Reason.of("ring.nowhere.busy", line=arrival.line), Trigger.BUSY, Action.BUSY
    else:
        told = Reason.of("ring.nowhere.unregistered", line=arrival.line)
        trigger, action = Trigger.UNREGISTERED, Action.UNREACHABLE
    if outcome is Outcome.UNREACHABLE and (waits := _returning(arrival)):
        return Decision(Action.WAIT, waits)
    if arrival.emergency:
        return Decision(action, (told,))
    return _forward(arrival, trigger, (told,), otherwise=action) or Decision(action, (told,))


def comes_late(device: DeviceState, *, emergency: bool = False) -> Decision:
    """What to do at a device that registers while a call is at its line already: it rings like the others, or not."""
    loud, reason = _device(device, emergency=emergency)
    if loud is None:
        return Decision(Action.UNREACHABLE, (reason,))
    names = (device.name,)
    return Decision(Action.RING, (reason,), names if loud else (), () if loud else names)


def _ring(arrival: Arrival, before: tuple[Reason, ...]) -> Decision:
    ring: list[str] = []
    silent: list[str] = []
    reasons: list[Reason] = []
    for device in arrival.devices:
        loud, reason = _device(device, emergency=arrival.emergency)
        reasons.append(reason)
        if loud is not None:
            (ring if loud else silent).append(device.name)
    if ring or silent:
        return Decision(Action.RING, (*before, *reasons), tuple(ring), tuple(silent))
    trigger, action, told = _nobody_rings(arrival)
    if trigger is Trigger.UNREGISTERED and (waits := _returning(arrival)):
        return Decision(Action.WAIT, (*before, *waits))
    told_so = (*before, *reasons, told)
    if arrival.emergency:
        return Decision(action, told_so)
    return _forward(arrival, trigger, told_so, otherwise=action) or Decision(action, told_so)


def _device(device: DeviceState, *, emergency: bool) -> tuple[bool | None, Reason]:
    """Whether a device rings aloud (True), silently (False) or not (None)."""
    if not device.registered:
        return None, Reason.of("ring.not.registered", device=device.name)
    if emergency:
        return True, Reason.of("ring.device", device=device.name)
    if device.quiet is Quiet.REJECT:
        return None, Reason.of("ring.not.disturb", device=device.name)
    if device.calls >= device.busy_trigger:
        return None, Reason.of("ring.not.busy", device=device.name, calls=device.calls)
    if device.quiet is Quiet.SILENT:
        return False, Reason.of("ring.silent", device=device.name)
    return True, Reason.of("ring.waiting" if device.calls else "ring.device", device=device.name)


def _returning(arrival: Arrival) -> tuple[Reason, ...]:
    return tuple(
        Reason.of("ring.returning", device=device.name)
        for device in arrival.devices
        if device.returning and (device.quiet is not Quiet.REJECT or arrival.emergency)
    )


def _nobody_rings(arrival: Arrival) -> tuple[Trigger, Action, Reason]:
    here = [device for device in arrival.devices if device.registered]
    if not here:
        words = "ring.nowhere.unregistered" if arrival.devices else "ring.nowhere.devices"
        return Trigger.UNREGISTERED, Action.UNREACHABLE, Reason.of(words, line=arrival.line)
    disturbed = all(device.quiet is Quiet.REJECT for device in here)
    words = "ring.nowhere.disturb" if disturbed else "ring.nowhere.busy"
    return Trigger.BUSY, Action.BUSY, Reason.of(words, line=arrival.line)


def _number(arrival: Arrival, to: Destination) -> str:
    return arrival.voicemail_pilot if to.voicemail else to.number


def _forward(
    arrival: Arrival, trigger: Trigger, before: tuple[Reason, ...], *, otherwise: Action = Action.UNREACHABLE
) -> Decision | None:
    """The forwarding for this, or a refusal where it would go in circles; None where the line forwards nothing."""
    to = arrival.forwarding.on(trigger, internal=arrival.internal)
    if not to:
        return None
    number = _number(arrival, to)
    if not number:
        reason = Reason.of("forward.no-voicemail", line=arrival.line)
        return None if trigger is Trigger.ALL else Decision(otherwise, (*before, reason))
    if number == arrival.line or not {number, arrival.line}.isdisjoint(arrival.visited):
        return Decision(otherwise, (*before, Reason.of("forward.loop", to=number)))
    if len(arrival.visited) >= HOP_LIMIT:
        return Decision(otherwise, (*before, Reason.of("forward.hops", hops=len(arrival.visited))))
    reason = Reason.of(f"forward.{trigger.value}", line=arrival.line, to=number)
    return Decision(Action.FORWARD, (*before, reason), to=number, voicemail=to.voicemail, trigger=trigger)
