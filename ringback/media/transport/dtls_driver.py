"""Runs the DTLS handshakes of a leg: one for a shared port, two where RTCP has its own (RFC 5764 section 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringback.media.transport import events
from ringback.media.transport.dtls import DtlsCore, DtlsIdentity, Fingerprint, Role
from ringback.media.transport.latch import SocketAddress
from ringback.media.transport.protection import Protection

if TYPE_CHECKING:
    from ringback.media.transport.leg import RtpLeg


class DtlsDriver:
    """Gives the leg its protection when the handshake is done, and tells the owner how it went."""

    def __init__(
        self, leg: RtpLeg, identity: DtlsIdentity, role: Role, fingerprints: Sequence[Fingerprint], *, both: bool
    ) -> None:
        now = leg.now()
        self._leg = leg
        self._role = role
        self._fingerprints = tuple(fingerprints)
        self._media = DtlsCore(identity, role, fingerprints, now)
        self._control = DtlsCore(identity, role, fingerprints, now) if both else None
        self._told = False
        self._timer: asyncio.TimerHandle | None = None

    def matches(self, role: Role, fingerprints: Sequence[Fingerprint]) -> bool:
        """Whether a later offer or answer asks for what is there already."""
        return role == self._role and tuple(fingerprints) == self._fingerprints and self._media.failure is None

    def start(self) -> None:
        """Send the first flight, where it is ours to send."""
        self._after()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def receive(self, datagram: bytes, source: SocketAddress, now: float, *, control: bool) -> None:
        """A DTLS datagram came; answers go to where the other side's media come from, once that is known."""
        core = self._control if control else self._media
        if core is None or not self._leg.hear_handshake(source, control=control):
            return
        core.receive(datagram)
        self._after()

    def _after(self) -> None:
        for core, control in ((self._media, False), (self._control, True)):
            if core is not None:
                for datagram in core.data_to_send():
                    self._leg.send_datagram(datagram, control=control)
        self._take_keys()
        self._schedule()

    def _take_keys(self) -> None:
        if self._control is not None and self._control.keys is not None:
            keys = self._control.keys
            self._leg.protect_with(Protection(keys.suite, keys.outbound, keys.inbound), control=True)
            self._control = None
        if self._told:
            return
        if self._media.failure is not None:
            self._told = True
            self._leg.tell(events.SecurityFailed(self._media.failure))
        elif self._media.keys is not None:
            self._told = True
            keys = self._media.keys
            self._leg.protect_with(Protection(keys.suite, keys.outbound, keys.inbound), control=False)
            self._leg.tell(events.Secured(keys.suite.label))

    def _schedule(self) -> None:
        self.stop()
        now = self._leg.now()
        deadlines = [
            deadline
            for core in (self._media, self._control)
            if core is not None and (deadline := core.next_deadline(now)) is not None
        ]
        if deadlines:
            self._timer = self._leg.call_at(min(deadlines), self._due)

    def _due(self) -> None:
        self._timer = None
        now = self._leg.now()
        for core in (self._media, self._control):
            if core is not None:
                core.handle_timer(now)
        self._after()
