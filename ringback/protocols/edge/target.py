"""The first part of a path at the edge: which domain is meant, and which server inside.

``/<base64url of "example.com">/get_edge_config`` asks the edge itself, ``/<base64url of
"example.com/https/cm1.example.com/8443">/cucm-uds/version`` a server. Without padding, as clients in use write it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Literal

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
        if not segment or len(segment) > _LONGEST or not _LETTERS.match(segment):
            raise TargetError("the path does not begin with a target in base64url")
        try:
            octets = base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True)
            text = octets.decode("ascii")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise TargetError("the target of the path is not base64url of a name") from error
        if cls._encoded(text) != segment:
            raise TargetError("the target of the path is not written the one right way")
        parts = text.split("/")
        try:
            if len(parts) == 1:
                return cls(parse_domain(parts[0]))
            if len(parts) == 4:
                return cls(parse_domain(parts[0]), _scheme(parts[1]), HostPort.parse(f"{parts[2]}:{parts[3]}"))
        except AddressError as error:
            raise TargetError(f"the target of the path names no server: {error}") from error
        raise TargetError("the target of the path has neither one part nor four")

    def segment(self) -> str:
        """The first part of a path."""
        if self.server is None:
            return self._encoded(self.domain)
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return self._encoded(f"{self.domain}/{self.scheme}/{host}/{self.server.port}")

    @staticmethod
    def _encoded(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode("ascii")).rstrip(b"=").decode("ascii")


def _scheme(text: str) -> Scheme:
    if text == "https":
        return "https"
    if text == "http":
        return "http"
    raise TargetError(f"the target of the path names the scheme {text[:20]!r}")
