"""The registrar: which contacts a device has, decided from what a REGISTER asks for (RFC 3261 section 10.3, 5626).

A softphone device (CSF, TAB, BOT, TCT) belongs to one client at a time: a second client is refused until it asks to
take over, as the real ones do. Any other device may have several contacts, so that a phone that restarted without
taking its old contact back is reached at once.

Everything here is memory; what changed is collected for the store (``take_changes``) and written behind. What is made
for each REGISTER are msgspec structs: frozen, too, and made in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from ringback.protocols.sip.flows import Flow
from ringback.rules.reasons import Reason

_NOBODY = "00000000-0000-0000-0000-000000000000"
CONTACT_LIMIT = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """How long registrations live, in seconds. ``keep_alive`` is granted to softphones and phones that follow the
    keep-alive interval of their device file; ``longest`` to others; shorter than ``shortest`` is refused (423)."""

    keep_alive: int = 120
    longest: int = 3600
    shortest: int = 10


class AskedContact(Struct, frozen=True):
    """A contact of a REGISTER. ``seconds`` None: not said; ``keep_alive``: the parameter ``cisco-keep-alive``; ``host``
    and ``port`` of its URI."""

    uri: str
    seconds: int | None = None
    instance: str = ""
    reg_id: int = 0
    q: float = 1.0
    keep_alive: bool = False
    host: str = ""
    port: int = 0


class Asked(Struct, frozen=True):
    """What a REGISTER asks for. ``every``: ``Contact: *``. ``takes_over``: it may end another client's registration.
    ``lines``: the numbers that it registers. ``most``: seconds that what proves it is good for (None: no end)."""

    device: str
    lines: tuple[str, ...]
    contacts: tuple[AskedContact, ...]
    call_id: str
    cseq: int
    seconds: int | None = None
    every: bool = False
    takes_over: bool = False
    single: bool = False
    keeps_alive: bool = False
    user_agent: str = ""
    features: frozenset[str] = frozenset()
    most: int | None = None


class Binding(Struct, frozen=True):
    """A contact of a device that holds until ``expires_at`` (the driver's clock). ``flow`` is how it is reached: the
    connection that it registered over, or None after that one closed. ``is_natted``: its contact names another address
    than it is seen from, so that only the way it came leads back."""

    device: str
    contact: str
    lines: tuple[str, ...]
    flow: Flow | None
    received: str
    transport: str
    expires_at: float
    call_id: str
    cseq: int
    since: float
    instance: str = ""
    reg_id: int = 0
    q: float = 1.0
    user_agent: str = ""
    features: frozenset[str] = frozenset()

    is_natted: bool = False
    contact_port: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What a later REGISTER of the same client replaces (RFC 5626 section 6)."""
        return _key(self.instance, self.reg_id, self.contact)


class Outcome(Struct, frozen=True):
    """What becomes of a REGISTER. ``status`` 200, 400, 403, 423 or 500; ``new``: the device was not registered before;
    ``ended``: bindings that another client took over."""

    status: int
    reason: Reason
    bindings: tuple[Binding, ...] = ()
    granted: int = 0
    new: bool = False
    warning: str = ""
    ended: tuple[Binding, ...] = ()


@dataclass(slots=True)
class Changes:
    """What the store does not know yet: changed bindings, and device and contact of removed ones."""

    changed: dict[tuple[str, str], Binding] = field(default_factory=dict)
    removed: set[tuple[str, str]] = field(default_factory=set)


class Registrar:
    """All bindings of a node, by device."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._devices: dict[str, dict[tuple[str, str], Binding]] = {}
        self._changes: Changes = Changes()

    @property
    def limits(self) -> Limits:
        """How long registrations live."""
        return self._limits

    def __len__(self) -> int:
        return sum(len(bound) for bound in self._devices.values())

    def __iter__(self) -> Iterator[Binding]:
        for bound in self._devices.values():
            yield from bound.values()

    def register(self, asked: Asked, flow: Flow, received: str, transport: str, now: float) -> Outcome:
        """Decide and remember."""
        bound = self._live(asked.device, now)
        if any(contact.keep_alive for contact in asked.contacts):
            return self._answer(asked, bound, now, Reason.of("calls.register.alive", device=asked.device))
        if refused := self._refusal(asked, bound, now):
            return refused
        if asked.every:
            self._forget(asked.device, list(bound.values()))
            return self._answer(asked, {}, now, Reason.of("calls.register.removed", device=asked.device))
        if not asked.contacts:
            return self._answer(asked, bound, now, Reason.of("calls.register.asked", device=asked.device))
        was_new = not bound
        ended = self._taken_over(asked, bound)
        for contact in asked.contacts:
            self._place(asked, contact, flow, received, transport, now)
        self._trim(asked.device)
        bound = self._devices.get(asked.device, {})
        reason = Reason.of("calls.register.done" if bound else "calls.register.removed", device=asked.device)
        return self._answer(asked, bound, now, reason, new=was_new and bool(bound), ended=ended)

    def bindings(self, device: str, now: float) -> list[Binding]:
        """How a device is reached now, the best first."""
        bound = self._devices.get(device)
        if not bound:
            return []
        if len(bound) == 1:
            only = next(iter(bound.values()))
            return [only] if only.expires_at > now else []
        live = [one for one in bound.values() if one.expires_at > now]
        live.sort(key=lambda one: (-one.q, -one.since))
        return live

    def has(self, device: str) -> bool:
        """Whether a device has a contact, as far as it was looked after."""
        return device in self._devices

    def is_registered(self, device: str, now: float) -> bool:
        """Whether a device has a contact."""
        return bool(self.bindings(device, now))

    def restore(self, bindings: Iterable[Binding]) -> None:
        """Take over what the store kept from before a restart."""
        for one in bindings:
            self._devices.setdefault(one.device, {})[one.key] = one

    def flow_closed(self, flow: Flow) -> list[Binding]:
        """A connection is gone. Bindings that stand on it alone are ended (RFC 5626 section 4.4), and told; others
        stay and are reached by their contact."""
        lost = [one for one in self if one.flow == flow]
        for one in lost:
            if one.reg_id or one.transport != "udp":
                self._forget(one.device, [one])
        return lost

    def expired(self, now: float) -> list[Binding]:
        """Take away and tell what has run out."""
        late = [one for one in self if one.expires_at <= now]
        for one in late:
            self._forget(one.device, [one])
        return late

    def remove(self, device: str) -> list[Binding]:
        """End a device's registration (it was deleted)."""
        bound = list(self._devices.get(device, {}).values())
        self._forget(device, bound)
        return bound

    def take_changes(self) -> Changes | None:
        """What the store does not know yet; None where it knows all."""
        if not self._changes.changed and not self._changes.removed:
            return None
        taken, self._changes = self._changes, Changes()
        return taken

    def put_back(self, taken: Changes) -> None:
        """Changes that the store did not take after all; what changed meanwhile counts more."""
        newer = self._changes
        older = {key: one for key, one in taken.changed.items() if key not in newer.removed}
        gone = {key for key in taken.removed if key not in newer.changed}
        self._changes = Changes(older | newer.changed, newer.removed | gone)

    def _live(self, device: str, now: float) -> dict[tuple[str, str], Binding]:
        bound = self._devices.get(device, {})
        late = [one for one in bound.values() if one.expires_at <= now]
        if late:
            self._forget(device, late)
            bound = self._devices.get(device, {})
        return bound

    def _refusal(self, asked: Asked, bound: dict[tuple[str, str], Binding], now: float) -> Outcome | None:
        if asked.every and (asked.contacts or asked.seconds != 0):
            return Outcome(400, Reason.of("calls.register.star", device=asked.device))
        asked_for = [self._seconds(asked, contact) for contact in asked.contacts]
        if any(0 < seconds < self._limits.shortest for seconds in asked_for):
            return Outcome(423, Reason.of("calls.register.brief", seconds=self._limits.shortest))
        for one in bound.values():
            if one.call_id == asked.call_id and asked.cseq <= one.cseq:
                return Outcome(500, Reason.of("calls.register.old", device=asked.device))
        if asked.single and not asked.takes_over and any(asked_for) and _other_client(asked, bound):
            return Outcome(
                403,
                Reason.of("calls.register.other", device=asked.device),
                warning="Registration is active for another client",
            )
        return None

    def _taken_over(self, asked: Asked, bound: dict[tuple[str, str], Binding]) -> tuple[Binding, ...]:
        """What a single client replaces: its own earlier contacts without a word, another client's with one."""
        if not asked.single or not asked.contacts:
            return ()
        others = [one for one in bound.values() if not _same_client(asked, one)]
        own = {contact.uri for contact in asked.contacts}
        stale = [one for one in bound.values() if one not in others and one.contact not in own and not one.reg_id]
        self._forget(asked.device, [*others, *stale])
        return tuple(others)

    def _place(
        self, asked: Asked, contact: AskedContact, flow: Flow, received: str, transport: str, now: float
    ) -> None:
        seconds = self._seconds(asked, contact)
        bound = self._devices.setdefault(asked.device, {})
        before = bound.get(_key(contact.instance, contact.reg_id, contact.uri))
        lines, since = asked.lines, now
        if before is not None:
            every = before.lines if set(lines) <= set(before.lines) else (*before.lines, *lines)
            lines, since = tuple(dict.fromkeys(every)), before.since
        placed = Binding(
            device=asked.device,
            contact=contact.uri,
            lines=lines,
            flow=flow,
            received=received,
            transport=transport,
            expires_at=now + seconds,
            call_id=asked.call_id,
            cseq=asked.cseq,
            since=since,
            instance=contact.instance,
            reg_id=contact.reg_id,
            q=contact.q,
            user_agent=asked.user_agent,
            features=asked.features,
            is_natted=contact.host != received.rpartition(":")[0] or bool(contact.reg_id),
            contact_port=contact.port,
        )
        if before is None and contact.instance:
            same = [one for one in bound.values() if one.instance == contact.instance and one.reg_id == contact.reg_id]
            self._forget(asked.device, same)
            bound = self._devices.setdefault(asked.device, {})
        if seconds == 0:
            self._forget(asked.device, [before] if before is not None else [])
            return
        bound[placed.key] = placed
        self._changes.changed[asked.device, placed.contact] = placed
        self._changes.removed.discard((asked.device, placed.contact))

    def _trim(self, device: str) -> None:
        bound = self._devices.get(device, {})
        if len(bound) > CONTACT_LIMIT:
            oldest = sorted(bound.values(), key=lambda one: one.expires_at)[: len(bound) - CONTACT_LIMIT]
            self._forget(device, oldest)

    def _forget(self, device: str, gone: Iterable[Binding]) -> None:
        bound = self._devices.get(device)
        for one in gone:
            if bound is not None:
                bound.pop(one.key, None)
            self._changes.changed.pop((device, one.contact), None)
            self._changes.removed.add((device, one.contact))
        if bound is not None and not bound:
            del self._devices[device]

    def _answer(
        self,
        asked: Asked,
        bound: dict[tuple[str, str], Binding],
        now: float,
        reason: Reason,
        *,
        new: bool = False,
        ended: tuple[Binding, ...] = (),
    ) -> Outcome:
        left = [int(one.expires_at - now + 0.5) for one in bound.values()]
        granted = min(left) if left else self._limits.keep_alive
        return Outcome(200, reason, tuple(bound.values()), granted, new=new, ended=ended)

    def _seconds(self, asked: Asked, contact: AskedContact) -> int:
        wanted = contact.seconds if contact.seconds is not None else asked.seconds
        most = self._limits.keep_alive if asked.keeps_alive else self._limits.longest
        if asked.most is not None:
            most = min(most, asked.most)
        return most if wanted is None else min(wanted, most)


def _key(instance: str, reg_id: int, contact: str) -> tuple[str, str]:
    return (instance, str(reg_id)) if instance and reg_id else ("", contact)


def _same_client(asked: Asked, bound: Binding) -> bool:
    """Whether a REGISTER comes from the client that holds a binding: by instance id, else by contact or Call-ID."""
    if bound.call_id == asked.call_id:
        return True
    instances = {contact.instance for contact in asked.contacts if contact.instance}
    if instances and bound.instance:
        return bound.instance in instances
    return bound.contact in {contact.uri for contact in asked.contacts}


def _other_client(asked: Asked, bound: dict[tuple[str, str], Binding]) -> bool:
    return any(not _same_client(asked, one) for one in bound.values())


def is_polite(instance: str) -> bool:
    """Whether a client only asks if the device is free: an instance id of zeros."""
    return _NOBODY in instance
