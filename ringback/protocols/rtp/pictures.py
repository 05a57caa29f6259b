"""Where whole pictures begin in video payloads: H.264 (RFC 6184) and VP8 (RFC 7741). Nothing is decoded."""

from __future__ import annotations

_KEY_UNITS = {5, 7}  # IDR slice, sequence parameter set


def begins_whole_picture(encoding: str, payload: bytes) -> bool:
    """Whether a decoder that knows nothing can begin with this packet. ``encoding`` is the name of ``a=rtpmap``.

    Of an encoding that is not known, every packet may be one.
    """
    name = encoding.upper()
    if name == "H264":
        return _h264(payload)
    if name == "VP8":
        return _vp8(payload)
    return True


def _h264(payload: bytes) -> bool:
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == 24:  # several units: each with its size before it
        at = 1
        while at + 2 < len(payload):
            if payload[at + 2] & 0x1F in _KEY_UNITS:
                return True
            at += 2 + int.from_bytes(payload[at : at + 2])
        return False
    if kind == 28:  # a fragment; the first has the start bit
        return len(payload) > 1 and bool(payload[1] & 0x80) and payload[1] & 0x1F in _KEY_UNITS
    return kind in _KEY_UNITS


def _vp8(payload: bytes) -> bool:
    if not payload:
        return False
    at = 1
    if payload[0] & 0x80:  # extended control bits
        if len(payload) < 2:
            return False
        extra = payload[1]
        at = 2
        if extra & 0x80:  # picture id of one or two octets
            if len(payload) <= at:
                return False
            at += 2 if payload[at] & 0x80 else 1
        at += 1 if extra & 0x40 else 0
        at += 1 if extra & 0x30 else 0
    starts = bool(payload[0] & 0x10) and payload[0] & 0x07 == 0
    return starts and len(payload) > at and not payload[at] & 0x01
