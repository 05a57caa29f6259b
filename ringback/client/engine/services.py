"""The state of each service of a person, with why: what the page shows as words in its top bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ringback.client.events import Events
from ringback.client.host.wire import Service
from ringback.client.host.wire_base import ServiceState
from ringback.rules.reasons import Reason

REASONS_LIMIT = 8


class ServiceBoard:
    """Services by id: messages, contacts, directory, configuration."""

    def __init__(self, events: Events, now: Callable[[], datetime]) -> None:
        self._events = events
        self._now = now
        self._services: dict[str, Service] = {}

    def all(self) -> list[Service]:
        """Every service, in the order in which they appeared."""
        return list(self._services.values())

    def state(self, service_id: str) -> ServiceState:
        """The state of one service."""
        service = self._services.get(service_id)
        return service.state if service is not None else "off"

    def set(
        self,
        service_id: str,
        state: ServiceState,
        *,
        server: str | None = None,
        text: Reason | None = None,
        retry_in: float | None = None,
        reasons: tuple[Reason, ...] = (),
    ) -> None:
        """Note a state. ``retry_in`` is in seconds; reasons given stand before those that are known already."""
        old = self._services.get(service_id)
        now = self._now()
        kept = [] if old is None or state == "up" else old.reasons
        same = old is not None and old.state == state
        self._services[service_id] = Service(
            id=service_id,
            state=state,
            server=server if server is not None else (old.server if old is not None else ""),
            since=old.since if same and old is not None else now.isoformat(),
            next_try=(now + timedelta(seconds=retry_in)).isoformat() if retry_in is not None else None,
            text=text,
            reasons=[*reasons, *(reason for reason in kept if reason not in reasons)][:REASONS_LIMIT],
        )
        self._events.service(service_id)

    def reset(self) -> None:
        """Forget everything: nobody is signed in."""
        self._services.clear()
