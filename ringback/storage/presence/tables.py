"""Tables of the presence service's features: archive, rooms, personal events, private storage, cards, block lists.

Accounts and rooms are named by their bare JID in normal form. Order and time of an archived message are one number,
the archive id: microseconds of the Unix clock times ``IDS_PER_MICROSECOND``, made strictly growing by the service.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    TextClause,
    bindparam,
    text,
    true,
)

from ringback.storage.presence.core import metadata

IDS_PER_MICROSECOND = 64
"""How many archive ids one microsecond has room for."""

archive_addresses = Table(
    "archive_addresses",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False, unique=True),
)
"""The bare JIDs that the archive names."""

archive = Table(
    "archive",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("sender", Integer, ForeignKey(archive_addresses.c.number), nullable=False),
    Column("receiver", Integer, ForeignKey(archive_addresses.c.number), nullable=False),
    Column("sender_keeps", Boolean, nullable=False),
    Column("receiver_keeps", Boolean, nullable=False),
    Column("sender_resource", Text, nullable=False),
    Column("receiver_resource", Text, nullable=False),
    Column("stanza", LargeBinary, nullable=False),
)
"""A message is one row in the archives of both sides, or of one: ``sender_keeps``, ``receiver_keeps``.

``sender`` and ``receiver`` are numbers of ``archive_addresses``. What is said in a room is kept by the room, as its
receiver; the sender is the speaker's real address and ``sender_resource`` the nickname. Who writes to their own address
keeps that as the sender. Ids grow over all archives, so that rows are appended: keyed by owner and id they cost SQLite
twice the time.
"""

for _side in ("sender", "receiver"):
    _keeps = archive.c[f"{_side}_keeps"].is_(true())
    Index(f"archive_{_side}", archive.c[_side], archive.c.id, sqlite_where=_keeps, postgresql_where=_keeps)
Index("archive_pair", archive.c.sender, archive.c.receiver, archive.c.id)

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
