"""The key with which one side of single sign-on signs: made at the first start, kept in a folder."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

_BITS = 2048
_DAYS = 3650  # trust is in the metadata, which names the certificate, not in its dates


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key and the certificate (PEM) that the metadata names."""

    key: RSAPrivateKey = field(repr=False)
    certificate: str = field(repr=False)

    @classmethod
    def open(cls, folder: Path, name: str) -> SigningKey:
        """The key of a folder (``signing.key``, mode 600, and ``signing.pem``), made where there is none; ``name`` is
        the certificate's subject. It computes for some 100 ms when it makes one. Raises OSError, ValueError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_file, certificate_file = folder / "signing.key", folder / "signing.pem"
        if key_file.exists() and certificate_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, RSAPrivateKey):
                raise ValueError(f"{key_file} holds no RSA key")
            return cls(key, certificate_file.read_text("ascii"))
        made = rsa.generate_private_key(65537, _BITS)
        certificate = _self_signed(made, name).public_bytes(serialization.Encoding.PEM)
        private = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(certificate_file, certificate, 0o644)
        _write(key_file, private, 0o600)
        return cls(made, certificate.decode())


def _self_signed(key: RSAPrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=_DAYS))
        .sign(key, hashes.SHA256())
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
