"""The private certificate authority of a deployment: made at the first start, kept in the data folder.

Node certificates carry every name and address of the node as subject alternative names, those of presence nodes their
XMPP domains too. A certificate is made anew when it is within 30 days of its end or no longer carries what the node
needs. What an outside authority signed (``certificate_files``) is used in place of it.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringback.deployment.certificate_files import CertificateFiles, write_file
from ringback.net.certificates import SERVICE_NAME, XMPP_ADDRESS, other_name, presented_names
from ringback.net.tls import Identity

_CA_DAYS = 3650
_NODE_DAYS = 397  # the longest life that browsers accept of a server certificate
_RENEW_DAYS = 30


class Authority:
    """A certificate authority in a folder: ``ca.pem`` (to give away) and ``ca.key`` (mode 600)."""

    def __init__(self, folder: Path, *, organisation: str = "Ringback") -> None:
        """Open the authority of a folder, or make it. Raises OSError where the folder can't be written."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        key_file = folder / "ca.key"
        if self.ca_file.exists() and key_file.exists():
            self._certificate = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{key_file} holds no elliptic-curve key")
            self._key = key
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(self._key, f"{organisation} private CA")
        write_file(key_file, _key_pem(self._key))
        write_file(self.ca_file, self._certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def issue(
        self,
        file_name: str,
        names: Sequence[str],
        addresses: Sequence[str] = (),
        *,
        not_before: datetime.datetime | None = None,
        days: int = _NODE_DAYS,
        xmpp: Sequence[str] = (),
        services: Sequence[str] = (),
    ) -> Identity:
        """The identity for these DNS names and IP addresses; the first name is the subject.

        It is kept in ``<file_name>.pem`` and ``<file_name>.key``. ``xmpp`` and ``services`` are names of XMPP domains
        (xmppAddr, SRVName). One that was installed under this name is given as it is.

        ``not_before`` and ``days`` set the validity (a test of an expired certificate moves them into the past).
        """
        if not_before is None and (installed := CertificateFiles(self.folder).identity(file_name)) is not None:
            return installed
        identity = Identity(self.folder / f"{file_name}.pem", self.folder / f"{file_name}.key")
        wanted = {*names, *addresses, *xmpp, *services}
        if not_before is None and identity.certificate.exists() and identity.key.exists():
            current = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
            if _still_good(current, wanted, self._certificate):
                return identity
        key = ec.generate_private_key(ec.SECP256R1())
        start = not_before or _now() - datetime.timedelta(hours=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName(
                    [
                        *(x509.DNSName(name) for name in names),
                        *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
                        *(other_name(XMPP_ADDRESS, name) for name in xmpp),
                        *(other_name(SERVICE_NAME, name) for name in services),
                    ]
                ),
                critical=False,
            )
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_file(identity.key, _key_pem(key))
        pem = serialization.Encoding.PEM
        shown = certificate.public_bytes(pem) + self._certificate.public_bytes(pem)
        write_file(identity.certificate, shown, mode=0o644)
        return identity


def _still_good(certificate: x509.Certificate, wanted: set[str], authority: x509.Certificate) -> bool:
    if certificate.issuer != authority.subject:
        return False
    if certificate.not_valid_after_utc - _now() < datetime.timedelta(days=_RENEW_DAYS):
        return False
    return wanted <= set(presented_names(certificate).alternative)


def _self_signed(key: ec.EllipticCurvePrivateKey, common_name: str) -> x509.Certificate:
    start = _now() - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
