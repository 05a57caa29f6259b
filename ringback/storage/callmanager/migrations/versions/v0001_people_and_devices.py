"""People, numbers, credentials, devices and lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_people_and_devices"
down_revision = None

_SORTED = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_PEOPLE_TEXTS = (
    "first_name last_name middle_name nick_name display_name phone_number home_number mobile_number email "
    "directory_uri ms_uri department manager title pager locale service_profile imp_servers origin"
)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _texts(names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names.split()]


def _sorted(name: str) -> sa.Column[str]:
    return sa.Column(name, _SORTED, nullable=False)


def _octets(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Make the tables."""
    _people()
    _credentials()
    _devices()


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("user", _SORTED, primary_key=True),
        _text("id"),
        _text("user_name"),
        *_texts(_PEOPLE_TEXTS),
        sa.Column("im_and_presence", sa.Boolean, nullable=False),
        sa.Column("calendar_presence", sa.Boolean, nullable=False),
        *(_sorted(name) for name in ("by_first", "by_last", "by_display", "by_email", "by_uri")),
    )
    op.create_index("people_by_first", "people", ["by_first"])
    op.create_index("people_by_last", "people", ["by_last", "by_first", "user"])
    op.create_index("people_by_display", "people", ["by_display"])
    op.create_index("people_by_email", "people", ["by_email"])
    op.create_index("people_by_uri", "people", ["by_uri"])
    op.create_table(
        "numbers",
        sa.Column("user", _SORTED, sa.ForeignKey("people.user", ondelete="CASCADE"), primary_key=True),
        sa.Column("digits", _SORTED, primary_key=True),
        _sorted("reversed"),
    )
    op.create_index("numbers_digits", "numbers", ["digits"])
    op.create_index("numbers_reversed", "numbers", ["reversed"])


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        *_texts("user_name argon2"),
        _octets("salt"),
        _count("iterations"),
        _octets("stored_key"),
        _octets("server_key"),
        _octets("seed_salt"),
        _count("seed_iterations"),
        _octets("seed_key"),
        _text("rights"),
    )


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("name", sa.Text, primary_key=True),
        *_texts("id owner model description support_field origin"),
    )
    op.create_index("devices_owner", "devices", ["owner"])
    op.create_table(
        "lines",
        sa.Column("device", sa.Text, sa.ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        *_texts("id number label display_name voicemail_pilot"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("lines", "devices", "credentials", "numbers", "people"):
        op.drop_table(table)
