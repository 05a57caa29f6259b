"""Certificates that the person accepted: each for one server and exactly as it was; kept in the sealed store.

A server is a host name, whatever the port: the services of a host often share a certificate. Deleting the store (a
reset) forgets them all.
"""

from __future__ import annotations

import base64
from collections import defaultdict

import msgspec

from ringback.client.store.store import Store

_KIND = "certificate"
_PER_SERVER = 8  # the oldest are forgotten


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate accepted for a server: ``certificate`` is its DER in base64, ``accepted_at`` ISO 8601 in UTC."""

    server: str
    fingerprint: str
    certificate: str
    subject: str
    issuer: str
    valid_until: str
    accepted_at: str

    @property
    def der(self) -> bytes:
        """The certificate."""
        return base64.b64decode(self.certificate)


class Memory:
    """What was accepted in this session and, once there is a store, in all before."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._by_server: defaultdict[str, dict[str, Remembered]] = defaultdict(dict)

    async def attach(self, store: Store) -> None:
        """Go on in a store: read what it holds, write what was accepted before."""
        fresh = [row for rows in self._by_server.values() for row in rows.values()]
        for row in (await store.all(_KIND, Remembered)).values():
            self._by_server[row.server].setdefault(row.fingerprint, row)
        await store.put_all(_KIND, [(_name(row), row) for row in fresh])
        self._store = store

    def detach(self) -> None:
        """The store is closed: what was accepted stays for this run only."""
        self._store = None

    def of(self, server: str) -> tuple[Remembered, ...]:
        """What was accepted for a server, the latest last."""
        rows = self._by_server.get(server, {}).values()
        return tuple(sorted(rows, key=lambda row: row.accepted_at))

    def holds(self, server: str, fingerprint: str) -> bool:
        """Whether this very certificate was accepted for this server."""
        return fingerprint in self._by_server.get(server, {})

    async def add(self, row: Remembered) -> None:
        """Remember one."""
        rows = self._by_server[row.server]
        rows[row.fingerprint] = row
        gone = self.of(row.server)[:-_PER_SERVER]
        for old in gone:
            del rows[old.fingerprint]
        if self._store is not None:
            await self._store.put(_KIND, _name(row), row)
            if gone:
                await self._store.remove(_KIND, [_name(old) for old in gone])

    async def forget(self) -> None:
        """Forget all."""
        rows = [row for each in self._by_server.values() for row in each.values()]
        self._by_server.clear()
        if self._store is not None and rows:
            await self._store.remove(_KIND, [_name(row) for row in rows])


def _name(row: Remembered) -> str:
    return f"{row.server} {row.fingerprint}"
