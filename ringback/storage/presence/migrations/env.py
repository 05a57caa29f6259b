"""Read by Alembic: uses the connection that the caller holds, so that everything is one transaction."""

from __future__ import annotations

from alembic import context

from ringback.storage.presence.core import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
