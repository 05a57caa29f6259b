"""The base of all tables of a deployment file."""

from __future__ import annotations

from msgspec import Struct


class Entity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of all tables: unknown keys are refused, since a misspelt one would silently do nothing."""
