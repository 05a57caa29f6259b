"""People of other clusters, who are in the directory and cannot sign in here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_people_of_other_clusters"
down_revision = "0001_people_and_devices"


def upgrade() -> None:
    """Add whether a person is at home here; all were until now."""
    op.add_column("people", sa.Column("home", sa.Boolean, nullable=False, server_default=sa.true()))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("people") as table:
        table.drop_column("home")
