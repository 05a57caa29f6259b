"""Why the identity provider does not let somebody in, or does not answer a service."""

from __future__ import annotations


class IdentityError(Exception):
    """The root of these errors; the message is a sentence for the person at the browser."""


class RequestRefusedError(IdentityError):
    """A service's request is not answered: nothing is sent anywhere."""


class NotProvenError(IdentityError):
    """The person did not prove who they are; which part was wrong is not told."""


class TooManyTriesError(IdentityError):
    """Too many wrong tries; ``wait`` is whole seconds until a new one makes sense."""

    def __init__(self, wait: int) -> None:
        minutes = (wait + 59) // 60
        when = f"{wait} seconds" if wait < 120 else f"{minutes} minutes"
        super().__init__(f"Too many tries. Wait {when}, then try again.")
        self.wait = wait
