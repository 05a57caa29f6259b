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
        "archive",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        _text("owner"),
        _text("peer"),
        _text("resource"),
        _octets("stanza"),
    )
    op.create_index("archive_owner", "archive", ["owner", "id"])
    op.create_index("archive_peer", "archive", ["owner", "peer", "id"])
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
    ):
        op.drop_table(name)
