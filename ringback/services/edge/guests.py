"""Who is there, and may stay: what the policies and revocations of the call managers mean for connections that stand.

A change there ends what somebody may not have any more within seconds, whatever the connection is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ringback.net.remote_access import AccessBook
from ringback.net.token_keys import TokenKeys
from ringback.rules.edge_access import ClientKind, EdgeService, RemoteAccess, kind_of_device, refusal
from ringback.rules.reasons import Reason

_log = structlog.get_logger("ringback.edge.guests")


@dataclass(eq=False, slots=True)
class _Guest:
    service: EdgeService
    user: str
    device: str
    since: float
    end: Callable[[Reason], None]


class Guests:
    """Of one tenant. Everything is asked and told on the event loop."""

    def __init__(self, keys: TokenKeys, book: AccessBook, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._book = book
        self._clock = clock
        self._here: Final[set[_Guest]] = set()
        self.ended = 0
        """Connections that were ended because their person may not have them any more."""
        keys.listen(self._look)
        book.listen(self._look)

    @property
    def here(self) -> int:
        """How many connections of people who are known stand."""
        return len(self._here)

    def refuses(
        self, service: EdgeService, user: str = "", device: str = "", told: ClientKind | None = None
    ) -> Reason | None:
        """Why somebody is not served: by folded user id, or where only the device is known, by its name. ``told``:
        what kind their client says that it is."""
        if not self._book.ready:
            return Reason.of("edge.access.unknown")
        if self._keys.refuses_person(user or self._book.owner(device), float("inf")) == "deactivated":
            return Reason.of("edge.access.deactivated")
        return refusal(self._book.of(user, device), service, device, told)

    def access(self, user: str, device: str = "", told: ClientKind | None = None) -> RemoteAccess:
        """How much somebody may use."""
        return self._book.of(user, device).on(kind_of_device(device) or told)

    def enter(
        self,
        service: EdgeService,
        user: str,
        end: Callable[[Reason], None],
        device: str = "",
        since: float | None = None,
    ) -> Callable[[], None]:
        """A connection stands. ``end`` is called once, with the reason, when its person may not have it any more;
        ``since``: when they proved who they are (Unix seconds; None: now). What comes back is to be called when the
        connection is over."""
        guest = _Guest(service, user, device, self._clock() if since is None else since, end)
        self._here.add(guest)
        return lambda: self._here.discard(guest)

    def _look(self) -> None:
        for guest in list(self._here):
            reason = self._reason(guest)
            if reason is not None:
                self._here.discard(guest)
                self.ended += 1
                _log.info("edge.ended", service=guest.service, user=guest.user, device=guest.device, why=reason.id)
                guest.end(reason)

    def _reason(self, guest: _Guest) -> Reason | None:
        user = guest.user or self._book.owner(guest.device)
        if user and (taken := self._keys.refuses_person(user, guest.since)) is not None:
            return Reason.of(f"edge.access.{taken}")
        return refusal(self._book.of(guest.user, guest.device), guest.service, guest.device)
