"""What may pass the edge: hosts, ports, methods and paths of the list, written the one plain way, and nothing else.

Servers behind the edge each have ideas of their own about odd paths. Therefore a path is not repaired here but refused
where it is not already what every server reads the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason

LARGEST: Final = 1024 * 1024
"""Octets of a request's body, where a row of the list says nothing else."""

_LONGEST: Final = 4096  # characters of a path
_PLAIN: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*\Z")  # RFC 3986 section 3.3
_PLAIN_QUERY: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?|{}\[\]\"-]|%[0-9A-Fa-f]{2})*\Z")
"""RFC 3986 section 3.4, and the letters beyond it that clients in use leave as they are; no fragment, no backslash."""
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_NEVER: Final = {*range(0x20), 0x7F, ord("/"), ord("\\"), ord("%"), ord(".")}
"""Characters that no honest client escapes, or that mean something else to some server once read twice."""

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A row of the list: the server, and where ``paths`` are given, only those at or below one of them."""

    scheme: Literal["http", "https"]
    server: HostPort
    methods: frozenset[str]
    paths: tuple[str, ...] = ("/",)
    without_sign_in: tuple[str, ...] = ()
    """Paths that are open to people who have yet to sign in."""
    sockets: bool = False
    """Whether WebSockets may pass."""
    largest: int = LARGEST
    """Octets of a request's body."""
    accounts: bool = False
    """Whether people may have accounts there that only that server knows: whoever shows a session of the edge passes
    with whatever password is meant for that server."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The decision: ``row`` None means no. ``open``: nobody need have signed in. ``reason`` is for the log."""

    row: Allowed | None
    reason: Reason
    open: bool = False


def passage(rows: Sequence[Allowed], *, scheme: str, server: HostPort, method: str, path: str, socket: bool) -> Passage:
    """Whether a request may go to a server inside. ``path`` is raw, as it came, without the query."""
    fault = path_fault(path)
    if fault is not None:
        return Passage(None, fault)
    of_server = [row for row in rows if row.scheme == scheme and row.server == server]
    if not of_server:
        return Passage(None, Reason.of("edge.passage.server", server=server, scheme=scheme))
    for row in of_server:
        if method in row.methods and (row.sockets or not socket) and any(_below(path, one) for one in row.paths):
            free = any(_below(path, one) for one in row.without_sign_in)
            return Passage(row, Reason.of("edge.passage.allowed", server=server, path=path), free)
    return Passage(None, Reason.of("edge.passage.path", server=server, path=path[:200], method=method))


def path_fault(path: str) -> Reason | None:
    """Why a path can't be trusted to mean the same everywhere; None where it can."""
    if not path.startswith("/") or len(path) > _LONGEST:
        return Reason.of("edge.passage.shape", path=path[:100])
    if not _PLAIN.match(path):
        return Reason.of("edge.passage.characters", path=path[:100])
    if any(int(code, 16) in _NEVER for code in _ESCAPE.findall(path)):
        return Reason.of("edge.passage.escaped", path=path[:100])
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:  # overlong forms of dots and slashes among them
        return Reason.of("edge.passage.escaped", path=path[:100])
    segments = path.split("/")[1:]
    if any(one in (".", "..") or one.startswith(("..;", ".;")) for one in segments) or "//" in path:
        return Reason.of("edge.passage.dots", path=path[:100])
    return None


def query_fault(query: str) -> Reason | None:
    """Why what follows the question mark can't be passed on as it is; None where it can."""
    if not _PLAIN_QUERY.match(query):
        return Reason.of("edge.passage.query", query=query[:100])
    return None


def _below(path: str, allowed: str) -> bool:
    """Segment by segment: ``/a`` allows ``/a`` and ``/a/b``, not ``/ab``."""
    return allowed in ("/", path) or path.startswith(allowed.rstrip("/") + "/")
