"""An authority for tests: root, intermediate, and server certificates with whatever is wrong with them."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ringback.net.tls import Identity

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER
DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


@functools.cache
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(slots=True)
class Wanted:
    """What a certificate is to hold. ``crl`` and ``ocsp`` are addresses of revocation servers."""

    dns: Sequence[str] = ()
    addresses: Sequence[str] = ()
    others: Sequence[x509.OtherName] = ()
    common: str = ""
    begins: datetime.timedelta = -DAY
    ends: datetime.timedelta = 30 * DAY
    crl: str = ""
    ocsp: str = ""
    key: Key | None = None
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    serial: int = 0
    uses: Sequence[ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,)


@dataclass(slots=True)
class Issued:
    """A certificate with its key and those above it, the authority's root left out."""

    certificate: x509.Certificate
    key: Key
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def write(self, folder: Path, name: str = "server", *, chain: bool = True) -> Identity:
        """PEM files for a server."""
        identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
        rows = (self.certificate, *(self.above if chain else ()))
        identity.certificate.write_bytes(b"".join(row.public_bytes(PEM) for row in rows))
        identity.key.write_bytes(
            self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return identity


class TestAuthority:
    """A root, and an intermediate that issues."""

    __test__ = False

    def __init__(self, folder: Path, name: str = "Test") -> None:
        self.root = self.authority(f"{name} root", None)
        self.middle = self.authority(f"{name} intermediate", self.root)
        self.ca_file = folder / f"{name}-root.pem"
        self.ca_file.write_bytes(self.root.certificate.public_bytes(PEM))

    @staticmethod
    def authority(name: str, parent: Issued | None) -> Issued:
        key = ec_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _base(
            subject, parent.certificate.subject if parent else subject, key.public_key(), -10 * DAY, 900 * DAY
        )
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.serial_number(x509.random_serial_number())
        signer = parent.key if parent else key
        return Issued(builder.sign(signer, hashes.SHA256()), key)

    def issue(self, *dns: str, wanted: Wanted | None = None, by: Issued | None = None) -> Issued:
        """A server certificate; ``dns`` are its names where nothing else is wanted."""
        wanted = wanted or Wanted(dns=dns)
        signer = by or self.middle
        key = wanted.key or ec_key()
        return Issued(certify(wanted, key.public_key(), signer), key, (signer.certificate,))


def self_signed(wanted: Wanted) -> Issued:
    """A certificate that vouches for itself."""
    key = wanted.key or ec_key()
    return Issued(certify(wanted, key.public_key(), key), key)


def certify(wanted: Wanted, key: Public, signer: Issued | Key, issuer: x509.Name | None = None) -> x509.Certificate:
    """A certificate for a key. ``signer`` alone is a key that signs in the name of ``issuer``."""
    if isinstance(signer, Issued):
        issuer, private = signer.certificate.subject, signer.key
    else:
        private = signer
    builder = _base(_subject(wanted), issuer or _subject(wanted), key, wanted.begins, wanted.ends)
    builder = builder.serial_number(wanted.serial or x509.random_serial_number())
    names: list[x509.GeneralName] = [
        *(x509.DNSName(name) for name in wanted.dns),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.addresses),
        *wanted.others,
    ]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if wanted.uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(wanted.uses)), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if wanted.crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(wanted.crl)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if wanted.ocsp:
        place = x509.UniformResourceIdentifier(wanted.ocsp)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder.sign(private, wanted.digest)  # type: ignore[arg-type]


def revocation_list(
    issuer: Issued,
    revoked: Sequence[x509.Certificate] = (),
    *,
    since: datetime.timedelta = -DAY,
    until: datetime.timedelta = DAY,
    signer: Issued | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A revocation list in DER."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now() + since).next_update(now() + until)
    for each in revoked:
        row = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(now()).build()
        builder = builder.add_revoked_certificate(row)
    return builder.sign((signer or issuer).key, digest or hashes.SHA256()).public_bytes(DER)  # type: ignore[arg-type]


def _subject(wanted: Wanted) -> x509.Name:
    common = wanted.common or (wanted.dns[0] if wanted.dns else "nobody")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _base(
    subject: x509.Name, issuer: x509.Name, key: Public, begins: datetime.timedelta, ends: datetime.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .not_valid_before(now() + begins)
        .not_valid_after(now() + ends)
    )
