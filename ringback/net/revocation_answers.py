"""What OCSP responses and revocation lists say of a certificate, verified; no socket, no clock.

An answer counts only if the authority of the certificate stands behind it (RFC 6960 section 3.2, RFC 5280 section 6.3)
and it is of now. Whatever else comes is an ``AnswerError``, which is the same as no answer.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from ringback.net.certificates import UNREADABLE

SKEW = 300.0
"""Seconds by which the clocks of authority and client may differ (chosen)."""
_WITHOUT_END = 3600.0  # seconds an answer counts that does not say when the next one comes
_URLS = 4


class AnswerError(Exception):
    """An answer that says nothing that can be believed; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an authority says, and until when (seconds since 1970)."""

    status: Literal["good", "revoked", "unknown"]
    until: float


@dataclass(frozen=True, slots=True)
class Named:
    """The addresses that a certificate names: of OCSP responders and of revocation lists; http only."""

    responders: tuple[str, ...]
    lists: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.responders or self.lists)


def named(certificate: x509.Certificate) -> Named:
    """Who can be asked about a certificate (RFC 5280 sections 4.2.1.13 and 4.2.2.1). Broken extensions name nobody."""
    responders: list[str] = []
    lists: list[str] = []
    try:
        extensions = certificate.extensions
    except UNREADABLE:
        return Named((), ())
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.AuthorityInformationAccess):
            responders += [
                _http(each.access_location)
                for each in value
                if each.access_method == AuthorityInformationAccessOID.OCSP
            ]
        elif isinstance(value, x509.CRLDistributionPoints):
            # Points for some reasons only, or of another issuer, can't say that a certificate is good.
            points = (point for point in value if point.reasons is None and point.crl_issuer is None)
            lists += [_http(name) for point in points for name in point.full_name or ()]
    return Named(tuple(filter(None, responders))[:_URLS], tuple(filter(None, lists))[:_URLS])


def _http(name: x509.GeneralName) -> str:
    """The address of a name, if it is one of http: TLS would need a certificate that must be looked at in turn."""
    url = name.value if isinstance(name, x509.UniformResourceIdentifier) else ""
    return url if url.lower().startswith("http://") else ""


# --- OCSP


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """A request for one certificate (RFC 6960 section 4.1). SHA-1 only finds the certificate, as RFC 5019 wants it."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(serialization.Encoding.DER)


def read_ocsp(
    document: bytes, certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes, now: float
) -> Answer:
    """The answer in an OCSP response. ``nonce``: one that comes back must be ours; responders may leave it out
    (RFC 8954), then the times alone say that it is fresh. Raises AnswerError."""
    try:
        response = ocsp.load_der_ocsp_response(document)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise AnswerError(f"the responder says {response.response_status.name.lower()}")
        _verify_responder(response, issuer, now)
        _verify_nonce(response, nonce)
        single = _single(response, certificate, issuer)
        until = _until(single.this_update_utc, single.next_update_utc, now)
        status = single.certificate_status
    except UNREADABLE as error:
        raise AnswerError(f"the response can't be read: {error}") from error
    if status is ocsp.OCSPCertStatus.REVOKED:
        return Answer("revoked", until)
    return Answer("good" if status is ocsp.OCSPCertStatus.GOOD else "unknown", until)


def _single(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    name = issuer.subject.public_bytes()
    key = _key_bits(issuer)
    for single in response.responses:
        digest = single.hash_algorithm.name
        if digest not in ("sha1", "sha256", "sha384", "sha512") or single.serial_number != certificate.serial_number:
            continue
        same_name = single.issuer_name_hash == hashlib.new(digest, name).digest()
        if same_name and single.issuer_key_hash == hashlib.new(digest, key).digest():
            return single
    raise AnswerError("the response is about another certificate")


def _verify_nonce(response: ocsp.OCSPResponse, nonce: bytes) -> None:
    try:
        came = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return
    if came != nonce:
        raise AnswerError("the response answers another question")


def _verify_responder(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: float) -> None:
    """The response is signed by the authority itself or by someone whom it made a responder (RFC 6960 4.2.2.2)."""
    for signer in (issuer, *response.certificates):
        if not _is_named(response, signer):
            continue
        if signer is not issuer and signer.fingerprint(hashes.SHA256()) != issuer.fingerprint(hashes.SHA256()):
            _verify_delegate(signer, issuer, now)
        _verify_signature(response, signer)
        return
    raise AnswerError("the response is signed by a stranger")


def _is_named(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == signer.subject
    return response.responder_key_hash == hashlib.sha1(_key_bits(signer), usedforsecurity=False).digest()


def _verify_delegate(signer: x509.Certificate, issuer: x509.Certificate, now: float) -> None:
    if not signer.not_valid_before_utc.timestamp() - SKEW <= now <= signer.not_valid_after_utc.timestamp() + SKEW:
        raise AnswerError("the responder's certificate is not valid now")
    try:
        signer.verify_directly_issued_by(issuer)
        uses = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE) as error:
        raise AnswerError("the response is signed by a stranger") from error
    if ExtendedKeyUsageOID.OCSP_SIGNING not in uses:
        raise AnswerError("the response is signed with a certificate that is not for that")


def _verify_signature(response: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    digest, key = response.signature_hash_algorithm, signer.public_key()
    signature, signed = response.signature, response.tbs_response_bytes
    if digest is not None and digest.name in ("md5", "sha1"):
        raise AnswerError("the response's signature can be forged")
    try:
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(signature, signed, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, signed, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        else:
            raise AnswerError("the response is signed in an unknown way")
    except InvalidSignature as error:
        raise AnswerError("the response's signature is wrong") from error


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The content of the bit string of the public key, of which RFC 6960 takes the hash."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    raise AnswerError("the authority has an unknown kind of key")


# --- lists


_KNOWN_EXTENSIONS = (x509.IssuingDistributionPoint, x509.CRLNumber, x509.AuthorityKeyIdentifier)


def read_list(document: bytes, issuer: x509.Certificate, now: float) -> x509.CertificateRevocationList:
    """A revocation list, DER or PEM, of the issuer of a certificate and of now. Raises AnswerError."""
    try:
        is_pem = document.lstrip()[:5] == b"-----"
        found = x509.load_pem_x509_crl(document) if is_pem else x509.load_der_x509_crl(document)
        if found.issuer != issuer.subject:
            raise AnswerError("the list is of another authority")
        digest = found.signature_hash_algorithm
        if digest is not None and digest.name in ("md5", "sha1"):
            raise AnswerError("the list's signature can be forged")
        if not _signs_lists(issuer) or not found.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
            raise AnswerError("the list's signature is wrong")
        _until(found.last_update_utc, found.next_update_utc, now)
        for extension in found.extensions:
            if extension.critical and not isinstance(extension.value, _KNOWN_EXTENSIONS):
                raise AnswerError("the list says something that is not understood")
    except UNREADABLE as error:
        raise AnswerError(f"the list can't be read: {error}") from error
    return found


def look_up(revoked: x509.CertificateRevocationList, certificate: x509.Certificate, now: float) -> Answer:
    """What a list that was read says of a certificate. Raises AnswerError where it is not about such ones."""
    until = _until(revoked.last_update_utc, revoked.next_update_utc, now)
    if not _covers(revoked, certificate):
        raise AnswerError("the list is about other certificates")
    row = revoked.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return Answer("good" if row is None else "revoked", until)


def _signs_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _covers(revoked: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether a list is complete for a certificate (RFC 5280 section 5.2.5)."""
    try:
        point = revoked.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return True
    if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
        return False
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    return not (point.only_contains_user_certs if is_authority else point.only_contains_ca_certs)


def _until(since: datetime.datetime, until: datetime.datetime | None, now: float) -> float:
    """When the next answer comes. Raises AnswerError for an answer of another time."""
    begins = since.timestamp()
    ends = until.timestamp() if until is not None else begins + _WITHOUT_END
    if begins > now + SKEW:
        raise AnswerError("the answer is of the future; are the clocks right?")
    if ends < now - SKEW:
        raise AnswerError("the answer is out of date")
    return ends
