"""Reading certificates, and looking at the one that a server shows, so that a person can be told what is wrong with it.

A connection whose certificate fails the check is ended by the TLS library before anybody can read what was shown.
``look`` therefore makes one more handshake that does not judge, reads the certificates and closes. Not an octet of data
goes through that connection, and nothing is decided from it but the wording of a fault and what a person is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ringback.net.ldap.starttls import open_for_tls
from ringback.net.node_resolver import local_address
from ringback.net.tls_checks import CheckedContext, chain_of
from ringback.rules.certificates import PresentedNames
from ringback.rules.reachability import CertificateFacts, Obstacle
from ringback.rules.tls_modes import KeyFacts

XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")
"""id-on-xmppAddr (RFC 6120 section 13.7.1.4): an other name that holds a UTF8String."""
SERVICE_NAME = ObjectIdentifier("1.3.6.1.5.5.7.8.7")
"""id-on-dnsSRV (RFC 4985): an other name that holds an IA5String such as ``_xmpp-client.example.com``."""
UTF8_STRING, IA5_STRING = 0x0C, 0x16
UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""What ``cryptography`` raises for documents that are none."""

_TIMEOUT = 3.0  # seconds
_EXPIRED, _NOT_YET, _HOST_MISMATCH, _ADDRESS_MISMATCH = 10, 9, 62, 64  # X509_V_ERR_*, openssl/x509_vfy.h
NO_CHECK_TIME = 0x200000
"""X509_V_FLAGNO_CHECK_TIME (openssl/x509_vfy.h), for contexts whose check looks at the dates itself."""
_NAMES_SHOWN = 100


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


# --- reading


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """What stands in a certificate. Times are seconds since 1970."""

    names: PresentedNames
    key: KeyFacts
    subject: str
    issuer: str
    begins: float
    ends: float
    fingerprint: str
    certificate: x509.Certificate

    def facts(self, server: str, expected: str) -> CertificateFacts:
        """What is shown to people: ``server`` showed it, where ``expected`` was looked for."""
        names = self.names.alternative or self.names.common
        moments = (self.certificate.not_valid_before_utc.isoformat(), self.certificate.not_valid_after_utc.isoformat())
        return CertificateFacts(
            server, expected, names[:_NAMES_SHOWN], self.subject, self.issuer, *moments, self.fingerprint
        )


def read_certificate(der: bytes) -> ReadCertificate:
    """Read a certificate. Raises ValueError where it is none."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return ReadCertificate(
            presented_names(certificate),
            _key(certificate),
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
            certificate.fingerprint(hashes.SHA256()).hex(),
            certificate,
        )
    except UNREADABLE as error:
        raise ValueError(f"The certificate can't be read: {error}") from error


def presented_names(certificate: x509.Certificate) -> PresentedNames:
    """The identity fields of a certificate. Raises ValueError or another error of ``cryptography`` for broken ones."""
    common = tuple(str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return PresentedNames(common=common)
    others = names.get_values_for_type(x509.OtherName)
    return PresentedNames(
        dns=tuple(names.get_values_for_type(x509.DNSName)),
        addresses=tuple(map(str, names.get_values_for_type(x509.IPAddress))),
        xmpp=_texts(others, XMPP_ADDRESS, UTF8_STRING),
        services=_texts(others, SERVICE_NAME, IA5_STRING),
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        common=common,
    )


def _texts(others: list[x509.OtherName], kind: ObjectIdentifier, tag: int) -> tuple[str, ...]:
    """The texts of other names of a kind: DER strings of one tag and a short length (X.690 section 8.1.3)."""
    found = []
    for other in others:
        value = other.value
        if other.type_id != kind or len(value) < 3 or value[0] != tag or value[1] >= 0x80:
            continue
        if len(value) == 2 + value[1]:
            with contextlib.suppress(UnicodeDecodeError):
                found.append(value[2:].decode("utf-8" if tag == UTF8_STRING else "ascii"))
    return tuple(found)


def other_name(kind: ObjectIdentifier, text: str) -> x509.OtherName:
    """An other name as ``presented_names`` reads it. Raises ValueError for a text of more than 127 octets."""
    tag = UTF8_STRING if kind == XMPP_ADDRESS else IA5_STRING
    content = text.encode("utf-8" if tag == UTF8_STRING else "ascii")
    if len(content) > 127:
        raise ValueError(f"The name {text[:20]}... is too long for a certificate")
    return x509.OtherName(kind, bytes([tag, len(content)]) + content)


_OTHER_KINDS: tuple[tuple[type, str], ...] = (
    (ed25519.Ed25519PublicKey, "ed25519"), (ed448.Ed448PublicKey, "ed448"), (dsa.DSAPublicKey, "dsa"),
)  # fmt: skip


def _key(certificate: x509.Certificate) -> KeyFacts:
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        digest = None
    signed_with = digest.name if digest is not None else ""
    own = certificate.issuer == certificate.subject
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return KeyFacts("unknown", digest=signed_with, self_signed=own)
    if isinstance(key, rsa.RSAPublicKey):
        return KeyFacts("rsa", key.key_size, digest=signed_with, self_signed=own)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return KeyFacts("ec", curve=key.curve.name, digest=signed_with, self_signed=own)
    kind = next((word for shape, word in _OTHER_KINDS if isinstance(key, shape)), "unknown")
    return KeyFacts(kind, digest=signed_with, self_signed=own)


# --- looking


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server shows (DER, its own certificate first): ``sent`` in the order of the wire, ``chain`` as it was
    verified; and whether an authority stands behind it, dates and names aside; ``why_not`` is OpenSSL's word.
    Where none does, both are what was sent."""

    chain: tuple[bytes, ...]
    trusted: bool
    why_not: str = ""
    version: str = ""
    cipher: str = ""
    sent: tuple[bytes, ...] = ()


async def look(
    address: str,
    port: int,
    name: str,
    authorities: CheckedContext,
    *,
    domain: str = "",
    ldap: bool = False,
    seconds: float = _TIMEOUT,
) -> Shown | None:
    """What a server shows at an address for a name (SNI); None where no handshake comes about.

    ``authorities`` is a fresh context that trusts who is to be trusted; its other settings are changed here. With a
    ``domain`` the connection begins as an XMPP stream to it and asks for STARTTLS; with ``ldap`` as LDAP, which asks
    for StartTLS. ``seconds`` bounds it all.
    """
    authorities.check_hostname = False
    authorities.check = None
    authorities.verify_flags |= NO_CHECK_TIME
    try:
        async with asyncio.timeout(seconds):
            try:
                return await _shown(address, port, name, authorities, domain, trusted=True, why_not="", ldap=ldap)
            except ssl.SSLCertVerificationError as error:
                words = error.verify_message
                return await _shown(
                    address, port, name, looking_context(), domain, trusted=False, why_not=words, ldap=ldap
                )
    except (OSError, TimeoutError, ssl.SSLError, asyncio.IncompleteReadError):
        return None


async def _shown(
    address: str,
    port: int,
    name: str,
    context: ssl.SSLContext,
    domain: str,
    *,
    trusted: bool,
    why_not: str,
    ldap: bool = False,
) -> Shown | None:
    if ldap:
        _, writer = await open_for_tls(address, port)
    elif domain:
        _, writer = await open_stream(address, port, domain)
    else:
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    try:
        if domain or ldap:
            await writer.start_tls(context, server_hostname=name)
        tls = writer.get_extra_info("ssl_object")
        if not isinstance(tls, ssl.SSLObject):
            return None
        cipher = tls.cipher()
        chain, sent = chain_of(tls, verified=trusted), chain_of(tls, verified=False)
        if not chain or not sent:
            return None
        return Shown(chain, trusted, why_not, tls.version() or "", cipher[0] if cipher else "", sent)
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
        async with asyncio.timeout(0.5):
            await writer.wait_closed()


_STREAM_LIMIT = 65536  # octets before the features are through
_TLS_NAMESPACE = b"urn:ietf:params:xml:ns:xmpp-tls"


class NoStartTlsError(ConnectionError):
    """The server does not go over to TLS."""


async def open_stream(
    address: str, port: int, domain: str, source: str | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open an XMPP stream to a domain (RFC 6120 section 4) up to the point where TLS begins (section 5.4.2.3).

    ``source``: the address to come from (None: the system's choice). Raises OSError where nobody answers as a server
    does, NoStartTlsError where one does not want TLS.
    """
    leaves = local_address(source)
    reader, writer = await asyncio.open_connection(address, port, limit=_STREAM_LIMIT, local_addr=leaves)
    try:
        await _ask_for_tls(reader, writer, domain)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _ask_for_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, domain: str) -> None:
    writer.write(
        f"<?xml version='1.0'?><stream:stream to={quoteattr(domain)} version='1.0' xml:lang='en' "
        "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>".encode()
    )
    if _TLS_NAMESPACE not in await _read_until(reader, b"</stream:features>"):
        raise NoStartTlsError("STARTTLS is not offered")
    writer.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    if b"<proceed" not in await _read_until(reader, b">"):
        raise NoStartTlsError("STARTTLS is refused")


async def _read_until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    """What comes up to an ending. Raises ConnectionError where the server hangs up or says too much before."""
    try:
        return await reader.readuntil(end)
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("the server hung up before its answer was through") from error
    except asyncio.LimitOverrunError as error:
        raise ConnectionError("the answer is too long") from error


async def inspect_certificate(address: str, port: int, expected: str) -> CertificateFacts | None:
    """The certificate shown at an address for a name, trusted or not; None where no handshake comes about."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            shown = await _shown(address, port, expected, looking_context(), "", trusted=False, why_not="")
    except (OSError, TimeoutError, ssl.SSLError):
        return None
    return facts_of(shown.chain[0], f"{expected}:{port}", expected) if shown is not None else None


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
        return read_certificate(der).facts(server, expected)
    except ValueError:
        return None
