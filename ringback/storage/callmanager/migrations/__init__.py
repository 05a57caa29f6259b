"""Migrations of a call manager database, run by Alembic."""
