"""Keys by DTLS (RFC 5763, 5764): the handshake over the leg's own socket, the certificate checked by its fingerprint.

A core without socket, on OpenSSL: datagrams in, datagrams out, a deadline (by OpenSSL's own clock) for what has to be
sent again. Nobody vouches for the certificate but the fingerprint that came by signalling; without one that matches,
there are no keys.
"""

from __future__ import annotations

import datetime
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from ringback.protocols.rtp.crypto import Suite

Role = Literal["active", "passive"]

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}  # older ones prove nothing any more, RFC 8122 section 5
_PROFILES = {
    b"SRTP_AEAD_AES_256_GCM": (Suite.AEAD_AES_256_GCM, 32, 12),
    b"SRTP_AEAD_AES_128_GCM": (Suite.AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (Suite.AES_CM_128_HMAC_SHA1_80, 16, 14),
}
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
_MTU = 1200  # octets of a datagram that passes every link
_PATIENCE = 20.0  # seconds for the whole handshake
_RECORD_HEADER = 13
_LIFETIME = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The value of ``a=fingerprint`` (RFC 8122): ``algorithm`` in lower case, the digest as octets."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, value: str) -> Fingerprint:
        """Read ``sha-256 AB:CD:...``. Raises ValueError."""
        algorithm, _, text = value.strip().partition(" ")
        return cls(algorithm.lower(), bytes.fromhex(text.replace(":", " ")))

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"


class DtlsIdentity:
    """A key with its certificate that signs itself; its fingerprint is signalled. One serves many calls."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._certificate = certificate
        self.fingerprint = Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256()))
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        # The chain says nothing, the fingerprint everything: checked in DtlsCore before any key is given out.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(_PROFILES))
        self._context = context

    @classmethod
    def generate(cls) -> DtlsIdentity:
        """A fresh P-256 key, valid for a month from yesterday."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(8))])
        now = datetime.datetime.now(tz=datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _LIFETIME)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    def connection(self) -> SSL.Connection:
        """A fresh handshake with this identity, without a socket."""
        return SSL.Connection(self._context, None)


@dataclass(frozen=True, slots=True)
class DtlsKeys:
    """What the handshake gave: the suite, our key and the other side's."""

    suite: Suite
    outbound: bytes
    inbound: bytes

    def __repr__(self) -> str:
        return f"DtlsKeys({self.suite.label})"


class DtlsCore:
    """One handshake. ``keys`` or ``failure`` (a sentence) is set when it is over."""

    def __init__(self, identity: DtlsIdentity, role: Role, fingerprints: Sequence[Fingerprint], now: float) -> None:
        self.keys: DtlsKeys | None = None
        self.failure: str | None = None
        self._role = role
        self._fingerprints = [one for one in fingerprints if one.algorithm in _DIGESTS]
        self._began = now
        self._connection = identity.connection()
        self._connection.set_ciphertext_mtu(_MTU)
        self._out: list[bytes] = []
        if not self._fingerprints:
            self.failure = "the other side signalled no fingerprint that can be checked"
            return
        if role == "active":
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._advance()

    @property
    def done(self) -> bool:
        """Whether the handshake is over, one way or the other."""
        return self.keys is not None or self.failure is not None

    def receive(self, datagram: bytes) -> None:
        """Take in a datagram. Junk is passed over, as DTLS asks (RFC 6347 section 4.1.2.7)."""
        if self.failure is None and datagram:
            self._connection.bio_write(datagram)
            self._advance()

    def data_to_send(self) -> list[bytes]:
        """Datagrams of whole records."""
        out, self._out = self._out, []
        return out

    def next_deadline(self, now: float) -> float | None:
        """When `handle_timer` must be called; None when done."""
        if self.done:
            return None
        timeout = self._connection.DTLSv1_get_timeout()
        limit = self._began + _PATIENCE
        return limit if timeout is None else min(now + timeout / 1_000_000, limit)

    def handle_timer(self, now: float) -> None:
        """Send again what was not answered, or give up."""
        if self.done:
            return
        if now - self._began >= _PATIENCE:
            self.failure = "the other side did not complete the key exchange in time"
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self.failure = "the key exchange was sent again too often without an answer"
        self._collect()

    def _advance(self) -> None:
        try:
            if self.keys is None:
                self._connection.do_handshake()
                self._collect()
                self._finish()
            else:
                self._connection.recv(1)  # a lost last flight is answered again by OpenSSL
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:  # close_notify: the call's end is signalled elsewhere
            pass
        except SSL.Error as error:
            if self.keys is None:
                self.failure = f"the key exchange failed: {_words(error)}"
        self._collect()

    def _finish(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not all(
            hmac.compare_digest(certificate.fingerprint(_DIGESTS[one.algorithm]), one.digest)
            for one in self._fingerprints
        ):
            self.failure = "the certificate is not the one that signalling announced"
            return
        profile = _PROFILES.get(self._connection.get_selected_srtp_profile())
        if profile is None:
            self.failure = "no protection profile is known to both sides"
            return
        suite, key, salt = profile
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        active = self._role == "active"
        self.keys = DtlsKeys(suite, client if active else server, server if active else client)

    def _collect(self) -> None:
        octets = b""
        while True:
            try:
                octets += self._connection.bio_read(65536)
            except SSL.WantReadError:
                break
        at = 0
        datagram = b""
        while at + _RECORD_HEADER <= len(octets):
            end = at + _RECORD_HEADER + int.from_bytes(octets[at + 11 : at + 13])
            if datagram and len(datagram) + end - at > _MTU:
                self._out.append(datagram)
                datagram = b""
            datagram += octets[at:end]
            at = end
        if datagram:
            self._out.append(datagram)


def _words(error: SSL.Error) -> str:
    first = error.args[0] if error.args else ()
    return first[0][2] if first and isinstance(first[0], tuple) else "no further detail"
