"""SIP messages: header lines split once, typed values made only when asked for and kept, body as bytes.

Format: RFC 3261 section 7. A message in hand is a mapping from each header's canonical name to its raw values. Order
among values of one name is kept; order among names carries no meaning (section 7.3.1). Text is UTF-8; bytes that are
not survive a round trip as surrogates. Nothing is validated that nobody asks for: ``check`` asks for everything that
routing needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ringback.protocols.sip.errors import MalformedMessage, UnbuildableMessage
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
    is_token,
    parse_number,
    split_commas,
    tag_of,
)
from ringback.protocols.sip.names import METHODS, SPELLINGS, canonical, reason_phrase
from ringback.protocols.sip.uri import Uri

Headers = Iterable[tuple[str, str]]
"""Header names (any spelling) with ready values, in order."""

DATAGRAM_LIMIT = 65_535  # bytes
HEADER_LIMIT = 500  # header lines in one message

_T = TypeVar("_T")
_BLANK = " \t"
_COPIED = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route", "Timestamp")  # sections 8.2.6 and 12.1.1
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")  # section 8.1.1; Max-Forwards is old software's omission
_SINGLE = ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type", "Expires")


class Message(ABC):
    """What requests and responses share. Made by ``parse``, or by ``Request(...)``, ``Response(...)``."""

    __slots__ = ("_cache", "_headers", "body")

    _cache: dict[str, Any]  # each name is read by one maker only, whose type the property tells
    _headers: dict[str, list[str]]
    body: bytes

    # -- raw headers

    def get(self, name: str) -> str | None:
        """The first value of a header, None where absent. Any spelling of the name, compact ones too."""
        values = self._headers.get(SPELLINGS.get(name) or canonical(name))
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """The values of all lines of a header, as they stand (lists joined by commas are not divided)."""
        return list(self._headers.get(SPELLINGS.get(name) or canonical(name), ()))

    def members(self, name: str) -> list[str]:
        """The members of a header that is a list, lines and commas alike (Supported, Allow, Require ...)."""
        values = self._headers.get(SPELLINGS.get(name) or canonical(name))
        return [part for value in values for part in split_commas(value)] if values else []

    def has(self, name: str) -> bool:
        """Whether a header is there."""
        return (SPELLINGS.get(name) or canonical(name)) in self._headers

    def names(self) -> list[str]:
        """The names of the headers that are there, in their canonical spelling."""
        return list(self._headers)

    def items(self) -> list[tuple[str, str]]:
        """All headers with their raw values, those of one name together."""
        return [(name, value) for name, values in self._headers.items() for value in values]

    def set(self, name: str, value: object) -> None:
        """Replace all values of a header by one. Raises UnbuildableMessage."""
        name, text = _checked(name, value)
        self._headers[name] = [text]
        self._cache.pop(name, None)

    def add(self, name: str, value: object) -> None:
        """Add a line behind those of the same name. Raises UnbuildableMessage."""
        name, text = _checked(name, value)
        self._headers.setdefault(name, []).append(text)
        self._cache.pop(name, None)

    def prepend(self, name: str, value: object) -> None:
        """Add a line before those of the same name, as Via and Record-Route need it. Raises UnbuildableMessage."""
        name, text = _checked(name, value)
        self._headers.setdefault(name, []).insert(0, text)
        self._cache.pop(name, None)

    def set_all(self, name: str, values: Iterable[object]) -> None:
        """Replace all values of a header, a line for each; none removes it. Raises UnbuildableMessage."""
        lines = []
        for value in values:
            name, text = _checked(name, value)
            lines.append(text)
        self.remove(name)
        if lines:
            self._headers[canonical(name)] = lines

    def remove(self, name: str) -> None:
        """Take a header away, all its lines."""
        name = canonical(name)
        self._headers.pop(name, None)
        self._cache.pop(name, None)

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
        return tag_of(self._raw("From"))

    @property
    def to_tag(self) -> str:
        """The tag of To; empty where absent."""
        return tag_of(self._raw("To"))

    # -- typed values; each raises MalformedMessage where its header is not what it should be

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
        values = self._headers.get("Contact")
        return values is not None and values[0] == "*"

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
        return frozenset(self.members("Allow"))

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
        return self._optional("Session-ID", _session_id)

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
        return self._optional("Referred-By", _name_addr)

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
        return [Reason.parse(part) for part in self.members("Reason")]

    @property
    def warnings(self) -> list[Warning]:
        """The warnings of a response."""
        return [Warning.parse(part) for part in self.members("Warning")]

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
        return [UriWithParams.parse(part) for part in self.members("Call-Info")]

    @property
    def remote_party(self) -> NameAddr | None:
        """The Remote-Party-ID, as Cisco's software tells caller and called."""
        return self._optional("Remote-Party-ID", _name_addr)

    @property
    def asserted_identities(self) -> list[NameAddr]:
        """The P-Asserted-Identity members (RFC 3325)."""
        return self._optional("P-Asserted-Identity", _name_addrs) or []

    # -- writing

    def encode(self) -> bytes:
        """The message as bytes, always with a Content-Length."""
        parts = [self._start_line()]
        for name, values in self._headers.items():
            for value in values:
                parts.append(f"{name}: {value}")
        parts.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(parts).encode("utf-8", "surrogateescape") + self.body

    @abstractmethod
    def _start_line(self) -> str: ...

    def __str__(self) -> str:
        return self._start_line()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._start_line()!r} {self._headers.get('Call-ID')!r}>"

    # -- helpers

    def _raw(self, name: str) -> str:
        values = self._headers.get(name)
        if not values:
            raise MalformedMessage(400, f"Missing {name} header")
        return values[0]

    def _typed(self, name: str, make: Callable[[list[str]], _T]) -> _T:
        found: _T | None = self._cache.get(name)
        if found is None:
            values = self._headers.get(name)
            if not values:
                raise MalformedMessage(400, f"Missing {name} header")
            found = self._cache[name] = make(values)
        return found

    def _optional(self, name: str, make: Callable[[list[str]], _T]) -> _T | None:
        return self._typed(name, make) if name in self._headers else None

    def _option_tags(self, name: str) -> frozenset[str]:
        if name not in self._headers:
            return frozenset()
        return frozenset(tag.lower() for tag in self.members(name))

    def _check_common(self) -> None:
        headers = self._headers
        for name in _MANDATORY:
            if name not in headers:
                raise MalformedMessage(400, f"Missing {name} header")
        for name in _SINGLE:
            values = headers.get(name)
            if values is not None and len(values) > 1:
                raise MalformedMessage(400, f"More than one {name} header")
        if not headers["Call-ID"][0]:
            raise MalformedMessage(400, "Missing Call-ID header")
        _ = self.via, self.cseq, self.from_tag, self.to_tag, self.from_, self.to


class Request(Message):
    """A request. ``raw_uri`` is the Request-URI as it stands."""

    __slots__ = ("method", "raw_uri")

    def __init__(self, method: str, uri: Uri | str, headers: Headers = (), body: bytes = b"") -> None:
        """Build a request. Raises UnbuildableMessage where a header cannot be written."""
        self.method = method
        self.raw_uri = str(uri)
        if not is_token(method) or not self.raw_uri or not _writable(self.raw_uri):
            raise UnbuildableMessage(f"{method} {self.raw_uri} is no request line")
        self._headers = _extend({}, headers)
        self._cache = {}
        self.body = body

    @property
    def uri(self) -> Uri:
        """The Request-URI. Raises MalformedMessage."""
        found: Uri | None = self._cache.get("")
        if found is None:
            found = self._cache[""] = Uri.parse(self.raw_uri)
        return found

    def with_uri(self, uri: Uri | str) -> Request:
        """A copy with another Request-URI. Raises UnbuildableMessage."""
        if not _writable(str(uri)):
            raise UnbuildableMessage("The URI has a line break")
        copied = self.copy()
        copied.raw_uri = str(uri)
        copied._cache.pop("", None)
        return copied

    def copy(self) -> Request:
        """An independent copy."""
        request = Request.__new__(Request)
        request.method, request.raw_uri, request.body = self.method, self.raw_uri, self.body
        request._headers = {name: values.copy() for name, values in self._headers.items()}
        request._cache = self._cache.copy()
        return request

    def respond(
        self, status: int, reason: str = "", *, to_tag: str = "", headers: Headers = (), body: bytes = b""
    ) -> Response:
        """A response to this request: Via, From, To, Call-ID, CSeq (and Record-Route) are copied (section 8.2.6.2).

        ``to_tag`` is added to To where it has none yet. Raises UnbuildableMessage.
        """
        if not 100 <= status <= 699 or not _writable(reason) or not _writable(to_tag):
            raise UnbuildableMessage(f"{status} {reason} cannot be answered with the tag {to_tag}")
        response = Response.__new__(Response)
        response.status = status
        response.reason = reason or reason_phrase(status)
        own = self._headers
        copied = response._headers = {name: own[name].copy() for name in _COPIED if name in own}
        response._cache = {}
        response.body = body
        if to_tag and "To" in copied and _untagged(copied["To"][0]):
            copied["To"][0] += f";tag={to_tag}"
        _extend(copied, headers)
        return response

    def check(self) -> None:
        """Look at all that routing needs (section 16.3 step 1). Raises MalformedMessage with the status to answer."""
        try:
            self._check_common()
            uri = self.uri
            _ = self.max_forwards
        except MalformedMessage as error:
            error.message = self
            raise
        if self.cseq.method != self.method:
            raise MalformedMessage(400, "The CSeq names another method than the request line", self)
        if uri.headers:
            raise MalformedMessage(400, "The Request-URI has headers inside", self)
        if uri.scheme not in ("sip", "sips", "tel"):
            raise MalformedMessage(416, f"URIs of the scheme {uri.scheme[:20]} are not known here", self)

    def _start_line(self) -> str:
        return f"{self.method} {self.raw_uri} SIP/2.0"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str = "", headers: Headers = (), body: bytes = b"") -> None:
        """Build a response; the usual phrase where ``reason`` is empty. Raises UnbuildableMessage."""
        self.status = status
        self.reason = reason or reason_phrase(status)
        if not _writable(self.reason) or not 100 <= status <= 699:
            raise UnbuildableMessage(f"{status} {self.reason} is no status line")
        self._headers = _extend({}, headers)
        self._cache = {}
        self.body = body

    @property
    def is_final(self) -> bool:
        """Whether nothing follows (200 and above)."""
        return self.status >= 200

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def check(self) -> None:
        """Look at all that routing needs. Raises MalformedMessage: such a response is dropped (section 18.1.2)."""
        try:
            self._check_common()
        except MalformedMessage as error:
            error.message = self
            raise

    def _start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"


def parse(data: bytes) -> Request | Response:
    """Read one datagram (section 18.3): a body shorter than Content-Length is refused, what follows it is dropped.

    Raises MalformedMessage and nothing else. Line breaks before the start line are skipped (section 7.5).
    """
    end = data.find(b"\r\n\r\n")
    if end <= 0:
        data = data.lstrip(b"\r\n")
        end = data.find(b"\r\n\r\n")
        if end < 0:
            raise MalformedMessage(400, "The headers do not end in an empty line")
    message = parse_head(data[:end])
    body = data[end + 4 :]
    wanted = take_content_length(message)
    if wanted is not None and wanted != len(body):
        if wanted > len(body):
            raise MalformedMessage(400, "The body is shorter than the Content-Length says", message)
        body = body[:wanted]
    message.body = body
    return message


def parse_head(head: bytes) -> Request | Response:
    """Read start line and header lines, without the empty line that ends them. Raises MalformedMessage."""
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    joined = "".join(lines)
    if "\n" in joined or "\r" in joined:
        raise MalformedMessage(400, "A line has a stray line break")
    return _read_lines(lines)


def _read_lines(lines: list[str]) -> Request | Response:
    start = lines[0]
    message: Request | Response
    message, broken = _response(start) if start[:8] == "SIP/2.0 " else _request(start)
    if len(lines) > HEADER_LIMIT:
        raise MalformedMessage(513, f"The message has more than {HEADER_LIMIT} header lines", message)
    message._cache = {}
    message.body = b""
    headers = message._headers = {}
    spellings = SPELLINGS
    for line in lines[1:]:
        spelt, _, value = line.partition(": ")  # as nearly every line reads
        name = spellings.get(spelt)
        if name is None:
            if line[:1] in (" ", "\t"):
                return _read_lines(_unfolded(lines))
            try:
                name, value = _named(line)
            except MalformedMessage as error:
                broken = broken or error
                continue
        value = value.strip(_BLANK)
        if name in headers:
            headers[name].append(value)
        else:
            headers[name] = [value]
    if broken is not None:
        broken.message = message
        raise broken
    return message


def _named(line: str) -> tuple[str, str]:
    """The canonical name and the value of any header line. Raises MalformedMessage."""
    spelt, colon, value = line.partition(":")
    if not colon:
        raise MalformedMessage(400, "A header line has no colon")
    return canonical(spelt), value


def take_content_length(message: Request | Response) -> int | None:
    """Take the Content-Length out of a parsed head, since it is written from the body; None where absent.

    Raises MalformedMessage where it is no number, or told twice differently.
    """
    values = message._headers.pop("Content-Length", None)
    if values is None:
        return None
    text = values[0]
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or values.count(text) != len(values):
        raise MalformedMessage(400, "The Content-Length is not one number", message)
    return int(text)


def _request(start: str) -> tuple[Request, MalformedMessage | None]:
    method, _, rest = start.partition(" ")
    uri, _, version = rest.rpartition(" ")
    request = Request.__new__(Request)
    request.method, request.raw_uri = method, uri
    if version == "SIP/2.0" and (method in METHODS or is_token(method)):
        return request, None
    if not is_token(method) or " SIP/" not in start.upper():
        raise MalformedMessage(400, "The first line is not one of SIP")
    if version[:4].upper() == "SIP/":
        if version.upper() == "SIP/2.0":  # section 7.1: the version is case-insensitive
            return request, None
        return request, MalformedMessage(505, f"Version {version[4:24]} is not 2.0")
    return request, MalformedMessage(400, "The first line does not end in SIP/2.0")


def _response(start: str) -> tuple[Response, None]:
    code, _, reason = start[8:].partition(" ")
    if len(code) != 3 or not (code.isascii() and code.isdigit()) or not "1" <= code[0] <= "6":
        raise MalformedMessage(400, "The status is not a number from 100 to 699")
    response = Response.__new__(Response)
    response.status, response.reason = int(code), reason
    return response, None


def _unfolded(lines: list[str]) -> list[str]:
    """Header lines that begin with white space continue the one before (section 7.3.1)."""
    unfolded: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and unfolded:
            if len(unfolded) == 1:
                raise MalformedMessage(400, "The first line is continued")
            unfolded[-1] = f"{unfolded[-1].rstrip(_BLANK)} {line.lstrip(_BLANK)}"
        else:
            unfolded.append(line)
    return unfolded


def _untagged(to: str) -> bool:
    """Whether a To value has no tag; one that cannot be read goes back to its sender as it came."""
    try:
        return not tag_of(to)
    except MalformedMessage:
        return False


def _writable(text: str) -> bool:
    return "\r" not in text and "\n" not in text


def _checked(name: str, value: object) -> tuple[str, str]:
    text = value if type(value) is str else str(value)
    try:
        name = SPELLINGS.get(name) or canonical(name)
    except MalformedMessage as error:
        raise UnbuildableMessage(f"{name[:80]!r} is no header name") from error
    if "\n" in text or "\r" in text:
        raise UnbuildableMessage(f"The value of {name} has a line break")
    if name == "Content-Length":
        raise UnbuildableMessage("The Content-Length is written from the body")
    return name, text


def _extend(built: dict[str, list[str]], headers: Headers) -> dict[str, list[str]]:
    spellings = SPELLINGS
    for spelt, value in headers:
        name = spellings.get(spelt)
        text = value
        if name is None or type(value) is not str or "\n" in value or "\r" in value or name == "Content-Length":
            name, text = _checked(spelt, value)
        if name in built:
            built[name].append(text)
        else:
            built[name] = [text]
    return built


def _first_via(values: list[str]) -> Via:
    text = values[0]
    return Via.parse(split_commas(text)[0] if "," in text else text)


def _name_addr(values: list[str]) -> NameAddr:
    return NameAddr.parse(values[0])


def _name_addrs(values: list[str]) -> list[NameAddr]:
    return [NameAddr.parse(part) for value in values for part in split_commas(value)]


def _contacts(values: list[str]) -> list[NameAddr]:
    if "*" in values:
        if len(values) > 1:
            raise MalformedMessage(400, "Contact: * stands beside other contacts")
        return []
    return _name_addrs(values)


def _cseq(values: list[str]) -> CSeq:
    return CSeq.parse(values[0])


def _media_type(values: list[str]) -> MediaType:
    return MediaType.parse(values[0])


def _parametered(values: list[str]) -> Parametered:
    return Parametered.parse(values[0])


def _event(values: list[str]) -> Parametered:
    value, params = Parametered.parse(values[0])
    if not is_token(value):
        raise MalformedMessage(400, "The Event header has no package")
    return Parametered(value.lower(), params)


def _session_expires(values: list[str]) -> SessionExpires:
    return SessionExpires.parse(values[0])


def _session_id(values: list[str]) -> SessionId:
    return SessionId.parse(values[0])


def _rack(values: list[str]) -> RAck:
    return RAck.parse(values[0])


def _replaces(values: list[str]) -> Replaces:
    return Replaces.parse(values[0])


def _subscription_state(values: list[str]) -> SubscriptionState:
    return SubscriptionState.parse(values[0])
