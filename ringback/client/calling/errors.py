"""What can go wrong with a call for a reason that the person is told."""

from __future__ import annotations

from ringback.client.engine.errors import EngineError
from ringback.rules.reasons import Reason


class CallError(EngineError):
    """A call or an action in one can't be done; ``reason`` for showing."""


def refused(reason_id: str, **values: object) -> CallError:
    """The error of a reason."""
    return CallError(Reason.of(reason_id, **values))
