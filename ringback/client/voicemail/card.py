"""What is shown of the mailbox as a whole, and the state of the service on the board."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ringback.client.engine.services import ServiceBoard
from ringback.client.events import Events
from ringback.client.host.wire_base import ServiceState
from ringback.client.host.wire_voicemail import Mailbox, MailboxChanged
from ringback.rules.reasons import Reason

SERVICE = "voicemail"


class MailboxCard:
    """The card of now; changes are told as ``MailboxChanged``."""

    def __init__(self, board: ServiceBoard, events: Events) -> None:
        self._board = board
        self._events = events
        self.now = Mailbox()
        self.has_mailbox = True

    def no_mailbox(self) -> None:
        """The service knows the person, and has no mailbox for them: nothing is shown."""
        self.has_mailbox = False
        self.set(told=False, dial="", new=0)
        self.state("off", Reason.of("voicemail.no_mailbox"))

    def set(self, **fields: Any) -> None:
        """Change fields."""
        after = msgspec.structs.replace(self.now, **fields)
        if after != self.now:
            self.now = after
            self._events.note("mailbox", self._event)

    def state(
        self, state: ServiceState, *reasons: Reason, server: str | None = None, retry_in: float | None = None
    ) -> None:
        """A state, with why: the first reason is the sentence."""
        text = reasons[0] if reasons else None
        next_try = datetime.now(UTC) + timedelta(seconds=retry_in) if retry_in is not None else None
        self.set(
            state=state,
            text=text,
            reasons=list(reasons),
            next_try=next_try.isoformat() if next_try is not None else None,
            server=server if server is not None else self.now.server,
        )
        if state != "off" or self._board.state(SERVICE) != "off":
            self._board.set(SERVICE, state, server=server, text=text, retry_in=retry_in, reasons=reasons)

    def _event(self) -> MailboxChanged:
        return MailboxChanged(mailbox=self.now)
