"""What the engine's methods raise to whoever called them."""

from __future__ import annotations

from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault


class EngineError(Exception):
    """A command can't be done; ``reason`` is for showing."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.id)
        self.reason = reason


class SignInError(EngineError):
    """The sign-in failed; ``fault`` says what to do where more than the password is wrong."""

    def __init__(self, reason: Reason, fault: Fault | None = None) -> None:
        super().__init__(reason)
        self.fault = fault
