"""The connection's way among several servers, through relays that are cut and closed; and what SASL agrees on."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ringback.client.identity.credentials import Credentials
from ringback.client.messaging.connection import Connection, Target, Trust
from ringback.client.messaging.happenings import Account, Incoming, Resumed, Started
from ringback.client.messaging.stream import StreamEnd
from ringback.client.trust import CertificateStopError, Considered, Expected, Place, TrustJudge, TrustSettings
from ringback.net.names import NameClient
from ringback.net.tls import client_context
from ringback.rules.addresses import HostPort, Jid
from ringback.rules.failover import Backoff, Wait
from ringback.rules.reasons import Reason
from tests.engine.conftest import PEOPLE, SECONDS
from tests.engine.relay import relay_to
from tests.support.foreign import ForeignServer
from tests.support.lab import RunningLab


@dataclass(slots=True)
class Diary:
    """Writes down what a connection tells: kind, server, and why there."""

    rows: list[tuple[str, HostPort | None, str]] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    mechanisms: list[tuple[str, str]] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def _write(self, kind: str, target: Target | None, why: str) -> None:
        self.rows.append((kind, target.server if target is not None else None, why))
        self.told.set()

    def connecting(self, target: Target, address: str) -> None:
        """An attempt begins."""
        self._write("connecting", target, target.reasons[0].id)

    def connected(self, target: Target, address: str, took: float, mechanism: str, tls: str) -> None:
        """A session stands."""
        self.mechanisms.append((mechanism, tls))
        self._write("connected", target, target.reasons[0].id)

    def failed(self, target: Target, address: str, took: float, reason: Reason) -> None:
        """An attempt ended."""
        self._write("failed", target, reason.id)

    def waiting(self, wait: Wait, reason: Reason) -> None:
        """Between two rounds."""
        self.waits.append(wait)
        self._write("waiting", None, reason.id)

    def distrusted(self, stop: CertificateStopError, reason: Reason) -> None:
        """A certificate in the way of a session that stood."""
        self._write("distrusted", None, reason.id)

    def refused(self, end: StreamEnd) -> None:
        """The end."""
        self._write("refused", None, end.reason.id)

    async def until(self, kind: str) -> list[tuple[str, HostPort | None, str]]:
        """Everything up to the next row of a kind; the diary begins anew after it."""
        async with asyncio.timeout(SECONDS):
            while not any(row[0] == kind for row in self.rows):
                self.told.clear()
                await self.told.wait()
        read, self.rows = self.rows, []
        return read


class Fixed:
    """Trusts by one context of the test's own."""

    def __init__(self, fixed: ssl.SSLContext) -> None:
        self._fixed = fixed

    def context(self, expected: Expected | None = None) -> ssl.SSLContext:
        """That one."""
        return self._fixed

    async def consider(self, error: BaseException, place: Place) -> Considered:
        """Nobody may accept anything."""
        return Considered("refuse")


def judge_with(ca: Path) -> TrustJudge:
    """A judge that trusts an authority."""
    return TrustJudge(TrustSettings(ca), NameClient(HostPort("127.0.0.1", 9)))


def account_of(user: str, domain: str, password: str) -> Account:
    """Somebody with a password."""
    return Account(Jid(user, domain), Credentials(user, password))


@contextlib.asynccontextmanager
async def connection_to(
    account: Account, servers: list[HostPort], trust: Trust
) -> AsyncIterator[tuple[Connection, Diary]]:
    """A running connection with its diary."""

    async def targets() -> list[Target]:
        return [Target(server) for server in servers]

    async def resolve(host: str) -> list[str]:
        return [host]

    diary = Diary()
    backoff = Backoff(first=0.1, longest=0.2)
    connection = Connection(account, targets, resolve, trust, diary, backoff, lambda: 1.0)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(connection.run(), name="connection")
        try:
            yield connection, diary
        finally:
            await connection.stop()
            running.cancel()


async def next_of(connection: Connection, *kinds: type[Incoming]) -> Incoming:
    """The next happening of some kinds."""
    async with asyncio.timeout(SECONDS):
        while not isinstance(happening := await connection.inbox.get(), kinds):
            pass
    return happening


async def test_the_backup_takes_over_and_keeps_the_session(prosody: ForeignServer) -> None:
    account = account_of("anita", prosody.domain, PEOPLE["anita"])
    there = HostPort(prosody.address, prosody.port)
    async with relay_to(there) as primary, relay_to(there) as backup:
        one, two = primary.place, backup.place
        await primary.close()
        async with connection_to(account, [one, two], judge_with(prosody.ca)) as (connection, diary):
            told = await diary.until("connected")
            assert told[0] == ("connecting", one, "failover.primary")
            assert told[-1] == ("connected", two, "failover.secondary")
            assert ("failed", one, "presence.unreachable") in told
            assert isinstance(await next_of(connection, Started, Resumed), Started)
            # The primary is back, but the session is kept behind the backup: it goes on there, and nothing is missed.
            await primary.open()
            await backup.cut()
            told = await diary.until("connected")
            assert [row for row in told if row[0] == "connected"] == [("connected", two, "failover.holder")]
            assert isinstance(await next_of(connection, Started, Resumed), Resumed)
            # The backup is gone: the primary is next, and takes the session over.
            await backup.close()
            told = await diary.until("connected")
            assert ("failed", two, "presence.unreachable") in told
            assert told[-1] == ("connected", one, "failover.session-primary")
            assert isinstance(await next_of(connection, Started, Resumed), Resumed)


async def test_waits_grow_between_rounds_and_say_so(prosody: ForeignServer) -> None:
    account = account_of("anita", prosody.domain, PEOPLE["anita"])
    async with relay_to(HostPort(prosody.address, prosody.port)) as relay:
        await relay.close()
        async with connection_to(account, [relay.place], judge_with(prosody.ca)) as (_, diary):
            for _ in range(3):
                assert (await diary.until("waiting"))[-1][2] == "presence.unreachable"
            assert [wait.seconds for wait in diary.waits] == [0.1, 0.2, 0.2]
            assert [wait.reason.values["attempt"] for wait in diary.waits] == ["1", "2", "3"]
            await relay.open()
            assert (await diary.until("connected"))[-1][1] == relay.place


@pytest.mark.parametrize(
    ("version", "mechanism"),
    # Python's ssl gives no channel binding for TLS 1.3 before tls-exporter comes to it (RFC 9266).
    [(ssl.TLSVersion.TLSv1_2, "SCRAM-SHA-256-PLUS"), (ssl.TLSVersion.TLSv1_3, "SCRAM-SHA-256")],
)
async def test_the_password_is_bound_to_the_channel_where_python_can(
    lab: RunningLab, version: ssl.TLSVersion, mechanism: str
) -> None:
    context = client_context(lab.ca_file)
    context.minimum_version = context.maximum_version = version
    account = account_of("anita", "example.com", "ringback")
    server = HostPort(*lab.endpoint("xmpp"))
    async with connection_to(account, [server], Fixed(context)) as (_, diary):
        await diary.until("connected")
        assert diary.mechanisms == [(mechanism, version.name.replace("_", "."))]
