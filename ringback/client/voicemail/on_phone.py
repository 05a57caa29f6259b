"""Hearing a message on a phone: the service calls it, and plays once somebody answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ringback.client.host.wire_voicemail import PhonePlay
from ringback.client.voicemail.api import VoicemailApi
from ringback.client.voicemail.errors import NotThereError, ServiceRefusedError, VoicemailError
from ringback.protocols.vmrest.calls import CallControl
from ringback.rules.reasons import Reason

_ANSWER_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5


class OnPhone:
    """At most one at a time. ``changed`` is called with what is shown of it."""

    def __init__(self, changed: Callable[[PhonePlay | None], None]) -> None:
        self._changed = changed
        self._now: PhonePlay | None = None
        self._call = ""
        self._task: asyncio.Task[None] | None = None

    async def play(self, api: VoicemailApi, message: str, number: str, start: float) -> None:
        """Call, wait for the answer, play; returns when it plays. Raises VoicemailError."""
        await self.stop(api)
        call = self._call = await api.call(number)
        self._show(PhonePlay(message=message, number=number, state="calling"))
        try:
            await self._answered(api, call)
            control = CallControl("PLAY", "MESSAGE", f"0:{message}", start=round(start * 1000))
            await api.control(call, control)
        except VoicemailError:
            self._show(None)
            raise
        self._show(PhonePlay(message=message, number=number, state="playing"))
        self._task = asyncio.create_task(self._watch(api, call), name="voicemail on a phone")

    async def control(self, api: VoicemailApi, word: Literal["pause", "resume", "stop"]) -> None:
        """Pause, go on, end. Raises VoicemailError."""
        if word == "stop":
            await self.stop(api)
            return
        if self._now is None:
            raise VoicemailError(Reason.of("voicemail.nothing_plays"))
        await api.control(self._call, CallControl("PAUSE" if word == "pause" else "RESUME"))
        self._show(msgspec.structs.replace(self._now, state="paused" if word == "pause" else "playing"))

    async def stop(self, api: VoicemailApi | None) -> None:
        """Hang up where something plays; without a service only forget."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._now is not None and api is not None:
            with contextlib.suppress(NotThereError):  # it ended by itself
                await api.hang_up(self._call)
        self._show(None)

    async def _answered(self, api: VoicemailApi, call: str) -> None:
        until = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < until:
            try:
                if (await api.call_state(call)).connected:
                    return
            except NotThereError as error:
                raise VoicemailError(Reason.of("voicemail.phone_not_answered")) from error
            await asyncio.sleep(_LOOK_SECONDS)
        raise VoicemailError(Reason.of("voicemail.phone_not_answered"))

    async def _watch(self, api: VoicemailApi, call: str) -> None:
        """Until the phone is put down."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS * 2)
            try:
                await api.call_state(call)
            except (NotThereError, ServiceRefusedError):
                break
            except VoicemailError:
                continue  # the service is away for a moment; the call may go on
        self._task = None
        self._show(None)

    def _show(self, now: PhonePlay | None) -> None:
        if now != self._now:
            self._now = now
            self._changed(now)
