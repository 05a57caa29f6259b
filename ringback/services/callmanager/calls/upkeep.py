"""What goes on beside calls: connections that close, registrations that run out, settings that change, the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ringback.protocols.sip.flows import Flow
from ringback.services.callmanager.calls.access import Access
from ringback.services.callmanager.calls.core import Core
from ringback.services.callmanager.calls.facts import Cause, Registered
from ringback.services.callmanager.calls.leg import Leg
from ringback.services.callmanager.calls.recording import Recorder
from ringback.services.callmanager.calls.ringing import Ringing

_GRACE_SECONDS = 10.0


class Upkeep:
    """What the driver tells call control. ``messages`` is told of lines whose waiting messages changed; ``lost`` ends a
    leg whose device is gone for good; ``ringing`` is told which devices come and go."""

    def __init__(
        self, core: Core, access: Access, recorder: Recorder, ringing: Ringing, lost: Callable[[Leg, float], None]
    ) -> None:
        self._ringing = ringing
        self._lost = lost
        self._core = core
        self._access = access
        self._recorder = recorder
        self.messages: Callable[[str, float], None] | None = None

    def registered(self, device: str, now: float) -> None:
        """A device has (new) contacts: its calls go on over the connection that it has now, and ring there."""
        self._ringing.came(device, now)
        legs = self._core.by_device.get(device)
        if not legs:
            return
        bindings = self._core.registrar.bindings(device, now)
        flow = bindings[0].flow if bindings else None
        for leg in legs:
            dead = leg.session.flow
            if flow is not None and dead is not None and dead.closed:
                leg.session.dialog.way = flow

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection is gone: devices that are reached over it alone are not registered any more."""
        self._access.closed(flow)
        for lost in self._core.registrar.flow_closed(flow):
            if not self._core.registrar.has(lost.device):
                self._ringing.returning.lost(lost.device, now)
            self._lines_changed(lost.device, now)
            self._await(lost.device, now + self._core.settings.keep_alive_seconds + _GRACE_SECONDS)

    def look_after(self, now: float) -> None:
        """Once a second: registrations that ran out, notes of calls under way."""
        for late in self._core.registrar.expired(now):
            self._lines_changed(late.device, now)
            self._await(late.device, now + _GRACE_SECONDS)
        self._ringing.returning.look_after(now)
        self._access.look_after(now)
        self._recorder.note(now)

    def taken_back(self, gone: Iterable[tuple[str, Flow | None]], now: float) -> list[Flow]:
        """Devices whose people were signed out, with their connections: the driver closes those given back, which ends
        what is registered over them."""
        flows = []
        for device, flow in gone:
            if flow is not None:
                self._access.unproved(flow)
                flows.append(flow)
                continue
            self._core.registrar.remove(device)
            self._lines_changed(device, now)
            self._await(device, now + _GRACE_SECONDS)
        return flows

    def _await(self, device: str, until: float) -> None:
        """A device in a call has to come back within its keep-alive interval, here or at another node: the sound may
        well go on meanwhile. One that does not was killed, and nobody shall wait for its session timer."""
        if device in self._core.by_device:
            self._core.at(until, lambda now: self._end_lost(device, now))

    def _end_lost(self, device: str, now: float) -> None:
        if self._core.registrar.is_registered(device, now) or device in self._core.remote:
            return
        for leg in tuple(self._core.by_device.get(device, ())):
            if leg.up and (leg.session.flow is None or leg.session.flow.closed or not leg.session.flow.reliable):
                self._lost(leg, now)

    def book_changed(self, lines: Iterable[str], messages: Iterable[str], phones: Iterable[str], now: float) -> None:
        """Lines, their messages and phones are otherwise now; devices that are gone are not registered any more."""
        for number in lines:
            self._core.line_changed(number, now)
        for number in messages:
            if self.messages is not None:
                self.messages(number, now)
        for name in phones:
            if self._core.lines.phone(name) is None:
                self._core.registrar.remove(name)
            else:
                self._lines_changed(name, now)

    def registered_elsewhere(self, remote: dict[str, Registered], now: float) -> None:
        """Devices that other nodes reach now."""
        before, self._core.remote = self._core.remote, remote
        for device in before.keys() ^ remote.keys():
            self._lines_changed(device, now)
        for device, found in remote.items():
            mine = self._core.registrar.bindings(device, now)
            if mine and all(one.since + self._core.wall < found.since for one in mine):
                self._core.registrar.remove(device)  # it registered with the other node after it was here
            if device not in before:
                self._ringing.came(device, now)

    def shut_down(self, now: float) -> None:
        """The node stops: what is known of calls is recorded; the ends keep their sound."""
        for call in list(self._core.calls.values()):
            for leg in call.legs:
                leg.cause = leg.cause or Cause.TEMPORARY_FAILURE
                self._recorder.keep(call, leg, now)
            self._recorder.close(call, now)

    def _lines_changed(self, device: str, now: float) -> None:
        phone = self._core.lines.phone(device)
        for line in phone.lines if phone is not None else ():
            self._core.line_changed(line.number, now)
