"""Accounts, rosters and offline messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_core"
down_revision = "0001_features"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "accounts",
        sa.Column("bare", sa.String(3071), primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("roster_version", sa.String(40), nullable=False),
        sa.Column("last_active", sa.Float, nullable=False),
        sa.Column("last_status", sa.String, nullable=False),
    )
    op.create_table(
        "roster_items",
        sa.Column("bare", sa.String(3071), primary_key=True),
        sa.Column("contact", sa.String(3071), primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("groups", sa.String, nullable=False),
        sa.Column("subscription", sa.String(8), nullable=False),
        sa.Column("asks", sa.Boolean, nullable=False),
        sa.Column("pending_in", sa.Boolean, nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("visible", sa.Boolean, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "offline_messages",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("bare", sa.String(3071), nullable=False),
        sa.Column("received", sa.Float, nullable=False),
        sa.Column("stanza", sa.LargeBinary, nullable=False),
    )
    op.create_index("offline_messages_bare", "offline_messages", ["bare", "number"])


def downgrade() -> None:
    """Drop the tables."""
    for name in ("offline_messages", "roster_items", "accounts"):
        op.drop_table(name)
