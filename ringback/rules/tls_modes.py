"""What TLS may use in each mode, as tables: versions, cipher suites, curves, keys and signatures; pure.

``USUAL`` is what everybody gets; ``FIPS`` and ``COMMON_CRITERIA`` narrow it. The FIPS table follows NIST SP 800-52
revision 2 (section 3.3), the other one the TLS client of the common criteria profiles (FCS_TLSC_EXT.1). They restrict
which algorithms are used; they make no validated module of the library that runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ringback.rules.reasons import Reason

MINIMUM_RSA_BITS = 2048
"""Shorter RSA keys are refused in every mode (common criteria mode demands it, and nobody needs them)."""
_BROKEN_HASHES = frozenset({"md5", "sha1"})
_GCM = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
_CBC = (
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
)
_TLS13 = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")
_NIST_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class TlsMode:
    """One row of the tables. Empty: no restriction beyond the library's own (OpenSSL security level 2).

    ``ciphers`` are OpenSSL's names for TLS 1.2, ``suites`` those of TLS 1.3; ``group`` is the one key exchange group
    that is offered and taken, as OpenSSL calls it; ``curves`` are those of certificate keys, ``kinds`` their kinds.
    """

    name: Literal["usual", "fips", "common-criteria"]
    ciphers: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    group: str = ""
    kinds: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()

    @property
    def allowed(self) -> frozenset[str]:
        """All cipher suites of the mode."""
        return frozenset(self.ciphers) | frozenset(self.suites)


USUAL = TlsMode("usual")
FIPS = TlsMode("fips", _GCM + _CBC, _TLS13, "prime256v1", ("rsa", "ec"), _NIST_CURVES)
COMMON_CRITERIA = TlsMode("common-criteria", _GCM, _TLS13, "prime256v1", ("rsa", "ec"), _NIST_CURVES)


def mode_of(*, fips: bool, common_criteria: bool = False) -> TlsMode:
    """The row of a combination: common criteria is the narrower one."""
    if common_criteria:
        return COMMON_CRITERIA
    return FIPS if fips else USUAL


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The key of a certificate and how the certificate is signed.

    ``kind``: rsa, ec, ed25519, ed448, dsa or another word. ``bits``: of an RSA key, else 0. ``curve``: of an EC key.
    ``digest``: the hash of the signature (``sha256``), empty where the algorithm has none of its own.
    ``self_signed``: then the signature proves nothing and is not judged.
    """

    kind: str
    bits: int = 0
    curve: str = ""
    digest: str = ""
    self_signed: bool = False


def weaknesses(key: KeyFacts, mode: TlsMode, server: str) -> tuple[Reason, ...]:
    """Why a certificate of a server's chain is too weak for a mode; nobody can accept those."""
    found = []
    if key.kind == "rsa" and key.bits < MINIMUM_RSA_BITS:
        found.append(Reason.of("certificates.weak_key", server=server, bits=key.bits))
    if key.digest in _BROKEN_HASHES and not key.self_signed:
        found.append(Reason.of("certificates.weak_signature", server=server, digest=key.digest.upper()))
    if mode.kinds and key.kind not in mode.kinds:
        found.append(Reason.of("certificates.mode.key_kind", server=server, kind=key.kind, mode=mode.name))
    elif mode.curves and key.kind == "ec" and key.curve not in mode.curves:
        found.append(Reason.of("certificates.mode.curve", server=server, curve=key.curve, mode=mode.name))
    return tuple(found)


def connection_weakness(version: str, cipher: str, mode: TlsMode) -> Reason | None:
    """Why a finished handshake is not good enough for a mode: ``version`` as ``TLSv1.2``, ``cipher`` OpenSSL's name.

    Not every library lets the suites of TLS 1.3 be chosen beforehand, so what came out is looked at.
    """
    if version not in ("TLSv1.2", "TLSv1.3"):
        return Reason.of("certificates.mode.version", version=version or "-")
    if mode.allowed and cipher not in mode.allowed:
        return Reason.of("certificates.mode.cipher", cipher=cipher or "-", mode=mode.name)
    return None
