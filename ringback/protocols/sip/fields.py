"""Values of a message's headers, made when somebody asks and kept (RFC 3261 section 20 and the extensions named)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from ringback.protocols.sip import usual
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.header_table import HeaderTable
from ringback.protocols.sip.headers import (
    CSeq,
    MediaType,
    NameAddr,
    Parametered,
    RAck,
    Reason,
    Replaces,
    SessionExpires,
    SessionId,
    SubscriptionState,
    UriWithParams,
    Via,
    Warning,  # noqa: A004  the header's name
    tag_of,
)
from ringback.protocols.sip.lexical import is_token, parse_number, split_commas

_T = TypeVar("_T")
_BLANK: Final = " \t"


class Fields(HeaderTable):
    """Typed access to headers. What may be absent is None or empty.

    Headers that change what happens raise MalformedMessage where they cannot be read; those that only inform (Reason,
    Warning, Call-Info, Remote-Party-ID, P-Asserted-Identity, Referred-By, Session-ID) count as absent then.
    """

    __slots__ = ()

    # -- what routing needs, without the cost of typed values where that is safe

    @property
    def call_id(self) -> str:
        """The Call-ID. Raises MalformedMessage where there is none."""
        return self._raw("Call-ID")

    @property
    def branch(self) -> str:
        """The branch of the topmost Via; empty where absent."""
        return self.via.params.get("branch") or ""

    @property
    def from_tag(self) -> str:
        """The tag of From; empty where absent."""
        found: str | None = self._cache.get("From tag")
        if found is None:
            found = self._cache["From tag"] = tag_of(self._raw("From"))
        return found

    @property
    def to_tag(self) -> str:
        """The tag of To; empty where absent."""
        found: str | None = self._cache.get("To tag")
        if found is None:
            found = self._cache["To tag"] = tag_of(self._raw("To"))
        return found

    @property
    def hop(self) -> tuple[str, str, bool]:
        """Branch and sent-by of the topmost Via, and whether it has rport (RFC 3581). Raises MalformedMessage."""
        found: tuple[str, str, bool] | None = self._cache.get("hop")
        if found is None:
            found = usual.hop(self._raw("Via"))
            if found is None:
                via = self.via
                found = (via.branch, via.sent_by, "rport" in via.params)
            self._cache["hop"] = found
        return found

    # -- typed values

    @property
    def via(self) -> Via:
        """The topmost Via."""
        found: Via | None = self._cache.get("Via")
        return self._typed("Via", _first_via) if found is None else found

    @property
    def vias(self) -> list[Via]:
        """All hops, topmost first."""
        return [Via.parse(part) for part in self.members("Via")]

    @property
    def from_(self) -> NameAddr:
        """Who sent it."""
        return self._typed("From", _name_addr)

    @property
    def to(self) -> NameAddr:
        """Whom it was meant for."""
        return self._typed("To", _name_addr)

    @property
    def cseq(self) -> CSeq:
        """Sequence number and method."""
        found: CSeq | None = self._cache.get("CSeq")
        return self._typed("CSeq", _cseq) if found is None else found

    @property
    def contacts(self) -> list[NameAddr]:
        """The contacts; empty for ``Contact: *`` too (see ``contact_star``)."""
        return self._optional("Contact", _contacts) or []

    @property
    def contact(self) -> NameAddr | None:
        """The first contact."""
        contacts = self.contacts
        return contacts[0] if contacts else None

    @property
    def contact_star(self) -> bool:
        """Whether the contact is ``*``: all of them (section 10.2.2). Beside other contacts that is malformed."""
        return self.get("Contact") == "*"

    @property
    def routes(self) -> list[NameAddr]:
        """The Route set of a request."""
        return self._optional("Route", _name_addrs) or []

    @property
    def record_routes(self) -> list[NameAddr]:
        """The Record-Route set, topmost first."""
        return self._optional("Record-Route", _name_addrs) or []

    @property
    def path(self) -> list[NameAddr]:
        """The Path of a REGISTER (RFC 3327)."""
        return self._optional("Path", _name_addrs) or []

    @property
    def service_routes(self) -> list[NameAddr]:
        """The Service-Route of an answer to REGISTER (RFC 3608)."""
        return self._optional("Service-Route", _name_addrs) or []

    @property
    def expires(self) -> int | None:
        """The Expires header in seconds; None where absent; a number too large counts as 2**32-1 (section 10.2.1.1)."""
        text = self.get("Expires")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()):
            raise MalformedMessage(400, "The Expires header is not a number of seconds")
        return 2**32 - 1 if len(text) > 10 else min(int(text), 2**32 - 1)

    @property
    def max_forwards(self) -> int | None:
        """How many hops may follow; None where absent."""
        text = self.get("Max-Forwards")
        return None if text is None else parse_number(text, 255, "The Max-Forwards")

    @property
    def content_type(self) -> MediaType | None:
        """The body's media type."""
        return self._optional("Content-Type", _media_type)

    @property
    def content_disposition(self) -> Parametered | None:
        """What the body is for."""
        return self._optional("Content-Disposition", _parametered)

    @property
    def require(self) -> frozenset[str]:
        """Option tags that must be understood, in lower case."""
        return self._option_tags("Require")

    @property
    def proxy_require(self) -> frozenset[str]:
        """Option tags that a proxy must understand, in lower case."""
        return self._option_tags("Proxy-Require")

    @property
    def supported(self) -> frozenset[str]:
        """Option tags that the sender understands, in lower case."""
        return self._option_tags("Supported")

    @property
    def allow(self) -> frozenset[str]:
        """Methods that the sender understands; empty where not told."""
        return self._optional("Allow", _words) or frozenset()

    @property
    def session_expires(self) -> SessionExpires | None:
        """The session timer (RFC 4028)."""
        return self._optional("Session-Expires", _session_expires)

    @property
    def min_se(self) -> int | None:
        """The shortest session timer accepted, in seconds (RFC 4028 section 5)."""
        value = self._optional("Min-SE", _parametered)
        return None if value is None else parse_number(value.value, 2**32 - 1, "The Min-SE")

    @property
    def session_id(self) -> SessionId | None:
        """The end-to-end session identifier (RFC 7989)."""
        return next(iter(self._readable("Session-ID", SessionId.parse)), None)

    @property
    def rseq(self) -> int | None:
        """The number of a reliable provisional response (RFC 3262)."""
        text = self.get("RSeq")
        return None if text is None else parse_number(text, 2**32 - 1, "The RSeq")

    @property
    def rack(self) -> RAck | None:
        """What a PRACK acknowledges (RFC 3262)."""
        return self._optional("RAck", _rack)

    @property
    def refer_to(self) -> NameAddr | None:
        """Where to go (RFC 3515)."""
        return self._optional("Refer-To", _name_addr)

    @property
    def referred_by(self) -> NameAddr | None:
        """Who sent there (RFC 3892)."""
        return next(iter(self._readable("Referred-By", NameAddr.parse)), None)

    @property
    def replaces(self) -> Replaces | None:
        """The dialog to take the place of (RFC 3891)."""
        return self._optional("Replaces", _replaces)

    @property
    def join(self) -> Replaces | None:
        """The dialog to join (RFC 3911)."""
        return self._optional("Join", _replaces)

    @property
    def cause(self) -> Reason | None:
        """The first Reason header (RFC 3326); ``reason`` is the phrase of a response."""
        reasons = self.reasons
        return reasons[0] if reasons else None

    @property
    def reasons(self) -> list[Reason]:
        """Why the request was sent, in each protocol told (RFC 3326)."""
        return self._readable("Reason", Reason.parse)

    @property
    def warnings(self) -> list[Warning]:
        """The warnings of a response."""
        return self._readable("Warning", Warning.parse)

    @property
    def event(self) -> Parametered | None:
        """The event package in lower case with its parameters (RFC 6665)."""
        return self._optional("Event", _event)

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """The state of the subscription (RFC 6665)."""
        return self._optional("Subscription-State", _subscription_state)

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait before a further try; None where absent or unreadable."""
        text = (self.get("Retry-After") or "").partition(";")[0].partition("(")[0].strip(_BLANK)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    @property
    def call_infos(self) -> list[UriWithParams]:
        """The Call-Info members."""
        return self._readable("Call-Info", UriWithParams.parse)

    @property
    def remote_party(self) -> NameAddr | None:
        """The Remote-Party-ID, as Cisco's software tells caller and called."""
        return next(iter(self._readable("Remote-Party-ID", NameAddr.parse)), None)

    @property
    def asserted_identities(self) -> list[NameAddr]:
        """The P-Asserted-Identity members (RFC 3325)."""
        return self._readable("P-Asserted-Identity", NameAddr.parse)

    @property
    def diversions(self) -> list[NameAddr]:
        """Who sent the call on, the last one first (RFC 5806)."""
        return self._readable("Diversion", NameAddr.parse)

    # -- helpers

    def _raw(self, name: str) -> str:
        text = self._headers.get(name)
        if text is None:
            raise MalformedMessage(400, f"Missing {name} header")
        return text if "\n" not in text else first_line(text)

    def _typed(self, name: str, make: Callable[[str], _T]) -> _T:
        found: _T | None = self._cache.get(name)
        if found is None:
            text = self._headers.get(name)
            if text is None:
                raise MalformedMessage(400, f"Missing {name} header")
            found = self._cache[name] = make(text)
        return found

    def _optional(self, name: str, make: Callable[[str], _T]) -> _T | None:
        return self._typed(name, make) if name in self._headers else None

    def _readable(self, name: str, read: Callable[[str], _T]) -> list[_T]:
        """The members of a header that only informs: what cannot be read is left out, so that nothing fails for it."""
        found = []
        for value in self.all(name):
            try:
                found += [read(part) for part in split_commas(value)]
            except MalformedMessage:
                continue
        return found

    def _option_tags(self, name: str) -> frozenset[str]:
        return self._optional(name, _lower_words) or frozenset()


def first_line(text: str) -> str:
    """The first of the values that a table holds under a name."""
    return text if "\n" not in text else text[: text.index("\n")]


# What follows reads the text that a table holds under a name: the values of all its lines


def _first_via(text: str) -> Via:
    text = first_line(text)
    return Via.parse(split_commas(text)[0] if "," in text else text)


def _name_addr(text: str) -> NameAddr:
    return NameAddr.parse(first_line(text))


def _name_addrs(text: str) -> list[NameAddr]:
    if "\n" not in text and "," not in text and text:
        return [NameAddr.parse(text)]
    return [NameAddr.parse(part) for value in text.split("\n") for part in split_commas(value)]


def _contacts(text: str) -> list[NameAddr]:
    if "*" in text:
        values = text.split("\n")
        if "*" in values:
            if len(values) > 1:
                raise MalformedMessage(400, "Contact: * stands beside other contacts")
            return []
    return _name_addrs(text)


def _words(text: str) -> frozenset[str]:
    """Tokens between commas; what is no token is nobody's method or option, and nothing to fail at."""
    return frozenset(word for part in text.replace("\n", ",").split(",") if (word := part.strip(_BLANK)))


def _lower_words(text: str) -> frozenset[str]:
    return _words(text.lower())


def _cseq(text: str) -> CSeq:
    return CSeq.parse(first_line(text))


def _media_type(text: str) -> MediaType:
    return MediaType.parse(first_line(text))


def _parametered(text: str) -> Parametered:
    return Parametered.parse(first_line(text))


def _event(text: str) -> Parametered:
    value, params = Parametered.parse(first_line(text))
    if not is_token(value):
        raise MalformedMessage(400, "The Event header has no package")
    return Parametered(value.lower(), params)


def _session_expires(text: str) -> SessionExpires:
    return SessionExpires.parse(first_line(text))


def _rack(text: str) -> RAck:
    return RAck.parse(first_line(text))


def _replaces(text: str) -> Replaces:
    return Replaces.parse(first_line(text))


def _subscription_state(text: str) -> SubscriptionState:
    return SubscriptionState.parse(first_line(text))
