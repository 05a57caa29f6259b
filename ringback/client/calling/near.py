"""Who speaks and listens at our end of a call when it is no page: a program that plays and records."""

from __future__ import annotations

from typing import Protocol

from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sdp.negotiation import Stream


class NearEnd(Protocol):
    """Given to a call in place of a page. Everything is called on the loop's thread."""

    def open(self, leg: RtpLeg) -> None:
        """The leg to the other side is there."""

    def settle(self, agreed: Stream) -> None:
        """What was agreed, again after each change."""

    def take(self, packet: RtpPacket, now: float) -> None:
        """A packet of the other side."""

    async def close(self) -> None:
        """The call is over."""
