"""The keys with which a service checks access tokens by itself, fetched from the call managers and kept up to date.

They are followed as ``net.followed`` says: who has a token signs in while the call managers are away, and a node that
fell silent before its cluster's keys were regenerated cannot keep the old ones alive. Revocations come with the
document; whoever keeps people signed in listens for changes and asks ``refuses`` about them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ringback.net.followed import FollowedDocument, FollowedSettings, Told
from ringback.protocols.oauth.known_keys import KeysUnavailableError, KnownKeys
from ringback.protocols.oauth.tokens import CheckingKeys

__all__ = ["PATH", "KeysUnavailableError", "TokenKeySettings", "TokenKeys"]

PATH: Final = "/ssosp/oauth/keys"

TokenKeySettings = FollowedSettings
"""The application user needs the right ``token-keys``."""


class TokenKeys(KnownKeys):
    """Keeps the keys; what is asked of them never waits."""

    def __init__(self, settings: TokenKeySettings, clock: Callable[[], float] = time.time) -> None:
        """``clock`` tells Unix seconds."""
        super().__init__(clock)
        self._followed = FollowedDocument(
            settings, PATH, "token keys", _cluster_of, lambda documents: self.use(CheckingKeys.parse(documents))
        )

    def told(self) -> tuple[Told, ...]:
        """How it goes with each call manager."""
        return self._followed.told()

    async def start(self) -> None:
        """Begin to ask; waits a moment for the first answers, but not for nodes that are silent."""
        await self._followed.start()

    async def stop(self) -> None:
        """Mirror of ``start``; the keys are kept."""
        await self._followed.stop()


def _cluster_of(document: bytes) -> str:
    return next(iter(CheckingKeys.parse([document]).clusters))
