"""Rows as they are handed over for writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.sql import Executable, Insert

Row = Mapping[str, Any] | tuple[Any, ...]
"""Values by the name of their column or bind parameter; or, for an insert, of all columns in the table's order."""


def named(statement: Executable, rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """The rows with names. Raises ValueError for a tuple that is too short or too long, or for no insert."""
    return [row if isinstance(row, Mapping) else dict(zip(_columns(statement), row, strict=True)) for row in rows]


def positional(statement: Insert, rows: Sequence[Row]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns and the values in their order; mappings have the columns of the first row."""
    names = _columns(statement)
    first = rows[0]
    if isinstance(first, Mapping):
        names = [name for name in names if name in first]
    return names, [row if isinstance(row, tuple) else tuple(row[name] for name in names) for row in rows]


def _columns(statement: Executable) -> list[str]:
    if not isinstance(statement, Insert):
        raise ValueError("Only inserts take rows without names")  # noqa: TRY004 - the value does not fit
    return [column.name for column in statement.table.columns]
