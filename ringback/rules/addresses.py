"""Value types for the addresses of the field: JIDs, user addresses and services domains.

A JID follows RFC 7622: the localpart is enforced by the PRECIS UsernameCaseMapped profile (RFC 8265) less the
characters of section 3.3.1, the resourcepart by OpaqueString, the domainpart by IDNA2008. Texts of ASCII letters,
digits and the usual marks, which nearly all real addresses are, take a fast path with the same result.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

import idna
import precis_i18n

_PART_LIMIT = 1023  # octets of each part, RFC 7622 section 3.1
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9._~#!$%*+=?^`{|}()\[\];,-]+\Z")
_PLAIN_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
)
_FULL_STOPS = (".", "\u3002", "\uff0e", "\uff61")  # what UTS 46 takes for a dot
_PLAIN_RESOURCE = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*\Z")
_LOCAL_FORBIDDEN = frozenset("\"&'/:<>@")  # RFC 7622 section 3.3.1

_username = precis_i18n.get_profile("UsernameCaseMapped")
_opaque = precis_i18n.get_profile("OpaqueString")


class AddressError(ValueError):
    """A text is not an address of the wanted kind; the message says in one sentence why."""


@dataclass(frozen=True, slots=True, order=True)
class Jid:
    """A Jabber identifier, normalised (RFC 7622). ``local`` and ``resource`` are empty where absent."""

    local: str
    domain: str
    resource: str = ""

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Read a JID as RFC 7622 section 3.2 splits it. Raises AddressError."""
        return _parse_jid(text)

    @property
    def bare(self) -> Jid:
        """The JID without its resource."""
        return self if not self.resource else Jid(self.local, self.domain)

    @property
    def is_bare(self) -> bool:
        """Whether there is no resource."""
        return not self.resource

    def with_resource(self, resource: str) -> Jid:
        """The same account at another resource, enforced by OpaqueString. Raises AddressError."""
        return Jid(self.local, self.domain, _enforce_resource(resource))

    def __str__(self) -> str:
        text = f"{self.local}@{self.domain}" if self.local else self.domain
        return f"{text}/{self.resource}" if self.resource else text


@lru_cache(maxsize=65536)
def _parse_jid(text: str) -> Jid:
    rest, slash, resource = text.partition("/")
    if slash and not resource:
        raise AddressError(f"{text!r} ends in a slash: the resource is missing")
    local, at, domain = rest.partition("@")
    if not at:
        local, domain = "", rest
    elif not local:
        raise AddressError(f"{text!r} has nothing before the @")
    return Jid(_enforce_local(local), parse_domain(domain), _enforce_resource(resource) if resource else "")


def _enforce_local(local: str) -> str:
    if not local:
        return ""
    if _PLAIN_LOCAL.match(local):
        result = local.lower()
    else:
        if bad := _LOCAL_FORBIDDEN.intersection(local):
            raise AddressError(f"{min(bad)!r} may not stand in the first part of an address")
        try:
            result = _username.enforce(local)
        except (UnicodeError, ValueError) as error:
            raise AddressError(f"{local!r} has a character that may not stand in an address") from error
        if _LOCAL_FORBIDDEN.intersection(result):
            raise AddressError(f"{local!r} becomes a text that may not stand in an address")
    if len(result.encode()) > _PART_LIMIT:
        raise AddressError("The first part of the address is longer than 1023 octets")
    return result


def _enforce_resource(resource: str) -> str:
    if not resource:
        raise AddressError("The resource is empty")
    if not _PLAIN_RESOURCE.match(resource):
        try:
            resource = _opaque.enforce(resource)
        except (UnicodeError, ValueError) as error:
            raise AddressError(f"{resource!r} has a character that may not stand in a resource") from error
    if len(resource.encode()) > _PART_LIMIT:
        raise AddressError("The resource is longer than 1023 octets")
    return resource


def parse_domain(text: str) -> str:
    """A domain name or IP literal in its normal form: lower case, U-labels, no trailing dot. Raises AddressError."""
    name = text[:-1] if text.endswith(".") else text
    if not name:
        raise AddressError("The domain is missing")
    if name.endswith(_FULL_STOPS):
        raise AddressError(f"{text!r} ends in more than one dot")
    if len(name) <= 253 and _PLAIN_DOMAIN.match(name) and "xn--" not in name.lower():
        return name.lower()
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1] if name.endswith(']') else '')}]"
        except ValueError as error:
            raise AddressError(f"{text!r} is not an IPv6 address in brackets") from error
    try:
        return str(idna.decode(idna.encode(name, uts46=True), uts46=True))
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError(f"{text!r} is not a domain name") from error


@dataclass(frozen=True, slots=True)
class UserAddress:
    """What a person types to sign in: ``name@services-domain``, like an e-mail address (planning guide, chapter 5)."""

    user: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> UserAddress:
        """Read a typed address; spaces around it are dropped. Raises AddressError in words for the person."""
        typed = text.strip()
        if not typed:
            raise AddressError("Type your work address, for example name@company.com")
        user, at, domain = typed.rpartition("@")
        if not at:
            raise AddressError(f"{typed} has no @: a work address looks like name@company.com")
        if not user:
            raise AddressError(f"{typed} has no name before the @")
        if "/" in typed:
            raise AddressError(f"{typed} has a slash: a work address looks like name@company.com")
        return cls(_enforce_local(user), parse_domain(domain))

    @property
    def jid(self) -> Jid:
        """The bare JID of the same spelling (the default address scheme)."""
        return Jid(self.user, self.domain)

    def __str__(self) -> str:
        return f"{self.user}@{self.domain}"


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A host name or IP address with a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> HostPort:
        """Read ``host:port``, ``[v6]:port`` or, where a default is given, ``host``. Raises AddressError."""
        host, colon, port_text = text.rpartition(":")
        if not colon or (":" in host and not host.startswith("[")):
            host, port_text = text, ""
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        if port_text:
            if not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) < 65536:
                raise AddressError(f"{port_text!r} is not a port (1 to 65535)")
            port = int(port_text)
        elif default_port is None:
            raise AddressError(f"{text!r} has no port: write HOST:PORT")
        else:
            port = default_port
        if not host:
            raise AddressError(f"{text!r} has no host")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            host = parse_domain(host)
        return cls(host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
