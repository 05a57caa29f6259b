"""People who come from a directory; and numbers that are counted once for each person without comparing people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_people_of_directories"
down_revision = "0004_sign_in"

_BEFORE = """
UPDATE numbers SET
  previous = COALESCE((SELECT MAX(n.digits) FROM numbers n
                       WHERE n."user" = numbers."user" AND n.digits < numbers.digits), ''),
  previous_reversed = COALESCE((SELECT MAX(n.reversed) FROM numbers n
                                WHERE n."user" = numbers."user" AND n.reversed < numbers.reversed), '')
"""
_INDEXES = (("numbers_digits", "digits"), ("numbers_reversed", "reversed"))


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _sorted(name: str) -> sa.Column[str]:
    collation = "C" if op.get_bind().dialect.name == "postgresql" else None
    return sa.Column(name, sa.Text(collation=collation), nullable=False, server_default="")


def upgrade() -> None:
    """Make the tables, and tell for each number the next smaller one of the same person."""
    op.create_table(
        "synced",
        sa.Column("user", sa.Text, primary_key=True),
        *_texts("agreement", "entry", "unique_id", "cluster", "extension"),
        sa.Column("gone_since", sa.Double, nullable=False),
    )
    op.create_index("synced_agreement", "synced", ["agreement"])
    op.create_table(
        "sync_runs",
        sa.Column("agreement", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("began", "ended", "good")),
        *_texts("outcome", "why", "counts"),
    )
    op.create_table(
        "sync_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sync_audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double, nullable=False),
        *_texts("agreement", "kind", "user", "detail"),
    )
    op.create_index("sync_audit_user", "sync_audit", ["user"])
    op.add_column("numbers", _sorted("previous"))
    op.add_column("numbers", _sorted("previous_reversed"))
    op.execute(sa.text(_BEFORE))
    for name, column in _INDEXES:
        op.drop_index(name, "numbers")
        op.create_index(name, "numbers", [column, f"previous{'_reversed' if column == 'reversed' else ''}", "user"])


def downgrade() -> None:
    """Drop them; people of directories go with their tables."""
    for name, column in _INDEXES:
        op.drop_index(name, "numbers")
        op.create_index(name, "numbers", [column])
    with op.batch_alter_table("numbers") as numbers:
        numbers.drop_column("previous")
        numbers.drop_column("previous_reversed")
    for table in ("sync_audit", "sync_state", "sync_runs", "synced"):
        op.drop_table(table)
