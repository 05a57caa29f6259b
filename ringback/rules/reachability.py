"""How an attempt to reach a server can go wrong, and what a certificate said: the evidence of faults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Obstacle(StrEnum):
    """What stood in the way of a connection; the last four are of its certificate."""

    NO_ADDRESS = "no-address"
    REFUSED = "refused"
    TIMED_OUT = "timed-out"
    UNREACHABLE = "unreachable"
    NOT_TLS = "not-tls"
    CLOSED = "closed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    UNTRUSTED = "untrusted"

    @property
    def of_certificate(self) -> bool:
        """Whether the server was reached and its certificate is the trouble."""
        return self in (Obstacle.EXPIRED, Obstacle.NOT_YET_VALID, Obstacle.WRONG_NAME, Obstacle.UNTRUSTED)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a server showed. ``names`` are the DNS names and addresses it is valid for, times are ISO 8601 in UTC.

    ``fingerprint`` is the SHA-256 of the certificate in hexadecimal.
    """

    server: str
    expected: str
    names: tuple[str, ...]
    subject: str
    issuer: str
    valid_from: str
    valid_until: str
    fingerprint: str
