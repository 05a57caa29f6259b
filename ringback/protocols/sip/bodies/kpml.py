"""Keys pressed, asked for and told (RFC 4730): ``application/kpml-request+xml`` and ``...-response+xml``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.sip.bodies.markup import BodyError, child, children, element, number, read, write

REQUEST_TYPE: Final = "application/kpml-request+xml"
RESPONSE_TYPE: Final = "application/kpml-response+xml"
CONTENT_TYPE: Final = RESPONSE_TYPE
EVENT: Final = "kpml"

_REQUEST_NAMESPACE = "urn:ietf:params:xml:ns:kpml-request"
_RESPONSE_NAMESPACE = "urn:ietf:params:xml:ns:kpml-response"
_DIGITS = re.compile(r"[0-9A-Da-d#*Rr]*\Z", re.ASCII)
_PERSIST = frozenset({"one-shot", "persist", "single-notify"})

# RFC 4730 section 5.3
TEXTS: Final = {
    200: "Success",
    402: "User Terminated Without Match",
    423: "Timer Expired",
    481: "Dialog Terminated",
    487: "Subscription Expired",
    501: "Bad Document",
    502: "Namespace Not Supported",
    531: "Persistent Subscriptions Not Supported",
    532: "Single-Notify Subscriptions Not Supported",
}


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """A digit map: its regular expression (``x``, ``[2-9]``, ``3.`` as in RFC 4730 section 5.1), and its tag."""

    regex: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class KpmlRequest:
    """What to tell of. Timers are in milliseconds, None where the default of the RFC holds."""

    patterns: tuple[KeyPattern, ...] = (KeyPattern("x"),)
    persist: str = "one-shot"
    inter_digit: int | None = None
    critical_digit: int | None = None
    extra_digit: int | None = None
    long_press: int | None = None
    flush: bool | None = None

    @classmethod
    def parse(cls, data: bytes) -> KpmlRequest:
        """Read a request. Raises BodyError."""
        pattern = child(read(data, "kpml-request"), "pattern")
        if pattern is None:
            raise BodyError("The request has no pattern")
        attributes = pattern.attributes
        persist = attributes.get("persist", "one-shot")
        if persist not in _PERSIST:
            raise BodyError("The request is neither one-shot, persist nor single-notify")
        regexes = tuple(KeyPattern(each.text, each.attributes.get("tag", "")) for each in children(pattern, "regex"))
        flush = child(pattern, "flush")
        return cls(
            regexes,
            persist,
            _timer(attributes, "interdigittimer"),
            _timer(attributes, "criticaldigittimer"),
            _timer(attributes, "extradigittimer"),
            _timer(attributes, "long"),
            None if flush is None else flush.text.lower() != "no",
        )

    def encode(self) -> bytes:
        """The request. Raises BodyError."""
        parts = [] if self.flush is None else [element("flush", "yes" if self.flush else "no")]
        parts += [element("regex", each.regex, tag=each.tag or None) for each in self.patterns]
        pattern = element(
            "pattern",
            "",
            *parts,
            persist=self.persist,
            interdigittimer=self.inter_digit,
            criticaldigittimer=self.critical_digit,
            extradigittimer=self.extra_digit,
            long=self.long_press,
        )
        return write(Element("kpml-request", {"xmlns": _REQUEST_NAMESPACE, "version": "1.0"}, "", (pattern,)))


@dataclass(frozen=True, slots=True)
class KpmlResponse:
    """What was pressed: a status of RFC 4730 section 5.3, the digits, and the tag of the pattern that fitted."""

    code: int
    digits: str = ""
    text: str = ""
    tag: str = ""
    suppressed: bool = False
    forced_flush: bool = False

    @classmethod
    def parse(cls, data: bytes) -> KpmlResponse:
        """Read a response. Raises BodyError."""
        attributes = read(data, "kpml-response").attributes
        digits = attributes.get("digits", "")
        if not _DIGITS.match(digits):
            raise BodyError("The digits are not keys of a phone")
        return cls(
            number(attributes.get("code", ""), "The code", 999),
            digits,
            attributes.get("text", ""),
            attributes.get("tag", ""),
            attributes.get("suppressed", "").lower() in ("true", "1"),
            attributes.get("forced_flush", "").lower() in ("true", "1"),
        )

    def encode(self) -> bytes:
        """The response. Raises BodyError."""
        attributes = {"xmlns": _RESPONSE_NAMESPACE, "version": "1.0", "code": str(self.code)}
        attributes["text"] = self.text or TEXTS.get(self.code, "")
        for name, value in (("digits", self.digits), ("tag", self.tag)):
            if value:
                attributes[name] = value
        for name, flag in (("suppressed", self.suppressed), ("forced_flush", self.forced_flush)):
            if flag:
                attributes[name] = "true"
        return write(Element("kpml-response", attributes))


def _timer(attributes: dict[str, str], name: str) -> int | None:
    value = attributes.get(name)
    return None if value is None else number(value, f"The {name}")
