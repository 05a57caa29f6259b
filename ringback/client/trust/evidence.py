"""Small readings of errors and certificates that the judge goes by."""

from __future__ import annotations

import ssl
from typing import Literal

import aiohttp

from ringback.net.certificates import ReadCertificate
from ringback.rules.certificates import CertificateEvidence
from ringback.rules.reachability import Obstacle


def certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The TLS error within what a library raised."""
    seen = 0
    while error is not None and seen < 8:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            inner = error.certificate_error
            return inner if isinstance(inner, ssl.SSLCertVerificationError) else None
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None


def validity(chain: list[ReadCertificate], now: float) -> Literal["now", "later", "over"]:
    """The dates of a chain: one that is over outweighs one that is not valid yet."""
    if any(each.ends < now for each in chain):
        return "over"
    return "later" if any(each.begins > now for each in chain) else "now"


def obstacle_of_evidence(evidence: CertificateEvidence) -> Obstacle:
    """What stands in the way, in the words of faults: the gravest."""
    if not evidence.trusted:
        return Obstacle.UNTRUSTED
    if evidence.valid != "now":
        return Obstacle.EXPIRED if evidence.valid == "over" else Obstacle.NOT_YET_VALID
    return Obstacle.WRONG_NAME if not evidence.identity.matches else Obstacle.UNTRUSTED
