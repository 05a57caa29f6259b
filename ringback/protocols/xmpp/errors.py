"""The errors of the XMPP package: stanza errors, stream errors and malformed input, one tree."""

from __future__ import annotations

from typing import Final

STANZA_ERRORS_NS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAM_ERRORS_NS: Final = "urn:ietf:params:xml:ns:xmpp-streams"

# The error type that RFC 6120 section 8.3.3 recommends for each condition.
_DEFAULT_TYPES: Final[dict[str, str]] = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "gone": "cancel",
    "internal-server-error": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "policy-violation": "modify",
    "recipient-unavailable": "wait",
    "redirect": "modify",
    "registration-required": "auth",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "subscription-required": "auth",
    "undefined-condition": "modify",
    "unexpected-request": "wait",
}


class XmppError(Exception):
    """Anything of XMPP that this package raises."""


class StanzaError(XmppError):
    """A stanza cannot be served; the sender gets an error stanza (RFC 6120 section 8.3).

    ``condition`` is a defined condition; ``kind`` its error type (the recommended one where empty); ``text`` a
    sentence for people; ``extra`` ready XML of an application-specific condition.
    """

    def __init__(self, condition: str, text: str = "", *, kind: str = "", extra: bytes = b"") -> None:
        super().__init__(text or condition)
        self.condition = condition
        self.kind = kind or _DEFAULT_TYPES.get(condition, "cancel")
        self.text = text
        self.extra = extra


class StreamError(XmppError):
    """The stream cannot go on; the other side gets ``condition`` and the stream is closed (RFC 6120 section 4.9)."""

    def __init__(self, condition: str, text: str = "", *, extra: bytes = b"") -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text
        self.extra = extra


class SaslError(XmppError):
    """Authentication failed with a condition of RFC 6120 section 6.5."""

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(text or condition)
        self.condition = condition
        self.text = text
