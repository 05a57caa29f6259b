"""Speaking a message: for who was called, as a reply, or to somebody whose extension was typed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.events import Command, Digits, Number
from ringback.services.voicemail.telephone.steps import SHORTEST_MESSAGE, TRIES, Steps, Words, say


class Composing(Steps, ABC):
    """``_deliver_by`` gives the command that sends what was spoken; ``_then`` what follows, with a word of how it
    went."""

    def __init__(self, call: it.Call) -> None:
        super().__init__(call)
        self._deliver_by: Callable[[], list[Command]] = self._leave
        self._then: Callable[[str], list[Command]] = self._good_bye
        self._leaves = False

    # --- for who was called

    def _greet(self, to: it.Mailbox) -> list[Command]:
        if to.full:
            return self._good_bye("mailbox-full")
        self._leaves = True
        self._deliver_by, self._then = self._leave, self._good_bye
        self._state = self._greeted
        greeting: tuple[Words, ...]
        if to.greeting is not None:
            greeting = (it.OwnGreeting(to.user, to.greeting),)
        else:
            greeting = ("not-available-1", Digits(to.extension), "is-busy" if self._call.busy else "not-available-2")
        return [say(*greeting, *self._limit(), "record-after-tone")]

    def _limit(self) -> tuple[Words, ...]:
        """How long the message may be, said before it begins."""
        minutes = int(self._call.longest // 60)
        return ("record-up-to", Number(minutes), "minutes") if minutes >= 2 else ("record-up-to-one-minute",)

    def _leave(self) -> list[Command]:
        to = self._call.to
        return [] if to is None else [it.Deliver(to.user, self._priority, self._sensitivity)]

    def _greeted(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("*") if self._leaves:
                return self._sign_in()
            case it.Key("0") if self._call.operator:
                return self._transfer()
            case it.Said() | it.Key("#"):
                return self._record()
        return []

    @abstractmethod
    def _sign_in(self) -> list[Command]:
        """The caller is the owner after all."""

    # --- common

    def _compose(self, *words: Words) -> list[Command]:
        """Say this, then record after the tone."""
        self._priority, self._sensitivity = "Normal", "Normal"
        self._state = self._greeted
        return [say(*words)]

    def _record(self) -> list[Command]:
        self._state = self._recording
        return [it.Record()]

    def _recording(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("0") if self._call.operator and self._leaves:
                return [it.StopRecording(), it.DropRecording(), *self._transfer()]
            case it.Key():
                return [it.StopRecording()]
            case it.Recorded(seconds) if seconds < SHORTEST_MESSAGE:
                return [it.DropRecording(), *self._then("nothing-recorded")]
            case it.Recorded(full=True):
                return self._ask(self._deciding, "longest-reached", "message-menu")
            case it.Recorded():
                return self._ask(self._deciding, "message-menu")
        return []

    def _deciding(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("1") | it.Key("#"):
                return self._deliver()
            case it.Key("2"):
                return self._ask(self._deciding, it.Recording(), "message-menu")
            case it.Key("3"):
                return [it.DropRecording(), say("record-after-tone"), *self._to(self._greeted)]
            case it.Key("4"):
                self._priority = "Normal" if self._priority == "Urgent" else "Urgent"
                word = "marked-urgent" if self._priority == "Urgent" else "marked-normal"
                return self._ask(self._deciding, word, "message-menu")
            case it.Key("5"):
                self._sensitivity = "Normal" if self._sensitivity == "Private" else "Private"
                word = "marked-private" if self._sensitivity == "Private" else "marked-not-private"
                return self._ask(self._deciding, word, "message-menu")
            case it.Key("0") if self._call.operator and self._leaves:
                return [*self._deliver_by(), *self._transfer()]
            case it.Key("*"):
                return [it.DropRecording(), *self._then("message-dropped")]
            case it.Waited() if self._tries + 1 >= TRIES:
                return self._deliver()  # what was spoken is kept, also when nobody decides
        return self._again(event)

    def _deliver(self) -> list[Command]:
        self._state = self._delivering
        return self._deliver_by()

    def _delivering(self, event: it.Event) -> list[Command]:
        match event:
            case it.Saved(True):
                return self._then("message-sent")
            case it.Saved(False, why):
                return self._then(why or "not-saved")
        return []

    def hung_up(self, recorded: float) -> list[Command]:
        """The caller hung up; ``recorded``: seconds of a recording that was not delivered yet. It is."""
        speaking = self._state in (self._recording, self._deciding)
        self.over = True
        return self._deliver_by() if speaking and recorded >= SHORTEST_MESSAGE else []
