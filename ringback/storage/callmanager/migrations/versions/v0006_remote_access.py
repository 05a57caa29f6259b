"""What people may use from outside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_remote_access"
down_revision = "0005_people_of_directories"


def upgrade() -> None:
    """Add it; everybody may use everything until said otherwise."""
    collation = "C" if op.get_bind().dialect.name == "postgresql" else None
    op.add_column("people", sa.Column("remote_access", sa.Text(collation=collation), nullable=False, server_default=""))
    op.create_index("people_remote_access", "people", ["remote_access"])
    op.create_table(
        "remote_access",
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("access", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("remote_access")
    op.drop_index("people_remote_access", "people")
    with op.batch_alter_table("people") as table:
        table.drop_column("remote_access")
