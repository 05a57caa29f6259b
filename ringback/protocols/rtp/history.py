"""Packets that were sent a moment ago, to be sent again when a NACK asks (RFC 4585 section 6.2.1)."""

from __future__ import annotations

from ringback.protocols.rtp.packet import RtpPacket


class PacketHistory:
    """The last ``size`` packets by sequence number, and how often each was sent again."""

    MOST = 3  # times that one packet is sent again

    def __init__(self, size: int = 512) -> None:
        self._size = size
        self._packets: dict[int, RtpPacket] = {}
        self._again: dict[int, int] = {}

    def add(self, packet: RtpPacket) -> None:
        """Remember a packet as it was sent, before protection."""
        sequence_number = packet.sequence_number
        self._packets.pop(sequence_number, None)
        self._packets[sequence_number] = packet
        self._again.pop(sequence_number, None)
        if len(self._packets) > self._size:
            oldest = next(iter(self._packets))
            del self._packets[oldest]
            self._again.pop(oldest, None)

    def wanted(self, lost: tuple[int, ...]) -> list[RtpPacket]:
        """Those of the lost ones that are here still and were not sent too often."""
        found = []
        for number in lost:
            packet = self._packets.get(number)
            times = self._again.get(number, 0)
            if packet is not None and times < self.MOST:
                self._again[number] = times + 1
                found.append(packet)
        return found
