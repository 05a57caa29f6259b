"""The metadata that all tables of the presence service share, and the accounts."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, MetaData, String, Table

metadata: Final = MetaData()
"""Every table of the presence service registers here; migrations compare the database with it."""

accounts: Final = Table(
    "accounts",
    metadata,
    Column("bare", String(3071), primary_key=True, doc="bare JID, normalised"),
    Column("created", Float, nullable=False, doc="seconds since 1970"),
    Column("roster_version", String(40), nullable=False, default="", doc="XEP-0237 version; empty: never changed"),
    Column("last_active", Float, nullable=False, default=0.0, doc="end of the last session, seconds since 1970"),
    Column("last_status", String, nullable=False, default="", doc="status text of the last unavailable presence"),
)
