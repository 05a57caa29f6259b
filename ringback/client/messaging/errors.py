"""What can go wrong while talking to a presence service."""

from __future__ import annotations

from ringback.rules.reasons import Reason


class MessagingError(Exception):
    """Base: carries the reason in a form that can be shown."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.id)
        self.reason = reason


class NotConnectedError(MessagingError):
    """There is no session at the moment; what was asked needs one."""

    def __init__(self, reason: Reason | None = None) -> None:
        super().__init__(reason or Reason.of("presence.not_connected"))


class RequestFailedError(MessagingError):
    """The server or another client refused a request, or did not answer in time; ``condition`` as in RFC 6120 8.3.3."""

    def __init__(self, reason: Reason, condition: str) -> None:
        super().__init__(reason)
        self.condition = condition
