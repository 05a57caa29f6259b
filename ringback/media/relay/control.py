"""RTCP on its way through a relay: numbers moved so that each end reads of the streams that it knows."""

from __future__ import annotations

from dataclasses import replace

from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.continuity import Continuity


def translate(
    packets: tuple[rtcp.RtcpPacket, ...], towards_sender: Continuity, towards_receiver: Continuity
) -> tuple[rtcp.RtcpPacket, ...]:
    """What to pass on of a compound packet.

    ``towards_sender`` is the outgoing stream of the leg that the packet came in by: its reports speak of that stream.
    ``towards_receiver`` is the stream that the packet's sender feeds on the other leg. Goodbyes stay here, since the
    other side's stream goes on with music or another person; what cannot be understood stays here too.
    """
    moved: list[rtcp.RtcpPacket] = []
    way = _Translation(towards_sender, towards_receiver)
    for packet in packets:
        one = way.of(packet)
        if one is not None:
            moved.append(one)
    if not moved or not isinstance(moved[0], rtcp.SenderReport | rtcp.ReceiverReport):
        if not moved:
            return ()
        moved.insert(0, rtcp.ReceiverReport(way.own))  # a compound packet begins with a report
    return tuple(moved)


class _Translation:
    def __init__(self, reported: Continuity, fed: Continuity) -> None:
        self._reported = reported
        self._fed = fed
        self.own = fed.ssrc

    def of(self, packet: rtcp.RtcpPacket) -> rtcp.RtcpPacket | None:
        match packet:
            case rtcp.SenderReport():
                if packet.ssrc != self._fed.source:  # of a stream that is not heard there now
                    return rtcp.ReceiverReport(self.own, self._blocks(packet.reports))
                return replace(
                    packet,
                    ssrc=self.own,
                    rtp_timestamp=self._fed.forth(packet.rtp_timestamp),
                    reports=self._blocks(packet.reports),
                )
            case rtcp.ReceiverReport():
                return rtcp.ReceiverReport(self.own, self._blocks(packet.reports))
            case rtcp.SourceDescription():
                return rtcp.SourceDescription(tuple((self.own, items) for _, items in packet.chunks[:1]))
            case rtcp.ExtendedReport():
                return self._extended(packet)
            case (
                rtcp.Nack()
                | rtcp.PictureLoss()
                | rtcp.FullIntraRequest()
                | rtcp.ReceiverEstimate()
                | rtcp.OtherFeedback()
            ):
                return self._feedback(packet)
        return None

    def _blocks(self, blocks: tuple[rtcp.ReportBlock, ...]) -> tuple[rtcp.ReportBlock, ...]:
        source = self._reported.source
        if source is None:
            return ()
        return tuple(
            replace(block, ssrc=source, highest_sequence=self._reported.back(block.highest_sequence))
            for block in blocks
            if block.ssrc == self._reported.ssrc
        )

    def _extended(self, packet: rtcp.ExtendedReport) -> rtcp.ExtendedReport:
        blocks: list[rtcp.Block] = []
        for block in packet.blocks:
            match block:
                case rtcp.VoipMetrics():
                    if self._reported.source is not None:
                        blocks.append(replace(block, source=self._reported.source))
                case rtcp.LastReferenceTimes():
                    if self._reported.source is not None:
                        entries = tuple((self._reported.source, *rest) for _, *rest in block.entries[:1])
                        blocks.append(rtcp.LastReferenceTimes(tuple((a, b, c) for a, b, c in entries)))
                case rtcp.ReferenceTime():
                    blocks.append(block)
        return rtcp.ExtendedReport(self.own, tuple(blocks))

    def _feedback(self, packet: rtcp.Feedback) -> rtcp.Feedback | None:
        source = self._reported.source
        if source is None:
            return None
        match packet:
            case rtcp.Nack():
                return rtcp.Nack(self.own, source, tuple(self._reported.back(one) for one in packet.lost))
            case rtcp.PictureLoss():
                return rtcp.PictureLoss(self.own, source)
            case rtcp.FullIntraRequest():
                return rtcp.FullIntraRequest(self.own, tuple((source, number) for _, number in packet.entries[:1]))
            case rtcp.ReceiverEstimate():
                return rtcp.ReceiverEstimate(self.own, packet.bitrate, (source,))
            case rtcp.OtherFeedback():
                return replace(packet, sender=self.own, source=source if packet.source else 0)
