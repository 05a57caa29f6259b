"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966), and any other scheme as it stands.

A URI that was read is written again exactly as it was, so that escapes of the other side survive. Parsed URIs are
cached, since the same few appear in every message of a call.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes

from ringback.protocols.sip.errors import MalformedMessage

_T = TypeVar("_T")
Params = Mapping[str, str | None]
"""Parameters by lower-case name; None for a parameter without value."""

NO_PARAMS: Final[Params] = MappingProxyType({})

_CACHED_LENGTH: Final = (
    300  # longer texts are parsed each time, so that strangers cannot fill the memory through the cache
)
_UNRESERVED: Final = "A-Za-z0-9\\-_.!~*'()"
_USER_ESCAPED: Final = re.compile(f"[^{_UNRESERVED}&=+$,;?/]")
_PASSWORD_ESCAPED: Final = re.compile(f"[^{_UNRESERVED}&=+$,]")
_PARAM_ESCAPED: Final = re.compile(rf"[^{_UNRESERVED}\[\]/:&+$]")
_HEADER_ESCAPED: Final = re.compile(rf"[^{_UNRESERVED}\[\]/?:+$]")
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?\.?\Z", re.ASCII)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z", re.ASCII)
_ILLEGAL: Final = re.compile(r"[\x00-\x20\x7f<>\"]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SEPARATORS: Final = str.maketrans("", "", "-.()")  # RFC 3966 section 5.1.1: visual separators
_COMPARED: Final = ("user", "ttl", "method", "maddr", "transport")  # RFC 3261 section 19.1.4: never matched by absence


def keep(cache: dict[str, _T], text: str, value: _T, limit: int) -> _T:
    """Remember what was made of a text. The same few texts come again and again; a plain table is read in a third of
    the time of one that knows which was used last, so one that is full simply starts anew."""
    if len(text) <= _CACHED_LENGTH:
        if len(cache) >= limit:
            cache.clear()
        cache[text] = value
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Uri:
    """A URI. Of sip, sips and tel the parts are known; of another scheme only ``opaque``, the text after the colon.

    ``user`` is without escapes and for tel the number as written; ``host`` is lower case and an IPv6 address has no
    brackets; ``port`` is None where absent; ``headers`` are the ones to put into a request, without escapes.
    Two URIs are equal where RFC 3261 section 19.1.4 or RFC 3966 section 4 says so; in user parts every escape counts as
    the character that it stands for, reserved ones too, since numbers are dialled as ``%2B1`` and as ``+1``.
    """

    scheme: str
    user: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = field(default_factory=lambda: NO_PARAMS)
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = None
    opaque: str = ""
    _text: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read a URI. Raises MalformedMessage (400)."""
        found = _URIS.get(text)
        return keep(_URIS, text, _parse(text), 8192) if found is None else found

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is sip or sips."""
        return self.scheme in ("sip", "sips")

    @property
    def secure(self) -> bool:
        """Whether the scheme is sips."""
        return self.scheme == "sips"

    @property
    def transport(self) -> str:
        """The transport parameter in lower case; empty where absent."""
        return (self.params.get("transport") or "").lower()

    @property
    def loose(self) -> bool:
        """Whether a route of this URI is a loose one (parameter lr, RFC 3261 section 16.12)."""
        return "lr" in self.params

    @property
    def host_port(self) -> str:
        """Host and port as they are written, brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def number(self) -> str:
        """User part without visual separators, as dialled; user parameters (;phone-context) are left off."""
        return (self.user or "").partition(";")[0].translate(_SEPARATORS)

    def with_(
        self,
        *,
        scheme: str | None = None,
        user: str | None = None,
        host: str | None = None,
        port: int | None = None,
        params: Params | None = None,
    ) -> Uri:
        """The same URI with these parts replaced; what is None stays."""
        return Uri(
            scheme or self.scheme,
            self.user if user is None else user,
            self.host if host is None else host,
            self.port if port is None else port,
            self.params if params is None else params,
            self.headers,
            self.password,
            self.opaque,
        )

    def address(self) -> Uri:
        """Only scheme, user and host: what names a person or line (address of record, RFC 3261 section 10.3)."""
        return Uri(self.scheme, self.user, self.host) if self.is_sip else self

    def bare(self) -> Uri:
        """Without headers and without method parameter: as it may stand in a request line (section 19.1.1)."""
        if not self.headers and "method" not in self.params:
            return self
        params = {name: value for name, value in self.params.items() if name != "method"}
        return Uri(self.scheme, self.user, self.host, self.port, params, (), self.password, self.opaque)

    def __str__(self) -> str:
        return self._text or self._written()

    def _written(self) -> str:
        if self.scheme == "tel":
            return f"tel:{self.user}{_write_params(self.params)}"
        if not self.is_sip:
            return f"{self.scheme}:{self.opaque}"
        text = f"{self.scheme}:"
        if self.user is not None:
            text += _escape(self.user, _USER_ESCAPED)
            if self.password is not None:
                text += ":" + _escape(self.password, _PASSWORD_ESCAPED)
            text += "@"
        text += self.host_port
        if self.params:
            text += _write_params(self.params)
        if self.headers:
            text += "?" + "&".join(
                f"{_escape(name, _HEADER_ESCAPED)}={_escape(value, _HEADER_ESCAPED)}" for name, value in self.headers
            )
        return text

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Uri):
            return NotImplemented
        if self._key() != other._key():
            return False
        if not self.is_sip:
            return True
        return _params_match(self.params, other.params) and _headers_key(self) == _headers_key(other)

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        if self.scheme == "tel":
            number = (self.user or "").translate(_SEPARATORS).lower()
            params = tuple(sorted((name, (value or "").lower()) for name, value in self.params.items()))
            return ("tel", number, params)
        if not self.is_sip:
            return (self.scheme, self.opaque)
        return (self.scheme, self.user, self.password, self.host, self.port)


def escape_user(text: str) -> str:
    """Text as the user part of a SIP URI (RFC 3261 section 25.1)."""
    return _escape(text, _USER_ESCAPED)


def _parse(text: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.match(scheme):
        raise MalformedMessage(400, f"{text[:80]!r} is not a URI")
    if _ILLEGAL.search(text):
        raise MalformedMessage(400, "A URI has a space, quote or angle bracket inside")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest, text)
    if scheme == "tel":
        return _parse_tel(rest, text)
    return Uri(scheme, opaque=rest, _text=text)


_URIS: Final[dict[str, Uri]] = {}


def _parse_sip(scheme: str, rest: str, text: str) -> Uri:
    user: str | None = None
    password: str | None = None
    userinfo, at, host_part = rest.partition("@")
    if not at:
        host_part = rest
    elif "@" in host_part:
        raise MalformedMessage(400, "A URI has more than one @")
    if at:
        if not userinfo:
            raise MalformedMessage(400, "A URI has an @ and no user before it")
        user, colon, secret = userinfo.partition(":")
        user = _unescape(user)
        password = _unescape(secret) if colon else None
    host_part, question, header_part = host_part.partition("?")
    host_port, semicolon, param_part = host_part.partition(";")
    host, port = parse_host_port(host_port)
    params = _read_params(param_part) if semicolon else NO_PARAMS
    headers = tuple(_read_headers(header_part)) if question else ()
    return Uri(scheme, user, host, port, params, headers, password, "", text)


def _parse_tel(rest: str, text: str) -> Uri:
    number, semicolon, param_part = rest.partition(";")
    digits = number.translate(_SEPARATORS)
    if not digits.removeprefix("+") or not set(digits.removeprefix("+")) <= set("0123456789ABCDEFabcdef*#"):
        raise MalformedMessage(400, f"{number[:80]!r} is not a telephone number")
    return Uri("tel", number, params=_read_params(param_part) if semicolon else NO_PARAMS, _text=text)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Read ``host``, ``host:port`` or the same with ``[IPv6]``: host in lower case without brackets, port or None.

    Raises MalformedMessage (400).
    """
    found = _HOST_PORTS.get(text)
    return keep(_HOST_PORTS, text, _host_port(text), 4096) if found is None else found


def _host_port(text: str) -> tuple[str, int | None]:
    host, colon, port_text = text.partition(":")
    if text[:1] == "[":
        inner, bracket, after = text[1:].partition("]")
        colon, port_text = after[:1], after[1:]
        if not bracket or colon not in ("", ":"):
            raise MalformedMessage(400, f"{text[:80]!r} is not a host")
        host = _ipv6(inner)
    elif not _PLAIN_HOST.match(host):
        raise MalformedMessage(400, f"{text[:80]!r} is not a host")
    else:
        host = host.lower()
    if not colon:
        return host, None
    if not (port_text.isascii() and port_text.isdigit()) or len(port_text) > 5 or int(port_text) > 65535:
        raise MalformedMessage(400, f"{port_text[:20]!r} is not a port")
    return host, int(port_text)


_HOST_PORTS: Final[dict[str, tuple[str, int | None]]] = {}


def _ipv6(text: str) -> str:
    """An IPv6 address in its usual form. RFC 5118 section 4.10: three colons before an IPv4 address are tolerated."""
    head, colons, tail = text.rpartition(":::")
    if colons and "." in tail and ":" not in tail:
        text = f"{head}::{tail}"
    try:
        if "%" not in text:
            return str(ipaddress.IPv6Address(text))
    except ValueError:
        pass
    raise MalformedMessage(400, f"{text[:80]!r} is not an IPv6 address")


def _read_params(text: str) -> Params:
    params: dict[str, str | None] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        key = _unescape(name).lower()
        if not key:
            raise MalformedMessage(400, "A URI has an empty parameter")
        if key in params:
            raise MalformedMessage(400, f"A URI has the parameter {key[:40]} twice")
        params[key] = _unescape(value) if equals else None
    return params


def _read_headers(text: str) -> list[tuple[str, str]]:
    headers = []
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise MalformedMessage(400, "A URI has a header without name or value")
        headers.append((_unescape(name), _unescape(value)))
    return headers


def _write_params(params: Params) -> str:
    text = ""
    for name, value in params.items():
        text += f";{_escape(name, _PARAM_ESCAPED)}"
        if value is not None:
            text += f"={_escape(value, _PARAM_ESCAPED)}"
    return text


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise MalformedMessage(400, f"{text[:80]!r} has a % that is no escape")
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _escape(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))


def _params_match(one: Params, other: Params) -> bool:
    for name, value in one.items():
        if name in other:
            if (value or "").lower() != (other[name] or "").lower():
                return False
        elif name in _COMPARED:
            return False
    return all(name in one for name in other if name in _COMPARED)


def _headers_key(uri: Uri) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in uri.headers)
