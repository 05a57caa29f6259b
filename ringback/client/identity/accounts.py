"""Accounts that signed in here before: kept with settings and remembered passwords in a sealed store of the machine."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from ringback.client.host.wire_sign_in import KnownAccount, ManualSettings
from ringback.client.identity.keeper import Tokens
from ringback.client.store.store import Store


class KeptAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is kept. ``password`` and ``tokens`` are there only where the person wants to be remembered:
    tokens where the cluster gives some, the password where a service needs it. ``method``: how the person signed in."""

    address: str
    name: str = ""
    last: str = ""
    password: str = ""
    manual: ManualSettings = msgspec.field(default_factory=ManualSettings)
    tokens: Tokens | None = None
    method: str = ""

    @property
    def remembered(self) -> bool:
        """Whether the next start asks nothing."""
        return bool(self.password) or self.tokens is not None

    def __repr__(self) -> str:
        return f"KeptAccount({self.address!r})"


class Accounts:
    """The known accounts and connection settings of this data folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def known(self) -> list[KnownAccount]:
        """For the sign-in page: the latest first."""
        kept = await self._store.all("account", KeptAccount)
        rows = sorted(kept.values(), key=lambda account: account.last, reverse=True)
        return [
            KnownAccount(address=row.address, name=row.name, last=row.last, remembered=row.remembered) for row in rows
        ]

    async def get(self, address: str) -> KeptAccount | None:
        """One account."""
        return await self._store.get("account", address, KeptAccount)

    async def signed_in(self, account: KeptAccount) -> None:
        """Note a sign-in of now."""
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        await self._store.put("account", account.address, msgspec.structs.replace(account, last=moment))

    async def keep_tokens(self, address: str, tokens: Tokens) -> None:
        """Renewed tokens of somebody who is remembered by tokens."""
        if (account := await self.get(address)) is not None and account.tokens is not None:
            await self._store.put("account", address, msgspec.structs.replace(account, tokens=tokens))

    async def forget_secrets(self, address: str) -> None:
        """Delete password and tokens: they are not good any more, or the person signed out."""
        if (account := await self.get(address)) is not None:
            bare = msgspec.structs.replace(account, password="", tokens=None)
            await self._store.put("account", address, bare)

    async def forget(self, address: str) -> None:
        """Delete an account from the list."""
        await self._store.remove("account", [address])

    async def manual(self) -> ManualSettings:
        """The connection settings of this machine."""
        return await self._store.get("settings", "manual", ManualSettings) or ManualSettings()

    async def set_manual(self, manual: ManualSettings) -> None:
        """Keep connection settings."""
        await self._store.put("settings", "manual", manual)

    async def session(self, digest: str) -> str:
        """The account of a browser session that may go on after a restart; empty: none."""
        return await self._store.get("browser", digest, str) or ""

    async def set_session(self, digest: str, address: str) -> None:
        """Note, or with an empty address forget, who is signed in in a browser session."""
        if address:
            await self._store.put("browser", digest, address)
        else:
            await self._store.remove("browser", [digest])
