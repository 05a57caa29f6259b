"""Who listens to a mailbox, and what they were not told yet, outlast the service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_notices"
down_revision = "0002_greetings_and_pins"

_SORTED = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _belongs(name: str, to: str, *, primary_key: bool = True) -> sa.Column[str]:
    return sa.Column(name, _SORTED, sa.ForeignKey(to, ondelete="CASCADE"), primary_key=primary_key, nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "listeners",
        sa.Column("name", _SORTED, primary_key=True),
        _belongs("user", "mailboxes.user", primary_key=False),
        sa.Column("node", sa.Text, nullable=False),
    )
    op.create_index("listeners_user", "listeners", ["user"])
    op.create_table(
        "notices",
        _belongs("listener", "listeners.name"),
        _belongs("message", "messages.id"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
    )
    op.create_index("notices_message", "notices", ["message"])


def downgrade() -> None:
    """Take them away."""
    op.drop_table("notices")
    op.drop_table("listeners")
