"""RTCP read from and written to octets; the meanings are in ``rtcp``."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.errors import RtcpFormatError

_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!QIII")
_VOIP = struct.Struct("!IBBBBHHHHBBBBBBBBBxHHH")
_REMB = b"REMB"


def parse_compound(data: bytes) -> tuple[rtcp.RtcpPacket, ...]:
    """Every packet of a datagram, in order. Raises RtcpFormatError.

    Reduced-size packets, which begin with something else than a report, are accepted (RFC 5506).
    """
    packets: list[rtcp.RtcpPacket] = []
    at = 0
    if not data:
        raise RtcpFormatError("an empty datagram")
    while at < len(data):
        if len(data) - at < 4:
            raise RtcpFormatError("shorter than an RTCP header")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        if first >> 6 != 2:
            raise RtcpFormatError(f"RTCP version {first >> 6}, not 2")
        end = at + 4 + words * 4
        if end > len(data):
            raise RtcpFormatError("a packet runs past the end of the datagram")
        body = bytes(data[at + 4 : end])
        if first & 0x20:
            body = _without_padding(body, last=end == len(data))
        packets.append(_read(kind, first & 0x1F, body))
        at = end
    return tuple(packets)


def serialize_compound(packets: Iterable[rtcp.RtcpPacket]) -> bytes:
    """The octets of a datagram. Raises RtcpFormatError where a field or list does not fit."""
    try:
        return b"".join(_write(packet) for packet in packets)
    except struct.error as error:
        raise RtcpFormatError(f"a field is out of range: {error}") from error


def _without_padding(body: bytes, *, last: bool) -> bytes:
    if not last:
        raise RtcpFormatError("padding in a packet that is not the last")
    if not body or not body[-1] or body[-1] % 4 or body[-1] > len(body):
        raise RtcpFormatError("padding that does not fit")
    return body[: -body[-1]]


def _read(kind: int, count: int, body: bytes) -> rtcp.RtcpPacket:
    try:
        if kind == rtcp.SENDER_REPORT:
            ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
            return rtcp.SenderReport(_word(body, 0), ntp, timestamp, packets, octets, _blocks(body, 24, count))
        if kind == rtcp.RECEIVER_REPORT:
            return rtcp.ReceiverReport(_word(body, 0), _blocks(body, 4, count))
        if kind == rtcp.SOURCE_DESCRIPTION:
            return _read_description(count, body)
        if kind == rtcp.GOODBYE:
            return _read_goodbye(count, body)
        if kind in {rtcp.TRANSPORT_FEEDBACK, rtcp.PAYLOAD_FEEDBACK}:
            return _read_feedback(kind, count, body)
        if kind == rtcp.EXTENDED_REPORT:
            return rtcp.ExtendedReport(_word(body, 0), _read_extended(body[4:]))
    except (struct.error, IndexError) as error:
        raise RtcpFormatError(f"a packet of type {kind} is cut off") from error
    return rtcp.OtherPacket(kind, count, body)


def _word(body: bytes, at: int) -> int:
    (value,) = struct.unpack_from("!I", body, at)
    return int(value)


def _blocks(body: bytes, at: int, count: int) -> tuple[rtcp.ReportBlock, ...]:
    blocks = []
    for number in range(count):
        ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, at + number * _BLOCK.size)
        total = ((lost & 0xFFFFFF) ^ 0x800000) - 0x800000  # signed, 24 bits
        blocks.append(rtcp.ReportBlock(ssrc, lost >> 24, total, highest, jitter, last, delay))
    return tuple(blocks)


def _read_description(count: int, body: bytes) -> rtcp.SourceDescription:
    chunks = []
    at = 0
    for _ in range(count):
        ssrc = _word(body, at)
        at += 4
        items = []
        while body[at]:
            length = body[at + 1]
            end = at + 2 + length
            if end > len(body):
                raise RtcpFormatError("a description runs past the end")
            items.append((body[at], body[at + 2 : end]))
            at = end
        at += 4 - at % 4  # at least one null octet ends the list, up to the next word
        chunks.append((ssrc, tuple(items)))
    return rtcp.SourceDescription(tuple(chunks))


def _read_goodbye(count: int, body: bytes) -> rtcp.Goodbye:
    sources = struct.unpack_from(f"!{count}I", body)
    rest = body[count * 4 :]
    if rest and rest[0] >= len(rest):
        raise RtcpFormatError("the reason of a BYE runs past the end")
    return rtcp.Goodbye(sources, rest[1 : 1 + rest[0]] if rest else b"")


def _read_feedback(kind: int, form: int, body: bytes) -> rtcp.Feedback:
    sender, source = struct.unpack_from("!II", body)
    control = body[8:]
    if kind == rtcp.TRANSPORT_FEEDBACK and form == 1 and control:
        lost = []
        for (entry,) in struct.iter_unpack("!I", control):
            first, mask = entry >> 16, entry & 0xFFFF
            lost.append(first)
            lost.extend((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
        return rtcp.Nack(sender, source, tuple(lost))
    if kind == rtcp.PAYLOAD_FEEDBACK and form == 1 and not control:
        return rtcp.PictureLoss(sender, source)
    if kind == rtcp.PAYLOAD_FEEDBACK and form == 4 and control:
        entries = struct.iter_unpack("!IBxxx", control)
        return rtcp.FullIntraRequest(sender, tuple((ssrc, number) for ssrc, number in entries))
    if kind == rtcp.PAYLOAD_FEEDBACK and form == 15 and control[:4] == _REMB and len(control) >= 8:
        scale = _word(control, 4)
        count, exponent, mantissa = scale >> 24, scale >> 18 & 0x3F, scale & 0x3FFFF
        return rtcp.ReceiverEstimate(sender, mantissa << exponent, struct.unpack_from(f"!{count}I", control, 8))
    return rtcp.OtherFeedback(kind, form, sender, source, control)


def _read_extended(body: bytes) -> tuple[rtcp.Block, ...]:
    blocks: list[rtcp.Block] = []
    at = 0
    while at < len(body):
        kind, specific, words = struct.unpack_from("!BBH", body, at)
        content = body[at + 4 : at + 4 + words * 4]
        if len(content) < words * 4:
            raise RtcpFormatError("a block of an extended report runs past the end")
        at += 4 + words * 4
        if kind == 7 and words == 8:
            blocks.append(rtcp.VoipMetrics(*_VOIP.unpack(content)))
        elif kind == 4 and words == 2:
            blocks.append(rtcp.ReferenceTime(int.from_bytes(content)))
        elif kind == 5 and words % 3 == 0:
            blocks.append(rtcp.LastReferenceTimes(tuple(struct.iter_unpack("!III", content))))
        else:
            blocks.append(rtcp.OtherBlock(kind, specific, content))
    return tuple(blocks)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    if count > 31 or len(body) % 4:
        raise RtcpFormatError("more than 31 items, or a body that does not fill whole words of 32 bits")
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _write(packet: rtcp.RtcpPacket) -> bytes:
    match packet:
        case rtcp.SenderReport():
            head = _SENDER.pack(
                packet.ntp, packet.rtp_timestamp, packet.packets & 0xFFFFFFFF, packet.octets & 0xFFFFFFFF
            )
            body = struct.pack("!I", packet.ssrc) + head + _write_blocks(packet.reports)
            return _packet(rtcp.SENDER_REPORT, len(packet.reports), body)
        case rtcp.ReceiverReport():
            body = struct.pack("!I", packet.ssrc) + _write_blocks(packet.reports)
            return _packet(rtcp.RECEIVER_REPORT, len(packet.reports), body)
        case rtcp.SourceDescription():
            return _packet(rtcp.SOURCE_DESCRIPTION, len(packet.chunks), _write_description(packet))
        case rtcp.Goodbye():
            body = struct.pack(f"!{len(packet.sources)}I", *packet.sources)
            if packet.reason:
                body += _padded(bytes([len(packet.reason)]) + packet.reason)
            return _packet(rtcp.GOODBYE, len(packet.sources), body)
        case rtcp.ExtendedReport():
            body = struct.pack("!I", packet.ssrc) + b"".join(_write_block(block) for block in packet.blocks)
            return _packet(rtcp.EXTENDED_REPORT, 0, body)
        case rtcp.OtherPacket():
            return _packet(packet.kind, packet.count, packet.body)
        case _:
            return _write_feedback(packet)


def _write_blocks(reports: Iterable[rtcp.ReportBlock]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            one.ssrc,
            one.fraction_lost << 24 | max(-0x800000, min(one.packets_lost, 0x7FFFFF)) & 0xFFFFFF,
            one.highest_sequence,
            min(one.jitter, 0xFFFFFFFF),
            one.last_report,
            one.delay,
        )
        for one in reports
    )


def _write_description(packet: rtcp.SourceDescription) -> bytes:
    octets = b""
    for ssrc, items in packet.chunks:
        chunk = b"".join(struct.pack("!BB", kind, len(text)) + text for kind, text in items)
        octets += struct.pack("!I", ssrc) + _padded(chunk + b"\0")
    return octets


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _write_feedback(packet: rtcp.Feedback) -> bytes:
    match packet:
        case rtcp.Nack():
            content = b"".join(struct.pack("!HH", first, mask) for first, mask in _nack_entries(packet.lost))
            return _feedback(rtcp.TRANSPORT_FEEDBACK, 1, packet.sender, packet.source, content)
        case rtcp.PictureLoss():
            return _feedback(rtcp.PAYLOAD_FEEDBACK, 1, packet.sender, packet.source, b"")
        case rtcp.FullIntraRequest():
            content = b"".join(struct.pack("!IBxxx", *entry) for entry in packet.entries)
            return _feedback(rtcp.PAYLOAD_FEEDBACK, 4, packet.sender, 0, content)
        case rtcp.ReceiverEstimate():
            exponent = max(packet.bitrate.bit_length() - 18, 0)
            scale = len(packet.sources) << 24 | exponent << 18 | packet.bitrate >> exponent
            content = _REMB + struct.pack(f"!I{len(packet.sources)}I", scale, *packet.sources)
            return _feedback(rtcp.PAYLOAD_FEEDBACK, 15, packet.sender, 0, content)
        case rtcp.OtherFeedback():
            return _feedback(packet.kind, packet.format, packet.sender, packet.source, packet.control)


def _feedback(kind: int, form: int, sender: int, source: int, control: bytes) -> bytes:
    return _packet(kind, form, struct.pack("!II", sender, source) + control)


def _nack_entries(lost: Iterable[int]) -> list[tuple[int, int]]:
    entries: list[tuple[int, int]] = []
    for number in lost:
        if entries:
            first, mask = entries[-1]
            ahead = (number - first) & 0xFFFF
            if 0 < ahead <= 16:
                entries[-1] = (first, mask | 1 << ahead - 1)
                continue
        entries.append((number, 0))
    return entries


def _write_block(block: rtcp.Block) -> bytes:
    match block:
        case rtcp.VoipMetrics():
            content = _VOIP.pack(
                block.source, block.loss_rate, block.discard_rate, block.burst_density, block.gap_density,
                block.burst_duration, block.gap_duration, block.round_trip, block.end_system_delay,
                block.signal_level, block.noise_level, block.residual_echo, block.gap_threshold,
                block.r_factor, block.external_r_factor, block.listening_score, block.conversation_score,
                block.receiver_configuration, block.nominal_delay, block.maximum_delay, block.absolute_maximum_delay,
            )  # fmt: skip
            return _block(7, 0, content)
        case rtcp.ReferenceTime():
            return _block(4, 0, struct.pack("!Q", block.ntp))
        case rtcp.LastReferenceTimes():
            return _block(5, 0, b"".join(struct.pack("!III", *entry) for entry in block.entries))
        case rtcp.OtherBlock():
            return _block(block.kind, block.specific, block.content)


def _block(kind: int, specific: int, content: bytes) -> bytes:
    if len(content) % 4:
        raise RtcpFormatError("a block of an extended report fills whole words of 32 bits")
    return struct.pack("!BBH", kind, specific, len(content) // 4) + content
