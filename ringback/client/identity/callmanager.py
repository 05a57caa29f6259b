"""The call manager asked as a person: user document, devices, search and files, with Basic and the session's cookies.

The password goes over verified TLS to the home cluster's servers only (``https``; redirects are not followed).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from ringback.net.names import NameClient, NameResolver
from ringback.net.tls import client_context
from ringback.protocols.uds.devices import Device, DeviceChange, Devices
from ringback.protocols.uds.documents import UdsError
from ringback.protocols.uds.extensions import ExtensionChange, Extensions
from ringback.protocols.uds.people import User, Users

_T = TypeVar("_T")
REQUEST_SECONDS = 8.0
_LIMIT = 4 * 1024 * 1024


class CallManagerError(Exception):
    """A call manager gave no usable answer; ``server`` is whom we asked, ``status`` 0 where there was none."""

    def __init__(self, server: str, detail: str, status: int = 0) -> None:
        super().__init__(f"{server}: {detail}")
        self.server = server
        self.detail = detail
        self.status = status


class WrongPasswordError(CallManagerError):
    """The call manager knows the person and refuses the password."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over HTTP."""

    status: int
    body: bytes
    kind: str


class CallManager:
    """One person at the home cluster. An async context manager; every method raises CallManagerError."""

    def __init__(self, names: NameClient, ca_file: Path | None, bases: Sequence[str], user: str, password: str) -> None:
        """``bases``: ``https://host:port/cucm-uds`` of the nodes in the order to try."""
        self._names = names
        self._context = client_context(ca_file)
        self._bases = [base.rstrip("/") for base in bases]
        self._user = user
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._authorization = f"Basic {token}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=NameResolver(self._names), ssl=self._context, limit=8)
        # Sessions of the call manager are bound to cookies; its nodes may be known by address only.
        jar = aiohttp.CookieJar(unsafe=True)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def server(self) -> str:
        """The host asked first, for showing."""
        return URL(self._bases[0]).host or ""

    async def user(self) -> User:
        """The person's own document: this proves the password. Raises WrongPasswordError, CallManagerError."""
        answer = await self._ask(f"/user/{quote(self._user, safe='')}", private=True)
        return self._read(User.parse, answer)

    async def devices(self) -> Devices:
        """The person's devices."""
        answer = await self._ask(f"/user/{quote(self._user, safe='')}/devices", private=True)
        return self._read(Devices.parse, answer)

    async def device(self, device_id: str) -> Device:
        """One of the person's devices, with what only its own document tells: where its file is."""
        path = f"/user/{quote(self._user, safe='')}/device/{quote(device_id, safe='')}"
        return self._read(Device.parse, await self._ask(path, private=True))

    async def extensions(self) -> Extensions:
        """The person's lines with their forwarding."""
        answer = await self._ask(f"/user/{quote(self._user, safe='')}/extensions", private=True)
        return self._read(Extensions.parse, answer)

    async def change_device(self, device_id: str, change: DeviceChange) -> None:
        """Change settings of one of the person's devices."""
        path = f"/user/{quote(self._user, safe='')}/device/{quote(device_id, safe='')}"
        await self._ask(path, private=True, body=change.build())

    async def change_extension(self, extension_id: str, change: ExtensionChange) -> None:
        """Change settings of one of the person's lines."""
        path = f"/user/{quote(self._user, safe='')}/extension/{quote(extension_id, safe='')}"
        await self._ask(path, private=True, body=change.build())

    async def search(self, **terms: str | int) -> Users:
        """People of the directory by ``name``, ``number``, ``email`` ..., with ``max`` and ``start``."""
        # Search needs no password by default, but a deployment may ask for one.
        answer = await self._ask(f"/users?{urlencode(terms)}", private=True)
        return self._read(Users.parse, answer)

    async def get(self, url: str, *, private: bool = False) -> Answer:
        """Any file by its address, http or https. The password goes along only to https and only if ``private``."""
        target = URL(url)
        headers = {"Authorization": self._authorization} if private and target.scheme == "https" else {}
        return await self._fetch(target, headers)

    async def _ask(self, path: str, *, private: bool, body: bytes | None = None) -> Answer:
        """GET, or with a body PUT, at the first node that answers."""
        problem: CallManagerError | None = None
        for base in self._bases:
            headers = {"Accept": "application/xml"}
            if private:
                headers["Authorization"] = self._authorization
            try:
                answer = await self._fetch(URL(f"{base}{path}", encoded=True), headers, body)
            except CallManagerError as error:
                problem = error
                continue
            host = URL(base).host or ""
            if answer.status == 401:
                raise WrongPasswordError(host, "the password was refused", 401)
            if answer.status in (200, 204):
                return answer
            problem = CallManagerError(host, f"HTTP {answer.status}", answer.status)
            if answer.status < 500:
                break
        raise problem or CallManagerError("", "no call manager is known")

    async def _fetch(self, url: URL, headers: dict[str, str], body: bytes | None = None) -> Answer:
        if self._session is None:
            raise CallManagerError(url.host or "", "the connection is closed")
        host = f"{url.host}:{url.port}"
        method = "GET"
        if body is not None:
            method, headers = "PUT", {**headers, "Content-Type": "application/xml"}
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                read = await response.content.read(_LIMIT + 1)
                while len(read) <= _LIMIT and (more := await response.content.read(_LIMIT)):
                    read += more
                if len(read) > _LIMIT:
                    raise CallManagerError(host, "the answer is too long")
                return Answer(response.status, read, response.content_type)
        except TimeoutError as error:
            raise CallManagerError(host, f"no answer within {REQUEST_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise CallManagerError(host, str(error) or type(error).__name__) from error

    def _read(self, parse: Callable[[bytes], _T], answer: Answer) -> _T:
        try:
            return parse(answer.body)
        except UdsError as error:
            raise CallManagerError(self.server, str(error), answer.status) from error
