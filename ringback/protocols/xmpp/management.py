"""Stream management (XEP-0198): counting what was handled, keeping what was not acknowledged. Both sides use it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from ringback.protocols.xmpp.errors import StreamError

SM_NS: Final = "urn:xmpp:sm:3"
_MODULO: Final = 1 << 32


class Management:
    """The counters and the queue of one stream, which outlive its connections.

    ``received`` counts stanzas handled from the other side, ``sent`` those given to it; both wrap at 2**32.
    """

    __slots__ = ("_queue", "_unasked", "acknowledged", "received", "sent")

    ASK_EVERY: Final = 8
    """After so many stanzas an acknowledgement is asked for, so that the queue stays short."""

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0
        self.acknowledged = 0
        self._queue: deque[bytes] = deque()
        self._unasked = 0

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._queue)

    def handled(self) -> None:
        """One stanza of the other side was handled."""
        self.received = (self.received + 1) % _MODULO

    def queue(self, raw: bytes) -> bool:
        """Keep a stanza that is being sent; whether an acknowledgement should be asked for now."""
        self.sent = (self.sent + 1) % _MODULO
        self._queue.append(raw)
        self._unasked += 1
        if self._unasked >= self.ASK_EVERY:
            self._unasked = 0
            return True
        return False

    def should_ask(self) -> bool:
        """Whether stanzas were sent since an acknowledgement was last asked for; then it counts as asked for."""
        asks = self._unasked > 0
        self._unasked = 0
        return asks

    def acknowledge(self, text: str | None) -> None:
        """The other side says ``h``. Raises StreamError where it is no number or counts what was never sent."""
        handled = parse_count(text)
        new = (handled - self.acknowledged) % _MODULO
        if new > len(self._queue):
            raise StreamError(
                "undefined-condition",
                "More stanzas were acknowledged than were sent",
                extra=b"<handled-count-too-high xmlns='urn:xmpp:sm:3' h='%d' send-count='%d'/>" % (handled, self.sent),
            )
        for _ in range(new):
            self._queue.popleft()
        self.acknowledged = handled

    def clear(self) -> list[bytes]:
        """What was never acknowledged; the queue is empty afterwards."""
        rest = list(self._queue)
        self._queue.clear()
        return rest


def parse_count(text: str | None) -> int:
    """An ``h`` attribute: xs:unsignedInt. Raises StreamError."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) >= _MODULO:
        raise StreamError("bad-format", "The count of handled stanzas is missing or no number")
    return int(text)
