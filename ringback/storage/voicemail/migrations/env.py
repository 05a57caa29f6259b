"""Read by Alembic: uses the connection that the caller holds, so that everything is one transaction.

The table of the version has a name of its own: another service may keep its tables in the same database.
"""

from __future__ import annotations

from alembic import context

from ringback.storage.voicemail.migrate import VERSION_TABLE
from ringback.storage.voicemail.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
