"""Signing in: keys, codes and refresh tokens, what was taken back, sessions of the log-in page, lock-outs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_sign_in"
down_revision = "0003_calls"

_TABLES = (
    "lock_outs",
    "login_sessions",
    "deactivated",
    "revocations",
    "sign_ins",
    "authorization_codes",
    "sign_in_serial",
    "token_keys",
)


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _floats(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double, nullable=False) for name in names]


def _one() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Make the tables, and add whether a person is active; all were until now."""
    op.add_column("people", sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()))
    op.create_table(
        "token_keys",
        _one(),
        *_texts("cluster"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        *_floats("valid_from"),
        sa.Column("access_seconds", sa.BigInteger, nullable=False),
        sa.Column("refresh_seconds", sa.BigInteger, nullable=False),
    )
    op.create_table("sign_in_serial", _one(), sa.Column("serial", sa.BigInteger, nullable=False))
    op.create_table(
        "authorization_codes",
        *_key("hash"),
        *_texts("user", "client", "redirect", "challenge", "device", "session", "sign_in"),
        *_floats("expires"),
    )
    op.create_index("authorization_codes_expires", "authorization_codes", ["expires"])
    op.create_table(
        "sign_ins",
        *_key("id"),
        *_texts("user", "client", "device", "session", "refresh_hash"),
        *_floats("since", "until", "ended"),
    )
    for column in ("user", "until", "ended", "session"):
        op.create_index(f"sign_ins_{column}", "sign_ins", [column])
    op.create_table("revocations", *_key("user", "client"), *_floats("before"))
    op.create_table("deactivated", *_key("user"), *_floats("since"))
    op.create_table("login_sessions", *_key("hash"), *_texts("user"), *_floats("since", "until"))
    op.create_index("login_sessions_user", "login_sessions", ["user"])
    op.create_index("login_sessions_until", "login_sessions", ["until"])
    op.create_table(
        "lock_outs",
        *_key("kind", "user"),
        sa.Column("failures", sa.Integer, nullable=False),
        *_floats("since", "until"),
    )
    op.create_index("lock_outs_since", "lock_outs", ["since"])


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        op.drop_table(table)
    with op.batch_alter_table("people") as people:
        people.drop_column("active")
