"""The table ``[sign-in]``: how people sign in, how long tokens live, who may ask for them, when a person is locked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from msgspec import field

from ringback.deployment.entity import Entity
from ringback.deployment.lines import Path

if TYPE_CHECKING:
    from ringback.deployment.model import Deployment

Method = Literal["password", "sso"]

_CLIENT_ID = re.compile(r"C[0-9a-fA-F]{64}\Z")
_ACCESS_MINUTES = range(1, 1441)
_REFRESH_DAYS = range(1, 1826)


class LockOut(Entity, frozen=True, kw_only=True):
    """After ``tries`` wrong passwords within ``within_minutes`` nobody gets in as that person with a password for
    ``minutes``; 0 tries: never."""

    tries: int = 10
    within_minutes: int = 30
    minutes: int = 15


class OAuthClient(Entity, frozen=True, kw_only=True):
    """A program of others that may ask for tokens: its ``id`` (``C`` and 64 hexadecimal digits) and the addresses that
    answers are sent to. ``implicit``: it may use the implicit grant, where ``implicit_grant`` allows that."""

    id: str
    name: str
    redirects: list[str]
    implicit: bool = False


class SignIn(Entity, frozen=True, kw_only=True):
    """How people sign in.

    ``method`` is that of clusters that name none of their own: ``password``, or ``sso`` by an identity provider.
    Another ``access_token_minutes`` (1 to 1440) or ``refresh_token_days`` (1 to 1825) than at the last start ends all
    tokens. ``redirects`` are addresses where Ringback's own page takes the answer of a sign-in, beside loopback ones.
    """

    method: Method = "password"
    access_token_minutes: int = 60
    refresh_token_days: int = 60
    implicit_grant: bool = False
    redirects: list[str] = field(default_factory=list)
    client: list[OAuthClient] = field(default_factory=list)
    lock_out: LockOut = field(default_factory=LockOut)


def method_of(deployment: Deployment, cluster: str) -> Method:
    """How the people of a cluster sign in."""
    for row in deployment.cluster:
        if row.name == cluster and row.sign_in:
            return row.sign_in
    return deployment.sign_in.method


def check_sign_in(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    rows = deployment.sign_in
    if rows.access_token_minutes not in _ACCESS_MINUTES:
        yield ("sign-in", "access-token-minutes"), "Access tokens live 1 to 1440 minutes"
    if rows.refresh_token_days not in _REFRESH_DAYS:
        yield ("sign-in", "refresh-token-days"), "Refresh tokens live 1 to 1825 days"
    lock = rows.lock_out
    if lock.tries < 0 or lock.within_minutes < 1 or lock.minutes < 1:
        yield ("sign-in", "lock-out"), "Tries are 0 or more; minutes are 1 or more"
    for address in rows.redirects:
        yield from _redirect(("sign-in", "redirects"), address)
    seen: set[str] = set()
    for index, client in enumerate(rows.client):
        where: Path = ("sign-in", "client", index)
        if not _CLIENT_ID.match(client.id):
            yield (*where, "id"), f"{client.id!r} is not a client id (C and 64 hexadecimal digits)"
        if client.id in seen:
            yield (*where, "id"), f"There are two clients with the id {client.id}"
        seen.add(client.id)
        if client.implicit and not rows.implicit_grant:
            yield (*where, "implicit"), f"{client.name} may use the implicit grant, which implicit-grant does not allow"
        for address in client.redirects:
            yield from _redirect((*where, "redirects"), address)


def _redirect(where: Path, address: str) -> Iterator[tuple[Path, str]]:
    """An address of a program: with https, on loopback with http (RFC 8252 section 7.3), or of a scheme of its own
    (section 7.1), which has a dot in it."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        yield where, f"{address!r} is not an address"
        return
    loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    right = (parts.scheme == "https" and parts.hostname) or (parts.scheme == "http" and loopback) or "." in parts.scheme
    if not right or parts.fragment or "*" in address or parts.username is not None:
        yield where, f"{address!r} can't take answers: https://…, or http://127.0.0.1/…, whole and without '#'"
