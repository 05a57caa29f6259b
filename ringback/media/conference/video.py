"""Pictures of a conference: everybody sees who talks, the one who talks sees who talked before. Nothing is decoded.

At a change, a whole picture is asked for (PLI), and the old picture stays until it comes. Packets that a viewer lost
are sent again from a short history; a viewer's wish for a whole picture goes to whom it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ringback.media.transport import events
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.history import PacketHistory
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.pictures import begins_whole_picture

_PATIENCE = 1.0  # seconds for the first whole picture; then the change is made with what comes
_ASK_AGAIN = 0.5  # seconds between wishes for a whole picture of the same sender


@dataclass(slots=True, eq=False)
class Viewer:
    """A party's video leg: ``types`` maps encodings as in ``a=rtpmap`` to its payload types (both directions)."""

    leg: RtpLeg
    types: dict[str, int]
    sees: Viewer | None = None
    waits_for: Viewer | None = None
    waits_since: float = 0.0
    asked: float = -1.0
    history: PacketHistory = field(default_factory=PacketHistory)
    on_event: Callable[[events.LegEvent], None] | None = None


class VideoSwitch:
    """Give it every video leg of the conference, and who talks as it changes."""

    def __init__(self) -> None:
        self._viewers: list[Viewer] = []
        self._talker: Viewer | None = None
        self._before: Viewer | None = None

    def join(self, leg: RtpLeg, types: dict[str, int]) -> Viewer:
        """A party with a picture. The leg's events are still told to whom they were told before."""
        viewer = Viewer(leg, types, on_event=leg.on_event)
        leg.on_rtp = lambda packet, now: self._forward(viewer, packet, now)
        leg.on_event = lambda event: self._heard(viewer, event)
        self._viewers.append(viewer)
        self._show(leg.now())
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A party left, or stopped its picture. Leaving again does nothing."""
        if viewer not in self._viewers:
            return
        self._viewers.remove(viewer)
        viewer.leg.on_rtp = None
        viewer.leg.on_event = viewer.on_event
        if self._before is viewer:
            self._before = None
        if self._talker is viewer:
            self._talker, self._before = self._before, None
        for other in self._viewers:
            if other.sees is viewer:
                other.sees = None
            if other.waits_for is viewer:
                other.waits_for = None
        self._show(viewer.leg.now())

    def talks(self, viewer: Viewer | None) -> None:
        """The loudest party now; None where it has no picture (the last one stays)."""
        if viewer is None or viewer is self._talker or viewer not in self._viewers:
            return
        self._before, self._talker = self._talker, viewer
        self._show(viewer.leg.now())

    def _show(self, now: float) -> None:
        shown = self._talker or (self._viewers[0] if self._viewers else None)
        for viewer in self._viewers:
            wanted = shown
            if wanted is viewer:
                wanted = self._before or next((one for one in self._viewers if one is not viewer), None)
            if wanted is not None and wanted is not viewer.sees and wanted is not viewer.waits_for:
                viewer.waits_for = wanted
                viewer.waits_since = now
                self._ask(wanted, now)

    def _ask(self, viewer: Viewer, now: float) -> None:
        if now - viewer.asked >= _ASK_AGAIN or viewer.asked < 0:
            viewer.asked = now
            viewer.leg.request_picture()

    def _forward(self, source: Viewer, packet: RtpPacket, now: float) -> None:
        encoding = next((name for name, number in source.types.items() if number == packet.payload_type), None)
        if encoding is None:
            return
        whole: bool | None = None
        for viewer in self._viewers:
            if viewer is source:
                continue
            if viewer.waits_for is source:
                if whole is None:
                    whole = begins_whole_picture(encoding, packet.payload)
                if whole or now - viewer.waits_since >= _PATIENCE:
                    viewer.sees, viewer.waits_for = source, None
                    viewer.leg.continuity.allow(packet.ssrc)
                else:
                    self._ask(source, now)
            if viewer.sees is source:
                self._send(viewer, encoding, packet, now)

    def _send(self, viewer: Viewer, encoding: str, packet: RtpPacket, now: float) -> None:
        number = viewer.types.get(encoding)
        leg = viewer.leg
        if number is None or not leg.sending or leg.target is None or leg.closed:
            return
        placed = leg.continuity.place(packet.ssrc, packet.sequence_number, packet.timestamp, now)
        if placed is None:
            return
        sequence, timestamp, _ = placed
        moved = RtpPacket(number, sequence, timestamp, leg.ssrc, packet.payload, packet.marker)
        viewer.history.add(moved)
        leg.emit_packet(moved, now)

    def _heard(self, viewer: Viewer, event: events.LegEvent) -> None:
        if isinstance(event, events.FeedbackArrived):
            now = viewer.leg.now()
            match event.feedback:
                case rtcp.Nack():
                    for packet in viewer.history.wanted(event.feedback.lost):
                        viewer.leg.emit_packet(packet, now)
                case rtcp.PictureLoss() | rtcp.FullIntraRequest():
                    if viewer.sees is not None:
                        self._ask(viewer.sees, now)
        elif isinstance(event, events.SourceChanged) and any(
            one.waits_for is viewer for one in self._viewers
        ):  # it could not be asked before its first packet
            viewer.asked = viewer.leg.now()
            viewer.leg.request_picture()
        if viewer.on_event is not None:
            viewer.on_event(event)
