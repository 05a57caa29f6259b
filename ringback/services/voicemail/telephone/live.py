"""One call in progress: events in, through the dialogue, commands out, in order, by one task.

What happens (keys, sounds that ended, time that passed) waits in a bounded queue; who presses keys faster than they can
be handled loses some, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import structlog

from ringback.media.players import Sound, beep
from ringback.protocols.vmrest.messages import Sender
from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone import prompts
from ringback.services.voicemail.telephone.desk import Desk
from ringback.services.voicemail.telephone.dialogue import Dialogue
from ringback.services.voicemail.telephone.line import Line

_WAITING: Final = 64
_BIGGEST_NUMBER: Final = 99

_log = structlog.get_logger("ringback.voicemail.telephone")


@cache
def _tone() -> Sound:
    return beep()


@cache
def _warning() -> Sound:
    return beep(frequency=660.0, seconds=0.2, level=-20.0)


class LiveCall:
    """Runs a dialogue on a line. ``end`` is called when the service hangs up, ``transfer`` with a number."""

    def __init__(
        self,
        call: it.Call,
        sender: Sender,
        desk: Desk,
        *,
        language: str,
        end: Callable[[], None],
        transfer: Callable[[str], None],
    ) -> None:
        self._dialogue = Dialogue(call)
        self._sender = sender
        self._desk = desk
        self._language = language
        self._end = end
        self._transfer = transfer
        self._events: asyncio.Queue[it.Event | None] = asyncio.Queue(_WAITING)
        self._answers: deque[it.Event] = deque()
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wait = 0.0
        self._saying = False
        self._deaf = False
        self._after: list[it.Command] = []

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        if not self._deaf:
            self._put(it.Key(digit))

    def recorded(self) -> None:
        """The recording ended by itself."""
        if self._line is not None:
            self._put(it.Recorded(self._line.recorded, full=self._line.full))

    def warn(self) -> None:
        """The longest time of the recording is nearly over: a tone says so; the recording goes on."""
        if self._line is not None:
            self._line.say([_warning()], lambda: None)

    def hang_up(self) -> None:
        """The caller is gone: what was recorded is kept, then the call ends."""
        while True:
            try:
                self._events.put_nowait(None)
            except asyncio.QueueFull:
                self._events.get_nowait()
            else:
                return

    async def run(self, line: Line) -> None:
        """Until the call is over."""
        self._line = line
        try:
            await self._do(self._dialogue.begin())
            while (event := await self._next()) is not None:
                self._stop_timer()
                if isinstance(event, it.Said):
                    await self._said()
                elif isinstance(event, it.Key) and self._saying:
                    line.hush()
                    self._saying = False
                    await self._do(self._dialogue.happened(event))
                else:
                    await self._do(self._dialogue.happened(event))
            line.hush()
            line.stop_recording()
            await self._do(self._dialogue.hung_up(line.recorded))
        finally:
            self._stop_timer()
            await line.close()

    async def _next(self) -> it.Event | None:
        """What a command found out comes before keys that were pressed meanwhile: who types ahead loses nothing."""
        return self._answers.popleft() if self._answers else await self._events.get()

    async def _said(self) -> None:
        self._saying = self._deaf = False
        after, self._after = self._after, []
        if after:
            await self._do(after)
        else:
            await self._do(self._dialogue.happened(it.Said()))
            if self._wait and self._timer is None and not self._saying:
                self._start_timer()

    async def _do(self, commands: Sequence[it.Command]) -> None:
        for position, command in enumerate(commands):
            if isinstance(command, (it.HangUp, it.Transfer)) and self._saying:
                self._after = list(commands[position:])  # not before it was said to the end
                return
            await self._carry_out(command)

    async def _carry_out(self, command: it.Command) -> None:  # noqa: PLR0912  one branch for each command
        line, desk = self._line, self._desk
        if line is None:
            return
        match command:
            case it.Say(spoken, interruptible):
                await self._say(line, spoken, interruptible=interruptible)
            case it.Wait(seconds):
                self._wait = seconds
                if not self._saying:
                    self._start_timer()
            case it.Record():
                self._wait = 0.0
                line.say([_tone()], line.record)
            case it.StopRecording():
                line.stop_recording()
                self._answers.append(it.Recorded(line.recorded))
            case it.DropRecording():
                line.drop()
            case it.Deliver(user, priority, sensitivity):
                taken = await asyncio.to_thread(line.taken)
                self._answers.append(await desk.deliver(user, taken, self._sender, priority, sensitivity))
            case it.Reply():
                self._answers.append(await desk.reply(command, await asyncio.to_thread(line.taken)))
            case it.SendOn():
                taken_or_not = await asyncio.to_thread(line.taken) if command.recorded else None
                self._answers.append(await desk.send_on(command, taken_or_not))
            case it.Find(extension):
                self._answers.append(it.Found(await desk.mailbox(extension)))
            case it.CheckPin(user, pin, extension):
                self._answers.append(await desk.check_pin(user, pin, extension))
            case it.SetPin(user, pin):
                self._answers.append(await desk.set_pin(user, pin))
            case it.KeepGreeting(user, recorded, kind):
                greeting = await asyncio.to_thread(line.taken) if recorded else None
                self._answers.append(await desk.keep_greeting(user, kind, greeting))
            case it.AskGreeting(user, kind):
                self._answers.append(await desk.greeting_now(user, kind))
            case it.SwitchGreeting(user, kind, on):
                self._answers.append(await desk.switch_greeting(user, kind, on=on))
            case it.List(user):
                self._answers.append(await desk.messages(user))
            case it.Mark(user, message, read):
                await desk.mark(user, message, read=read)
            case it.Delete(user, message):
                await desk.delete(user, message)
            case it.Transfer(number):
                self._transfer(number)
            case it.HangUp():
                self._end()

    async def _say(self, line: Line, spoken: Sequence[it.Spoken], *, interruptible: bool) -> None:
        sounds = [sound for one in spoken for sound in await self._sounds(line, one)]
        self._stop_timer()
        self._saying, self._deaf = True, not interruptible
        line.say(sounds, lambda: self._put(it.Said()))

    async def _sounds(self, line: Line, spoken: it.Spoken) -> list[Sound]:
        match spoken:
            case it.Prompt(name):
                return [await self._prompt(name)]
            case it.Digits(digits):
                return [await self._prompt(f"number-{digit}") for digit in digits if digit.isdigit()]
            case it.Number(number):
                return [await self._prompt(f"number-{min(number, _BIGGEST_NUMBER)}")]
            case it.Recording():
                return [line.sound()]
            case it.OwnGreeting(user, kind):
                found = await self._desk.greeting(user, kind)
            case it.VoiceMessage(user, message):
                found = await self._desk.sound(user, message)
        return [] if found is None else [found]

    async def _prompt(self, name: str) -> Sound:
        return await asyncio.to_thread(prompts.prompt, self._language, name)

    def _put(self, event: it.Event) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(event)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._wait, self._put, it.Waited())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
