"""A call manager that gives tokens, and a client that goes the way of a browser or of a script."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from ringback.deployment.authority import Authority
from ringback.protocols.oauth import grants
from ringback.protocols.oauth.clients import RINGBACK_CLIENT, Client, client_id_of, ringback_client
from ringback.protocols.oauth.grants import AuthorizeRequest, CodeAnswer, ErrorResponse, TokenResponse
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import ApplicationUser, CallManagerSettings
from tests.callmanager.conftest import (
    APPLICATION,
    CHEAP,
    DEVICES,
    PEOPLE,
    Launch,
    Running,
    authority,
    launch,
)

__all__ = ["authority", "launch"]

BACK = "http://127.0.0.1:8080/signed-in"
OTHER = Client(client_id_of("other"), "Other", ("https://other.example.com/back",), implicit=True)
ANITA = ("anita", "anita's password")
ADMINISTRATOR = ApplicationUser("administrator", "administrator's password", frozenset({"people"}))
KEYS = replace(APPLICATION, user="service", rights=frozenset({"token-keys"}))
USERS = (APPLICATION, ADMINISTRATOR, KEYS)
SIGN_IN = SignInSettings(b"k" * 32, clients=(ringback_client(), OTHER), poll_seconds=0.05)


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP, not followed."""

    status: int
    headers: Any
    body: bytes
    cookies: SimpleCookie

    @property
    def location(self) -> str:
        return str(self.headers["Location"])

    @property
    def error(self) -> ErrorResponse:
        return ErrorResponse.parse(self.body)

    @property
    def text(self) -> str:
        return html.unescape(self.body.decode())


@dataclass
class Browser:
    """A client with cookies of its own at one node."""

    running: Running
    verifier: str = grants.new_verifier()
    cookies: dict[str, str] = field(default_factory=dict)

    def asked(self, **changes: Any) -> AuthorizeRequest:
        challenge = grants.challenge_of(self.verifier)
        return replace(AuthorizeRequest("code", RINGBACK_CLIENT, BACK, "state1", challenge), **changes)

    @property
    def base(self) -> str:
        return self.running.https("").rstrip("/")

    async def send(self, method: str, url: str, **more: Any) -> Answer:
        headers = dict(more.pop("headers", {}))
        if login := more.pop("login", None):
            headers["Authorization"] = aiohttp.encode_basic_auth(*login)
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        session = self.running.session
        session.cookie_jar.clear()
        url = url if url.startswith("https://") else self.running.https(url)
        async with session.request(method, url, headers=headers, allow_redirects=False, **more) as response:
            for name, cookie in response.cookies.items():
                self.cookies[name] = cookie.value
            return Answer(response.status, response.headers, await response.read(), response.cookies)

    async def authorize(self, parameters: dict[str, str] | None = None, **more: Any) -> Answer:
        wanted = parameters if parameters is not None else self.asked().parameters()
        return await self.send("GET", f"{grants.AUTHORIZE_PATH}?{urlencode(wanted)}", **more)

    async def submit(self, page: Answer, user: str, password: str, **more: Any) -> Answer:
        """Fill in the form of a log-in page."""
        action = re.search(r'action="([^"]+)"', page.body.decode())
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.body.decode())
        assert action is not None
        assert csrf is not None
        form = {"csrf": csrf[1], "user": user, "password": password, **more.pop("form", {})}
        return await self.send("POST", html.unescape(action[1]), data=form, **more)

    async def code(self, login: tuple[str, str] = ANITA, **changes: Any) -> str:
        answer = await self.authorize(self.asked(**changes).parameters(), login=login)
        assert answer.status == 303, answer.body
        return self.code_of(answer)

    def code_of(self, answer: Answer) -> str:
        pairs = parse_qsl(urlsplit(answer.location).query)
        return CodeAnswer.parse(pairs, "state1", self.base).code

    async def token(self, form: dict[str, str], **more: Any) -> Answer:
        return await self.send("POST", grants.TOKEN_PATH, data=form, **more)

    async def redeem(self, code: str, **changes: Any) -> Answer:
        grant = replace(grants.CodeGrant(RINGBACK_CLIENT, code, BACK, self.verifier), **changes)
        return await self.token(grant.form())

    async def sign_in(self, login: tuple[str, str] = ANITA, **changes: Any) -> TokenResponse:
        answer = await self.redeem(await self.code(login, **changes))
        assert answer.status == 200, answer.body
        return TokenResponse.parse(answer.body)

    async def refresh(self, token: str, client: str = RINGBACK_CLIENT) -> Answer:
        return await self.token(grants.RefreshGrant(client, token).form())

    async def uds(self, token: str, user: str = "anita") -> Answer:
        return await self.send("GET", f"/cucm-uds/user/{user}", headers={"Authorization": f"Bearer {token}"})

    async def administer(self, method: str, path: str, **more: Any) -> Answer:
        return await self.send(method, path, login=(ADMINISTRATOR.user, ADMINISTRATOR.password), **more)

    async def keys(self, **more: Any) -> Answer:
        return await self.send("GET", grants.KEYS_PATH, login=(KEYS.user, KEYS.password), **more)


def copy_store(template: Path, file: Path) -> str:
    """Copy a store with what its journal still holds; the URL of the copy."""
    with contextlib.closing(sqlite3.connect(template)) as source, contextlib.closing(sqlite3.connect(file)) as target:
        source.backup(target)
    return f"sqlite+aiosqlite:///{file}"


Server = Callable[..., Awaitable[Browser]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    """A store that a node was started with once: migrated, sown, with keys. Copies of it start at once."""
    file = tmp_path_factory.mktemp("template") / "callmanager.db"
    node = CallManager(
        CallManagerSettings(
            "cucm1.example.com",
            "127.0.0.1",
            authority.issue("cucm1.example.com", ["cucm1.example.com"], ["127.0.0.1"]),
            f"sqlite+aiosqlite:///{file}",
            https_port=0,
            files_port=0,
            files_tls_port=0,
            people=PEOPLE,
            devices=DEVICES,
            application_users=USERS,
            hashing=CHEAP,
            sign_in=SIGN_IN,
        )
    )

    async def once() -> None:
        await node.start()
        await node.stop()

    asyncio.run(once())
    return file


@pytest.fixture
def server(launch: Launch, template: Path, tmp_path: Path) -> Server:
    """Start a node that gives tokens: ``await server(**sign-in settings that differ)``."""

    async def start(name: str = "cucm1.example.com", node: dict[str, Any] | None = None, **changes: Any) -> Browser:
        if not (file := tmp_path / f"{name}.db").exists():
            copy_store(template, file)
        more = {"application_users": USERS, "sign_in": replace(SIGN_IN, **changes), **(node or {})}
        return Browser(await launch(name, **more))

    return start


@pytest.fixture
async def visitor(server: Server) -> Browser:
    """A client at a node with everybody in it."""
    return await server()
