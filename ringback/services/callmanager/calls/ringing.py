"""Ringing: from a dialled text to the devices or systems that are called, and from what they answer to the next step.

An ``Attempt`` belongs to one call. It follows the dial plan and the forwarding of each line that it comes to, keeps the
branches that ring, and ends in exactly one of two ways: ``answered`` with the leg that took the call, or ``failed``. No
branch rings on after that, and every one has a deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.protocols.sdp.description import Description, SdpError
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.events import Accepted, Failed, Progressed
from ringback.protocols.sip.flows import Target, Way
from ringback.protocols.sip.uri import Uri, escape_user
from ringback.rules.call_forwarding import (
    Action,
    Arrival,
    Decision,
    DeviceState,
    Outcome,
    arrive,
    comes_late,
    unanswered,
)
from ringback.rules.dial_plan import Origin, Route, RouteKind, clean, is_number
from ringback.services.callmanager.calls.attempts import Attempt, Branch, is_delayed_wanted, way_of
from ringback.services.callmanager.calls.causes import ELSEWHERE
from ringback.services.callmanager.calls.core import Core, PhoneBinding
from ringback.services.callmanager.calls.facts import Cause
from ringback.services.callmanager.calls.identity import (
    HeaderLines,
    Shown,
    call_info,
    diversions,
    from_value,
    identity,
    security,
)
from ringback.services.callmanager.calls.leg import Leg, Talk
from ringback.services.callmanager.calls.media_path import quick_end
from ringback.services.callmanager.calls.offers import KEPT_OFFER, OfferFor, keyings_of
from ringback.services.callmanager.calls.passing import hold_answer
from ringback.services.callmanager.calls.peers import Peer
from ringback.services.callmanager.calls.returning import Returning, is_same_way
from ringback.storage.callmanager.call_rows import Line, Phone

TRUNK_SECONDS: Final = 180.0
_BUSY: Final = frozenset({486, 600})
_NO_SOUND: Final = frozenset({415, 488, 606})
_SERVICE: Final = "x-ringback-device"
_SILENT: Final = (
    ("Alert-Info", "<urn:alert:tone:silent>"),
    ("Call-Info", "<urn:x-cisco-remotecc:callinfo>;ui-state=ringeroff"),
)


class Ringing:
    """Moves attempts on."""

    def __init__(self, core: Core, *, relay_always: bool = False) -> None:
        self._core = core
        self._relay_always = relay_always
        self.returning = Returning()

    # --- where to

    def begin(self, attempt: Attempt, dialled: str, now: float) -> None:
        """Call what was dialled."""
        self.follow(attempt, self._core.route(dialled, attempt.number, attempt.origin), now)

    def follow(self, attempt: Attempt, found: Route, now: float) -> None:
        """Call where a route leads."""
        call = attempt.call
        call.attempt = attempt
        call.way.reasons += found.reasons
        call.way.dialled = call.way.dialled or found.number or found.uri or found.dialled
        attempt.emergency = attempt.emergency or found.emergency
        match found.kind:
            case RouteKind.LINE:
                self.to_line(attempt, found.number, now)
            case RouteKind.TRUNK | RouteKind.CLUSTER | RouteKind.VOICEMAIL:
                self._to_peer(attempt, self._core.peers.get(found.target), found, now)
            case RouteKind.URI:
                self._to_address(attempt, found.uri, now)
            case RouteKind.REFUSED:
                self.fail(attempt, 403, "Not Allowed", now)
            case _:
                self.fail(attempt, 404, "No Such Number", now)

    def to_line(self, attempt: Attempt, number: str, now: float) -> None:
        """Ring a line, or what it says instead."""
        line = self._core.lines.line(number)
        if line is None:
            self.fail(attempt, 404, "No Such Number", now)
            return
        attempt.line = line
        self.returning.calls(attempt, number)
        shown = self._core.shown_line(line)
        attempt.call.way.final = shown
        if not attempt.call.way.original:
            attempt.call.way.original = number
        arrival = self._arrival(attempt, line, now)
        attempt.arrival = arrival
        self._decide(attempt, arrive(arrival), now)

    def _arrival(self, attempt: Attempt, line: Line, now: float) -> Arrival:
        phones = self._core.lines.phones_of(line.number)
        states = [self._state(attempt, line, phone, now) for phone in phones if _may_ring(attempt, phone)]
        return Arrival(
            line.number,
            line.forwarding,
            tuple(states),
            attempt.number,
            attempt.origin is not Origin.OUTSIDE,
            tuple(attempt.visited),
            line.voicemail_pilot,
            attempt.emergency,
        )

    def _state(self, attempt: Attempt, line: Line, phone: Phone, now: float) -> DeviceState:
        entry = phone.line(line.number)
        registered = self._core.registrar.is_registered(phone.name, now) or self._is_elsewhere(attempt, phone, now)
        calls = self._core.calls_on(phone.name, line.number)
        trigger = entry.busy_trigger if entry else 2
        returning = not registered and self.returning.expected_until(phone.name, now) > 0
        return DeviceState(phone.name, registered, phone.quiet, calls, trigger, returning)

    def _is_elsewhere(self, attempt: Attempt, phone: Phone, now: float) -> bool:
        """Whether another node reaches a device; not asked for calls that come from there."""
        found = self._core.remote.get(phone.name)
        return found is not None and found.expires > now + self._core.wall and not attempt.only

    def _decide(self, attempt: Attempt, decision: Decision, now: float) -> None:
        way = attempt.call.way
        way.reasons += decision.reasons
        line = attempt.line
        if attempt.only and decision.action is Action.FORWARD:
            # the node that sent the call here knows the line's forwarding as well, and acts on it
            status = 486 if decision.trigger == "busy" else 480
            self.fail(attempt, status, "Not Here", now)
            return
        match decision.action:
            case Action.RING:
                self._ring(attempt, decision, now)
            case Action.WAIT:
                self._expect(attempt, now)
            case Action.FORWARD if line is not None:
                way.sent_on(self._core.shown_line(line), "" if decision.trigger is None else decision.trigger.value)
                attempt.visited.append(line.number)
                self.begin(attempt, decision.to, now)
            case Action.BUSY:
                self.fail(attempt, 486, "Busy Here", now)
            case Action.DECLINED:
                self.fail(attempt, 603, "Decline", now)
            case _:
                self.fail(attempt, 480, "Temporarily Unavailable", now)

    # --- branches

    def _ring(self, attempt: Attempt, decision: Decision, now: float) -> None:
        line = attempt.line
        if line is None:
            return
        self._wait_at(attempt, line, now)
        for name in (*decision.ring, *decision.silent):
            phone = self._core.lines.phone(name)
            if phone is None or attempt.over:
                continue
            bindings = self._core.registrar.bindings(name, now)
            for binding in bindings:
                self._invite_phone(attempt, line, phone, binding, name in decision.silent, now)
            if not bindings:
                self._invite_node(attempt, line, phone, now)
        if not attempt.branches and not attempt.over:
            self._nobody(attempt, Outcome.UNREACHABLE, now)

    def _wait_at(self, attempt: Attempt, line: Line, now: float) -> None:
        self._wait(attempt, line.ring_seconds if not attempt.emergency else TRUNK_SECONDS, now)

    # --- devices that come late

    def _expect(self, attempt: Attempt, now: float) -> None:
        """Wait for devices that are expected back."""
        arrival = attempt.arrival
        devices = arrival.devices if arrival is not None else ()
        until = max((self.returning.expected_until(one.name, now) for one in devices), default=now)
        self._core.timers.cancel(attempt.timer)
        attempt.timer = self._core.at(until, lambda later: self._did_not_come(attempt, later))

    def _did_not_come(self, attempt: Attempt, now: float) -> None:
        if not attempt.over:
            self._nobody(attempt, Outcome.UNREACHABLE, now)

    def came(self, device: str, now: float) -> None:
        """A device registered, here or at another node: calls that are at its lines ring there, too."""
        self.returning.came(device)
        if not self.returning:
            return
        phone = self._core.lines.phone(device)
        for entry in phone.lines if phone is not None else ():
            for attempt in self.returning.at(entry.number):
                if phone is not None and _may_ring(attempt, phone):
                    self._ring_late(attempt, phone, now)

    def _ring_late(self, attempt: Attempt, phone: Phone, now: float) -> None:
        line, bindings = attempt.line, self._core.registrar.bindings(phone.name, now)
        if line is None or attempt.over:
            return
        ringing = [branch for branch in attempt.branches.values() if branch.device == phone.name]
        left = [branch for branch in ringing if bindings and not any(_rings_by(branch, one) for one in bindings)]
        for branch in left:  # by a connection that it had before
            self._stop_branch(attempt, branch, now)
        if len(left) < len(ringing):
            return
        decision = comes_late(self._state(attempt, line, phone, now), emergency=attempt.emergency)
        if decision.action is not Action.RING:
            return
        attempt.call.way.reasons += decision.reasons
        if not attempt.branches:
            self._wait_at(attempt, line, now)
        for binding in bindings:
            self._invite_phone(attempt, line, phone, binding, bool(decision.silent), now)
        if not bindings:
            self._invite_node(attempt, line, phone, now)

    def _invite_phone(
        self, attempt: Attempt, line: Line, phone: Phone, binding: PhoneBinding, silent: bool, now: float
    ) -> None:
        way = way_of(binding)
        delayed = attempt.offer is None or is_delayed_wanted(binding)
        there = keyings_of(binding.transport == "tls", phone.encrypted)
        family = "IP6" if binding.received.count(":") > 1 else "IP4"

        self._send(
            attempt,
            binding.contact,
            [way],
            there,
            family,
            now,
            device=phone.name,
            line=line.number,
            delayed=delayed,
            extra=_SILENT if silent else (),
        )

    def _invite_node(self, attempt: Attempt, line: Line, phone: Phone, now: float) -> None:
        found = self._core.remote.get(phone.name)
        peer = self._core.peers.node(found.node) if found is not None else None
        if peer is None:
            return
        uri = f"sip:{line.number}@{peer.domain};{_SERVICE}={phone.name}"
        self._send(
            attempt, uri, list(peer.targets), KEPT_OFFER, "IP4", now, device=phone.name, line=line.number, peer=peer
        )

    def _to_peer(self, attempt: Attempt, peer: Peer | None, found: Route, now: float) -> None:
        if peer is None:
            self.fail(attempt, 503, "No Such Trunk", now)
            return
        attempt.line = attempt.arrival = None
        self.returning.calls(attempt, "")
        user = escape_user(found.number) if found.number else ""
        uri = f"sip:{user}@{peer.domain}" if user else f"sip:{found.uri}"
        shown = Shown(found.number or found.uri, "", self._core.domain)
        way = attempt.call.way
        way.final = shown
        way.original = way.original or found.number or found.uri
        self._wait(attempt, TRUNK_SECONDS, now)
        tls = all(target.transport == "tls" for target in peer.targets)
        self._send(attempt, uri, list(peer.targets), keyings_of(tls, peer.srtp), "IP4", now, peer=peer, shown=shown)

    def _to_address(self, attempt: Attempt, address: str, now: float) -> None:
        """An address of another domain, found by its name records (RFC 3263)."""
        host = address.rpartition("@")[2]
        attempt.line = attempt.arrival = None
        self.returning.calls(attempt, "")
        shown = Shown(address)
        attempt.call.way.final = shown
        attempt.call.way.original = attempt.call.way.original or address
        self._wait(attempt, TRUNK_SECONDS, now)
        ways: list[Way] = [Target("tls", host), Target("tcp", host), Target("udp", host)]
        self._send(attempt, f"sip:{address}", ways, KEPT_OFFER, "IP4", now, shown=shown)

    def _send(
        self,
        attempt: Attempt,
        uri: str,
        ways: list[Way] | list[Target],
        keying: str,
        family: str,
        now: float,
        *,
        device: str = "",
        line: str = "",
        peer: Peer | None = None,
        shown: Shown | None = None,
        delayed: bool = False,
        retried: bool = False,
        extra: Sequence[tuple[str, str]] = (),
    ) -> None:
        core = self._core
        called = shown or attempt.call.way.final
        if attempt.offers is None:
            attempt.offers = OfferFor(core.desk, attempt.offer, relay_always=self._relay_always)
        try:
            offer, relay = (None, None) if delayed else attempt.offers.made(keying, family)
        except (SdpError, OSError):
            attempt.statuses.append(488)
            return
        headers: HeaderLines = identity(attempt.shown, "calling", peer is not None)
        headers += diversions(attempt.call.way.diversions)
        secure = ways[0].secure if not isinstance(ways[0], Target) else ways[0].transport == "tls"
        caller_secure = attempt.caller is not None and attempt.caller.session.secure
        sealed = offer is not None and quick_end(offer).keying != "none"
        media = sealed and attempt.caller is not None and attempt.caller.keying != "none"
        headers.append(call_info("to", security(secure and caller_secure, media), attempt.call.number))
        headers += extra
        caller = attempt.caller
        try:
            session = core.agent.invite(
                now,
                uri,
                ways,
                from_=from_value(attempt.shown) if peer is None else attempt.shown.address,
                to=called.address,
                sdp=offer,
                headers=headers,
                max_forwards=attempt.hops,
                local_uuid="" if caller is None else caller.session.remote_uuid,
            )
        except SipError:
            attempt.statuses.append(480)
            return
        leg = core.new_leg(session, called, outgoing=True, now=now)
        leg.trunk = peer
        leg.secure = secure
        leg.call = attempt.call
        leg.talk = Talk.ASKED if offer is None else Talk.OFFERING
        core.place(leg, device, line)
        if line:
            leg.user = attempt.line.owner if attempt.line else ""
        if offer is not None:
            leg.set_told(offer)
        branch = Branch(
            leg,
            device,
            relay,
            keying,
            (uri, ways, family, line, peer, shown, extra),
            retried=retried,
            delayed=offer is None,
        )
        attempt.branches[leg] = branch
        core.line_changed(line, now)

    def _send_again(self, attempt: Attempt, branch: Branch, keying: str, now: float) -> None:
        """Ring once more with another encryption, through the relay."""
        uri, ways, family, line, peer, shown, extra = branch.again
        self._send(
            attempt,
            uri,
            ways,
            keying,
            family,
            now,
            device=branch.device,
            line=line,
            peer=peer,
            shown=shown,
            retried=True,
            extra=extra,
        )

    def _wait(self, attempt: Attempt, seconds: float, now: float) -> None:
        self._core.timers.cancel(attempt.timer)
        attempt.timer = self._core.at(now + seconds, lambda later: self._too_long(attempt, later))

    def _too_long(self, attempt: Attempt, now: float) -> None:
        if attempt.over:
            return
        self._stop_branches(attempt, now)
        if attempt.arrival is not None:
            self._nobody(attempt, Outcome.NO_ANSWER, now)
        else:
            self.fail(attempt, 408, "No Answer", now)

    # --- what branches say

    def progressed(self, leg: Leg, event: Progressed, now: float) -> None:
        """A branch rings, or sends sound before its answer."""
        attempt = _attempt_of(leg)
        if attempt is None:
            return
        if event.offer and event.sdp is not None:
            self._early_offer(leg, event.sdp, now)
        caller = attempt.caller
        if attempt.progress is not None:
            attempt.progress(event.response.status, event.response.reason, now)
        first = not attempt.rings
        attempt.rings = True
        self._core.line_changed(leg.line, now)
        if caller is None or caller.over or caller.up:
            return
        sdp = None if event.offer else self._early(attempt, leg, event.sdp)
        more = self._more_ring(attempt, leg, caller)
        if sdp is None and not first and not more:
            return
        headers = self.called_headers(attempt, leg)
        if sdp is not None:
            caller.session.ring(now, 183, sdp, headers=headers)
        elif event.response.status != 183 or leg.device:
            caller.session.ring(now, 180, headers=headers)
        else:
            caller.session.ring(now, 183, headers=headers)

    @staticmethod
    def _more_ring(attempt: Attempt, leg: Leg, caller: Leg) -> bool:
        """Whether a caller who can show it is to be told that it rings at one more device."""
        branch = attempt.branches.get(leg)
        if branch is None or branch.rings or not leg.device:
            return False
        branch.rings = True
        attempt.rung = sum(1 for one in attempt.branches.values() if one.rings)
        return attempt.early is None and caller.session.remote_product.startswith("Ringback")

    def _early(self, attempt: Attempt, leg: Leg, sdp: bytes | None) -> bytes | None:
        """The sound that a single branch sends early; several would be heard over each other."""
        branch = attempt.branches.get(leg)
        if sdp is None or branch is None or branch.delayed or len(attempt.branches) > 1 or attempt.early is leg:
            return None
        attempt.early = leg
        if branch.relay is None:
            return sdp
        try:
            return branch.relay.answer(Description.parse(sdp)).encode()
        except SdpError:
            return None

    def _early_offer(self, leg: Leg, sdp: bytes, now: float) -> None:
        """An end that we asked for an offer makes it before it answers (RFC 3262). Who is to hear it is not known
        before the answer: it is agreed that nothing flows yet, and the answer is followed by a new offer."""
        try:
            quiet = hold_answer(Description.parse(sdp), None, self._core.desk.address)
        except SdpError:
            leg.session.cancel(now)
            return
        leg.set_said(sdp)
        leg.set_told(quiet)
        leg.session.answer_offer(now, quiet.encode())

    def accepted(self, leg: Leg, event: Accepted, now: float) -> None:
        """A branch took the call: the others stop, and the call goes on with it."""
        attempt = _attempt_of(leg)
        if attempt is None or attempt.over:
            # its CANCEL crossed the answer
            if event.offer:
                leg.session.ack(now)
            leg.session.end(now, headers=(ELSEWHERE,))
            return
        branch = attempt.branches.pop(leg, None)
        leg.up = True
        self._is_over(attempt)
        self._stop_branches(attempt, now, ELSEWHERE)
        attempt.call.attempt = None
        attempt.relay = branch.relay if branch else None
        if attempt.offers is not None:
            attempt.offers.close(but=attempt.relay)
        attempt.answered(attempt, leg, event, now)

    def refused(self, leg: Leg, event: Failed, now: float) -> None:
        """A branch refused, redirected or could not be reached."""
        attempt = _attempt_of(leg)
        if attempt is None or attempt.over:
            return
        branch = attempt.branches.pop(leg, None)
        if branch is None:
            return
        status = event.status
        if status in _NO_SOUND and not branch.retried and not branch.delayed:
            self._send_again(attempt, branch, "none" if branch.keying != "none" else "sdes", now)
            if attempt.branches:
                return
        if 300 <= status < 400 and self._redirected(attempt, leg, event, now):
            return
        attempt.statuses.append(status)
        if status >= 600:
            self._stop_branches(attempt, now)
        if attempt.branches:
            return
        if attempt.arrival is None:
            self.fail(attempt, status if status >= 400 else 480, event.reason, now)
        else:
            self._nobody(attempt, _outcome(attempt.statuses), now)

    def _redirected(self, attempt: Attempt, leg: Leg, event: Failed, now: float) -> bool:
        """A device sends the call elsewhere (diverts it): all others stop ringing."""
        contact = event.response.contact if event.response is not None else None
        if contact is None or len(attempt.visited) >= 12 or attempt.emergency:
            return False
        self.divert(attempt, contact.uri, now)
        return True

    def divert(self, attempt: Attempt, to: Uri | str, now: float) -> None:
        """Somebody sends a ringing call elsewhere."""
        self._stop_branches(attempt, now)
        line = attempt.line
        if line is not None:
            attempt.call.way.sent_on(self._core.shown_line(line), "divert")
            attempt.visited.append(line.number)
            # who has the line may send its calls where the line itself may call
            attempt.origin, attempt.number = Origin.DEVICE, line.number
        self.begin(attempt, self.dialled(to), now)

    def dialled(self, uri: Uri | str) -> str:
        """What a URI dials: hosts of ours mean nothing but ourselves."""
        if isinstance(uri, str):
            return uri
        if uri.is_sip and uri.host in self._core.own_hosts:
            user = uri.user or ""
            return user if not user or is_number(clean(user)) else f"{user}@{self._core.domain}"
        return str(uri)

    def _nobody(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        arrival = attempt.arrival
        if arrival is None:
            self.fail(attempt, 480, "Temporarily Unavailable", now)
            return
        attempt.statuses.clear()
        if outcome is Outcome.UNREACHABLE and attempt.line is not None:
            arrival = attempt.arrival = self._arrival(attempt, attempt.line, now)  # some may have been lost since
        self._decide(attempt, unanswered(arrival, outcome), now)

    # --- ends

    def fail(self, attempt: Attempt, status: int, reason: str, now: float) -> None:
        """Nobody took the call."""
        if attempt.over:
            return
        self._is_over(attempt)
        self._stop_branches(attempt, now)
        if attempt.offers is not None:
            attempt.offers.close()
        if attempt.call.attempt is attempt:
            attempt.call.attempt = None
        attempt.failed(attempt, status, reason, now)

    def give_up(self, attempt: Attempt, now: float, *headers: tuple[str, str]) -> None:
        """The one who waits is gone: stop ringing without a further word."""
        if attempt.over:
            return
        self._is_over(attempt)
        self._stop_branches(attempt, now, *headers)
        if attempt.offers is not None:
            attempt.offers.close()
        if attempt.call.attempt is attempt:
            attempt.call.attempt = None

    def _is_over(self, attempt: Attempt) -> None:
        attempt.over = True
        self._core.timers.cancel(attempt.timer)
        self.returning.calls(attempt, "")

    def _stop_branches(self, attempt: Attempt, now: float, *headers: tuple[str, str]) -> None:
        for branch in tuple(attempt.branches.values()):
            self._stop_branch(attempt, branch, now, *headers)

    def _stop_branch(self, attempt: Attempt, branch: Branch, now: float, *headers: tuple[str, str]) -> None:
        leg = branch.leg
        del attempt.branches[leg]
        leg.over = True
        leg.cause = Cause.NORMAL_CLEARING
        self._core.forget(leg)
        leg.session.end(now, headers=headers)
        self._core.line_changed(leg.line, now)

    def called_headers(self, attempt: Attempt, leg: Leg) -> HeaderLines:
        """Who is called, for the caller."""
        caller = attempt.caller
        trusted = caller is not None and caller.trunk is not None
        secure = caller is not None and caller.session.secure and leg.session.secure
        return [
            *identity(attempt.call.way.final, "called", trusted),
            call_info("from", security(secure, False), attempt.call.number),
            *([("X-Ringback-Ringing", str(attempt.rung))] if attempt.rung else ()),
        ]


def _may_ring(attempt: Attempt, phone: Phone) -> bool:
    return phone.name != attempt.sent_by and attempt.only in ("", phone.name)


def _rings_by(branch: Branch, binding: PhoneBinding) -> bool:
    """Whether a branch rings at this contact."""
    return any(is_same_way(way, way_of(binding)) for way in branch.again[1])


def _attempt_of(leg: Leg) -> Attempt | None:
    call = leg.call
    return call.attempt if call is not None else None


def _outcome(statuses: Sequence[int]) -> Outcome:
    if any(status >= 600 and status not in _BUSY for status in statuses):
        return Outcome.DECLINED
    if any(status in _BUSY for status in statuses):
        return Outcome.BUSY
    return Outcome.UNREACHABLE
