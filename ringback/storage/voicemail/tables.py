"""Tables of a voicemail service. All its nodes share them.

``user`` is the folded user name. A sound is kept once, however many mailboxes have it; it goes with its last message or
greeting. ``changes`` of a folder grows with every change of what is in it, and ``changed`` of a message is the number
that its folder had then, so that a client can ask for what is newer than it knows. A mailbox with ``own_limit`` keeps
the limit that an administrator gave it, whatever the deployment says. A ``notice`` is what a ``listener`` was not told
yet of a new message.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects import postgresql

metadata = MetaData()

_Sorted = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


mailboxes = Table(
    "mailboxes",
    metadata,
    Column("user", _Sorted, primary_key=True),
    *map(_text, ("id", "display_name", "smtp", "extension", "locale", "pin", "password", "origin")),
    Column("size_limit", BigInteger, nullable=False, default=0),
    Column("own_limit", Boolean, nullable=False, default=False),
    Column("wrong_pins", Integer, nullable=False, default=0),
    Column("locked_until", BigInteger, nullable=False, default=0),
    Column("pin_expired", Boolean, nullable=False, default=False),
    Column("next_number", Integer, nullable=False, default=1),
    Column("inbox_changes", Integer, nullable=False, default=1),
    Column("deleted_changes", Integer, nullable=False, default=1),
    Column("sent_changes", Integer, nullable=False, default=1),
    Index("mailboxes_extension", "extension"),
)

sounds = Table(
    "sounds",
    metadata,
    Column("id", _Sorted, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", _Sorted, primary_key=True),
    Column("user", _Sorted, ForeignKey("mailboxes.user", ondelete="CASCADE"), nullable=False),
    *map(
        _text,
        (
            "folder",
            "subject",
            "priority",
            "sensitivity",
            "from_user",
            "from_name",
            "from_smtp",
            "from_extension",
            "caller_number",
            "caller_name",
            "recipients",
        ),
    ),
    Column("read", Boolean, nullable=False, default=False),
    Column("secure", Boolean, nullable=False, default=False),
    Column("dispatch", Boolean, nullable=False, default=False),
    Column("arrived", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("deleted_at", BigInteger, nullable=False, default=0),
    Column("sound", _Sorted, ForeignKey("sounds.id"), nullable=False),
    Index("messages_folder", "user", "folder", "arrived"),
    Index("messages_sound", "sound"),
    Index("messages_deleted", "deleted_at"),
    Index("messages_size", "user", "size"),
    Index("messages_counts", "user", "folder", "read", "priority"),
)

greetings = Table(
    "greetings",
    metadata,
    Column("user", _Sorted, ForeignKey("mailboxes.user", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("until", BigInteger, nullable=False, default=0),
    Column("language", Integer, nullable=False, default=0),
    Column("spoken", Boolean, nullable=False, default=True),
    Column("sound", _Sorted, ForeignKey("sounds.id"), nullable=True),
    Index("greetings_sound", "sound"),
)

listeners = Table(
    "listeners",
    metadata,
    Column("name", _Sorted, primary_key=True),
    Column("user", _Sorted, ForeignKey("mailboxes.user", ondelete="CASCADE"), nullable=False),
    Column("node", Text, nullable=False),
    Index("listeners_user", "user"),
)

notices = Table(
    "notices",
    metadata,
    Column("listener", _Sorted, ForeignKey("listeners.name", ondelete="CASCADE"), primary_key=True),
    Column("message", _Sorted, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("changed", Integer, nullable=False),
    Index("notices_message", "message"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    *map(_text, ("who", "what", "mailbox", "detail")),
    Index("audit_at", "at"),
)
