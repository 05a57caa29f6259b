"""Calls: what is set on lines and phones, registrations, call records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_calls"
down_revision = "0002_people_of_other_clusters"

_TABLES = (
    "seeds",
    "open_calls",
    "call_management_records",
    "call_detail_records",
    "registrations",
    "call_changes",
    "digests",
    "message_counts",
    "quiet",
    "forwarding",
    "directory_numbers",
)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _texts(names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names.split()]


def _counts(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names.split()]


def _large(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names.split()]


def _floats(names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in names.split()]


def upgrade() -> None:
    """Make the tables, and the columns of devices and lines that calls need."""
    op.add_column("devices", sa.Column("sip_user", sa.Text, nullable=False, server_default=""))
    op.add_column("devices", sa.Column("encrypted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("lines", sa.Column("max_calls", sa.Integer, nullable=False, server_default="4"))
    op.add_column("lines", sa.Column("busy_trigger", sa.Integer, nullable=False, server_default="2"))
    op.create_index("lines_number", "lines", ["number"])
    _settings()
    _registrations()
    _records()


def _settings() -> None:
    op.create_table(
        "directory_numbers", _key("number"), *_texts("pickup_group"), *_floats("ring_seconds"), *_texts("origin")
    )
    op.create_table(
        "forwarding",
        _key("number"),
        _key("kind"),
        sa.Column("to_voicemail", sa.Boolean, nullable=False),
        *_texts("destination"),
    )
    op.create_table("quiet", _key("device"), *_texts("setting"))
    op.create_table("message_counts", _key("number"), *_counts("new old new_urgent old_urgent"))
    op.create_table("seeds", _key("origin"), *_texts("fingerprint"))
    op.create_table("digests", _key("sip_user"), *_texts("realm md5 sha256 sha512_256"))
    op.create_table(
        "call_changes",
        sa.Column("serial", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("kind key"),
        sqlite_autoincrement=True,
    )


def _registrations() -> None:
    op.create_table(
        "registrations",
        _key("device"),
        _key("contact"),
        *_texts("lines node"),
        *_floats("expires"),
        *_texts("transport received instance user_agent"),
        *_floats("since"),
        *_large("serial"),
    )
    op.create_index("registrations_serial", "registrations", ["serial"])


def _records() -> None:
    op.create_table(
        "call_detail_records",
        _key("pkid"),
        *_counts("call_manager"),
        *_large("call originated connected disconnected"),
        *_counts("duration"),
        *_texts("calling_number original_called_number final_called_number orig_device dest_device"),
        *_counts("orig_cause dest_cause secured"),
        *_texts("others"),
    )
    op.create_index("call_detail_records_originated", "call_detail_records", ["originated"])
    op.create_index("call_detail_records_call", "call_detail_records", ["call_manager", "call"])
    op.create_table(
        "call_management_records",
        _key("pkid"),
        *_counts("call_manager"),
        *_large("call leg at"),
        *_texts("number device"),
        *_counts("packets_sent packets_received packets_lost jitter latency"),
        *_texts("others"),
    )
    op.create_index("call_management_records_at", "call_management_records", ["at"])
    op.create_index("call_management_records_call", "call_management_records", ["call_manager", "call"])
    op.create_table(
        "open_calls",
        sa.Column("call_manager", sa.Integer, primary_key=True),
        sa.Column("call", sa.BigInteger, primary_key=True),
        sa.Column("leg", sa.BigInteger, primary_key=True),
        *_floats("seen"),
        *_texts("facts"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        op.drop_table(table)
    op.drop_index("lines_number", "lines")
    with op.batch_alter_table("lines") as lines:
        lines.drop_column("busy_trigger")
        lines.drop_column("max_calls")
    with op.batch_alter_table("devices") as devices:
        devices.drop_column("encrypted")
        devices.drop_column("sip_user")
