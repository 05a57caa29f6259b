"""Synchronisation in a node that runs: what is due is run, and all nodes learn within a second who came and went.

One node of a cluster runs agreements, its first, as at real ones. A command beside the node may run one as well; both
write through the same store, which takes one after the other. Who came and went reaches the dial plan and the password
check of each node from here; lines, tokens and the user data service look at the store themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.rules.dial_plan import DialPlan, clean, e164
from ringback.rules.tls_modes import USUAL, TlsMode
from ringback.services.callmanager.synchronisation.agreement import Agreement, SynchronisationSettings
from ringback.services.callmanager.synchronisation.runner import SynchronisationError, run
from ringback.storage.callmanager.synced import RunRow, SyncedPlace, SyncStore

_SOON = 60.0  # seconds until a run is tried again that failed; it doubles up to the interval
_LATEST = 3600.0
_NUMBERS = 200_000  # of people, in E.164 form
_REMOVAL = 300.0  # seconds between looks for people of agreements that are no more

_log = structlog.get_logger("ringback.callmanager.synchronisation")

Told = Callable[[tuple[SyncedPlace, ...]], Awaitable[None]]


class SyncKeeper:
    """Make it with ``open``; ``close`` it."""

    def __init__(
        self,
        settings: SynchronisationSettings,
        store: SyncStore,
        mode: TlsMode = USUAL,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._store = store
        self._mode = mode
        self._wall_clock = wall_clock
        self._listeners: list[Told] = []
        self._serial = -1
        self._places: tuple[SyncedPlace, ...] = ()
        self._failures: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._removal = 0.0

    @classmethod
    async def open(cls, settings: SynchronisationSettings, store: SyncStore, mode: TlsMode = USUAL) -> SyncKeeper:
        """Read who is there already; runs begin with ``start``. Raises sqlalchemy.exc.SQLAlchemyError."""
        keeper = cls(settings, store, mode)
        await keeper._look()
        return keeper

    def start(self) -> None:
        """Look for what is due and for changes from now on; nothing where there is no directory, and never was."""
        if not self._settings.agreements and not self._places:
            return
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._watch(), name="people of directories"))
        if self._settings.runs:
            self._tasks.append(loop.create_task(self._keep_running(), name="synchronisation"))

    async def close(self) -> None:
        """Stop. A run under way is given up, and has changed nothing or all."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def places(self) -> tuple[SyncedPlace, ...]:
        """Everybody of all directories, as last seen."""
        return self._places

    async def listen(self, told: Told) -> None:
        """Tell somebody now and at every change."""
        self._listeners.append(told)
        await told(self._places)

    async def _look(self) -> None:
        if await self._store.serial() == self._serial:
            return
        self._serial, places = await self._store.places()
        self._places = tuple(places)
        for told in self._listeners:
            await told(self._places)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.look_seconds)
            with _told("sync.can_not_look"):
                await self._look()

    async def _keep_running(self) -> None:
        while True:
            with _told("sync.can_not_run"):
                await self._run_due()
                await self._drop_others()
            await asyncio.sleep(self._settings.look_seconds)

    async def _run_due(self) -> None:
        runs = await self._store.runs()
        for agreement in self._settings.agreements:
            if due(agreement, runs.get(agreement.name), self._failures.get(agreement.name, 0)) > self._wall_clock():
                continue
            try:
                done = await run(self._store, agreement, mode=self._mode, wall_clock=self._wall_clock)
            except SynchronisationError:
                self._failures[agreement.name] = self._failures.get(agreement.name, 0) + 1
                continue
            self._failures[agreement.name] = 0 if done.written else self._failures.get(agreement.name, 0) + 1
            await self._look()

    async def _drop_others(self) -> None:
        """People of agreements that the deployment has no more become inactive, and go later."""
        now = self._wall_clock()
        if now < self._removal:
            return
        self._removal = now + _REMOVAL
        names = [agreement.name for agreement in self._settings.agreements]
        keep = max((agreement.keep_seconds for agreement in self._settings.agreements), default=86_400.0)
        for user in await self._store.drop_others(names, now):
            _log.info("sync.gone", user=user, why="the agreement is no more")
        for user in await self._store.remove_left(names, now - keep, now):
            _log.info("sync.remove", user=user)


def due(agreement: Agreement, last: RunRow | None, failures: int = 0) -> float:
    """When an agreement is run next (Unix seconds): at once where it never was, after its interval, sooner where the
    last run failed, and once more for those whose people wait for their removal."""
    if last is None:
        return 0.0
    if last.outcome == "failed" or (last.outcome == "refused" and failures):
        wait = min(_SOON * 2.0 ** max(failures - 1, 0), _LATEST)
        return last.ended + (min(wait, agreement.every) if agreement.every else wait)
    times = [last.began + agreement.every] if agreement.every else []
    if any(last.counts.get(kind) for kind in ("gone",)):
        times.append(last.began + agreement.keep_seconds + 1.0)
    return min(times, default=float("inf"))


def plan_with(plan: DialPlan, places: Iterable[SyncedPlace], cluster: str) -> DialPlan:
    """The dial plan of a cluster with people of directories in it. What the plan has already comes first."""
    lines, aliases, addresses = set(plan.lines), dict(plan.aliases), dict(plan.addresses)
    external, remote = dict(plan.external), dict(plan.remote)
    for place in places:
        if not place.active:
            continue
        world = _world(place.phone_number, plan.country)
        names = {name.lower() for name in (place.email, place.directory_uri) if name}
        if place.home and place.extension:
            lines.add(place.extension)
            if world and world != place.extension:
                aliases.setdefault(world, place.extension)
                external.setdefault(place.extension, world)
            for name in names:
                addresses.setdefault(name, place.extension)
        elif not place.home and place.cluster and place.cluster != cluster:
            for name in filter(None, (place.extension, world, *names)):
                if name not in plan.lines:
                    remote.setdefault(name, place.cluster)
    return replace(plan, lines=frozenset(lines), aliases=aliases, addresses=addresses, external=external, remote=remote)


def at_home(places: Iterable[SyncedPlace]) -> Mapping[str, bool]:
    """Who lives here, by folded user name, and whether they may sign in."""
    return {place.user: place.active for place in places if place.home}


@lru_cache(maxsize=_NUMBERS)
def _world(phone: str, country: str) -> str:
    number = clean(phone)
    return e164(number, "" if number.startswith("+") else country) if number.startswith("+") or country else ""


@contextlib.contextmanager
def _told(event: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:  # what is known stays in use until the store answers again
        _log.warning(event, why=str(error))
