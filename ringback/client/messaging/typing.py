"""Who is typing where, each for half a minute at most: a client that went away never says that it stopped."""

from __future__ import annotations

import asyncio

from ringback.client.events import Events

TYPING_SECONDS = 30.0


class Typing:
    """The people who type, by conversation."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._running: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def who(self, conversation: str) -> list[str]:
        """The people who type in a conversation, in the order in which they began."""
        return [person for where, person in self._running if where == conversation]

    def began(self, conversation: str, person: str) -> None:
        """Somebody types, or still does."""
        if (running := self._running.pop((conversation, person), None)) is not None:
            running.cancel()
        loop = asyncio.get_running_loop()
        handle = loop.call_later(TYPING_SECONDS, self.ended, conversation, person)
        self._running[conversation, person] = handle
        self._events.conversation(conversation)

    def ended(self, conversation: str, person: str) -> None:
        """Somebody stopped, or sent what was typed."""
        handle = self._running.pop((conversation, person), None)
        if handle is not None:
            handle.cancel()
            self._events.conversation(conversation)

    def close(self) -> None:
        """Let go of the timers."""
        for handle in self._running.values():
            handle.cancel()
        self._running.clear()
