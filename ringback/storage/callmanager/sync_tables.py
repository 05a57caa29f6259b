"""Tables of people who come from a directory: whose agreement they are of, how the last runs ended, what was changed.

Times are Unix seconds. The people themselves stand in ``people`` with the origin ``ldap:<agreement>``.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text

from ringback.storage.callmanager.tables import metadata


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


synced = Table(
    "synced",
    metadata,
    Column("user", Text, primary_key=True),
    *_texts("agreement", "entry", "unique_id", "cluster", "extension"),
    Column("gone_since", Double, nullable=False),
    Index("synced_agreement", "agreement"),
)
"""``entry`` is the distinguished name, ``unique_id`` what stays when it changes; ``cluster`` the home cluster,
``extension`` the directory number there (empty: none, or not known here); ``gone_since`` 0: the directory has them."""

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("agreement", Text, primary_key=True),
    Column("began", Double, nullable=False),
    Column("ended", Double, nullable=False),
    Column("good", Double, nullable=False),
    *_texts("outcome", "why", "counts"),
)
"""The last run of each agreement: ``good`` is when the last good one began (0: none yet), ``outcome`` ``done``,
``refused`` or ``failed``, ``why`` and ``counts`` JSON."""

sync_state = Table(
    "sync_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("serial", BigInteger, nullable=False),
)
"""One row, counted up with every change of people by a run, for all nodes to see."""

sync_audit = Table(
    "sync_audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    *_texts("agreement", "kind", "user", "detail"),
    Index("sync_audit_user", "user"),
)
"""Who was changed by a run, when and how; ``detail`` is JSON of the fields and reasons, without anything secret."""
