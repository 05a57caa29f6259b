"""Why the identity provider does not let somebody in, or does not answer a service."""

from __future__ import annotations

from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason


class IdentityError(Exception):
    """The root of these errors; the message is the sentence of its reason, for the person at the browser."""

    def __init__(self, reason_id: str, **values: object) -> None:
        self.reason = Reason.of(reason_id, **values)
        super().__init__(render(self.reason))


class RequestRefusedError(IdentityError):
    """A service's request is not answered: nothing is sent anywhere."""


class NotProvenError(IdentityError):
    """The person did not prove who they are; which part was wrong is not told."""


class TooManyTriesError(IdentityError):
    """Too many wrong tries; ``wait`` is whole seconds until a new one makes sense."""

    def __init__(self, wait: int) -> None:
        if wait < 120:
            super().__init__("identity.wait-seconds", seconds=wait)
        else:
            super().__init__("identity.wait-minutes", minutes=(wait + 59) // 60)
        self.wait = wait
