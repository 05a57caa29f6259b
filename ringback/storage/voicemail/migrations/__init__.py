"""Migrations of a voicemail database, run by Alembic."""
