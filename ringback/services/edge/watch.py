"""Protection as the inner proxy lives it: every block in the log, at the outer proxies, at the other inner ones and in
the data folder, so that a restart lets nobody slip through."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from typing import Final

import structlog

from ringback.protocols.traversal.control import KeepOut
from ringback.rules.edge_protection import (
    Block,
    Exemption,
    Fault,
    LetIn,
    Network,
    Protection,
    ProtectionRules,
    household_of,
)
from ringback.services.edge.kept import Kept
from ringback.services.edge.sharing import Ended, Exempted, Lifted, Note

_SOON: Final = 0.2  # seconds from a block to the disk
_LATER: Final = 30.0  # seconds from somebody who was let in to the disk

_MOST_NOTES: Final = 500

_log = structlog.get_logger("ringback.edge.protection")


class Watch:
    """``keep_out`` tells the outer proxies, ``share`` the other inner ones; ``kept`` is the file, None in tests that
    need none."""

    def __init__(
        self,
        rules: ProtectionRules,
        keep_out: Callable[[KeepOut], None],
        share: Callable[[Note], None],
        kept: Kept | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.protection = Protection(rules)
        self.failures: dict[str, int] = dict.fromkeys(Fault, 0)
        """Failed authorisations since the start, by fault."""
        self._keep_out = keep_out
        self._share = share
        self._kept = kept
        self._clock = clock
        self._writer: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._at_once = asyncio.Event()

    async def start(self) -> None:
        """Bring back what was before a restart. Raises OSError where the folder can't be used."""
        if self._kept is None:
            return
        self.protection.restore(await asyncio.to_thread(self._kept.read))
        self._writer = asyncio.create_task(self._write(self._kept), name="edge protection to disk")

    async def stop(self) -> None:
        """Write what is left."""
        writer, self._writer = self._writer, None
        if writer is None or self._kept is None:
            return
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await self._put_away(self._kept)

    # --- what the fronts ask and tell

    def kept_out(self, address: str, user: str = "", *, token: bool = False, later: bool = False) -> Block | None:
        """Why nobody is served at this address, or as this person (folded user id), now: see
        ``Protection.block_of``."""
        return self.protection.block_of(address, user, self._clock(), token=token, later=later)

    def knows(self, address: str, user: str) -> bool:
        """Whether somebody (folded user id) was let in lately from an address."""
        return self.protection.knows(address, user, self._clock())

    def failed(self, address: str, user: str = "", fault: Fault = Fault.PASSWORD) -> None:
        """Somebody could not be let in; ``user`` empty where nobody can say as whom."""
        self.failures[fault] += 1
        for block in self.protection.failed(address, user, self._clock(), fault):
            self._began(block)
            self._share(block)

    def let_in(self, address: str, user: str) -> None:
        """Somebody was let in."""
        now = self._clock()
        if self.protection.succeeded(address, user, now):
            self._changed.set()
            self._share(LetIn(household_of(address), user, now))

    # --- what administrators do

    def unblock(self, who: str) -> tuple[Block, ...]:
        """Let an address or a person in again, here and everywhere."""
        ended = self._lift(who)
        self._share(Lifted(who))
        return ended

    def exempt(self, network: Network, until: float | None) -> tuple[Block, ...]:
        """Never block a network; gives the blocks that end with it."""
        ended = self._exempted(Exemption(network, until))
        self._share(Exempted(str(network), until))
        return ended

    def end_exemption(self, network: Network) -> bool:
        """Take an exemption back; False where there was none."""
        found = self._ended(network)
        self._share(Ended(str(network)))
        return found

    # --- the other proxies

    def heard(self, note: Note) -> None:
        """Another inner proxy tells."""
        match note:
            case Block():
                standing = self.protection.block_of(note.who, "", self._clock()) if note.kind == "address" else None
                if standing is None or standing.until < note.until:
                    self.protection.put(note)
                    self._began(note)
            case LetIn():
                self.protection.remember(note)
                self._changed.set()
            case Lifted(who):
                self._lift(who)
            case Exempted(network, until):
                self._exempted(Exemption(ipaddress.ip_network(network), until))
            case Ended(network):
                self._ended(ipaddress.ip_network(network))

    def notes(self) -> list[Note]:
        """What another inner proxy that has just begun must know: the newest, as many as the way between bears."""
        found = self.protection.remembered(self._clock())
        exempted = [Exempted(str(one.network), one.until) for one in found.exemptions]
        known: list[Note] = [*exempted, *found.blocks[-_MOST_NOTES:]]
        return [*known, *found.let_in[-max(1, _MOST_NOTES - len(known)) :]][:_MOST_NOTES]

    def of(self, realm: str) -> TenantWatch:
        """As a company of this name sees it; empty: the one that the edge belongs to."""
        return TenantWatch(self, realm)

    def standing(self) -> list[KeepOut]:
        """All that an outer proxy that has just been reached must know: it can't tell strangers from others."""
        now = self._clock()
        return [
            KeepOut(block.who, block.until - now)
            for block in self.protection.blocks(now)
            if block.kind == "address" and not self.protection.is_shared(block.who, now)
        ]

    def _began(self, block: Block) -> None:
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(block.until))
        _log.warning(
            "edge.blocked", who=block.who, kind=block.kind, at=block.at, failures=block.failures, until=until,
            why=f"more than {self.protection.rules.failures} failed sign-ins within "
            f"{self.protection.rules.window:.0f} seconds",
        )  # fmt: skip
        now = self._clock()
        if block.kind == "address" and not self.protection.is_shared(block.who, now):
            self._keep_out(KeepOut(block.who, max(0.0, block.until - now)))
        self._soon()

    def _lift(self, who: str) -> tuple[Block, ...]:
        ended = self.protection.unblock(who)
        self._tell_lifted(ended, "an administrator let them in again")
        return ended

    def _exempted(self, exemption: Exemption) -> tuple[Block, ...]:
        ended = self.protection.exempt(exemption)
        _log.warning("edge.exempted", network=str(exemption.network), until=exemption.until)
        self._tell_lifted(ended, "the network is exempt now")
        self._soon()
        return ended

    def _ended(self, network: Network) -> bool:
        found = self.protection.end_exemption(network)
        if found:
            _log.warning("edge.exemption_ended", network=str(network))
            self._soon()
        return found

    def _tell_lifted(self, ended: tuple[Block, ...], why: str) -> None:
        for block in ended:
            _log.warning("edge.unblocked", who=block.who, kind=block.kind, at=block.at, why=why)
            if block.kind == "address":
                self._keep_out(KeepOut(block.who, 0.0))
        if ended:
            self._soon()

    # --- the disk

    def _soon(self) -> None:
        self._at_once.set()
        self._changed.set()

    async def _write(self, kept: Kept) -> None:
        while True:
            await self._changed.wait()
            if not self._at_once.is_set():
                try:
                    async with asyncio.timeout(_LATER):
                        await self._at_once.wait()
                except TimeoutError:
                    pass
            await asyncio.sleep(_SOON)  # a flood of blocks is one file
            self._changed.clear()
            self._at_once.clear()
            await self._put_away(kept)

    async def _put_away(self, kept: Kept) -> None:
        try:
            await asyncio.to_thread(kept.write, self.protection.remembered(self._clock()))
        except OSError as error:
            _log.error("edge.not_kept", why=str(error))


class TenantWatch:
    """The watch of one company: people of another may have the same ids."""

    def __init__(self, watch: Watch, realm: str) -> None:
        self._watch = watch
        self._realm = realm

    def kept_out(self, address: str, user: str = "", *, token: bool = False, later: bool = False) -> Block | None:
        """As ``Watch.kept_out``."""
        return self._watch.kept_out(address, self._name(user), token=token, later=later)

    def knows(self, address: str, user: str) -> bool:
        """As ``Watch.knows``."""
        return self._watch.knows(address, self._name(user))

    def failed(self, address: str, user: str = "", fault: Fault = Fault.PASSWORD) -> None:
        """As ``Watch.failed``."""
        self._watch.failed(address, self._name(user), fault)

    def let_in(self, address: str, user: str) -> None:
        """As ``Watch.let_in``."""
        self._watch.let_in(address, self._name(user))

    def _name(self, user: str) -> str:
        return f"{user}@{self._realm}" if user and self._realm else user
