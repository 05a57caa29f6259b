"""The accounts that are in memory, and how they get there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from ringback.rules.addresses import Jid
from ringback.services.presence.account import Account
from ringback.services.presence.credentials import Credentials
from ringback.services.presence.errors import CredentialsUnavailableError
from ringback.services.presence.module import RosterItem
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.offline import count_messages
from ringback.storage.presence.roster import (
    delete_item,
    insert_account,
    insert_item,
    load_account,
    set_last_active,
    set_roster_version,
)

_KEEP_NOBODY: Final = 10.0  # seconds: a flood of messages to nobody asks the database once
_MOST_NOBODY: Final = 10_000


class Accounts:
    """Loads accounts from the database, makes those that the call managers know, and writes rosters back."""

    def __init__(self, storage: Storage, credentials: Credentials, created: Callable[[str], None]) -> None:
        self._storage = storage
        self._credentials = credentials
        self._created = created
        self._loading: dict[str, asyncio.Task[Account | None]] = {}
        self._nobody: dict[str, float] = {}  # addresses that nobody has, and until when (monotonic) we believe it
        self.loaded: dict[str, Account] = {}
        """By bare JID. The hot path looks here."""

    async def load(self, bare: str, *, known: bool = False) -> Account | None:
        """The account, or None where neither the database nor a call manager knows it.

        ``known`` says that it exists (its user just signed in). Raises CredentialsUnavailableError.
        """
        account = self.loaded.get(bare)
        if account is not None:
            return account
        if not known and self._nobody.get(bare, 0.0) > time.monotonic():
            return None
        task = self._loading.get(bare)
        if task is None:
            task = asyncio.create_task(self._load(bare, known=known), name=f"load account {bare}")
            self._loading[bare] = task
            task.add_done_callback(lambda _: self._loading.pop(bare, None))
        found = await asyncio.shield(task)
        if found is None and known:  # it was looked for before its user signed in
            return self.loaded.get(bare) or self._create(bare)
        return found

    async def exists(self, bare: str) -> bool:
        """Whether the account is known; False also where no call manager answers."""
        try:
            return await self.load(bare) is not None
        except CredentialsUnavailableError:
            return False

    async def stop(self) -> None:
        """End what is being loaded."""
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def unload_idle(self, keep: Callable[[Account], bool]) -> None:
        """Forget accounts without sessions, unless ``keep`` needs them: everything of them is in the database."""
        for bare in [bare for bare, account in self.loaded.items() if not account.sessions and not keep(account)]:
            del self.loaded[bare]

    async def _load(self, bare: str, *, known: bool) -> Account | None:
        async with self._storage.read() as connection:
            rows = await load_account(connection, bare)
            waiting = await count_messages(connection, bare) if rows is not None else 0
        if rows is None:
            if not known and not await self._credentials.exists(Jid.parse(bare).local):
                if len(self._nobody) >= _MOST_NOBODY:
                    self._nobody.clear()
                self._nobody[bare] = time.monotonic() + _KEEP_NOBODY
                return None
            return self.loaded.get(bare) or self._create(bare)
        self._nobody.pop(bare, None)
        account = Account(bare)
        row, items = rows
        account.version = row.roster_version
        account.last_active = row.last_active
        account.last_status = row.last_status
        account.waiting = waiting
        for item in items:
            account.roster[item.contact] = RosterItem(
                item.contact,
                item.name,
                tuple(msgspec.json.decode(item.groups)),
                item.subscription,
                item.asks,
                item.pending_in,
                item.approved,
                item.visible,
                item.request,
            )
        self.loaded[bare] = account
        return account

    def _create(self, bare: str) -> Account:
        now = time.time()
        self._storage.write(
            insert_account,
            {"bare": bare, "created": now, "roster_version": "", "last_active": now, "last_status": ""},
        )
        self._nobody.pop(bare, None)
        account = self.loaded[bare] = Account(bare)
        account.last_active = now
        self._created(bare)
        return account

    def save_item(self, account: Account, item: RosterItem) -> None:
        """Write one contact and the new version of the roster."""
        account.subscribers = None
        self._storage.write(delete_item, {"of": account.bare, "whom": item.jid})
        self._storage.write(
            insert_item,
            {
                "bare": account.bare,
                "contact": item.jid,
                "name": item.name,
                "groups": msgspec.json.encode(item.groups).decode(),
                "subscription": item.subscription,
                "asks": item.asks,
                "pending_in": item.pending_in,
                "approved": item.approved,
                "visible": item.visible,
                "request": item.request,
            },
        )
        self._save_version(account)

    def drop_item(self, account: Account, contact: str) -> None:
        """Delete one contact and write the new version of the roster."""
        account.roster.pop(contact, None)
        account.subscribers = None
        self._storage.write(delete_item, {"of": account.bare, "whom": contact})
        self._save_version(account)

    def save_last_active(self, account: Account, status: str) -> None:
        """Remember when the account was last there, and with which last words."""
        account.last_active = time.time()
        account.last_status = status
        self._storage.write(set_last_active, {"of": account.bare, "at": account.last_active, "status": status})

    def _save_version(self, account: Account) -> None:
        # Versions only have to differ from all earlier ones (RFC 6121 section 2.6.2); time goes on over restarts.
        stamp = time.time_ns() // 1000
        account.version = str(max(stamp, int(account.version or "0") + 1))
        self._storage.write(set_roster_version, {"of": account.bare, "version": account.version})
