"""The key with which one side of single sign-on signs: made at the first start, kept in a folder."""

from __future__ import annotations

import contextlib
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
        """The key of a folder (``signing.pem``, mode 600: key and certificate), made where there is none; ``name`` is
        the certificate's subject. It computes for some 100 ms when it makes one. Raises OSError, ValueError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / "signing.pem"
        if not file.exists():
            _make(file, name)
        content = file.read_bytes()
        key = serialization.load_pem_private_key(content, None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError(f"{file} holds no RSA key")  # noqa: TRY004 - the file is wrong, not the program
        certificate = x509.load_pem_x509_certificate(content)
        return cls(key, certificate.public_bytes(serialization.Encoding.PEM).decode())


def _make(file: Path, name: str) -> None:
    """Write a new key whole or not at all. Where another process was faster, its key counts: both sides of single
    sign-on may look for the provider's key at the same moment."""
    key = rsa.generate_private_key(65537, _BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(private + _self_signed(key, name).public_bytes(serialization.Encoding.PEM))
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


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
