"""Keeps what call control tells: records in files and in the store, calls under way, registrations of all nodes.

Call control never waits: facts are collected in memory and written behind, a batch at a time, to the files first and
then to the store. What the store refuses is tried again. A call under way is noted in the store, so that a node that
was killed writes its record at its next start; a call that is over before the next batch costs no note.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError

from ringback.services.callmanager.calls.facts import CallFacts, Cause, QualityFacts, Registered
from ringback.services.callmanager.record_columns import Columns, call_columns, quality_columns
from ringback.services.callmanager.settings import CallSettings
from ringback.storage.callmanager.record_files import RecordFiles
from ringback.storage.callmanager.record_store import Batch, OpenCall, RecordStore

BATCH_SECONDS = 0.5
_RETRY_SECONDS = 2.0
_SEEN_SECONDS = 15.0
_HELD = 50_000  # records that wait for a store or a disk that refuses them; beyond that only the other one keeps them
_CLOSE_SECONDS = 1.2  # whoever stops the node waits a little longer than this
_LAST_TRIES = 5

_log = structlog.get_logger("ringback.callmanager")


class CallKeeper:
    """``calls.facts.Records`` of a node. Make it with ``CallKeeper.open``; ``close`` writes what is left."""

    def __init__(
        self, store: RecordStore, files: RecordFiles | None, node: int, cluster: str, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._files = files
        self._node = node
        self._cluster = cluster
        self._clock = clock
        self._details: list[Columns] = []
        self._managements: list[Columns] = []
        self._opened: dict[tuple[int, int], CallFacts] = {}
        self._closed: list[tuple[int, int]] = []
        self._noted: set[tuple[int, int]] = set()
        self._unwritten = Batch()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.last_number = 0
        """The highest number of a call in the records of this node: the next call's is higher."""

    @classmethod
    async def open(
        cls, calls: CallSettings, cluster: str, store: RecordStore, clock: Callable[[], float] = time.time
    ) -> CallKeeper:
        """Write the records that the node owes since its last end, and begin. Raises OSError, SQLAlchemyError."""
        files = None
        if calls.records_folder is not None:
            files = await asyncio.to_thread(
                RecordFiles,
                calls.records_folder,
                cluster,
                calls.node_number,
                seconds=calls.records_seconds,
                octets=calls.records_octets,
            )
        keeper = cls(store, files, calls.node_number, cluster, clock)
        await keeper._recover()
        keeper.last_number = await store.last_call(calls.node_number)
        keeper._task = asyncio.create_task(keeper._run(), name="call records")
        return keeper

    async def close(self) -> None:
        """Write what is left, and complete the files."""
        self._closing = True
        self._news.set()
        task, self._task = self._task, None
        if task is not None:
            _, late = await asyncio.wait({task}, timeout=_CLOSE_SECONDS)
            if late:
                task.cancel()
                _log.error("call records were not written in time", records=len(self._unwritten))
            await asyncio.gather(task, return_exceptions=True)
        if self._files is not None:
            await asyncio.to_thread(self._files.close)

    def call_began(self, facts: CallFacts) -> None:
        """A call was connected: note it, in case the node ends without a word."""
        self._opened[(facts.call, facts.caller.leg)] = facts
        self._news.set()

    def call_ended(self, facts: CallFacts) -> None:
        """Take a call detail record."""
        key = (facts.call, facts.caller.leg)
        if self._opened.pop(key, None) is None and key in self._noted:
            self._closed.append(key)
        self._details.append(call_columns(facts, self._node, self._cluster))
        self._news.set()

    def quality_reported(self, facts: QualityFacts) -> None:
        """Take a call management record."""
        self._managements.append(quality_columns(facts, self._node, self._cluster))
        self._news.set()

    async def _recover(self) -> None:
        """Records of calls that were under way when this node ended last; they end when it was last seen."""
        left = await self._store.open_calls(self._node)
        if not left:
            return
        details: list[dict[str, Any]] = []
        for call in left:
            facts = _read(call)
            if facts is not None:
                details.append(call_columns(facts, self._node, self._cluster))
        keys = [(call.call_manager, call.call, call.leg) for call in left]
        if self._files is not None:
            await asyncio.to_thread(self._files.append, "cdr", details, self._clock())
        await self._store.write(Batch(details=list(details), closed=keys))
        _log.warning("calls that the last end of this node cut were recorded", calls=len(details))

    async def _run(self) -> None:
        seen = self._clock()
        while not self._closing:
            try:
                async with asyncio.timeout(_SEEN_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            done = await self.write()
            if self._files is not None:
                await self._in_thread(self._files.rotate, self._clock())
            if self._noted and self._clock() - seen >= _SEEN_SECONDS:
                seen = self._clock()
                await self._say_alive(seen)
            if not self._closing:
                await asyncio.sleep(BATCH_SECONDS if done else _RETRY_SECONDS)
            if not done:
                self._news.set()
        for _ in range(_LAST_TRIES):
            if await self.write():
                return
            await asyncio.sleep(BATCH_SECONDS)

    async def write(self) -> bool:
        """Write what there is, now; False where some of it has to be tried again."""
        done = True
        for kind, waiting, target in (
            ("cdr", self._details, self._unwritten.details),
            ("cmr", self._managements, self._unwritten.managements),
        ):
            fresh = list(waiting)
            if fresh and self._files is not None:
                written = await self._in_thread(self._files.append, kind, fresh, self._clock())
                done = written and done
                if not written and len(fresh) <= _HELD:
                    continue
                if not written:  # memory has an end, and the store keeps them too
                    _log.error("call records are in the store only", records=len(fresh))
            del waiting[: len(fresh)]
            target.extend(fresh)
        self._note_open()
        if not self._unwritten:
            return done
        try:
            await self._store.write(self._unwritten)
        except (SQLAlchemyError, OSError) as error:
            _log.error("call records could not be written and are tried again", why=str(error))
            self._unwritten.again = True
            self._shorten()
            return False
        self._unwritten = Batch()
        return done

    def _note_open(self) -> None:
        now = self._clock()
        for key, facts in self._opened.items():
            self._noted.add(key)
            text = msgspec.json.encode(facts).decode()
            self._unwritten.opened.append(OpenCall(self._node, *key, text, now))
        self._opened.clear()
        self._unwritten.closed += [(self._node, *key) for key in self._closed]
        self._noted.difference_update(self._closed)
        self._closed.clear()

    def _shorten(self) -> None:
        for records in (self._unwritten.details, self._unwritten.managements):
            if (much := len(records) - _HELD) > 0:
                del records[:much]
                _log.error("the oldest call records wait for the store no more", records=much)

    async def _say_alive(self, now: float) -> None:
        try:
            await self._store.seen(self._node, now)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("calls under way could not be confirmed", why=str(error))

    async def _in_thread(self, work: Callable[..., None], *values: object) -> bool:
        try:
            await asyncio.to_thread(work, *values)
        except OSError as error:
            _log.error("files of call records could not be written", why=str(error))
            return False
        return True


def _read(call: OpenCall) -> CallFacts | None:
    """The facts of a call that was cut; None where an older version wrote them in another shape."""
    try:
        facts = msgspec.json.decode(call.facts.encode(), type=CallFacts)
    except msgspec.MsgspecError as error:
        _log.warning("a call under way could not be read", call=call.call, why=str(error))
        return None
    cut = Cause.TEMPORARY_FAILURE
    return replace(
        facts,
        ended=max(call.seen, facts.connected or facts.began),
        caller=replace(facts.caller, cause=cut),
        called=replace(facts.called, cause=cut),
        comment=facts.comment or "NodeEnded",
    )


class SharedRegistrations:
    """``calls.facts.Registrations`` in the store of the cluster. Each look reads only what changed since the last."""

    def __init__(self, store: RecordStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[tuple[str, str], Registered] = {}
        self._serial = -1

    async def load(self) -> Sequence[Registered]:
        """Those of all nodes that have not expired. Raises SQLAlchemyError."""
        for row in await self._store.registrations(self._serial):
            self._serial = max(self._serial, row.pop("serial"))
            registered = Registered(**{**row, "lines": tuple(row["lines"].split())})
            self._known[(registered.device, registered.contact)] = registered
        now = self._clock()
        for key in [key for key, registered in self._known.items() if registered.expires <= now]:
            del self._known[key]
        return list(self._known.values())

    async def save(self, changed: Sequence[Registered], removed: Sequence[tuple[str, str]]) -> None:
        """Write what changed at this node. Raises SQLAlchemyError."""
        rows = {(each.device, each.contact): _registration(each) for each in changed}
        await self._store.save_registrations(list(rows.values()), removed, self._clock())


def _registration(registered: Registered) -> dict[str, Any]:
    return {
        "device": registered.device,
        "contact": registered.contact,
        "lines": "\n".join(registered.lines),
        "node": registered.node,
        "expires": registered.expires,
        "transport": registered.transport,
        "received": registered.received,
        "instance": registered.instance,
        "user_agent": registered.user_agent,
        "since": registered.since,
    }
