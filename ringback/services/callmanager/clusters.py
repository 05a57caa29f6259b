"""Which cluster is home to a user: this one, else one of the remote clusters, asked over HTTPS.

A question from another cluster is answered from this cluster alone, so that two clusters that name each other do not
ask in circles: Ringback marks its questions with a header, and a foreign cluster is known by its address while the
question it would repeat is still open here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.protocols.uds import ClusterUser, UdsError, home
from ringback.rules.name_search import fold
from ringback.services.callmanager.settings import RemoteCluster, RemoteServer
from ringback.storage.callmanager.records import PersonRow
from ringback.storage.callmanager.store import Store

LOOK_UP_HEADER = "X-Ringback-Look-Up"
_TIMEOUT = aiohttp.ClientTimeout(total=3.0, sock_connect=1.5)
_ANSWER_LIMIT = 64 * 1024
_FOUND_SECONDS = 300.0
_NOT_FOUND_SECONDS = 30.0
_CACHED = 10_000
_AT_ONCE = 32  # questions to other clusters under way

_log = structlog.get_logger("ringback.callmanager.clusters")


class By(StrEnum):
    """What a user is looked up by: the names of the query parameters."""

    USER_NAME = "username"
    EMAIL = "email"
    IDENTIFIER = "useridentifier"


@dataclass(frozen=True, slots=True)
class Question:
    """A look-up, with its text folded."""

    by: By
    text: str

    @classmethod
    def of(cls, by: By, text: str) -> Question:
        """The question for a text as typed."""
        return cls(by, fold(text))


async def find_here(store: Store, question: Question) -> PersonRow | None:
    """The user whose home is this cluster. An identifier is a directory URI, mail address or user name."""
    found = await _find_known(store, question)
    return found if found is not None and found.home else None


async def _find_known(store: Store, question: Question) -> PersonRow | None:
    match question.by:
        case By.USER_NAME:
            return await store.person(question.text)
        case By.EMAIL:
            return await store.person_by_email(question.text)
        case By.IDENTIFIER:
            return (
                await store.person_by_uri(question.text)
                or await store.person_by_email(question.text)
                or await store.person(question.text)
            )


class RemoteClusters:
    """Asks the other clusters. Start it with ``start``, end it with ``stop``."""

    def __init__(
        self, clusters: tuple[RemoteCluster, ...], context: ssl.SSLContext, clock: Callable[[], float]
    ) -> None:
        self._clusters = clusters
        self._context = context
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._cache: OrderedDict[Question, tuple[float, ClusterUser | None]] = OrderedDict()
        self._open: dict[Question, asyncio.Task[ClusterUser | None]] = {}
        self._resolver = _Resolver(clusters)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def start(self) -> None:
        """Make the connections possible; nothing is asked yet."""
        connector = aiohttp.TCPConnector(ssl=self._context, resolver=self._resolver, limit=_AT_ONCE)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=_TIMEOUT,
            headers={LOOK_UP_HEADER: "local"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """End open questions and connections."""
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def find(self, question: Question, asked_from: str) -> ClusterUser | None:
        """The answer of the first cluster that knows the user; None where none does or one of them is asking."""
        known = self._cache.get(question)
        if known is not None and known[0] > self._clock():
            return known[1]
        task = self._open.get(question)
        if task is not None and asked_from in self._resolver.seen:
            return None
        if task is None:
            if not self._clusters or self._session is None:
                return None
            task = asyncio.create_task(self._ask_all(self._session, question), name="look-up in remote clusters")
            self._open[question] = task
            task.add_done_callback(lambda _: self._open.pop(question, None))
        return await asyncio.shield(task)

    async def _ask_all(self, session: aiohttp.ClientSession, question: Question) -> ClusterUser | None:
        async with self._slots:
            answers = await asyncio.gather(
                *(self._ask_cluster(session, cluster, question) for cluster in self._clusters)
            )
        found = next((answer for answer in answers if answer is not None and answer.found), None)
        if found is not None or all(answer is not None for answer in answers):
            seconds = _NOT_FOUND_SECONDS if found is None else _FOUND_SECONDS
            self._cache[question] = (self._clock() + seconds, found)
            self._cache.move_to_end(question)
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return found

    async def _ask_cluster(
        self, session: aiohttp.ClientSession, cluster: RemoteCluster, question: Question
    ) -> ClusterUser | None:
        """The answer of the first server of a cluster that gives one; None where none does."""
        for server in cluster.servers:
            try:
                return await self._ask(session, server, question)
            except (aiohttp.ClientError, TimeoutError, OSError, UdsError) as error:
                _log.warning(
                    "remote cluster does not answer", cluster=cluster.name, server=server.host, error=repr(error)
                )
        return None

    async def _ask(self, session: aiohttp.ClientSession, server: RemoteServer, question: Question) -> ClusterUser:
        url = f"{home(server.host, server.port)}/clusterUser"
        async with session.get(url, params={question.by.value: question.text}, allow_redirects=False) as response:
            if response.status != 200:
                raise UdsError(f"HTTP status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(16384):
                body += chunk
                if len(body) > _ANSWER_LIMIT:
                    raise UdsError("The answer is too long")
        return ClusterUser.parse(bytes(body))


class _Resolver(AbstractResolver):
    """Takes the addresses that the deployment gives before asking the system; ``seen`` are those it handed out."""

    def __init__(self, clusters: tuple[RemoteCluster, ...]) -> None:
        servers = [server for cluster in clusters for server in cluster.servers]
        self._given = {server.host: server.address for server in servers if server.address}
        self._system = aiohttp.ThreadedResolver()
        self.seen = {server.address or server.host for server in servers}

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """As AbstractResolver."""
        found = await self._system.resolve(self._given.get(host, host), port)
        self.seen.update(entry["host"] for entry in found)
        return [{**entry, "hostname": host} for entry in found]

    async def close(self) -> None:
        """As AbstractResolver."""
        await self._system.close()
