"""Passwords at rest: argon2id to check a typed password, and a SCRAM-SHA-256 verifier for the presence service.

Passwords are compared in the form of PRECIS OpaqueString (RFC 8265), which succeeds SASLprep.
Both functions compute for milliseconds: call them in a thread.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache

import argon2
import precis_i18n

_opaque = precis_i18n.get_profile("OpaqueString")


class PasswordError(ValueError):
    """The text cannot be a password: it is empty or has characters that none may have."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of argon2id, ``memory`` in KiB, and the iterations of the SCRAM verifier (RFC 7677: 4096 or more)."""

    time_cost: int
    memory: int
    parallelism: int
    scram_iterations: int


@dataclass(frozen=True, slots=True)
class Verifier:
    """A SCRAM-SHA-256 verifier (RFC 5802 section 3, RFC 7677)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class Hashes:
    """What is kept of a password."""

    argon2: str
    verifier: Verifier


def prepare(password: str) -> str:
    """The password in the form that is compared. Raises PasswordError."""
    if password.isascii() and password.isprintable() and password:
        return password
    try:
        return str(_opaque.enforce(password))
    except (UnicodeError, ValueError) as error:
        raise PasswordError("The password is empty or has a character that no password may have") from error


def hash_password(password: str, cost: Cost) -> Hashes:
    """Both hashes of a new password. Raises PasswordError."""
    ready = prepare(password)
    return Hashes(_hasher(cost).hash(ready), make_verifier(ready, secrets.token_bytes(16), cost.scram_iterations))


def make_verifier(ready: str, salt: bytes, iterations: int) -> Verifier:
    """The verifier of a prepared password."""
    salted = hashlib.pbkdf2_hmac("sha256", ready.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return Verifier(salt, iterations, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def fits(password: str, salt: bytes, iterations: int, stored_key: bytes) -> bool:
    """Whether a password has this stored key; a text that can be no password fits nothing."""
    try:
        ready = prepare(password)
    except PasswordError:
        return False
    return hmac.compare_digest(make_verifier(ready, salt, iterations).stored_key, stored_key)


def verify(password: str, argon2_hash: str) -> bool:
    """Whether a typed password is the hashed one."""
    try:
        return argon2.PasswordHasher().verify(argon2_hash, prepare(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, PasswordError):
        return False


@lru_cache(maxsize=16)
def _hasher(cost: Cost) -> argon2.PasswordHasher:
    return argon2.PasswordHasher(time_cost=cost.time_cost, memory_cost=cost.memory, parallelism=cost.parallelism)
