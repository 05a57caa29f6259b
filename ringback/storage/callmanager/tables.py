"""Tables of a call manager cluster. All nodes of a cluster share them.

``user`` is the folded user name, the key of a person. Columns with the prefix ``by_`` hold the folded text that
searches compare (``rules.name_search``); they sort by code point everywhere, so that starts-with is a range of the
index.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, false, true
from sqlalchemy.dialects import postgresql

metadata = MetaData()

_Sorted = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


people = Table(
    "people",
    metadata,
    Column("user", _Sorted, primary_key=True),
    Column("id", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    *map(
        _text,
        (
            "first_name",
            "last_name",
            "middle_name",
            "nick_name",
            "display_name",
            "phone_number",
            "home_number",
            "mobile_number",
            "email",
            "directory_uri",
            "ms_uri",
            "department",
            "manager",
            "title",
            "pager",
            "locale",
            "service_profile",
            "imp_servers",
            "origin",
        ),
    ),
    Column("im_and_presence", Boolean, nullable=False),
    Column("calendar_presence", Boolean, nullable=False),
    Column("home", Boolean, nullable=False, server_default=true()),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("remote_access", _Sorted, nullable=False, server_default=""),
    Column("by_first", _Sorted, nullable=False),
    Column("by_last", _Sorted, nullable=False),
    Column("by_display", _Sorted, nullable=False),
    Column("by_email", _Sorted, nullable=False),
    Column("by_uri", _Sorted, nullable=False),
    Index("people_remote_access", "remote_access"),
    Index("people_by_first", "by_first"),
    Index("people_by_last", "by_last", "by_first", "user"),
    Index("people_by_display", "by_display"),
    Index("people_by_email", "by_email"),
    Index("people_by_uri", "by_uri"),
)
"""``imp_servers`` has one host a line; ``origin`` tells who maintains the row (``deployment``); ``home``
whether the person signs in here, or is known from another cluster; ``active`` what the deployment says: people may
also be deactivated at run time (``sign_in_tables``). ``remote_access`` is what may be used from outside as
``rules.edge_access`` writes it, or ``@`` and the name of a user profile; empty: everything."""

remote_access = Table(
    "remote_access",
    metadata,
    Column("user", Text, primary_key=True),
    Column("access", Text, nullable=False),
)
"""What administrators said at run time, before which ``people.remote_access`` does not count."""

numbers = Table(
    "numbers",
    metadata,
    Column("user", _Sorted, ForeignKey("people.user", ondelete="CASCADE"), primary_key=True),
    Column("digits", _Sorted, primary_key=True),
    Column("reversed", _Sorted, nullable=False),
    Column("previous", _Sorted, nullable=False, server_default=""),
    Column("previous_reversed", _Sorted, nullable=False, server_default=""),
    Index("numbers_digits", "digits", "previous", "user"),
    Index("numbers_reversed", "reversed", "previous_reversed", "user"),
)
"""Every number of a person in digits, forwards and backwards, to find a person by the start or the end of a number.

``previous`` is the next smaller ``digits`` of the same person (empty: there is none), ``previous_reversed`` likewise:
numbers with a common start are a range, of which a person has one row whose ``previous`` lies below it. So people are
counted in one walk of the index."""

credentials = Table(
    "credentials",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("user_name", Text, nullable=False),
    Column("argon2", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("stored_key", LargeBinary, nullable=False),
    Column("server_key", LargeBinary, nullable=False),
    Column("seed_salt", LargeBinary, nullable=False),
    Column("seed_iterations", Integer, nullable=False),
    Column("seed_key", LargeBinary, nullable=False),
    Column("rights", Text, nullable=False),
)
"""``kind`` is person or application. ``seed_*`` verify the password last given by the deployment, so that a new start
sets it again only where the deployment changed it, and not what the person chose since."""

devices = Table(
    "devices",
    metadata,
    Column("name", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("support_field", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("sip_user", Text, nullable=False, server_default=""),
    Column("encrypted", Boolean, nullable=False, server_default=false()),
    Index("devices_owner", "owner"),
)

lines = Table(
    "lines",
    metadata,
    Column("device", Text, ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("voicemail_pilot", Text, nullable=False),
    Column("max_calls", Integer, nullable=False, server_default="4"),
    Column("busy_trigger", Integer, nullable=False, server_default="2"),
    Index("lines_number", "number"),
)
"""``id`` is the same for a number on all devices; ``position`` counts from 1."""

seeds = Table(
    "seeds",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
)
"""What was sown last, so that the same again costs nothing and disturbs nobody."""
