"""Alembic's environment of the presence database; started by ``ringback.storage.presence.migrate``."""
