"""Values of SIP headers, read when somebody asks for them (RFC 3261 section 20 and the extensions named at each).

Every ``parse`` raises MalformedMessage (400) and nothing else; every ``str`` gives the value as readers in use
expect it. Parameters are a mapping by lower-case name; a value that stood in quotes is a ``Quoted``, so that it is
written in quotes again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.lexical import (
    is_token,
    parse_number,
    parse_params,
    quote,
    split_commas,
    unquote,
    write_list,
    write_params,
)
from ringback.protocols.sip.names import METHODS
from ringback.protocols.sip.quoted import Quoted
from ringback.protocols.sip.uri import NO_PARAMS, Params, Uri, keep, parse_host_port

__all__ = [
    "CSeq",
    "MediaType",
    "NameAddr",
    "Parametered",
    "Quoted",
    "RAck",
    "Reason",
    "Replaces",
    "SessionExpires",
    "SessionId",
    "SubscriptionState",
    "UriWithParams",
    "Via",
    "Warning",
    "is_token",
    "parse_number",
    "parse_params",
    "quote",
    "split_commas",
    "tag_of",
    "unquote",
    "without_tag",
    "write_list",
    "write_params",
]

_CACHED_LENGTH: Final = (
    300  # the same few values appear in every message of a call; strangers cannot fill the memory by them
)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SPACE: Final = re.compile(r"[ \t]+")
_BLANK: Final = " \t"


_TRANSPORTS: Final = {f"SIP/2.0/{name}": name for name in ("UDP", "TCP", "TLS", "WS", "WSS", "SCTP")}
_new: Final = tuple.__new__  # makes a NamedTuple of checked values without another call


class CSeq(NamedTuple):
    """Sequence number and method (RFC 3261 section 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read ``4711 INVITE``."""
        found = _CSEQS.get(text)
        return keep(_CSEQS, text, cls._parse(text), 1024) if found is None else found

    @classmethod
    def _parse(cls, text: str) -> CSeq:
        number, _, method = text.partition(" ")
        if method not in METHODS:
            number, _, method = text.replace("\t", " ").strip(" ").partition(" ")
            method = method.strip(" ")
            if not is_token(method):
                raise MalformedMessage(400, "The CSeq has no method")
        return _new(cls, (parse_number(number, 2**31 - 1, "The CSeq number"), method))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class RAck(NamedTuple):
    """What a PRACK acknowledges (RFC 3262 section 7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Read ``776656 1 INVITE``."""
        parts = text.split()
        if len(parts) != 3 or not is_token(parts[2]):
            raise MalformedMessage(400, "The RAck is not two numbers and a method")
        return cls(
            parse_number(parts[0], 2**32 - 1, "The RAck"), parse_number(parts[1], 2**31 - 1, "The RAck"), parts[2]
        )

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


class Via(NamedTuple):
    """One hop (RFC 3261 section 20.42). ``transport`` is upper case; ``host`` has no brackets."""

    transport: str
    host: str
    port: int | None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read ``SIP/2.0/UDP host:port;branch=...``."""
        head, semicolon, rest = text.partition(";")
        protocol, _, sent_by = head.partition(" ")
        transport = _TRANSPORTS.get(protocol)
        if transport is None or " " in sent_by or "\t" in sent_by:
            transport, sent_by = _loose_via(head)
        host, port = parse_host_port(sent_by)
        return _new(cls, (transport, host, port, parse_params(rest) if semicolon else NO_PARAMS))

    @property
    def branch(self) -> str:
        """The transaction's branch; empty where absent (RFC 2543)."""
        return self.params.get("branch") or ""

    @property
    def received(self) -> str:
        """The address the request came from, without brackets; empty where absent."""
        return (self.params.get("received") or "").strip("[]")

    @property
    def rport(self) -> int | None:
        """The port the request came from (RFC 3581); None where absent or asked for without value."""
        text = self.params.get("rport")
        return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 5 else None

    @property
    def sent_by(self) -> str:
        """Host and port as written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def with_params(self, **params: str | None) -> Via:
        """The same hop with these parameters added or replaced."""
        return self._replace(params={**self.params, **params})

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{write_params(self.params)}"


class NameAddr(NamedTuple):
    """A display name (empty where absent), a URI and the header's own parameters: From, To, Contact, Route ..."""

    display: str
    uri: Uri
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read ``"Name" <uri>;param``, ``<uri>`` or ``uri;param``."""
        found = _NAME_ADDRS.get(text)
        return keep(_NAME_ADDRS, text, cls._parse(text), 4096) if found is None else found

    @classmethod
    def _parse(cls, text: str) -> NameAddr:
        found = _usual_name_addr(text)
        display, uri, rest = _split_name_addr(text) if found is None else found
        return _new(cls, (display, Uri.parse(uri), parse_params(rest) if rest else NO_PARAMS))

    @property
    def tag(self) -> str:
        """The tag; empty where absent."""
        return self.params.get("tag") or ""

    @property
    def expires(self) -> int | None:
        """The expires parameter in seconds, at most 2**32-1; None where absent or no number (section 10.3 step 7)."""
        text = self.params.get("expires")
        return min(int(text), 2**32 - 1) if text and text.isascii() and text.isdigit() and len(text) < 32 else None

    @property
    def q(self) -> float:
        """The preference, 0 to 1; 1 where absent or unreadable."""
        text = self.params.get("q")
        try:
            return min(max(float(text), 0.0), 1.0) if text else 1.0
        except ValueError:
            return 1.0

    def with_params(self, params: Params) -> NameAddr:
        """The same with these parameters added or replaced."""
        return self._replace(params={**self.params, **params})

    def with_tag(self, tag: str) -> NameAddr:
        """The same with a tag; without one where ``tag`` is empty."""
        params = {name: value for name, value in self.params.items() if name != "tag"}
        if tag:
            params["tag"] = tag
        return self._replace(params=params)

    def __str__(self) -> str:
        shown = f"{quote(self.display)} " if self.display else ""
        return f"{shown}<{self.uri}>{write_params(self.params)}"


class Parametered(NamedTuple):
    """A word with parameters: Event, Content-Disposition, Subscription-State, Reason, Session-Expires ..."""

    value: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Parametered:
        """Read ``word;param=value``."""
        value, semicolon, rest = text.partition(";")
        return cls(value.strip(_BLANK), parse_params(rest) if semicolon else NO_PARAMS)

    def param(self, name: str) -> str:
        """A parameter's value; empty where absent."""
        return self.params.get(name) or ""

    def __str__(self) -> str:
        return f"{self.value}{write_params(self.params)}"


class MediaType(NamedTuple):
    """A media type in lower case with its parameters (RFC 3261 section 20.15)."""

    kind: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> MediaType:
        """Read ``application/sdp;charset=UTF-8``."""
        found = _MEDIA_TYPES.get(text)
        return keep(_MEDIA_TYPES, text, cls._parse(text), 256) if found is None else found

    @classmethod
    def _parse(cls, text: str) -> MediaType:
        kind, semicolon, rest = text.partition(";")
        main, slash, sub = kind.partition("/")
        main, sub = main.strip(_BLANK), sub.strip(_BLANK)
        if not (slash and is_token(main) and is_token(sub)):
            raise MalformedMessage(400, "The Content-Type is not a media type")
        return cls(f"{main}/{sub}".lower(), parse_params(rest) if semicolon else NO_PARAMS)

    def __str__(self) -> str:
        return f"{self.kind}{write_params(self.params)}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was sent (RFC 3326): the protocol (SIP, Q.850), its cause and a text."""

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read ``SIP;cause=200;text="Call completed elsewhere"``; an unreadable cause is none."""
        value, params = Parametered.parse(text)
        cause = params.get("cause")
        number = int(cause) if cause and cause.isascii() and cause.isdigit() and len(cause) < 10 else None
        return cls(value, number, str(params.get("text") or ""))

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        return f"{self.protocol}{cause}" + (f";text={quote(self.text)}" if self.text else "")


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog to take the place of, or in Join to join (RFC 3891, RFC 3911). Tags as the receiver sees them:
    ``to_tag`` is the receiver's own."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """Read ``call-id;to-tag=a;from-tag=b``."""
        value, params = Parametered.parse(text)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not value or to_tag is None or from_tag is None:
            raise MalformedMessage(400, "A dialog is named without its Call-ID or tags")
        return cls(value, to_tag, from_tag, "early-only" in params)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The session timer (RFC 4028 section 4): seconds, and who refreshes ("uac", "uas" or empty)."""

    seconds: int
    refresher: str = ""

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """Read ``1800;refresher=uac``."""
        value, params = Parametered.parse(text)
        refresher = (params.get("refresher") or "").lower()
        if refresher not in ("", "uac", "uas"):
            raise MalformedMessage(400, "The refresher of a session is neither uac nor uas")
        return cls(parse_number(value, 2**32 - 1, "The Session-Expires"), refresher)

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


@dataclass(frozen=True, slots=True)
class SessionId:
    """The end-to-end session identifier (RFC 7989): 32 hex digits of this end and of the other (empty: not told)."""

    local: str
    remote: str = ""

    @classmethod
    def parse(cls, text: str) -> SessionId:
        """Read ``<32 hex>;remote=<32 hex>``."""
        value, params = Parametered.parse(text)
        remote = (params.get("remote") or "").lower()
        for part in (value, remote) if remote else (value,):
            if len(part) != 32 or not set(part.lower()) <= set("0123456789abcdef"):
                raise MalformedMessage(400, "The Session-ID is not 32 hex digits")
        return cls(value.lower(), remote)

    def __str__(self) -> str:
        return f"{self.local};remote={self.remote}" if self.remote else self.local


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001  the header's name
    """A warning (RFC 3261 section 20.43): code 300 to 399, who warns, and a text for people."""

    code: int
    agent: str
    text: str

    @classmethod
    def parse(cls, text: str) -> Warning:
        """Read ``399 host "text"``."""
        code, _, rest = text.strip(_BLANK).partition(" ")
        agent, _, quoted = rest.strip(_BLANK).partition(" ")
        if not (len(code) == 3 and code.isascii() and code.isdigit() and agent):
            raise MalformedMessage(400, "The Warning has no code or no agent")
        return cls(int(code), agent, unquote(quoted.strip(_BLANK)))

    def __str__(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """The state told by a NOTIFY (RFC 6665 section 8.2.3)."""

    state: str
    reason: str = ""
    expires: int | None = None
    retry_after: int | None = None

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        """Read ``active;expires=600``."""
        value, params = Parametered.parse(text)
        if not is_token(value):
            raise MalformedMessage(400, "The Subscription-State has no state")
        return cls(
            value.lower(),
            (params.get("reason") or "").lower(),
            _optional_number(params.get("expires")),
            _optional_number(params.get("retry-after")),
        )

    @property
    def active(self) -> bool:
        """Whether the subscription goes on (active or pending)."""
        return self.state != "terminated"

    def __str__(self) -> str:
        text = self.state
        if self.reason:
            text += f";reason={self.reason}"
        if self.expires is not None:
            text += f";expires={self.expires}"
        return text if self.retry_after is None else f"{text};retry-after={self.retry_after}"


@dataclass(frozen=True, slots=True)
class UriWithParams:
    """A URI in angle brackets with parameters that need not be SIP: Call-Info, Alert-Info, Error-Info."""

    uri: str
    params: Params = field(default_factory=lambda: NO_PARAMS)

    @classmethod
    def parse(cls, text: str) -> UriWithParams:
        """Read ``<urn:x-cisco-remotecc:callinfo>;security=Encrypted``."""
        before, bracket, rest = text.partition("<")
        uri, closing, after = rest.partition(">")
        if before.strip(_BLANK) or not bracket or not closing:
            raise MalformedMessage(400, "A URI is not in angle brackets")
        return cls(uri.strip(_BLANK), _params_after(after))

    def __str__(self) -> str:
        return f"<{self.uri}>{write_params(self.params)}"


def tag_of(text: str) -> str:
    """The tag of a From or To value, without reading the rest where that is safe; empty where absent."""
    place = text.rfind(">;tag=")
    if place > 0:
        tag = text[place + 6 :]
        # without a quote behind it, this is neither in a display name nor in another parameter's value
        if not (";" in tag or '"' in tag or ">" in tag or " " in tag or "\t" in tag):
            return tag
    elif text[-1:] == ">" and text.find(">") == len(text) - 1 and "<" in text:
        return ""
    return NameAddr.parse(text).tag


def without_tag(text: str) -> str:
    """A From or To value less its tag, the rest as it stands where that is safe. Raises MalformedMessage."""
    before, mark, tag = text.rpartition(">;tag=")
    if mark and not (";" in tag or '"' in tag or ">" in tag or " " in tag or "\t" in tag):
        return f"{before}>"
    address = NameAddr.parse(text)
    return str(address.with_tag("")) if address.tag else text


def _usual_name_addr(text: str) -> tuple[str, str, str] | None:
    """The same as ``_split_name_addr`` for what most software writes; None where that takes a full look."""
    if text[:1] == "<":
        display, rest = "", text[1:]
    elif text[:1] == '"' and "\\" not in text:
        display, _, rest = text[1:].partition('"')
        if rest[:2] != " <":
            return None
        rest = rest[2:]
    else:
        return None
    uri, bracket, rest = rest.partition(">")
    if not bracket or (rest and rest[0] != ";"):
        return None
    return display, uri, rest[1:]


def _split_name_addr(text: str) -> tuple[str, str, str]:
    """Display name, URI and the text after the first semicolon behind them."""
    text = text.strip(_BLANK)
    display = ""
    if text[:1] == '"':
        found = _QUOTED.match(text)
        if found is None:
            raise MalformedMessage(400, "A display name is not closed by a quote")
        display, text = unquote(found[0]), text[found.end() :].lstrip(_BLANK)
        if text[:1] != "<":
            raise MalformedMessage(400, "A display name is not followed by a URI in angle brackets")
    before, bracket, rest = text.partition("<")
    if not bracket:
        uri, _, rest = text.partition(";")
        if "?" in uri or "," in uri:
            raise MalformedMessage(400, "A URI with a question mark or comma is not in angle brackets")
        return "", uri.strip(_BLANK), rest
    if before:
        display = _SPACE.sub(" ", before.strip(_BLANK))
        if not set(display).isdisjoint('",;:@>'):
            raise MalformedMessage(400, "A display name has characters that need quotes")
    uri, bracket, rest = rest.partition(">")
    if not bracket:
        raise MalformedMessage(400, "A URI is not closed by an angle bracket")
    rest = rest.lstrip(_BLANK)
    if rest and rest[0] != ";":
        raise MalformedMessage(400, "There is something behind an address that is no parameter")
    return display, uri, rest[1:]


def _params_after(text: str) -> Params:
    text = text.strip(_BLANK)
    if not text:
        return NO_PARAMS
    if text[0] != ";":
        raise MalformedMessage(400, "There is something behind an address that is no parameter")
    return parse_params(text[1:])


def _loose_via(head: str) -> tuple[str, str]:
    """Transport and sent-by of ``SIP / 2.0 / UDP host : port``: white space may stand around slashes and colon."""
    parts = head.replace("\t", " ").split("/")
    if len(parts) != 3:
        raise MalformedMessage(400, "A Via does not begin with SIP/2.0 and a transport")
    transport, _, sent_by = parts[2].strip(" ").partition(" ")
    name, version = parts[0].strip(" ").upper(), parts[1].strip(" ")
    if (name, version) != ("SIP", "2.0") or not is_token(transport):
        raise MalformedMessage(400, "A Via does not begin with SIP/2.0 and a transport")
    return transport.upper(), ":".join(part.strip(" ") for part in sent_by.split(":"))


def _optional_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


_CSEQS: Final[dict[str, CSeq]] = {}
_NAME_ADDRS: Final[dict[str, NameAddr]] = {}
_MEDIA_TYPES: Final[dict[str, MediaType]] = {}
