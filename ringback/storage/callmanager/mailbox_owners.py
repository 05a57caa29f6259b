"""Which people of directories have a line that leads to the voicemail, as the tables of a cluster say."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from ringback.protocols.mailbox_owners import MailboxOwner
from ringback.storage.callmanager.sync_tables import synced
from ringback.storage.callmanager.synced import DEPLOYMENT
from ringback.storage.callmanager.tables import devices, lines, people


class MailboxOwnerStore:
    """Reads the tables. Methods raise sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def owners(self, cluster: str) -> tuple[MailboxOwner, ...]:
        """By user id. Those who left the directory keep their mailbox as long as the cluster keeps them."""
        leads = (
            select(lines.c.number)
            .join(devices, devices.c.name == lines.c.device)
            .where(devices.c.owner == people.c.user, lines.c.number == synced.c.extension, lines.c.voicemail_pilot > "")
            .exists()
        )
        row = people.c
        query = (
            select(row.user_name, row.display_name, row.email, synced.c.extension, row.locale)
            .join(synced, synced.c.user == row.user)
            .where(row.origin != DEPLOYMENT, synced.c.cluster == cluster, synced.c.extension > "", leads)
            .order_by(row.user)
        )
        async with self._engine.connect() as connection:
            return tuple(MailboxOwner(*found) for found in await connection.execute(query))
