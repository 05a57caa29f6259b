"""Contact lists that a deployment gives its people before their first sign-in."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.core import accounts
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.migrate import upgrade
from ringback.storage.presence.roster import insert_account, insert_item


@dataclass(frozen=True, slots=True)
class RosterSeed:
    """A contact that ``owner`` has from the start, both seeing each other's presence. Addresses are bare JIDs."""

    owner: str
    contact: str
    name: str
    groups: tuple[str, ...]


async def seed_rosters(url: str, seeds: Sequence[RosterSeed]) -> int:
    """Give accounts that do not exist yet their contacts; how many accounts were made.

    An account that exists keeps what its person made of the list. Raises sqlalchemy.exc.SQLAlchemyError.
    """
    storage = await Storage.open(url, prepare=upgrade)
    try:
        return await storage.transact(lambda connection: _seed(connection, seeds))
    finally:
        await storage.close()


async def _seed(connection: AsyncConnection, seeds: Sequence[RosterSeed]) -> int:
    known = set((await connection.execute(select(accounts.c.bare))).scalars())
    fresh = [seed for seed in seeds if seed.owner not in known]
    owners = dict.fromkeys(seed.owner for seed in fresh)
    if not owners:
        return 0
    now = time.time()
    await connection.execute(
        insert_account,
        [
            {"bare": bare, "created": now, "roster_version": "", "last_active": 0.0, "last_status": ""}
            for bare in owners
        ],
    )
    await connection.execute(
        insert_item,
        [
            {
                "bare": seed.owner,
                "contact": seed.contact,
                "name": seed.name,
                "groups": json.dumps(seed.groups),
                "subscription": "both",
                "asks": False,
                "pending_in": False,
                "approved": False,
                "visible": True,
                "request": b"",
            }
            for seed in fresh
        ],
    )
    return len(owners)
