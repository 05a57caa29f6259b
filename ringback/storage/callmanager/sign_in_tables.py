"""Tables of signing in. ``user`` is the folded user name; times are Unix seconds; secrets are kept as hashes only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, Text

from ringback.storage.callmanager.tables import metadata


def _key(*names: str) -> list[Column[str]]:
    return [Column(name, Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _times(*names: str) -> list[Column[float]]:
    return [Column(name, Double, nullable=False) for name in names]


token_keys = Table(
    "token_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    *_texts("cluster"),
    Column("sealed", LargeBinary, nullable=False),
    *_times("valid_from"),
    Column("access_seconds", BigInteger, nullable=False),
    Column("refresh_seconds", BigInteger, nullable=False),
)
"""One row: the keys, sealed with the key file of the cluster, and the lifetimes that tokens were given last."""

serials = Table(
    "sign_in_serial",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("serial", BigInteger, nullable=False),
)
"""One row, counted up with every change that all nodes must know soon: keys, what was taken back, who is active."""

codes = Table(
    "authorization_codes",
    metadata,
    *_key("hash"),
    *_texts("user", "client", "redirect", "challenge", "device", "session", "sign_in"),
    *_times("expires"),
    Index("authorization_codes_expires", "expires"),
)
"""``sign_in`` is empty until the code is redeemed."""

sign_ins = Table(
    "sign_ins",
    metadata,
    *_key("id"),
    *_texts("user", "client", "device", "session", "refresh_hash"),
    *_times("since", "until", "ended"),
    Index("sign_ins_user", "user"),
    Index("sign_ins_until", "until"),
    Index("sign_ins_ended", "ended"),
    Index("sign_ins_session", "session"),
)
"""A client that got tokens: ``until`` is the end of its refresh token (of its access token where it has none, and no
``refresh_hash``), ``ended`` when it was taken back (0: it was not), ``session`` the log-in session it came from."""

revocations = Table("revocations", metadata, *_key("user", "client"), *_times("before"))
"""``client`` is empty for all clients of a person."""

deactivated = Table("deactivated", metadata, *_key("user"), *_times("since"))
"""People deactivated at run time, beside those whom the deployment says so of."""

login_sessions = Table(
    "login_sessions",
    metadata,
    *_key("hash"),
    *_texts("user"),
    *_times("since", "until"),
    Index("login_sessions_user", "user"),
    Index("login_sessions_until", "until"),
)
"""Browsers that signed in at the log-in page."""

lock_outs = Table(
    "lock_outs",
    metadata,
    *_key("kind", "user"),
    Column("failures", Integer, nullable=False),
    *_times("since", "until"),
    Index("lock_outs_since", "since"),
)
"""Wrong passwords by user since the first of them; ``until`` is the end of a lock-out (0: there is none)."""
