"""Subscriptions (RFC 6665): ours at somebody else's, and those of others at ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.protocols.sip.flows import Content, Headers


class Subscription:
    """Ours: made by ``Agent.subscribe``; refreshed by itself until ``end``. Attributes: ``id``, ``event`` (the Event value),
    ``uri``, ``state`` ("new", "pending", "active", "ended"), ``expires``, ``owner`` (of the application).
    Told by ``SubscriptionChanged`` and ``Notified``."""

    __slots__ = ()

    def end(self, now: float) -> None:
        """Unsubscribe. ``SubscriptionChanged`` "ended" follows."""
        raise NotImplementedError


class Notifier:
    """Somebody's: told by ``SubscribeArrived``. Attributes: ``id``, ``event`` (package name), ``event_value`` (the whole Event
    value), ``request`` (the first SUBSCRIBE), ``expires`` (seconds granted), ``state`` ("new", "active", "pending", "ended"),
    ``owner`` (of the application)."""

    __slots__ = ()

    def accept(
        self, now: float, *, expires: int | None = None, pending: bool = False, status: int = 200, headers: Headers = ()
    ) -> None:
        """Grant. ``expires`` None: what was asked (at most an hour). Then ``notify`` must follow at once."""
        raise NotImplementedError

    def refuse(self, now: float, status: int, reason: str = "", *, headers: Headers = ()) -> None:
        """Refuse (489 for an unknown package, 403, 423 with Min-Expires ...)."""
        raise NotImplementedError

    def notify(self, now: float, body: Content = None, *, pending: bool = False, headers: Headers = ()) -> None:
        """Send the state. While a NOTIFY is unanswered, only the newest further one is kept and sent after it."""
        raise NotImplementedError

    def end(self, now: float, reason: str = "noresource", body: Content = None, *, headers: Headers = ()) -> None:
        """NOTIFY with Subscription-State terminated."""
        raise NotImplementedError
