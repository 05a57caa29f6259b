"""What reading octets of RTP and its companions may raise: nothing but these."""

from __future__ import annotations


class RtpError(ValueError):
    """Root of this package's errors: the other side sent something that the documents do not allow."""


class RtpFormatError(RtpError):
    """Octets are not an RTP packet (RFC 3550 section 5.1)."""


class RtcpFormatError(RtpError):
    """Octets are not a compound or reduced-size RTCP packet (RFC 3550 section 6, RFC 5506)."""


class RedFormatError(RtpError):
    """A payload does not hold the redundancy headers that it announces (RFC 2198)."""


class TelephoneEventFormatError(RtpError):
    """A payload is not a list of telephone events (RFC 4733 section 2.3)."""


class CryptoFormatError(RtpError):
    """A crypto attribute is not what RFC 4568 section 9.1 describes, or its key has the wrong length."""
