"""A run of an agreement: ask the directory, decide, write, keep how it ended."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.net.ldap.errors import LdapError, LdapRefusedError
from ringback.rules.reasons import Reason
from ringback.rules.tls_modes import USUAL, TlsMode
from ringback.services.callmanager.synchronisation.agreement import Agreement
from ringback.services.callmanager.synchronisation.decide import Difference, Entry, Kind, plan
from ringback.services.callmanager.synchronisation.reading import IncompleteError, NoGroupError, read
from ringback.storage.callmanager.synced import RunRow, SyncStore

_TRIES = 5
_TURN = 100  # audit lines

_log = structlog.get_logger("ringback.callmanager.synchronisation")


class SynchronisationError(Exception):
    """A run could not be made, and changed nothing; ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.id)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Done:
    """A run that came to its end. ``written``: whether the difference was put into effect, which it isn't after a dry
    run and a refused one. ``seconds`` it took."""

    difference: Difference
    written: bool
    seconds: float


async def run(
    store: SyncStore,
    agreement: Agreement,
    *,
    dry: bool = False,
    any_loss: bool = False,
    mode: TlsMode = USUAL,
    wall_clock: Callable[[], float] = time.time,
) -> Done:
    """Synchronise. Raises SynchronisationError; how it ended is kept in the store, except of a dry run."""
    began = wall_clock()
    try:
        done = await _run(store, agreement, dry=dry, any_loss=any_loss, mode=mode, wall_clock=wall_clock, began=began)
    except SynchronisationError as error:
        _log.warning("sync.failed", agreement=agreement.name, why=error.reason.id, values=error.reason.values)
        if not dry:
            await _note(store, agreement, began, wall_clock(), "failed", error.reason)
        raise
    _log.info(
        "sync.done" if done.written else "sync.dry" if dry else "sync.refused",
        agreement=agreement.name,
        seconds=round(done.seconds, 2),
        **done.difference.counts,
    )
    return done


async def _run(
    store: SyncStore,
    agreement: Agreement,
    *,
    dry: bool,
    any_loss: bool,
    mode: TlsMode,
    wall_clock: Callable[[], float],
    began: float,
) -> Done:
    entries = await _entries(agreement, mode)
    try:
        for _ in range(_TRIES):
            current = await store.current(agreement.name)
            now = wall_clock()
            found = await asyncio.to_thread(plan, current, entries, agreement, now, any_loss=any_loss)
            seconds = wall_clock() - began
            if dry:
                return Done(found, False, seconds)
            if found.refused is not None:
                await _note(store, agreement, began, now, "refused", found.refused, found.counts)
                return Done(found, False, seconds)
            ended = RunRow(agreement.name, began, wall_clock(), began, "done", counts=found.counts)
            if await store.write(agreement.name, found.writes, ended, current.serial):
                await _tell(agreement, found)
                return Done(found, True, wall_clock() - began)
    except (SQLAlchemyError, OSError) as error:
        raise SynchronisationError(Reason.of("sync.failed.store", why=str(error).splitlines()[0])) from error
    raise SynchronisationError(Reason.of("sync.failed.busy"))


async def _entries(agreement: Agreement, mode: TlsMode) -> list[Entry]:
    name = agreement.name
    try:
        return await read(agreement, mode)
    except NoGroupError as error:
        raise SynchronisationError(Reason.of("sync.failed.group", group=error)) from error
    except IncompleteError as error:
        why = Reason.of("sync.failed.incomplete", agreement=name, count=error.count, code=error.code)
        raise SynchronisationError(why) from error
    except LdapRefusedError as error:
        raise SynchronisationError(Reason.of("sync.failed.refused", agreement=name, why=error)) from error
    except (LdapError, OSError, ssl.SSLError) as error:
        raise SynchronisationError(Reason.of("sync.failed.directory", agreement=name, why=error)) from error


async def _note(
    store: SyncStore,
    agreement: Agreement,
    began: float,
    ended: float,
    outcome: str,
    why: Reason,
    counts: dict[str, int] | None = None,
) -> None:
    try:
        before = (await store.runs()).get(agreement.name)
        told = {"id": why.id, "values": why.values}
        good = before.good if before is not None else 0.0
        await store.note(RunRow(agreement.name, began, ended, good, outcome, told, counts or {}))
    except (SQLAlchemyError, OSError) as error:
        _log.warning("sync.not_kept", agreement=agreement.name, why=str(error))


async def _tell(agreement: Agreement, found: Difference) -> None:
    """The audit lines: one for each person that was changed. Others have their turn between them."""
    for count, change in enumerate(found.changes):
        if not count % _TURN:
            await asyncio.sleep(0)
        if change.kind is not Kind.SKIP:
            _log.info(
                f"sync.{change.kind.value}",
                agreement=agreement.name,
                user=change.user,
                entry=change.entry,
                fields=[one.name for one in change.fields],
                number=change.number,
                reasons=[reason.id for reason in change.reasons],
            )
