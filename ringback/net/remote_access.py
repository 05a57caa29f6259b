"""What people may use from outside, as the call managers say, kept up to date (``net.followed``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ringback.net.followed import FollowedDocument, FollowedSettings, Told
from ringback.protocols.edge.access import PATH, AccessDocument
from ringback.rules.edge_access import EVERYTHING, AccessPolicy


class AccessBook:
    """The policies of all clusters; what is asked of it never waits. A call manager that has no such document (404), as
    those of others, restricts nobody."""

    def __init__(self, settings: FollowedSettings) -> None:
        """The application user needs the right ``remote-access``."""
        self._by_user: dict[str, AccessPolicy] = {}
        self._owners: dict[str, str] = {}
        self._listeners: Final[list[Callable[[], None]]] = []
        self.ready = False
        """Whether any call manager told anything."""
        self._followed = FollowedDocument(
            settings,
            PATH,
            "remote access policies",
            lambda body: AccessDocument.parse(body).cluster,
            self._use,
            without=lambda node: AccessDocument(node).build(),
        )

    @property
    def restricted(self) -> int:
        """How many people may not use everything."""
        return sum(policy != EVERYTHING for policy in self._by_user.values())

    def owner(self, device: str) -> str:
        """Whose a device is (folded user id), of those people whom the document names; empty for all others."""
        return self._owners.get(device.upper(), "")

    def told(self) -> tuple[Told, ...]:
        """How it goes with each call manager."""
        return self._followed.told()

    def listen(self, changed: Callable[[], None]) -> None:
        """Be called whenever a policy changed."""
        self._listeners.append(changed)

    def of(self, user: str, device: str = "") -> AccessPolicy:
        """The policy of a person (folded user id), or of whoever has a device where the person is not known."""
        return self._by_user.get(user or self.owner(device), EVERYTHING)

    async def start(self) -> None:
        """Begin to ask; waits a moment for the first answers."""
        await self._followed.start()

    async def stop(self) -> None:
        """Mirror of ``start``; what is known is kept."""
        await self._followed.stop()

    def _use(self, documents: tuple[bytes, ...]) -> None:
        by_user: dict[str, AccessPolicy] = {}
        owners: dict[str, str] = {}
        for document in map(AccessDocument.parse, documents):
            for user, found in document.people.items():
                by_user[user] = found.policy
                owners.update({device.upper(): user for device in found.devices})
        self._by_user, self._owners, self.ready = by_user, owners, True
        for listener in self._listeners:
            listener()
