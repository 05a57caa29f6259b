"""Numbers that wrap: sequence numbers of 16 bits, timestamps of 32 bits (RFC 3550 section 5.1)."""

from __future__ import annotations

SEQUENCE_MODULUS = 1 << 16
TIMESTAMP_MODULUS = 1 << 32


def sequence_distance(later: int, earlier: int) -> int:
    """How far ``later`` is ahead, from -32768 to 32767."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(later: int, earlier: int) -> int:
    """How far ``later`` is ahead, from -2**31 to 2**31 - 1."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Unwrapper:
    """Turns numbers that wrap into numbers that do not, by nearness to the greatest seen so far."""

    def __init__(self, modulus: int = SEQUENCE_MODULUS) -> None:
        self._modulus = modulus
        self._greatest: int | None = None

    def unwrap(self, number: int) -> int:
        """The number counted on without end; one from before the start may come out negative."""
        if self._greatest is None:
            self._greatest = number
            return number
        half = self._modulus >> 1
        whole = self._greatest + ((number - self._greatest + half) % self._modulus) - half
        self._greatest = max(self._greatest, whole)
        return whole
