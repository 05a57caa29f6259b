"""Connections to a call manager database, and the transaction that only one node of a cluster has at a time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.storage import engine as common

create_engine = common.create_engine
_ADVISORY_LOCK = 0x72696E67  # any number that all nodes share


def exclusive(engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]:
    """A transaction that waits for its turn among all nodes; committed at the end, rolled back where it raises."""
    return common.exclusive(engine, _ADVISORY_LOCK)
