"""What is read from and written to the tables of signing in, as value types. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyRow:
    """The keys of the cluster as they are kept, and the lifetimes (seconds) that tokens were given last."""

    cluster: str
    sealed: bytes = field(repr=False)
    valid_from: float
    access_seconds: int
    refresh_seconds: int


@dataclass(frozen=True, slots=True)
class CodeRow:
    """An authorization code: for whom, for which client and redirect, bound to which challenge. ``session`` is the
    hash of the log-in session it came from; empty where a password came with the request."""

    hash: str = field(repr=False)
    user: str
    client: str
    redirect: str
    challenge: str
    expires: float
    device: str = ""
    session: str = ""
    sign_in: str = ""


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A client that got tokens, see ``sign_in_tables.sign_ins``."""

    id: str
    user: str
    client: str
    since: float
    until: float
    device: str = ""
    session: str = ""
    refresh_hash: str = field(default="", repr=False)
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class RevocationRow:
    """Tokens of a person, of one client or all, given up to then are worth nothing."""

    user: str
    client: str
    before: float


@dataclass(frozen=True, slots=True)
class TakenBackRows:
    """All that was taken back and still matters, with the keys and the serial that they belong to. ``revoked_at``: when
    everything of a person was revoked last, by folded user name, however long ago."""

    serial: int
    keys: KeyRow
    revocations: tuple[RevocationRow, ...]
    ended: frozenset[str]
    deactivated: frozenset[str]
    revoked_at: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Lock:
    """Wrong passwords of a user: how many since when, and until when nobody gets in with one (0: not locked)."""

    failures: int
    since: float
    until: float
