"""OAuth clients and the addresses that an answer may be sent to.

Ids have the published shape: ``C`` and 64 hexadecimal digits. They are no secrets: a program on a person's machine can
keep none (RFC 8252 section 8.5), so codes are bound by PKCE instead.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_ID = re.compile(r"C[0-9a-fA-F]{64}\Z")
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
_LONGEST = 2000


def client_id_of(name: str) -> str:
    """The id of a client of this name: ``C`` and the SHA-256 of the name."""
    return "C" + hashlib.sha256(name.encode()).hexdigest()


RINGBACK_CLIENT = client_id_of("ringback client")
"""The id of our own client, page and scripts alike."""

RETURN_PATH = "/signed-in"
"""Where the host of our page takes the answer of a sign-in in the browser, on any loopback port."""


def is_client_id(text: str) -> bool:
    """Whether a text has the shape of a client id."""
    return _ID.match(text) is not None


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask for tokens.

    ``redirects`` are the addresses that answers go to, whole; a loopback one (``http://127.0.0.1/path``) stands for
    every port (RFC 8252 section 7.3). ``first_party``: it may ask with a password by Basic authentication instead of
    showing a log-in page. ``implicit``: it may use the implicit grant, where the cluster allows that at all.
    """

    id: str
    name: str
    redirects: tuple[str, ...]
    first_party: bool = False
    implicit: bool = False

    def may_return_to(self, address: str) -> bool:
        """Whether answers for this client may be sent to an address. Nothing is compared loosely: not case, not the
        query, not the path."""
        if len(address) > _LONGEST or not address.isascii() or not address.isprintable() or set(address) & set("\\ #@"):
            return False
        if address in self.redirects:
            return True
        loopback = _without_port(address)
        return loopback is not None and loopback in self.redirects


def ringback_client(redirects: Iterable[str] = ()) -> Client:
    """Our own client: on loopback addresses, and wherever else a deployment serves its page."""
    loopback = tuple(f"http://{host}{RETURN_PATH}" for host in sorted(_LOOPBACK))
    return Client(RINGBACK_CLIENT, "Ringback", (*loopback, *redirects), first_party=True)


def _without_port(address: str) -> str | None:
    """A loopback address over plain HTTP without its port; None where it is something else. All of 127.0.0.0/8 stands
    for 127.0.0.1: every address of it leads to this computer and nowhere else (RFC 1122, section 3.2.1.3)."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if port is None or port == 0:
        return None
    host = parts.netloc.rpartition(":")[0]
    known = "127.0.0.1" if _is_own(host) else host
    if parts.scheme != "http" or known not in _LOOPBACK or not address.startswith(f"http://{host}:"):
        return None
    return f"http://{known}{address[len('http://') + len(parts.netloc) :]}"


def _is_own(host: str) -> bool:
    """Whether a host is written as an address of 127.0.0.0/8, in its usual form."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return address.is_loopback and str(address) == host
