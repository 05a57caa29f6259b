"""The errors of the SIP messages: what arrives broken, and what we were asked to build and cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.protocols.sip.message import Request, Response


class SipError(Exception):
    """Anything of SIP that this package raises."""


class MalformedMessage(SipError, ValueError):  # noqa: N818  a noun of the field
    """Bytes of the other side are not SIP that can be read (RFC 3261 sections 7, 16.3 and 25).

    ``status`` is the response that a request like this earns (400, 505, 513, 416 ...); ``text`` says why in one
    sentence and is fit for a reason phrase; ``message`` is what could be read, so that a request can still be answered
    (None where not even the start line was SIP); ``fatal`` says that a stream has lost its framing and must be closed.
    """

    def __init__(
        self, status: int, text: str, message: Request | Response | None = None, *, fatal: bool = False
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.message = message
        self.fatal = fatal


class UnbuildableMessage(SipError, ValueError):  # noqa: N818
    """A header or URI was asked for that cannot be written, for example one with a line break inside."""


class WrongState(SipError, RuntimeError):  # noqa: N818  it names the state, not an accident
    """An action that the session can't do now; the message says the state. The session is unchanged."""
