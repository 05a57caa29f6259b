"""Tables of the presence service's features: archive, rooms, personal events, private storage, cards, block lists.

Accounts and rooms are named by their bare JID in normal form. Order and time of an archived message are one number,
the archive id: microseconds of the Unix clock times ``IDS_PER_MICROSECOND``, made strictly growing by the service.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    TextClause,
    bindparam,
    text,
)

from ringback.storage.presence.core import metadata

IDS_PER_MICROSECOND = 64
"""How many archive ids one microsecond has room for."""

archive = Table(
    "archive",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("stanza", LargeBinary, nullable=False),
    Index("archive_owner", "owner", "id"),
    Index("archive_peer", "owner", "peer", "id"),
)
"""``peer`` is the other side's bare JID; in a room's archive the sender's real one, and ``resource`` the nickname.

Ids grow over all owners, so that rows are appended: keyed by owner and id they cost SQLite twice the time."""

archive_preferences = Table(
    "archive_preferences",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("always", Text, nullable=False),
    Column("never", Text, nullable=False),
)
"""XEP-0441 preferences: ``rule`` is the default, ``always`` and ``never`` are JIDs, one a line."""

rooms = Table(
    "rooms",
    metadata,
    Column("room", Text, primary_key=True),
    Column("configuration", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_by", Text, nullable=False),
    Column("subject_at", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)
"""``configuration`` is JSON; ``subject_at`` an archive id; ``salt`` the key of the occupant ids (XEP-0421)."""

room_affiliations = Table(
    "room_affiliations",
    metadata,
    Column("room", Text, primary_key=True),
    Column("jid", Text, primary_key=True),
    Column("affiliation", Text, nullable=False),
    Column("nick", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

pep_nodes = Table(
    "pep_nodes",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("access_model", Text, nullable=False),
    Column("max_items", BigInteger, nullable=False),
    Column("persist", Boolean, nullable=False),
    Column("send_last", Boolean, nullable=False),
    Column("whitelist", Text, nullable=False),
)

pep_items = Table(
    "pep_items",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("publisher", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

private_storage = Table(
    "private_storage",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("element", Text, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
)
"""XEP-0049; ``element`` is ``{namespace}name``."""

cards = Table(
    "cards",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
)
"""XEP-0054 vCards as they were set."""

blocked = Table(
    "blocked",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("jid", Text, primary_key=True),
)
"""XEP-0191 block lists."""


def upsert(table: Table) -> TextClause:
    """Insert a row or replace the one with the same key; takes rows with all columns.

    As text, because SQLite and PostgreSQL write it alike but SQLAlchemy has a construct for each only.
    """
    columns = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    return text(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)}) "  # noqa: S608 - names of our own tables
        f"ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
    ).bindparams(*(bindparam(column.name, type_=column.type) for column in table.columns))
