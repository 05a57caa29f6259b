"""Addresses of entries in other directories, as referrals give them (RFC 4511 section 4.1.10, RFC 4516)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

from ringback.protocols.ldap.errors import LdapFormatError

Scope = Literal["base", "one", "tree"]
_SCOPES: dict[str, Scope] = {"base": "base", "one": "one", "sub": "tree"}
_PORTS = {"ldap": 389, "ldaps": 636}
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class LdapUrl:
    """Where to go on: None or empty where the address leaves it as it was asked. ``filter`` is as text (RFC 4515)."""

    host: str
    port: int
    secure: bool
    base: str | None = None
    scope: Scope | None = None
    filter: str = ""

    @classmethod
    def parse(cls, text: str) -> LdapUrl:
        """Read an address. Raises LdapFormatError, also for one with an extension that must be understood (``!``)."""
        if len(text) > _LONGEST or not text.isprintable():
            raise LdapFormatError("it is too long, or not printable")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise LdapFormatError(str(error)) from error
        if parts.scheme not in _PORTS or parts.fragment or "@" in parts.netloc:
            raise LdapFormatError("it is no address of a directory")
        fields = [*parts.query.split("?"), "", "", "", ""][:4]
        _, scope, wanted, extensions = fields
        if any(one.startswith("!") for one in extensions.split(",")):
            raise LdapFormatError("it asks for something that is not known here")
        if scope and scope.lower() not in _SCOPES:
            raise LdapFormatError(f"{scope!r} is no scope")
        base = _decoded(parts.path[1:]) if parts.path not in ("", "/") else None
        return cls(
            (parts.hostname or "").rstrip("."),
            port or _PORTS[parts.scheme],
            parts.scheme == "ldaps",
            base,
            _SCOPES[scope.lower()] if scope else None,
            _decoded(wanted),
        )


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise LdapFormatError("it holds octets that are no UTF-8") from error
