"""SIP messages: header lines split once, typed values made only when asked for and kept, body as bytes.

Format: RFC 3261 section 7. A message in hand is a mapping from each header's canonical name to its raw values. Order
among values of one name is kept; order among names carries no meaning (section 7.3.1). Text is UTF-8; bytes that are
not survive a round trip as surrogates. Nothing is validated that nobody asks for: ``check`` asks for everything that
routing needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from ringback.protocols.sip import usual
from ringback.protocols.sip.errors import MalformedMessage, UnbuildableMessage
from ringback.protocols.sip.fields import Fields, first_line
from ringback.protocols.sip.header_table import Headers, extend, writable
from ringback.protocols.sip.headers import NameAddr, tag_of
from ringback.protocols.sip.lexical import is_token
from ringback.protocols.sip.names import METHODS, SPELLINGS, canonical, reason_phrase
from ringback.protocols.sip.uri import Uri
from ringback.protocols.sip.writing import BEFORE, written

DATAGRAM_LIMIT: Final = 65_535  # bytes
HEADER_LIMIT: Final = 500  # header lines in one message

_BLANK: Final = " \t"
_COPIED: Final = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route", "Timestamp")  # sections 8.2.6 and 12.1.1
_MANDATORY: Final = _COPIED[:5]  # section 8.1.1; Max-Forwards is old software's omission
_SINGLE: Final = frozenset(("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type", "Expires"))


class Message(Fields, ABC):
    """What requests and responses share. Made by ``parse``, or by ``Request(...)``, ``Response(...)``."""

    __slots__ = ("body",)

    body: bytes

    def encode(self) -> bytes:
        """The message as bytes, always with a Content-Length."""
        parts = [self._start_line()]
        parts += [
            f"{name}: {text}" if "\n" not in text else _lines_of(name, text) for name, text in self._headers.items()
        ]
        parts.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(parts).encode("utf-8", "surrogateescape") + self.body

    @abstractmethod
    def _start_line(self) -> str: ...

    def __str__(self) -> str:
        return self._start_line()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._start_line()!r} {self._headers.get('Call-ID')!r}>"

    def _check_common(self) -> None:
        headers = self._headers
        for name in _MANDATORY:
            if name not in headers:
                raise MalformedMessage(400, f"Missing {name} header")
        readers = []
        for name, text in headers.items():
            if "\n" in text and name in _SINGLE:
                raise MalformedMessage(400, f"More than one {name} header")
            reader = _READ_ALWAYS.get(name)
            if reader is not None:
                readers.append(reader)
        if not headers["Call-ID"]:
            raise MalformedMessage(400, "Missing Call-ID header")
        _ = self.hop, self.cseq
        self._check_tag("From", "From tag")
        self._check_tag("To", "To tag")
        for reader in readers:
            reader(self)

    def _check_tag(self, name: str, kept: str) -> None:
        """Make sure that From or To can be read, and keep its tag; the address itself is read when somebody asks."""
        value = self._headers[name]
        found = usual.tag(value)
        self._cache[kept] = NameAddr.parse(value).tag if found is None else found


class Request(Message):
    """A request. ``raw_uri`` is the Request-URI as it stands."""

    __slots__ = ("method", "raw_uri")

    def __init__(self, method: str, uri: Uri | str, headers: Headers | None = (), body: bytes = b"") -> None:
        """Build a request. Raises UnbuildableMessage where a header cannot be written. ``headers`` None: whoever makes
        it fills the table, from lines that were read."""
        self.method = method
        self.raw_uri = uri if isinstance(uri, str) else str(uri)
        self._cache = {}
        self.body = body
        if headers is None:
            return
        if not is_token(method) or not self.raw_uri or not writable(self.raw_uri):
            raise UnbuildableMessage(f"{method} {self.raw_uri} is no request line")
        self._headers = extend({}, headers)

    @property
    def uri(self) -> Uri:
        """The Request-URI. Raises MalformedMessage."""
        found: Uri | None = self._cache.get("")
        if found is None:
            found = self._cache[""] = Uri.parse(self.raw_uri)
        return found

    def with_uri(self, uri: Uri | str) -> Request:
        """A copy with another Request-URI. Raises UnbuildableMessage."""
        if not writable(str(uri)):
            raise UnbuildableMessage("The URI has a line break")
        copied = self.copy()
        copied.raw_uri = str(uri)
        copied._cache.pop("", None)
        return copied

    def copy(self) -> Request:
        """An independent copy."""
        request = Request(self.method, self.raw_uri, None, self.body)
        request._headers = self._headers.copy()
        request._cache = self._cache.copy()
        return request

    def respond(
        self, status: int, reason: str = "", *, to_tag: str = "", headers: Headers = (), body: bytes = b""
    ) -> Response:
        """A response to this request: Via, From, To, Call-ID, CSeq (and Record-Route) are copied (section 8.2.6.2).

        ``to_tag`` is added to To where it has none yet. Raises UnbuildableMessage.
        """
        if not 100 <= status <= 699 or not writable(reason) or not writable(to_tag):
            raise UnbuildableMessage(f"{status} {reason} cannot be answered with the tag {to_tag}")
        response = Response(status, reason or reason_phrase(status), None, body)
        own = self._headers
        copied = response._headers = {name: own[name] for name in _COPIED if name in own}
        if to_tag and "To" in copied:
            copied["To"] = _tagged(copied["To"], to_tag)
        extend(copied, headers)
        return response

    def answer(
        self, status: int, reason: str = "", *, to_tag: str = "", headers: Headers = (), body: bytes = b""
    ) -> bytes:
        """The bytes of ``respond``, written without a table in between, since nobody looks into an answer of ours;
        a header of several lines (many hops) takes the table's way.

        Raises UnbuildableMessage.
        """
        if not 100 <= status <= 699:
            raise UnbuildableMessage(f"{status} {reason} is no status line")
        own = self._headers
        parts = [f"SIP/2.0 {status} {reason or reason_phrase(status)}"]
        for name in _COPIED:
            value = own.get(name)
            if value is not None:
                parts.append(BEFORE[name])
                parts.append(_tagged(value, to_tag) if to_tag and name == "To" else value)
        rows = list(headers)
        data = written(parts, rows, body)
        return self.respond(status, reason, to_tag=to_tag, headers=rows, body=body).encode() if data is None else data

    def check(self) -> None:
        """Look at all that routing and dialogs need (section 16.3 step 1). Raises MalformedMessage with the status to
        answer."""
        try:
            self._check_common()
            uri = self.uri
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

    def __init__(self, status: int, reason: str = "", headers: Headers | None = (), body: bytes = b"") -> None:
        """Build a response; the usual phrase where ``reason`` is empty. Raises UnbuildableMessage. ``headers`` None:
        whoever makes it fills the table, and the reason may be empty."""
        self.status = status
        self.reason = reason
        self._cache = {}
        self.body = body
        if headers is None:
            return
        self.reason = reason or reason_phrase(status)
        if not writable(self.reason) or not 100 <= status <= 699:
            raise UnbuildableMessage(f"{status} {self.reason} is no status line")
        self._headers = extend({}, headers)

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


def _max_forwards(message: Message) -> None:
    if message._headers["Max-Forwards"] != "70":  # as nearly everybody says
        _ = message.max_forwards


# What nearly every application asks for, so that it is never surprised after a check; most values are kept for it
_READ_ALWAYS: Final[dict[str, Callable[[Message], object]]] = {
    "Contact": lambda message: message.contacts,
    "Content-Type": lambda message: message.content_type,
    "Event": lambda message: message.event,
    "Expires": lambda message: message.expires,
    "Join": lambda message: message.join,
    "Max-Forwards": _max_forwards,
    "Min-SE": lambda message: message.min_se,
    "RAck": lambda message: message.rack,
    "RSeq": lambda message: message.rseq,
    "Record-Route": lambda message: message.record_routes,
    "Refer-To": lambda message: message.refer_to,
    "Replaces": lambda message: message.replaces,
    "Route": lambda message: message.routes,
    "Session-Expires": lambda message: message.session_expires,
    "Subscription-State": lambda message: message.subscription_state,
}


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
    together = "".join(lines)
    if "\n" in together or "\r" in together:
        raise MalformedMessage(400, "A line has a stray line break")
    return _read_lines(lines)


def _read_lines(lines: list[str]) -> Request | Response:
    start = lines[0]
    message: Request | Response
    message, broken = _response(start) if start[:8] == "SIP/2.0 " else _request(start)
    if len(lines) > HEADER_LIMIT:
        raise MalformedMessage(513, f"The message has more than {HEADER_LIMIT} header lines", message)
    headers: dict[str, str] = {}
    message._headers = headers
    for line in lines[1:]:
        colon = line.find(": ")  # as nearly every line reads
        name = SPELLINGS.get(line[:colon]) if colon > 0 else None
        value = line[colon + 2 :]
        if name is None:
            if line[:1] in (" ", "\t"):
                return _read_lines(_unfolded(lines))
            try:
                name, value = _named(line)
            except MalformedMessage as error:
                broken = broken or error
                continue
        if value:
            first, last = value[0], value[-1]
            if first == " " or last == " " or first == "\t" or last == "\t":
                value = value.strip(_BLANK)
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
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
    text = message._headers.pop("Content-Length", None)
    if text is None:
        return None
    if "\n" in text and len(set(text.split("\n"))) == 1:
        text = first_line(text)
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise MalformedMessage(400, "The Content-Length is not one number", message)
    return int(text)


def _request(start: str) -> tuple[Request, MalformedMessage | None]:
    method, _, rest = start.partition(" ")
    uri, _, version = rest.rpartition(" ")
    request = Request(method, uri, None)
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
    return Response(int(code), reason, None), None


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


def _tagged(to: str, tag: str) -> str:
    """A To value with a tag, where it has none; one that cannot be read goes back to its sender as it came."""
    try:
        if tag_of(first_line(to)):
            return to
    except MalformedMessage:
        return to
    first, line_feed, rest = to.partition("\n")
    return f"{first};tag={tag}{line_feed}{rest}"


def _lines_of(name: str, text: str) -> str:
    """The lines of a header that has several."""
    return f"{name}: " + text.replace("\n", f"\r\n{name}: ")
