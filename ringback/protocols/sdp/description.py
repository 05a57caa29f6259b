"""A session description (RFC 8866): read, changed, written; what is not understood is kept and written again.

Reading is lenient where phones in use are sloppy (bare line feeds, a missing time line, blanks at the end) and strict
where a wrong reading would send sound to the wrong place: ports, addresses, payload types.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

SIZE_LIMIT = 64 * 1024
SECTION_LIMIT = 32
LINE_LIMIT = 2000
_PORT_LIMIT = 65535
_CONNECTION_FIELDS = 3
_ORIGIN_FIELDS = 6
_MEDIA_FIELDS = 4


class SdpError(ValueError):
    """The bytes are not a session description; the message says in which line and why."""


class Attribute(NamedTuple):
    """An ``a=`` line: ``value`` is None for a flag (``a=rtcp-mux``)."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A ``c=`` line: where media is wanted. ``family`` is IP4 or IP6; an address may be a name."""

    address: str
    family: str = "IP4"

    @classmethod
    def of(cls, address: str) -> Connection:
        """The connection of an IP address in text form. Raises SdpError."""
        try:
            version = ipaddress.ip_address(address).version
        except ValueError as error:
            raise SdpError(f"{address!r} is not an IP address") from error
        return cls(address, f"IP{version}")

    @property
    def is_hold(self) -> bool:
        """Whether this is the address of the old way to hold (RFC 3264 section 8.4)."""
        return self.address in ("0.0.0.0", "::")

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True)
class Origin:
    """An ``o=`` line. The version rises by one with each change that is sent (RFC 3264 section 8)."""

    session_id: str
    version: int
    address: str = "0.0.0.0"
    family: str = "IP4"
    user: str = "-"

    def next(self) -> Origin:
        """The origin of the next version."""
        return replace(self, version=self.version + 1)

    def __str__(self) -> str:
        return f"{self.user} {self.session_id} {self.version} IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True)
class MediaSection:
    """An ``m=`` line with what belongs to it. Port 0 means refused or ended."""

    kind: str
    port: int
    proto: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    bandwidths: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    port_count: int = 1

    def value(self, name: str) -> str | None:
        """The first attribute of a name; empty for a flag, None where it is absent."""
        return _value(self.attributes, name)

    def values(self, name: str) -> tuple[str, ...]:
        """All values of an attribute, in order."""
        return tuple(one.value or "" for one in self.attributes if one.name == name)

    def with_attributes(self, *added: Attribute, without: Iterable[str] = ()) -> MediaSection:
        """Attributes of some names taken away, others added at the end."""
        gone = frozenset(without)
        kept = tuple(one for one in self.attributes if one.name not in gone)
        return replace(self, attributes=(*kept, *added))


@dataclass(frozen=True, slots=True)
class Description:
    """A session description. ``attributes``, ``connection`` and ``bandwidths`` hold for sections without their own."""

    origin: Origin
    media: tuple[MediaSection, ...]
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    bandwidths: tuple[str, ...] = ()
    name: str = "-"
    times: tuple[str, ...] = ("0 0",)
    other: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Description:
        """Read a description. Raises SdpError."""
        if len(data) > SIZE_LIMIT:
            raise SdpError(f"The description is longer than {SIZE_LIMIT} bytes")
        lines = data.decode("utf-8", "surrogateescape").replace("\r", "").split("\n")
        return _Reader().read(lines)

    def encode(self) -> bytes:
        """The description as it goes over the wire."""
        lines = ["v=0", f"o={self.origin}", f"s={self.name}", *self.other]
        lines += _tail(self.connection, self.bandwidths)
        lines += [f"t={time}" for time in self.times]
        lines += [f"a={one}" for one in self.attributes]
        for section in self.media:
            port = str(section.port) if section.port_count == 1 else f"{section.port}/{section.port_count}"
            lines.append(f"m={section.kind} {port} {section.proto} {' '.join(section.formats)}")
            lines += section.other
            lines += _tail(section.connection, section.bandwidths)
            lines += [f"a={one}" for one in section.attributes]
        return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")

    def value(self, name: str, section: MediaSection | None = None) -> str | None:
        """The first attribute of a name, of a section or else of the session; None where it is absent in both."""
        own = None if section is None else section.value(name)
        return own if own is not None else _value(self.attributes, name)

    def connection_of(self, section: MediaSection) -> Connection | None:
        """Where a section's media is wanted."""
        return section.connection or self.connection

    def first(self, kind: str) -> MediaSection | None:
        """The first section of a kind that is not refused."""
        return next((one for one in self.media if one.kind == kind and one.port), None)

    def with_media(self, media: Iterable[MediaSection]) -> Description:
        """The same session with other sections and the next version."""
        return replace(self, media=tuple(media), origin=self.origin.next())


def _value(attributes: tuple[Attribute, ...], name: str) -> str | None:
    return next((one.value or "" for one in attributes if one.name == name), None)


def _tail(connection: Connection | None, bandwidths: tuple[str, ...]) -> list[str]:
    lines = [f"c={connection}"] if connection is not None else []
    return lines + [f"b={one}" for one in bandwidths]


class _Part:
    """What is collected for the session or for a section."""

    def __init__(self, media: tuple[str, int, int, str, tuple[str, ...]] | None = None) -> None:
        self.media = media
        self.connection: Connection | None = None
        self.attributes: list[Attribute] = []
        self.bandwidths: list[str] = []
        self.other: list[str] = []

    def section(self) -> MediaSection:
        if self.media is None:
            raise SdpError("A media section without its line")
        kind, port, count, proto, formats = self.media
        return MediaSection(
            kind,
            port,
            proto,
            formats,
            self.connection,
            tuple(self.attributes),
            tuple(self.bandwidths),
            tuple(self.other),
            count,
        )


class _Reader:
    def __init__(self) -> None:
        self.origin: Origin | None = None
        self.name = "-"
        self.times: list[str] = []
        self.session = _Part()
        self.sections: list[_Part] = []
        self.part = self.session

    def read(self, lines: list[str]) -> Description:
        seen = 0
        for number, raw in enumerate(lines, start=1):
            line = raw.rstrip(" \t\0")
            if not line:
                continue
            seen += 1
            if seen > LINE_LIMIT:
                raise SdpError(f"More than {LINE_LIMIT} lines")
            if len(line) < 2 or line[1] != "=":
                raise SdpError(f"Line {number} is not of the form x=value")
            if seen == 1 and line != "v=0":
                raise SdpError("The description does not start with v=0")
            self._line(line[0], line[2:].strip(" \t"), number)
        if self.origin is None:
            raise SdpError("There is no o= line")
        return Description(
            self.origin,
            tuple(part.section() for part in self.sections),
            self.session.connection,
            tuple(self.session.attributes),
            tuple(self.session.bandwidths),
            self.name,
            tuple(self.times) or ("0 0",),
            tuple(self.session.other),
        )

    def _line(self, kind: str, value: str, number: int) -> None:
        match kind:
            case "v":
                if value != "0":
                    raise SdpError(f"Line {number}: version {value[:20]!r} is not known")
            case "a":
                name, colon, rest = value.partition(":")
                self.part.attributes.append(Attribute(name, rest if colon else None))
            case "m":
                if len(self.sections) >= SECTION_LIMIT:
                    raise SdpError(f"More than {SECTION_LIMIT} media sections")
                self.part = _Part(_media(value, number))
                self.sections.append(self.part)
            case "c":
                self.part.connection = _connection(value, number)
            case "o":
                self.origin = _origin(value, number)
            case "s":
                self.name = value or "-"
            case "t":
                self.times.append(value)
            case "b":
                self.part.bandwidths.append(value)
            case _:
                self.part.other.append(f"{kind}={value}")


def _media(value: str, number: int) -> tuple[str, int, int, str, tuple[str, ...]]:
    fields = value.split()
    if len(fields) < _MEDIA_FIELDS:
        raise SdpError(f"Line {number}: m= needs kind, port, protocol and a format")
    port, _, count = fields[1].partition("/")
    first, how_many = _integer(port, number), _integer(count or "1", number)
    if first > _PORT_LIMIT or not 1 <= how_many <= _PORT_LIMIT:
        raise SdpError(f"Line {number}: there is no port {fields[1][:20]}")
    return fields[0], first, how_many, fields[2], tuple(fields[3:])


def _connection(value: str, number: int) -> Connection:
    fields = value.split()
    if len(fields) != _CONNECTION_FIELDS or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
        raise SdpError(f"Line {number}: c= needs IN, IP4 or IP6, and an address")
    address = fields[2].partition("/")[0]
    if not address:
        raise SdpError(f"Line {number}: c= names no address")
    return Connection(address, fields[1])


def _origin(value: str, number: int) -> Origin:
    fields = value.split()
    if len(fields) != _ORIGIN_FIELDS:
        raise SdpError(f"Line {number}: o= needs six fields")
    return Origin(fields[1], _integer(fields[2], number), fields[5], fields[4], fields[0])


def _integer(text: str, number: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise SdpError(f"Line {number}: {text[:20]!r} is not a number")
    return int(text)
