"""Calls for scripts: begin or take one, play a file, record what is heard, press keys, and read how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ringback.client.calling.call import LiveCall
from ringback.client.calling.errors import CallError, refused
from ringback.client.calling.playing import PlayAndRecord
from ringback.client.host.wire_calls import Call, Party, Quality, Recent
from ringback.media.players.sound import Sound, SoundFileError, read_sound
from ringback.rules.reasons import Reason

if TYPE_CHECKING:
    from ringback.client.engine.engine import Engine
    from ringback.client.events import Subscription

REGISTER_SECONDS = 20.0
ANSWER_SECONDS = 60.0
_DIGIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class TalkResult:
    """How a call went. ``result``: answered, busy, unanswered ...; ``note``: why, in a sentence. ``recorded`` in
    seconds. ``quality``: as last measured, None where nobody talked."""

    result: str
    note: Reason | None
    seconds: int
    recorded: float
    quality: Quality | None


class Talk:
    """A call of a script. Made by ``Me.call`` and ``Me.next_call``."""

    def __init__(self, engine: Engine, call: LiveCall, near: PlayAndRecord, subscription: Subscription) -> None:
        self._engine = engine
        self._call = call
        self._near = near
        self._events = subscription
        self._calling = engine.signed_in().calling

    @property
    def call(self) -> Call:
        """The call as it is shown now."""
        return self._call.wire()

    @property
    def party(self) -> Party:
        """Who is at the other end."""
        return self._call.party

    @property
    def digits(self) -> str:
        """The keys that the other side has pressed so far (RFC 4733)."""
        return self._call.digits

    async def _until(self, condition: Callable[[], bool], seconds: float | None) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await self._events.next()

    async def answered(self, seconds: float = ANSWER_SECONDS) -> None:
        """Wait until somebody answers; then the sound begins. Raises CallError with why nobody did."""
        try:
            await self._until(lambda: self._call.talking or self._call.over, seconds)
        except TimeoutError as error:
            await self.end()
            name = self._call.party.name or self._call.party.shown
            raise refused("calls.failed.no_answer", name=name) from error
        if self._call.over:
            raise CallError(self._call.note or Reason.of("calls.refused.no_call"))
        self._near.begin()

    async def answer(self, *, video: bool = False) -> None:
        """Take the ringing call; then the sound begins. Raises CallError."""
        await self._calling.desk.answer(self._call.id, video=video)
        self._near.begin()

    async def press(self, digits: str) -> None:
        """Send keys; returns when they have been sent."""
        self._calling.desk.press(self._call.id, digits)
        await asyncio.sleep(_DIGIT_SECONDS * len(digits))

    async def played(self) -> None:
        """Wait until the sound was played whole, or the call ended."""
        played = asyncio.create_task(self._near.played.wait(), name="played")
        over = asyncio.create_task(self._until(lambda: self._call.over, None), name="over")
        try:
            await asyncio.wait((played, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (played, over):
                task.cancel()
            await asyncio.gather(played, over, return_exceptions=True)

    async def hold(self, *, held: bool = True) -> None:
        """Hold, or take back. Raises CallError."""
        await self._calling.desk.hold(self._call.id, held=held)

    async def end(self) -> None:
        """End the call, in whatever state."""
        if not self._call.over:
            self._calling.desk.end(self._call.id)

    async def over(self, seconds: float | None = None) -> TalkResult:
        """Wait until the call is over and remembered. Raises TimeoutError."""
        book = self._calling
        await self._until(lambda: self._call.over and self._recent() is not None, seconds)
        await book.settled()
        recent = self._recent()
        quality = recent.quality if recent is not None else None
        result = recent.result if recent is not None else "failed"
        return TalkResult(result, self._call.note, self._call.seconds, self._near.seconds, quality)

    def _recent(self) -> Recent | None:
        return self._calling.recent(self._call.id)


async def registered(engine: Engine, seconds: float = REGISTER_SECONDS) -> None:
    """Wait until the softphone is registered. Raises CallError with why it is not."""
    calling, events = engine.signed_in().calling, engine.subscribe()
    try:
        async with asyncio.timeout(seconds):
            while calling.phone.state not in ("registered", "refused") and not (
                calling.phone.state == "off" and calling.phone.text is not None
            ):
                await events.next()
    except TimeoutError:
        pass
    finally:
        events.close()
    if calling.phone.state != "registered":
        raise CallError(calling.phone.text or Reason.of("calls.refused.not_registered"))


async def begin(engine: Engine, to: str, play: Path | Sound | None, record: Path | None, *, video: bool) -> Talk:
    """Call somebody. Raises CallError, SoundFileError, OSError."""
    sound = await _sound(play)
    await registered(engine)
    calling, events = engine.signed_in().calling, engine.subscribe()
    made = await calling.desk.start(to, video=video)
    call = calling.desk.call(made.id)
    near = PlayAndRecord(call.media.host, sound, record)
    calling.desk.attach(call.id, near)
    return Talk(engine, call, near, events)


async def next_call(engine: Engine, play: Path | Sound | None, record: Path | None, seconds: float | None) -> Talk:
    """Wait until it rings. Raises TimeoutError, CallError, SoundFileError, OSError."""
    sound = await _sound(play)
    await registered(engine)
    calling, events = engine.signed_in().calling, engine.subscribe()
    try:
        async with asyncio.timeout(seconds):
            while True:
                ringing = next((one for one in calling.calls() if one.state == "ringing_in"), None)
                if ringing is not None:
                    break
                await events.next()
    except BaseException:
        events.close()
        raise
    call = calling.desk.call(ringing.id)
    near = PlayAndRecord(call.media.host, sound, record)
    calling.desk.attach(call.id, near)
    return Talk(engine, call, near, events)


async def _sound(play: Path | Sound | None) -> Sound | None:
    return await asyncio.to_thread(read_sound, play) if isinstance(play, Path) else play


__all__ = ["SoundFileError", "Talk", "TalkResult", "begin", "next_call", "registered"]
