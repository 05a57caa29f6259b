"""Messages out of a stream (TCP, TLS): framed by Content-Length, with keep-alives between them (RFC 3261 section 18.3).

On a stream a message without a readable Content-Length ends the connection, since nobody can say where the next begins.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import Request, Response, parse_head, take_content_length

HEAD_LIMIT: Final = 65_536  # bytes of start line and headers
BODY_LIMIT: Final = 1_048_576  # bytes


class KeepAlive(Enum):
    """What may stand between messages (RFC 5626 section 3.5.1)."""

    PING = "\r\n\r\n"
    """The other side asks whether the connection lives: answer with one CRLF."""
    PONG = "\r\n"
    """The answer to our own."""


Received = Request | Response | KeepAlive | MalformedMessage


class Reader:
    """Cuts a stream into messages. Holds at most one unfinished message of bounded size."""

    def __init__(self, head_limit: int = HEAD_LIMIT, body_limit: int = BODY_LIMIT) -> None:
        """Limits are in bytes."""
        self._head_limit = head_limit
        self._body_limit = body_limit
        self._buffer = b""
        self._message: Request | Response | MalformedMessage | None = None  # its head is read, its body is not
        self._wanted = 0  # bytes of that body
        self._searched = 0  # bytes of the buffer that hold no end of a head
        self._half_ping = False
        self.broken = False
        """Whether the framing is lost: nothing more is read, the connection is to be closed."""

    @property
    def pending(self) -> bool:
        """Whether a message has begun that is not complete, which should not last long."""
        return self._message is not None or bool(self._buffer)

    def feed(self, data: bytes) -> list[Received]:
        """Take bytes, give what is complete. Never raises: what is malformed comes as MalformedMessage in its place,
        and where that is ``fatal`` it is the last thing that comes."""
        if self.broken:
            return []
        self._buffer = self._buffer + data if self._buffer else data
        found: list[Received] = []
        while not self.broken:
            item = self._body() if self._message is not None else self._head()
            if item is None:
                break
            found.append(item)
        return found

    def _body(self) -> Received | None:
        message = self._message
        if message is None or len(self._buffer) < self._wanted:
            return None
        if not isinstance(message, MalformedMessage):
            message.body = self._buffer[: self._wanted]
        self._buffer = self._buffer[self._wanted :]
        self._message = None
        return message

    def _head(self) -> Received | None:
        buffer = self._buffer
        if buffer[:2] == b"\r\n":
            return self._keep_alive()
        end = buffer.find(b"\r\n\r\n", max(self._searched - 3, 0))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > self._head_limit:
                return self._break(MalformedMessage(513, "The headers are larger than is read"))
            return None
        self._half_ping = False
        self._searched = 0
        if end > self._head_limit:
            return self._break(MalformedMessage(513, "The headers are larger than is read"))
        self._buffer = buffer[end + 4 :]
        return self._framed(buffer[:end])

    def _keep_alive(self) -> KeepAlive:
        """Two line breaks ask and one answers; of two that come apart, the second completes the question."""
        if self._buffer[2:4] == b"\r\n" and not self._half_ping:
            self._buffer = self._buffer[4:]
            return KeepAlive.PING
        self._buffer = self._buffer[2:]
        self._half_ping = not self._half_ping
        return KeepAlive.PONG if self._half_ping else KeepAlive.PING

    def _framed(self, head: bytes) -> Received | None:
        error: MalformedMessage | None = None
        try:
            message = parse_head(head)
        except MalformedMessage as caught:
            if caught.message is None:
                return self._break(caught)
            error, message = caught, caught.message
        try:
            wanted = take_content_length(message)
        except MalformedMessage as caught:
            return self._break(caught)
        if wanted is None:
            return self._break(MalformedMessage(400, "Missing Content-Length header", message))
        if wanted > self._body_limit:
            return self._break(MalformedMessage(513, "The body is larger than is read", message))
        self._message = error or message
        self._wanted = wanted
        return self._body()

    def _break(self, error: MalformedMessage) -> MalformedMessage:
        error.fatal = True
        self.broken = True
        self._buffer = b""
        self._message = None
        return error
