"""Greetings have a language, wrong PINs are counted, and what is summed up often can be read from an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_greetings_and_pins"
down_revision = "0001_mailboxes"


def upgrade() -> None:
    """Add the columns and indexes."""
    op.add_column("mailboxes", sa.Column("wrong_pins", sa.Integer, nullable=False, server_default="0"))
    op.add_column("mailboxes", sa.Column("locked_until", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("mailboxes", sa.Column("pin_expired", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("mailboxes", sa.Column("own_limit", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("greetings", sa.Column("language", sa.Integer, nullable=False, server_default="0"))
    op.add_column("greetings", sa.Column("spoken", sa.Boolean, nullable=False, server_default=sa.true()))
    op.execute("UPDATE greetings SET kind = 'Closed' WHERE kind = 'OffHours'")
    op.create_index("messages_size", "messages", ["user", "size"])
    op.create_index("messages_counts", "messages", ["user", "folder", "read", "priority"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("messages_counts", "messages")
    op.drop_index("messages_size", "messages")
    op.drop_column("greetings", "spoken")
    op.drop_column("greetings", "language")
    for name in ("own_limit", "pin_expired", "locked_until", "wrong_pins"):
        op.drop_column("mailboxes", name)
