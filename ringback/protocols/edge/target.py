"""The first part of a path at the edge: which domain is meant, and which server inside.

``/<base64url of "example.com">/get_edge_config`` asks the edge itself, ``/<base64url of
"example.com/https/cm1.example.com/8443">/cucm-uds/version`` a server. Without padding, as clients in use write it;
only one spelling of a target is read, but for capital letters in names.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import idna

from ringback.rules.addresses import AddressError, HostPort, parse_domain

_LONGEST: Final = 700  # characters; two of the longest names that exist fit
_LETTERS: Final = re.compile(r"[A-Za-z0-9_-]+\Z")

Scheme = Literal["http", "https"]


class TargetError(ValueError):
    """The first part of a path does not name a domain or a server; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """``server`` and ``scheme`` None: the edge itself."""

    domain: str
    scheme: Scheme | None = None
    server: HostPort | None = None

    @classmethod
    def parse(cls, segment: str) -> Target:
        """Read the first part of a path, as it stands there. Raises TargetError."""
        return _remembered(segment)

    @classmethod
    def _parse(cls, segment: str) -> Target:
        """Raises TargetError."""
        if not segment or len(segment) > _LONGEST or not _LETTERS.match(segment):
            raise TargetError("the path does not begin with a target in base64url")
        try:
            octets = base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True)
            text = octets.decode("ascii")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise TargetError("the target of the path is not base64url of a name") from error
        try:
            found = cls._read(text.split("/"))
            same = found.segment() == cls._encoded(text.lower())
        except (AddressError, UnicodeError) as error:
            raise TargetError("the target of the path names no server") from error
        if not same or cls._encoded(text) != segment:
            raise TargetError("the target of the path is not written the one right way")
        return found

    @classmethod
    def _read(cls, parts: list[str]) -> Target:
        """Raises AddressError, TargetError."""
        if len(parts) == 1:
            return cls(parse_domain(parts[0]))
        if len(parts) == 4:
            return cls(parse_domain(parts[0]), _scheme(parts[1]), HostPort.parse(f"{parts[2]}:{parts[3]}"))
        raise TargetError("the target of the path has neither one part nor four")

    def segment(self) -> str:
        """The first part of a path."""
        domain = _ascii(self.domain)
        if self.server is None:
            return self._encoded(domain)
        host = f"[{self.server.host}]" if ":" in self.server.host else _ascii(self.server.host)
        return self._encoded(f"{domain}/{self.scheme}/{host}/{self.server.port}")

    @staticmethod
    def _encoded(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode("ascii")).rstrip(b"=").decode("ascii")


@lru_cache(maxsize=1024)
def _remembered(segment: str) -> Target:
    """Clients ask for the same few servers again and again, and reading strictly takes its time. Raises TargetError."""
    return Target._parse(segment)


def _ascii(name: str) -> str:
    """A name as name servers know it (RFC 5890). Raises UnicodeError."""
    return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")


def _scheme(text: str) -> Scheme:
    if text == "https":
        return "https"
    if text == "http":
        return "http"
    raise TargetError("the target of the path names neither http nor https")
