"""Mailboxes, messages, sounds, greetings, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_mailboxes"
down_revision = None

_SORTED = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_TABLES = ("audit", "greetings", "messages", "sounds", "mailboxes")


def _texts(names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names.split()]


def _large(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names.split()]


def _counts(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names.split()]


def _flags(names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names.split()]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mailboxes",
        sa.Column("user", _SORTED, primary_key=True),
        *_texts("id display_name smtp extension locale pin password origin"),
        *_large("size_limit"),
        *_counts("next_number inbox_changes deleted_changes sent_changes"),
    )
    op.create_index("mailboxes_extension", "mailboxes", ["extension"])
    op.create_table(
        "sounds",
        sa.Column("id", _SORTED, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    _messages()
    op.create_table(
        "greetings",
        sa.Column("user", _SORTED, sa.ForeignKey("mailboxes.user", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        *_flags("enabled"),
        *_large("until"),
        sa.Column("sound", _SORTED, sa.ForeignKey("sounds.id"), nullable=True),
    )
    op.create_index("greetings_sound", "greetings", ["sound"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        *_large("at"),
        *_texts("who what mailbox detail"),
    )
    op.create_index("audit_at", "audit", ["at"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", _SORTED, primary_key=True),
        sa.Column("user", _SORTED, sa.ForeignKey("mailboxes.user", ondelete="CASCADE"), nullable=False),
        *_texts("folder subject priority sensitivity from_user from_name from_smtp from_extension"),
        *_texts("caller_number caller_name recipients"),
        *_flags("read secure dispatch"),
        *_large("arrived duration size"),
        *_counts("number changed"),
        *_large("deleted_at"),
        sa.Column("sound", _SORTED, sa.ForeignKey("sounds.id"), nullable=False),
    )
    op.create_index("messages_folder", "messages", ["user", "folder", "arrived"])
    op.create_index("messages_sound", "messages", ["sound"])
    op.create_index("messages_deleted", "messages", ["deleted_at"])


def downgrade() -> None:
    """Take the change back."""
    for table in _TABLES:
        op.drop_table(table)
