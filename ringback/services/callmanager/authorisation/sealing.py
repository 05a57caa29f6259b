"""Token keys at rest: sealed with AES-256-GCM under a key derived from the cluster's key file.

The store of a cluster may lie on a database server and in its backups; the key file lies beside the nodes, with mode
600. Who has only one of them can issue no token.
"""

from __future__ import annotations

import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ringback.protocols.oauth.tokens import IssuerKeys, TokenError

_PURPOSE = b"ringback token keys"
_NONCE = 12
_SHORTEST_KEY = 32


class SealError(Exception):
    """What is kept can't be opened with this key file, or is damaged; the message says what to do."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    signing: str
    encryption: str


def seal(keys: IssuerKeys, key: bytes) -> bytes:
    """The keys as they are kept. Raises SealError for a key that is too short."""
    pem = keys.signing.as_pem(private=True).decode("ascii")
    plain = msgspec.json.encode(_Kept(signing=pem, encryption=keys.encryption.raw_value.hex()))
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(key).encrypt(nonce, plain, keys.cluster.encode())


def unseal(sealed: bytes, cluster: str, key: bytes) -> IssuerKeys:
    """The keys that were kept for a cluster. Raises SealError."""
    try:
        plain = _cipher(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], cluster.encode())
        kept = msgspec.json.decode(plain, type=_Kept)
        return IssuerKeys.of(cluster, kept.signing.encode("ascii"), bytes.fromhex(kept.encryption))
    except (InvalidTag, msgspec.MsgspecError, TokenError, ValueError) as error:
        raise SealError(
            "The token keys in the store can't be opened with the key file of this cluster. Use the key file of the "
            "node that made them, or make new keys: ringback keys regenerate --signing --encryption"
        ) from error


def _cipher(key: bytes) -> AESGCM:
    if len(key) < _SHORTEST_KEY:
        raise SealError(f"The key file must hold at least {_SHORTEST_KEY} octets")
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key))
