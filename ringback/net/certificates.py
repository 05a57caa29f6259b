"""Looking at the certificate that a server shows, so that a person can be told what is wrong with it.

A connection whose certificate fails the check is ended by the TLS library before anybody can read what was shown.
``inspect_certificate`` therefore makes one more handshake that does not judge, reads the certificate and closes. Not an
octet of data goes through that connection, and nothing is decided from it but the wording of a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ringback.rules.reachability import CertificateFacts, Obstacle

_TIMEOUT = 3.0  # seconds
_EXPIRED, _NOT_YET, _HOST_MISMATCH, _ADDRESS_MISMATCH = 10, 9, 62, 64  # X509_V_ERR_*, openssl/x509_vfy.h


def obstacle_of(error: ssl.SSLError) -> Obstacle:
    """What a TLS error says of the server."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return Obstacle.NOT_TLS
    return {
        _EXPIRED: Obstacle.EXPIRED,
        _NOT_YET: Obstacle.NOT_YET_VALID,
        _HOST_MISMATCH: Obstacle.WRONG_NAME,
        _ADDRESS_MISMATCH: Obstacle.WRONG_NAME,
    }.get(error.verify_code, Obstacle.UNTRUSTED)


async def inspect_certificate(address: str, port: int, expected: str) -> CertificateFacts | None:
    """The certificate shown at an address for a name, trusted or not; None where no handshake comes about."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(address, port, ssl=looking_context(), server_hostname=expected)
    except (OSError, TimeoutError, ssl.SSLError):
        return None
    try:
        return shown_on(writer, f"{expected}:{port}", expected)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()


def looking_context() -> ssl.SSLContext:
    """A context that judges nothing, for connections that carry nothing: see the head of this file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown_on(writer: asyncio.StreamWriter, server: str, expected: str) -> CertificateFacts | None:
    """The certificate that the other side of a TLS connection showed."""
    tls = writer.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
    return facts_of(shown, server, expected) if shown else None


def facts_of(der: bytes, server: str, expected: str) -> CertificateFacts | None:
    """What a certificate says; None where it can't be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return CertificateFacts(
            server,
            expected,
            _names(certificate),
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            certificate.not_valid_before_utc.isoformat(),
            certificate.not_valid_after_utc.isoformat(),
            certificate.fingerprint(hashes.SHA256()).hex(),
        )
    except ValueError:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    )
