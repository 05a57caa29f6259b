"""SRTP and SRTCP (RFC 3711) of a leg by libsrtp, in place in a shared buffer: copying costs more than ciphering.

`Protection` is one leg's pair of sessions. pylibsrtp gives keys and contexts their lifetime; its own ``protect`` copies
twice and stops at 1,500 octets, so that its library is called directly here (tests watch the names used).
"""

from __future__ import annotations

import hmac
from typing import Any, Final

import pylibsrtp
from pylibsrtp import Policy, Session, _binding

from ringback.media.transport.errors import ProtectionError
from ringback.protocols.rtp.crypto import CryptoLine, Suite

_ffi: Final[Any] = _binding.ffi
_lib: Final[Any] = _binding.lib

BUFFER_SIZE = 2048 + 160  # a datagram, and what protection adds at most
_WINDOW = 1024  # packets that may be overtaken: a picture is many

_PROFILES = {
    Suite.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Suite.AES_CM_128_HMAC_SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    Suite.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    Suite.AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


class Buffer:
    """Octets that sockets and the SRTP library share. Used from one thread only."""

    def __init__(self) -> None:
        self.octets = bytearray(BUFFER_SIZE)
        self.view = memoryview(self.octets)
        self.pointer: Any = _ffi.from_buffer(self.octets)
        self.length: Any = _ffi.new("int *")


class Protection:
    """Both directions of a leg. ``suite`` and keys come from SDES or DTLS."""

    def __init__(self, suite: Suite, outbound_key: bytes, inbound_key: bytes) -> None:
        """Raises ProtectionError."""
        try:
            policy = Policy(key=outbound_key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=_PROFILES[suite])
            policy.allow_repeat_tx = True  # pictures are sent again on request (NACK)
            policy.window_size = _WINDOW
            self._outbound = Session(policy)
            policy = Policy(key=inbound_key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=_PROFILES[suite])
            policy.window_size = _WINDOW
            self._inbound = Session(policy)
        except (pylibsrtp.Error, ValueError, TypeError) as error:
            raise ProtectionError(f"{suite.label} cannot be used with these keys") from error
        self.suite = suite
        self._keys = (outbound_key, inbound_key)
        self._out: Any = self._outbound._srtp[0]
        self._in: Any = self._inbound._srtp[0]

    @classmethod
    def from_lines(cls, local: CryptoLine, remote: CryptoLine) -> Protection:
        """From negotiated SDES lines: each side encrypts with its own key. Raises ProtectionError."""
        if local.suite is None or local.suite is not remote.suite:
            raise ProtectionError("both crypto lines must name the same known suite")
        return cls(local.suite, local.key, remote.key)

    def made_from(self, local: CryptoLine, remote: CryptoLine) -> bool:
        """Whether these lines hold the keys in use."""
        return local.suite is self.suite and self.uses(outbound=local.key, inbound=remote.key)

    def uses(self, *, outbound: bytes, inbound: bytes) -> bool:
        """Whether these are the keys in use."""
        return hmac.compare_digest(outbound, self._keys[0]) and hmac.compare_digest(inbound, self._keys[1])

    def uses_outbound(self, key: bytes) -> bool:
        """Whether this is the key that we encrypt with."""
        return hmac.compare_digest(key, self._keys[0])

    def uses_inbound(self, key: bytes) -> bool:
        """Whether this is the key that the other side encrypts with."""
        return hmac.compare_digest(key, self._keys[1])

    def protect(self, buffer: Buffer, size: int) -> int:
        """Protect the RTP packet in the buffer; its new size, or 0 where that failed."""
        buffer.length[0] = size
        return int(buffer.length[0]) if not _lib.srtp_protect(self._out, buffer.pointer, buffer.length) else 0

    def unprotect(self, buffer: Buffer, size: int) -> int:
        """Check and open the packet in the buffer; its new size, or 0 where it is forged, old or a copy."""
        buffer.length[0] = size
        return int(buffer.length[0]) if not _lib.srtp_unprotect(self._in, buffer.pointer, buffer.length) else 0

    def protect_rtcp(self, buffer: Buffer, size: int) -> int:
        """Protect the RTCP packet in the buffer; its new size, or 0."""
        buffer.length[0] = size
        return int(buffer.length[0]) if not _lib.srtp_protect_rtcp(self._out, buffer.pointer, buffer.length) else 0

    def unprotect_rtcp(self, buffer: Buffer, size: int) -> int:
        """Check and open the RTCP packet in the buffer; its new size, or 0."""
        buffer.length[0] = size
        return int(buffer.length[0]) if not _lib.srtp_unprotect_rtcp(self._in, buffer.pointer, buffer.length) else 0
