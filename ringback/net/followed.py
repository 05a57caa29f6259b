"""A document of the call managers that a service keeps up to date: each cluster has one, and all its nodes serve it.

Theory of operation. Every node is asked every few seconds, with the ETag of the last answer, so that what did not
change costs a few octets. Of the nodes of one cluster the one that was confirmed last counts, so that a node that fell
silent before the document changed cannot keep the old one alive. A node that does not answer is asked ever more rarely,
and its last good document goes on being used.
"""

from __future__ import annotations

import asyncio
import base64
import random
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import structlog

from ringback.net.node_resolver import NodeResolver, local_address
from ringback.rules.addresses import HostPort

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=3)
_LARGEST: Final = 4 * 1024 * 1024  # octets; a cluster whose 10,000 people were all revoked needs about a quarter
_FIRST_ROUND: Final = 2.0  # seconds that ``start`` waits for the nodes at most
_LONGEST_PAUSE: Final = 30.0

_log = structlog.get_logger("ringback.followed")


@dataclass(frozen=True, slots=True)
class FollowedSettings:
    """``nodes``: names of call manager nodes with the addresses to reach them at; certificates are checked for the
    name with ``tls``. ``user`` and ``password``: an application user who may ask for the document. ``poll``: seconds
    between two questions to a node. ``source``: the address to ask from (None: the system's choice)."""

    nodes: Sequence[tuple[str, HostPort]]
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext = field(repr=False)
    poll: float = 2.0
    source: str | None = None


@dataclass(slots=True)
class _Node:
    name: str
    port: int
    etag: str = ""
    document: bytes = field(default=b"", repr=False)
    cluster: str = ""
    confirmed: float = 0.0  # loop time of the last answer
    failures: int = 0
    why: str = ""
    ahead: float = 0.0
    asked: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Told:
    """How the last question to a node went: ``seconds`` since it last answered, None where it never did; ``why`` it
    does not answer now, empty where it does; ``ahead``: seconds that its clock was before ours, by its own word."""

    node: str
    seconds: float | None
    why: str
    ahead: float = 0.0


class FollowedDocument:
    """``what`` names the document in the log; ``cluster_of`` gives the cluster of a document, or raises ValueError;
    ``use`` is called with the documents of all clusters, by cluster, whenever one changed; a document of more than
    ``largest`` octets is none. ``without`` makes the document of a node (by its name) that knows no such path (404);
    None: that is a failure as any other."""

    def __init__(
        self,
        settings: FollowedSettings,
        path: str,
        what: str,
        cluster_of: Callable[[bytes], str],
        use: Callable[[tuple[bytes, ...]], None],
        largest: int = _LARGEST,
        without: Callable[[str], bytes] | None = None,
    ) -> None:
        self._settings = settings
        self._path = path
        self._what = what
        self._cluster_of = cluster_of
        self._use = use
        self._largest = largest
        self._without = without
        self._nodes = [_Node(name, address.port) for name, address in settings.nodes]
        self._documents: tuple[bytes, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    def told(self) -> tuple[Told, ...]:
        """How it goes with each node."""
        now = asyncio.get_running_loop().time()
        return tuple(
            Told(
                node.name,
                now - node.confirmed if node.confirmed else None,
                node.why if node.failures else "",
                node.ahead,
            )
            for node in self._nodes
        )

    async def start(self) -> None:
        """Begin to ask; waits a moment for the first answers, but not for nodes that are silent."""
        settings = self._settings
        connector = aiohttp.TCPConnector(
            ssl=settings.tls,
            resolver=NodeResolver(dict(settings.nodes)),
            local_addr=local_address(settings.source),
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        self._tasks = [
            asyncio.create_task(self._follow(node, self._session), name=f"{self._what} of {node.name}")
            for node in self._nodes
        ]
        if self._nodes:
            waits = [asyncio.ensure_future(node.asked.wait()) for node in self._nodes]
            _, late = await asyncio.wait(waits, timeout=_FIRST_ROUND)
            for wait in late:
                wait.cancel()

    async def stop(self) -> None:
        """Mirror of ``start``; the documents are kept."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, node: _Node, session: aiohttp.ClientSession) -> None:
        while True:
            node.why = await self._ask(node, session)
            node.asked.set()
            if node.why:
                node.failures += 1
                if node.failures == 1:
                    _log.warning(f"{self._what} are not to be had", node=node.name, why=node.why)
            elif node.failures:
                node.failures = 0
                _log.info(f"{self._what} are to be had again", node=node.name)
            await asyncio.sleep(self._pause(node.failures))

    def _pause(self, failures: int) -> float:
        """The seconds between two questions, or more for a node that fails; with a tenth by chance, so that the
        services of a deployment do not ask all together."""
        wanted = self._settings.poll * 2.0 ** min(failures, 8)
        longest = max(_LONGEST_PAUSE, self._settings.poll)
        return min(wanted, longest) * (1 + random.random() / 10)  # noqa: S311 - spread, not secret

    async def _ask(self, node: _Node, session: aiohttp.ClientSession) -> str:
        """One question; empty, or why there is no document."""
        settings = self._settings
        basic = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        if node.etag:
            headers["If-None-Match"] = node.etag
        try:
            url = f"https://{node.name}:{node.port}{self._path}"
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                node.ahead = _ahead(response.headers.get("Date", ""))
                if response.status == 304 and node.document:
                    node.confirmed = asyncio.get_running_loop().time()
                    self._take()
                    return ""
                if response.status == 404 and self._without is not None:
                    return self._received(node, self._without(node.name), "")
                if response.status != 200:
                    return f"the answer is {response.status}"
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > self._largest:
                        return "the answer is too long"
                return self._received(node, bytes(body), response.headers.get("ETag", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return type(error).__name__

    def _received(self, node: _Node, document: bytes, etag: str) -> str:
        try:
            cluster = self._cluster_of(document)
        except ValueError as error:
            return str(error)
        node.document, node.etag, node.cluster = document, etag, cluster
        node.confirmed = asyncio.get_running_loop().time()
        self._take()
        return ""

    def _take(self) -> None:
        """Use the document of each cluster that was confirmed last."""
        last: dict[str, _Node] = {}
        for node in self._nodes:
            if node.document and (node.cluster not in last or node.confirmed > last[node.cluster].confirmed):
                last[node.cluster] = node
        documents = tuple(last[cluster].document for cluster in sorted(last))
        if documents != self._documents:
            self._documents = documents
            self._use(documents)


def _ahead(date: str) -> float:
    """How many seconds a server's clock is before ours; its date has whole seconds only."""
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - time.time()
    except (ValueError, TypeError):
        return 0.0
