"""The certificates in a data folder: requests for an outside authority, what it signed, what the private one issued.

``requests/<stem>.key`` and ``.csr`` wait for an answer; ``installed/<node>.pem`` and ``.key`` are in use in place of
those of the private authority. Keys have mode 600. Files are replaced whole, so that a running service that looks at
them (``net.tls.WatchedContext``) never reads half of one.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringback.deployment.certificate_plan import Need
from ringback.net.certificates import (
    SERVICE_NAME,
    UNREADABLE,
    XMPP_ADDRESS,
    ReadCertificate,
    other_name,
    read_certificate,
)
from ringback.net.tls import Identity
from ringback.rules.tls_modes import USUAL, weaknesses

KeyKind = Literal["p256", "rsa3072"]
Kind = Literal["authority", "private", "installed", "request"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_PEM = serialization.Encoding.PEM
_RSA_BITS = 3072
_NOT_IN_SUBJECTS = str.maketrans("", "", "@&!,;<>\"'\\/+=#")  # public authorities refuse requests with some of them
_FILE_LIMIT = 1024 * 1024


class CertificateFileError(Exception):
    """A file is not what it must be; the text is a sentence for the administrator."""


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate in the folder. ``stem``: its files; ``read`` is None for a request, which has no dates yet."""

    kind: Kind
    stem: str
    file: Path
    read: ReadCertificate | None


class CertificateFiles:
    """The folder ``certificates`` of a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests = folder / "requests"
        self.installed = folder / "installed"

    def identity(self, node: str) -> Identity | None:
        """What was installed for a node, or None."""
        identity = Identity(self.installed / f"{node}.pem", self.installed / f"{node}.key")
        return identity if identity.certificate.is_file() and identity.key.is_file() else None

    # --- requests

    def request(
        self, need: Need, *, key: KeyKind = "p256", organisation: str = "", addresses: bool = False, anew: bool = False
    ) -> Path:
        """Write key and request for a certificate; the request's file. A key that waits for its answer is kept unless
        ``anew``, so that the answer to an earlier request still fits. Raises OSError, CertificateFileError."""
        self.requests.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_file, file = self.requests / f"{need.stem}.key", self.requests / f"{need.stem}.csr"
        if anew or not key_file.exists():
            private = _make_key(key)
            write_file(key_file, _key_pem(private), durable=True)
        else:
            private = _load_key(key_file)
        write_file(file, _request(need, private, organisation, addresses=addresses).public_bytes(_PEM), mode=0o644)
        return file

    # --- answers

    def install(self, document: bytes, wanted: Sequence[Need], now: float) -> tuple[Need, ReadCertificate]:
        """Install what an authority sent: its certificate and those above it, PEM in any order.

        Raises CertificateFileError where no request waits for it, the chain has a gap, a name is missing, the dates or
        the key are not good; then nothing is changed. Raises OSError where a file can't be written.
        """
        rows = _certificates(document)
        leaf, private, need = self._waiting_for(rows, wanted)
        chain = order_chain(leaf, rows, self._authorities())
        read = read_certificate(leaf.public_bytes(serialization.Encoding.DER))
        if problems := list(_problems(read, need, now)):
            raise CertificateFileError(" ".join(problems))
        self.installed.mkdir(parents=True, exist_ok=True, mode=0o700)
        roots = [row for row in chain if row.issuer == row.subject]
        shown = b"".join(row.public_bytes(_PEM) for row in chain if row not in roots)
        self._trust(roots)  # first: who meets the new certificate must know its authority
        for node in need.nodes:
            # Beside the kept ones those that the private authority issued: services that run now watch these. The key
            # first: a service that looks in between finds a pair that does not fit and keeps its old one.
            for folder in (self.installed, self.folder):
                write_file(folder / f"{node}.key", _key_pem(private), durable=True)
                write_file(folder / f"{node}.pem", shown, mode=0o644, durable=True)
        for suffix in (".key", ".csr"):
            with contextlib.suppress(FileNotFoundError):
                (self.requests / f"{need.stem}{suffix}").unlink()
        return need, read

    def _waiting_for(
        self, rows: list[x509.Certificate], wanted: Sequence[Need]
    ) -> tuple[x509.Certificate, PrivateKey, Need]:
        """The certificate of the document whose key is in a request, or already installed (a certificate made anew for
        the same key)."""
        keys = {_public(row): row for row in rows}
        for need, file in self._key_files(wanted):
            if (leaf := keys.get(_public(private := _load_key(file)))) is not None:
                return leaf, private, need
        raise CertificateFileError("No request of this deployment waits for this certificate: its key is another one.")

    def _key_files(self, wanted: Sequence[Need]) -> Iterator[tuple[Need, Path]]:
        """Requests first; then keys in use, those that most nodes share before the others."""
        for need in wanted:
            if (file := self.requests / f"{need.stem}.key").is_file():
                yield need, file
        for need in sorted(wanted, key=lambda need: -len(need.nodes)):
            files = [self.installed / f"{node}.key" for node in need.nodes]
            if all(file.is_file() for file in files) and len({file.read_bytes() for file in files}) == 1:
                yield need, files[0]

    def _authorities(self) -> list[x509.Certificate]:
        file = self.folder / "ca.pem"
        return _certificates(file.read_bytes()) if file.is_file() else []

    def _trust(self, roots: list[x509.Certificate]) -> None:
        """Let the services of the deployment trust an authority that came along: behind the private one, which stays
        the first of its file."""
        known = self._authorities()
        fresh = [root for root in roots if root not in known]
        if known and fresh:
            write_file(self.folder / "ca.pem", b"".join(row.public_bytes(_PEM) for row in (*known, *fresh)), mode=0o644)

    # --- what there is

    def held(self) -> list[Held]:
        """All certificates and requests, those that end first at the head. Unreadable files are left out."""
        found = [Held("request", file.stem, file, None) for file in sorted(self.requests.glob("*.csr"))]
        kinds: tuple[tuple[Kind, Path], ...] = (("installed", self.installed), ("private", self.folder))
        for kind, folder in kinds:
            for file in sorted(folder.glob("*.pem")):
                is_authority = file.name == "ca.pem"
                with contextlib.suppress(CertificateFileError, ValueError, OSError):
                    rows = _certificates(file.read_bytes())
                    read = read_certificate(rows[0].public_bytes(serialization.Encoding.DER))
                    found.append(Held("authority" if is_authority else kind, file.stem, file, read))
        return sorted(found, key=lambda held: held.read.ends if held.read is not None else 0.0)


def order_chain(
    leaf: x509.Certificate, rows: Sequence[x509.Certificate], known: Sequence[x509.Certificate] = ()
) -> list[x509.Certificate]:
    """The certificates from a server's own upwards, each verified to be signed by the next (RFC 8446 section 4.4.2).

    The last one is self-signed, or none of ``rows`` and ``known`` signed it: then its authority must be known to the
    clients. Raises CertificateFileError where others of ``rows`` are left over, which means a gap.
    """
    chain, rest = [leaf], [row for row in rows if row != leaf]
    while chain[-1].issuer != chain[-1].subject:
        above = next((row for row in (*rest, *known) if _signed(chain[-1], row)), None)
        if above is None:
            break
        chain.append(above)
        rest = [row for row in rest if row != above]
    if rest:
        names = ", ".join(row.subject.rfc4514_string() for row in rest)
        raise CertificateFileError(
            f"These certificates do not belong to its chain, or one between is missing: {names}."
        )
    return chain


def _signed(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
        return upper.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE):
        return False


def _problems(read: ReadCertificate, need: Need, now: float) -> Iterator[str]:
    certificate = read.certificate
    if missing := need.missing(read.names):
        yield f"It lacks the names {', '.join(missing)}, which clients of {', '.join(need.nodes)} will look for."
    if read.ends < now:
        yield f"It ended on {certificate.not_valid_after_utc:%Y-%m-%d}."
    if read.begins > now + 300:
        yield f"It is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC."
    if weaknesses(read.key, USUAL, need.stem):
        yield "Its key is too short, or it is signed with a hash that can be forged."
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in uses and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in uses:
        yield "It is not made for servers (extended key usage)."


def _request(need: Need, key: PrivateKey, organisation: str, *, addresses: bool) -> x509.CertificateSigningRequest:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, need.dns[0][:64])]
    if cleaned := organisation.translate(_NOT_IN_SUBJECTS).strip()[:64]:
        subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, cleaned))
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in need.dns]
    names += [other_name(XMPP_ADDRESS, name) for name in need.xmpp]
    names += [other_name(SERVICE_NAME, name) for name in need.services]
    if addresses:
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in need.addresses]
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.add_extension(uses, critical=False).sign(key, hashes.SHA256())


def _certificates(document: bytes) -> list[x509.Certificate]:
    if len(document) > _FILE_LIMIT:
        raise CertificateFileError("The file is larger than 1 MiB.")
    try:
        found = x509.load_pem_x509_certificates(document)
    except ValueError as error:
        raise CertificateFileError(f"There is no certificate in PEM in it: {error}.") from error
    return list(dict.fromkeys(found))


def _make_key(kind: KeyKind) -> PrivateKey:
    if kind == "rsa3072":
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _load_key(file: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateFileError(f"{file} holds no key: {error}.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CertificateFileError(f"{file} holds a key of an unknown kind.")
    return key


def _public(holder: x509.Certificate | PrivateKey) -> bytes:
    return holder.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_file(path: Path, content: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Write a file whole or not at all; ``durable``: also when the power fails right after. Raises OSError."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
