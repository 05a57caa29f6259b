"""The key that opens the local stores: in the operating system's keyring, else in a file that only its owner may read.

There is one master key for a data folder. Each account's store has a data key of its own, kept in the store wrapped
(AES-256-GCM) under a key derived from the master key (HKDF, RFC 5869) and the account's salt.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from keyring.errors import KeyringError

from ringback.client.store.errors import StoreKeyError
from ringback.rules.reasons import Reason

KEY_SIZE = 32
_NONCE_SIZE = 12
_SERVICE = "ringback"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The master key and where it is kept; ``warning`` where that is not a keyring."""

    key: bytes
    place: str
    warning: Reason | None = None


def load_master_key(folder: Path, *, use_keyring: bool = True) -> MasterKey:
    """The master key of a data folder, made at the first call. Blocks: call it in a thread.

    Raises StoreKeyError where the key is damaged or the file cannot be read or written.
    """
    account = str(folder.resolve())
    if use_keyring and not (folder / "key").exists() and _keyring_is_real():
        try:
            kept = keyring.get_password(_SERVICE, account)
            if kept is None:
                kept = base64.b64encode(secrets.token_bytes(KEY_SIZE)).decode()
                keyring.set_password(_SERVICE, account, kept)
            return MasterKey(_decode(kept), "keyring")
        except KeyringError as error:
            return _from_file(folder, Reason.of("store.key.keyring_failed", why=error))
    return _from_file(folder, Reason.of("store.key.no_keyring"))


def _keyring_is_real() -> bool:
    backend = keyring.get_keyring()
    if isinstance(backend, keyring.backends.chainer.ChainerBackend):
        return bool(backend.backends)
    return not isinstance(backend, (keyring.backends.fail.Keyring, keyring.backends.null.Keyring))


def _from_file(folder: Path, warning: Reason) -> MasterKey:
    path = folder / "key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return MasterKey(_decode(path.read_text(encoding="ascii")), str(path), warning)
        key = secrets.token_bytes(KEY_SIZE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.b64encode(key).decode())
            file.flush()
            os.fsync(file.fileno())
    except (OSError, UnicodeDecodeError) as error:
        raise StoreKeyError(f"The key of the local store in {folder} can't be read or written: {error}") from error
    return MasterKey(key, str(path), warning)


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StoreKeyError("The key of the local store is damaged") from error
    if len(key) != KEY_SIZE:
        raise StoreKeyError("The key of the local store has a wrong length")
    return key


def derive(master: bytes, salt: bytes, purpose: str) -> bytes:
    """A key for one purpose."""
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=salt, info=purpose.encode()).derive(master)


def seal(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """Encrypt with a fresh nonce; ``bound_to`` (the row's place) is authenticated, so that rows can't be swapped."""
    nonce = os.urandom(_NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Decrypt what ``seal`` made. Raises StoreKeyError where key, place or bytes are not the same."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise StoreKeyError("The local store was written with another key or was changed") from error
