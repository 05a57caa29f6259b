"""The state of the softphone as it is shown, on the phone's own card and on the board of services."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.client.engine.services import ServiceBoard
from ringback.client.events import Events
from ringback.client.host.wire_base import ServiceState
from ringback.client.host.wire_calls import Phone, PhoneChanged, PhoneState
from ringback.rules.reasons import Reason

SERVICE = "phone"
_BOARD: dict[PhoneState, ServiceState] = {
    "off": "off",
    "connecting": "connecting",
    "registered": "up",
    "waiting": "waiting",
    "refused": "failed",
}


class PhoneCard:
    """Holds the wire's ``Phone``; every change is told."""

    def __init__(self, board: ServiceBoard, events: Events) -> None:
        self._board = board
        self._events = events
        self.now = Phone()

    def set(self, **fields: Any) -> None:
        """Change fields of the card."""
        changed = msgspec.structs.replace(self.now, **fields)
        if changed != self.now:
            self.now = changed
            self._events.note("phone", lambda: PhoneChanged(phone=self.now))

    def state(
        self,
        state: PhoneState,
        *reasons: Reason,
        server: str = "",
        secure: bool = False,
        retry_in: float | None = None,
        calm: bool = False,
    ) -> None:
        """Note a state of the registration with why, the deciding reason first. ``retry_in`` in seconds; ``calm``: it
        is as the company wants it, and no trouble."""
        text = reasons[0] if reasons else None
        self._board.set(
            SERVICE, "off" if calm else _BOARD[state], server=server, text=text, retry_in=retry_in, reasons=reasons
        )
        row = next(one for one in self._board.all() if one.id == SERVICE)
        self.set(state=state, server=server, secure=secure, text=text, reasons=list(reasons), next_try=row.next_try)
