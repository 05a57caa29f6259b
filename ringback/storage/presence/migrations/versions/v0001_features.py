"""Archive, rooms, personal events, private storage, cards and block lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_features"
down_revision = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _octets(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "archive_addresses",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "archive",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("sender", sa.Integer, sa.ForeignKey("archive_addresses.number"), nullable=False),
        sa.Column("receiver", sa.Integer, sa.ForeignKey("archive_addresses.number"), nullable=False),
        _flag("sender_keeps"),
        _flag("receiver_keeps"),
        _text("sender_resource"),
        _text("receiver_resource"),
        _octets("stanza"),
    )
    for side in ("sender", "receiver"):
        keeps = sa.column(f"{side}_keeps").is_(sa.true())
        op.create_index(f"archive_{side}", "archive", [side, "id"], sqlite_where=keeps, postgresql_where=keeps)
    op.create_index("archive_pair", "archive", ["sender", "receiver", "id"])
    op.create_table("archive_preferences", _key("owner"), _text("rule"), _text("always"), _text("never"))
    op.create_table(
        "rooms",
        _key("room"),
        _text("configuration"),
        _text("subject"),
        _text("subject_by"),
        _number("subject_at"),
        _octets("salt"),
    )
    op.create_table(
        "room_affiliations", _key("room"), _key("jid"), _text("affiliation"), _text("nick"), _text("reason")
    )
    op.create_table(
        "pep_nodes",
        _key("owner"),
        _key("node"),
        _text("access_model"),
        _number("max_items"),
        _flag("persist"),
        _flag("send_last"),
        _text("whitelist"),
    )
    op.create_table(
        "pep_items",
        _key("owner"),
        _key("node"),
        _key("item"),
        _number("position"),
        _text("publisher"),
        _octets("payload"),
    )
    op.create_table("private_storage", _key("owner"), _key("element"), _octets("payload"))
    op.create_table("cards", _key("owner"), _octets("payload"))
    op.create_table("blocked", _key("owner"), _key("jid"))


def downgrade() -> None:
    """Drop the tables."""
    for name in (
        "blocked",
        "cards",
        "private_storage",
        "pep_items",
        "pep_nodes",
        "room_affiliations",
        "rooms",
        "archive_preferences",
        "archive",
        "archive_addresses",
    ):
        op.drop_table(name)
