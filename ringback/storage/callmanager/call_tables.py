"""Tables of calling: what is set on lines and phones, who is registered where, and the records of calls.

What a person sets (forwarding, do not disturb) and what the network knows (messages that wait, registrations) stands in
tables of its own, since the deployment writes devices and lines anew at every start.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table, Text

from ringback.storage.callmanager.tables import metadata

directory_numbers = Table(
    "directory_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("pickup_group", Text, nullable=False),
    Column("ring_seconds", Float, nullable=False),
    Column("origin", Text, nullable=False),
)

forwarding = Table(
    "forwarding",
    metadata,
    Column("number", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("to_voicemail", Boolean, nullable=False),
    Column("destination", Text, nullable=False),
)
"""``kind`` is a field of ``rules.call_forwarding.Forwarding``; no row: calls of this kind are not forwarded."""

quiet = Table(
    "quiet",
    metadata,
    Column("device", Text, primary_key=True),
    Column("setting", Text, nullable=False),
)
"""Do not disturb: ``setting`` is a value of ``rules.call_forwarding.Quiet`` other than off."""

message_counts = Table(
    "message_counts",
    metadata,
    Column("number", Text, primary_key=True),
    Column("new", Integer, nullable=False),
    Column("old", Integer, nullable=False),
    Column("new_urgent", Integer, nullable=False),
    Column("old_urgent", Integer, nullable=False),
)

digests = Table(
    "digests",
    metadata,
    Column("sip_user", Text, primary_key=True),
    Column("realm", Text, nullable=False),
    Column("md5", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("sha512_256", Text, nullable=False),
)
"""HA1 of RFC 7616 for phones with a password of their own; the password itself is kept nowhere."""

call_changes = Table(
    "call_changes",
    metadata,
    Column("serial", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""What changed, for the nodes that hold lines and phones in memory: ``kind`` is line, phone, or all (read everything).
Serials are never used twice."""

registrations = Table(
    "registrations",
    metadata,
    Column("device", Text, primary_key=True),
    Column("contact", Text, primary_key=True),
    Column("lines", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("expires", Float, nullable=False),
    Column("transport", Text, nullable=False),
    Column("received", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Index("registrations_serial", "serial"),
)
"""``lines`` has one number a line. Each batch of changes has the next ``serial``, so that nodes read only what is new;
what ended stays for a while with ``expires`` 0, or nobody would read that it ended."""

call_details = Table(
    "call_detail_records",
    metadata,
    Column("pkid", Text, primary_key=True),
    Column("call_manager", Integer, nullable=False),
    Column("call", BigInteger, nullable=False),
    Column("originated", BigInteger, nullable=False),
    Column("connected", BigInteger, nullable=False),
    Column("disconnected", BigInteger, nullable=False),
    Column("duration", Integer, nullable=False),
    Column("calling_number", Text, nullable=False),
    Column("original_called_number", Text, nullable=False),
    Column("final_called_number", Text, nullable=False),
    Column("orig_device", Text, nullable=False),
    Column("dest_device", Text, nullable=False),
    Column("orig_cause", Integer, nullable=False),
    Column("dest_cause", Integer, nullable=False),
    Column("secured", Integer, nullable=False),
    Column("others", Text, nullable=False),
    Index("call_detail_records_originated", "originated"),
    Index("call_detail_records_call", "call_manager", "call"),
)
"""``others`` is a JSON object of all further columns of the file (``protocols.call_records``) that are not empty."""

call_managements = Table(
    "call_management_records",
    metadata,
    Column("pkid", Text, primary_key=True),
    Column("call_manager", Integer, nullable=False),
    Column("call", BigInteger, nullable=False),
    Column("leg", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("number", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("packets_sent", Integer, nullable=False),
    Column("packets_received", Integer, nullable=False),
    Column("packets_lost", Integer, nullable=False),
    Column("jitter", Integer, nullable=False),
    Column("latency", Integer, nullable=False),
    Column("others", Text, nullable=False),
    Index("call_management_records_at", "at"),
    Index("call_management_records_call", "call_manager", "call"),
)

open_calls = Table(
    "open_calls",
    metadata,
    Column("call_manager", Integer, primary_key=True),
    Column("call", BigInteger, primary_key=True),
    Column("leg", BigInteger, primary_key=True),
    Column("seen", Float, nullable=False),
    Column("facts", Text, nullable=False),
)
"""Calls under way, so that a node that ended without a word can write their records at its next start; ``seen`` is when
it last said that it lives."""
