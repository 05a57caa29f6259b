"""The redirect dance with an HTTP client that does what a browser does: follows, keeps cookies, sends forms.

What scripts of the pages do by themselves (the form that carries an answer) is done here by ``send``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from lxml import html
from yarl import URL

from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import Identity, client_context
from ringback.rules.addresses import HostPort

_SECONDS = 10.0


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, its fields as they stand."""

    action: URL
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """What the browser shows."""

    url: URL
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def form(self) -> Form:
        """The only form. Raises LookupError where there is none."""
        found = list(html.document_fromstring(self.text).iter("form"))
        if len(found) != 1:
            raise LookupError(f"{len(found)} forms on {self.url}: {self.text[:2000]}")
        fields = {each.get("name", ""): each.get("value", "") for each in found[0].iter("input") if each.get("name")}
        return Form(self.url.join(URL(found[0].get("action") or str(self.url), encoded=True)), fields)

    @property
    def fault(self) -> str:
        """What went wrong, by the page's words; empty where nothing did."""
        for each in html.document_fromstring(self.text).iter("p"):
            if each.get("role") == "alert":
                return "".join(map(str, each.itertext()))
        return ""


class Browser:
    """One browser with its cookies; an async context manager. ``hosts`` says where names are."""

    def __init__(
        self, hosts: Mapping[str, HostPort], ca_file: Path | None, *, identity: Identity | None = None
    ) -> None:
        self._hosts = dict(hosts)
        self._tls = client_context(ca_file, identity=identity)
        self._session: aiohttp.ClientSession | None = None
        self.went: list[URL] = []

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=NodeResolver(self._hosts), ssl=self._tls)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.CookieJar(), timeout=aiohttp.ClientTimeout(_SECONDS)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def cookies(self) -> aiohttp.CookieJar:
        """The cookies."""
        jar = self._opened.cookie_jar
        if not isinstance(jar, aiohttp.CookieJar):
            raise TypeError(type(jar))
        return jar

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the browser is closed")
        return self._session

    async def open(self, url: str | URL, *, headers: Mapping[str, str] | None = None, follow: int = 10) -> Page:
        """Go to an address and follow where it leads, at most ``follow`` times."""
        return await self._go("GET", _exact(url), None, headers or {}, follow)

    async def send(self, form: Form, fields: Mapping[str, str] | None = None, *, follow: int = 10) -> Page:
        """Send a form with these fields changed."""
        return await self._go("POST", form.action, form.fields | dict(fields or {}), {}, follow)

    async def post(self, url: URL, body: bytes, kind: str) -> Page:
        """Send these very bytes as this media type."""
        headers = {"Content-Type": kind}
        async with self._opened.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return Page(url, response.status, (await response.read()).decode(), response.headers.copy())

    async def _go(
        self, method: str, url: URL, data: Mapping[str, str] | None, headers: Mapping[str, str], follow: int
    ) -> Page:
        for _ in range(follow + 1):
            self.went.append(url)
            async with self._opened.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
                text = (await response.read()).decode("utf-8", "replace")
                page = Page(url, response.status, text, response.headers.copy())
            location = page.headers.get("Location", "")
            if page.status not in (301, 302, 303, 307) or not location or not follow:
                return page
            follow -= 1
            method, data = ("GET", None) if page.status != 307 else (method, data)
            url = url.join(_exact(location))
        return page


def _exact(url: str | URL) -> URL:
    return url if isinstance(url, URL) else URL(url, encoded=True)
