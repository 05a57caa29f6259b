"""A part of a SIP message (RFC 3420): ``message/sipfrag``, by which a NOTIFY tells how a REFER goes on (RFC 3515)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import Request, Response, parse_head
from ringback.protocols.sip.names import reason_phrase

CONTENT_TYPE: Final = "message/sipfrag"
VERSIONED_CONTENT_TYPE: Final = "message/sipfrag;version=2.0"


@dataclass(frozen=True, slots=True)
class SipFragment:
    """The status line of a response."""

    status: int
    reason: str = ""

    @classmethod
    def parse(cls, data: bytes) -> SipFragment:
        """Read the status; headers behind it are not needed. Raises BodyError where the fragment has none."""
        try:
            message: Request | Response = parse_head(data.partition(b"\r\n")[0].partition(b"\n")[0])
        except MalformedMessage as error:
            raise BodyError(f"The fragment is not one of SIP: {error.text}") from error
        if isinstance(message, Request):
            raise BodyError("The fragment is a request, not a response")
        return cls(message.status, message.reason)

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self.status >= 200

    def encode(self) -> bytes:
        """The status line. Raises BodyError."""
        reason = self.reason or reason_phrase(self.status)
        if not 100 <= self.status <= 699 or "\r" in reason or "\n" in reason:
            raise BodyError(f"{self.status} {reason!r} is no status line")
        return f"SIP/2.0 {self.status} {reason}\r\n".encode("utf-8", "surrogateescape")
