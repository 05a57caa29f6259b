"""What is known before anybody is asked, and kept for the next start: set-up link, bootstrap file, caches, plans.

The bootstrap file of an installation counts at the first launch only (A10): from the first look-up that succeeded on,
what that one found is kept in its place. A set-up link stays until another one is used.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import structlog

from ringback.client.configuration.plan import Plan
from ringback.client.discovery import CachedDiscovery, Discovery, Remembered
from ringback.client.engine.by_hand import manual_servers, voice_domain
from ringback.client.engine.errors import EngineError
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.client.identity.accounts import Accounts
from ringback.client.store.store import Store
from ringback.rules.addresses import UserAddress
from ringback.rules.config_changes import Configured
from ringback.rules.reasons import Reason
from ringback.rules.services_domain import (
    Bootstrap,
    Provision,
    ProvisionError,
    parse_bootstrap,
    parse_configuration_url,
)

LINK_SCHEMES = ("ciscojabber:", "ringback:")

log = structlog.get_logger(__name__)


class KeptConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """The company's settings as they counted last."""

    settings: dict[str, str]
    primary: str = ""
    method: str = ""


class Sources:
    """The sources kept in the machine's store."""

    def __init__(self, store: Store, accounts: Accounts, bootstrap: Path | None) -> None:
        self._store = store
        self._accounts = accounts
        self._bootstrap = bootstrap

    async def remembered(self, address: UserAddress, settings: ManualSettings, *, fresh: bool = False) -> Remembered:
        """The evidence at hand for a look-up; ``fresh`` leaves out what an earlier one found.

        Raises EngineError where a setting or the bootstrap file can't be read.
        """
        manual = manual_servers(settings)
        plan = await self.plan(address)
        known = {row.address.rpartition("@")[2] for row in await self._accounts.known()}
        cache = await self._store.get("discovery", address.domain, CachedDiscovery)
        return Remembered(
            manual=manual,
            provision=await self._provision(),
            bootstrap=await self._first_launch(),
            cache=cache if manual is None and not fresh else None,
            configuration_voice_domain=plan.voice_domain if plan is not None else "",
            manual_voice_domain=voice_domain(settings),
            known_domains=frozenset(known),
        )

    async def use_link(self, text: str) -> None:
        """Keep a set-up link. Raises EngineError for what is none."""
        try:
            parse_configuration_url(text)
        except ProvisionError as error:
            raise EngineError(Reason.of("engine.link_wrong", why=error)) from error
        await self._store.put("settings", "link", text)

    async def found(self, address: UserAddress, discovery: Discovery) -> None:
        """Keep what a look-up found."""
        if discovery.remember is None:
            return
        await self._store.put("discovery", address.domain, discovery.remember)
        await self._store.put("settings", "launched", True)

    async def plan(self, address: UserAddress) -> Plan | None:
        """The plan of the person's last session."""
        return await self._store.get("plan", str(address), Plan)

    async def keep_plan(self, address: UserAddress, plan: Plan) -> None:
        """Keep a plan for the next start."""
        await self._store.put("plan", str(address), plan)

    async def configured(self, address: UserAddress) -> Configured | None:
        """What counted of the company's settings in the person's last session."""
        kept = await self._store.get("configured", str(address), KeptConfiguration)
        return Configured(kept.settings, kept.primary, kept.method) if kept is not None else None

    async def keep_configured(self, address: UserAddress, now: Configured) -> None:
        """Keep what counts of the company's settings."""
        kept = KeptConfiguration(settings=dict(now.settings), primary=now.primary, method=now.method)
        await self._store.put("configured", str(address), kept)

    async def forget(self, address: str) -> None:
        """Delete what is kept of a person."""
        await self._store.remove("plan", [address])
        await self._store.remove("configured", [address])
        domain = address.rpartition("@")[2]
        if not any(row.address.endswith(f"@{domain}") for row in await self._accounts.known()):
            await self._store.remove("discovery", [domain])

    async def switches(self) -> dict[str, str]:
        """The switches of the installation, for the modes of certificates."""
        found = await self._first_launch(always=True)
        return dict(found.others) if found is not None else {}

    async def link_settings(self) -> dict[str, str]:
        """What the set-up link says beyond where to look."""
        found = await self._provision()
        return dict(found.others) if found is not None else {}

    async def _provision(self) -> Provision | None:
        link = await self._store.get("settings", "link", str)
        try:
            return parse_configuration_url(link) if link else None
        except ProvisionError as error:  # written by a version that understood it
            log.warning("engine.link_unreadable", why=str(error))
            return None

    async def _first_launch(self, *, always: bool = False) -> Bootstrap | None:
        if self._bootstrap is None:
            return None
        if not always and await self._store.get("settings", "launched", bool):
            return None
        try:
            return parse_bootstrap(await asyncio.to_thread(self._bootstrap.read_text, "utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ProvisionError) as error:
            raise EngineError(Reason.of("engine.bootstrap_wrong", file=self._bootstrap.name, why=error)) from error
