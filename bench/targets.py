"""The servers that are measured, each started for the run with what makes it fast and is still sensible.

All listen on loopback, accept connections without TLS besides TLS (only here) and log warnings only.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.session import Account, Door, Mechanism
from ringback.protocols import soap_login as soap
from ringback.services.callmanager.settings import PasswordHashing
from tests.support.access_tokens import authorisation
from tests.support.ejabberd import running_ejabberd
from tests.support.foreign import ForeignServer
from tests.support.prosody import running_prosody
from tests.support.services import CHEAP, OwnServer, running_presence

PASSWORD = "a pass phrase"

_FREELY = {"rate": 1e12, "burst": 1e9}  # a load generator is faster than any person; the limits' code still runs

Start = Callable[[Path], AbstractContextManager["Target"]]


@dataclass(frozen=True, slots=True)
class Target:
    """A server under measurement. ``processes`` maps a role to the process that plays it; ``mechanism`` is for sign-ins
    that aren't measured; ``token`` and ``access_token``, where the server has them, give a one-time token and an access
    token for an account; ``finish`` lets go of what that needed."""

    name: str
    configuration: str
    plain: Door
    tls: Door
    rooms: str
    processes: dict[str, int]
    accounts: tuple[Account, ...]
    mechanism: Mechanism = "PLAIN"
    token: Callable[[Account], Awaitable[str]] | None = field(default=None, repr=False)
    access_token: Callable[[Account], Awaitable[str]] | None = field(default=None, repr=False)
    finish: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)


@contextlib.contextmanager
def prosody(folder: Path, people: int, *, hashed: bool = False, archive: bool = False) -> Iterator[Target]:
    """Prosody 0.12 as Debian ships it: epoll, internal storage."""
    with running_prosody(folder, _people(people), hashed=hashed, plain=True, archive=archive) as server:
        yield _foreign("prosody", server, people, hashed=hashed, archive=archive)


@contextlib.contextmanager
def ejabberd(folder: Path, people: int, *, hashed: bool = False, archive: bool = False) -> Iterator[Target]:
    """ejabberd 23 as Debian ships it: Mnesia, kernel poll, no shaper, schedulers that don't spin while idle."""
    with running_ejabberd(folder, _people(people), hashed=hashed, plain=True, archive=archive) as server:
        yield _foreign("ejabberd", server, people, hashed=hashed, archive=archive)


@contextlib.contextmanager
def ringback(folder: Path, people: int, *, archive: bool = False, cheap: bool = False) -> Iterator[Target]:
    """Our presence service with our call manager in another process, which it asks for passwords over HTTPS.

    ``cheap`` hashes passwords at little cost, where a run doesn't sign in by them.
    """
    with running_presence(
        folder,
        _people(people),
        plain=True,
        archive=archive,
        limits=_FREELY,
        hashing=CHEAP if cheap else PasswordHashing(),
        sign_in=True,
        token_poll=2.0,
    ) as own:
        context = ssl.create_default_context(cafile=str(own.ca))
        desk = TokenDesk(f"https://{own.address}:{own.login_port}{soap.PATHS[0]}", context)
        yield Target(
            name="ringback",
            configuration=f"hashed passwords, archive {'on' if archive else 'off'}",
            plain=Door(own.address, own.port, own.domain),
            tls=Door(own.address, own.tls_port, own.domain, context),
            rooms=own.rooms,
            processes={"presence": own.pid, "call manager": own.call_manager_pid},
            accounts=tuple(Account(user, own.domain, password) for user, password in _people(people).items()),
            mechanism="SCRAM-SHA-256",
            token=desk.fetch,
            access_token=AccessTokens(own).get,
            finish=desk.close,
        )


class AccessTokens:
    """Access tokens of the call manager, one for each person, as a client has for an hour."""

    def __init__(self, own: OwnServer) -> None:
        self._own = own
        self._tokens: dict[str, str] = {}

    async def get(self, account: Account) -> str:
        """The token of an account, fetched with its password when it is first asked for."""
        if account.user not in self._tokens:
            async with authorisation(self._own) as desk:
                self._tokens[account.user] = (await desk.sign_in(account.user, account.password)).access_token
        return self._tokens[account.user]


class TokenDesk:
    """One-time tokens from the log-in service. The password is given once per person, as a client does, and the HTTPS
    connection is kept; each token is a request of its own."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._url = url
        self._context = context
        self._keys: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, account: Account) -> str:
        """A fresh token. Raises soap.SoapLoginError or aiohttp.ClientError."""
        if account.user not in self._keys:
            body = await self._post(soap.render_request(soap.LoginRequest(account.user, account.password)))
            self._keys[account.user] = soap.parse_session_key(body)
        body = await self._post(soap.render_request(soap.TokenRequest(self._keys[account.user])))
        return soap.parse_token(body)

    async def close(self) -> None:
        """End the kept connection; the next token opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes) -> bytes:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        async with self._session.post(
            self._url, data=body, ssl=self._context, headers={"Content-Type": soap.CONTENT_TYPE}
        ) as answer:
            return await answer.read()


def _people(count: int) -> dict[str, str]:
    return {f"user{number}": PASSWORD for number in range(count)}


def _foreign(name: str, server: ForeignServer, people: int, *, hashed: bool, archive: bool) -> Target:
    context = ssl.create_default_context(cafile=str(server.ca))
    return Target(
        name=name,
        configuration=f"{'hashed' if hashed else 'clear'} passwords, archive {'on' if archive else 'off'}",
        plain=Door(server.address, server.port, server.domain),
        tls=Door(server.address, server.tls_port, server.domain, context),
        rooms=server.rooms,
        processes={"server": server.pid},
        accounts=tuple(Account(user, server.domain, password) for user, password in _people(people).items()),
    )
