"""The presence service of a deployment, with the contact lists of its teams."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.net.service import Endpoint
from ringback.services.presence.service import PresenceService
from ringback.services.presence.settings import PresenceSettings
from ringback.storage.presence.seed import RosterSeed, seed_rosters


class PresenceRole:
    """A presence service whose people find their teams in their contact lists at the first start."""

    def __init__(self, settings: PresenceSettings, rosters: Sequence[RosterSeed]) -> None:
        self._database = settings.database_url
        self._rosters = rosters
        self._service = PresenceService(settings)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What the service bound."""
        return self._service.endpoints

    async def start(self) -> None:
        """Seed the contact lists, then serve. Raises OSError or sqlalchemy.exc.SQLAlchemyError."""
        if self._rosters:
            await seed_rosters(self._database, self._rosters)
        await self._service.start()

    async def stop(self) -> None:
        """Stop the service."""
        await self._service.stop()
