"""What every part of a dialogue does: say, ask, wait, ask again, transfer, say good-bye."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from ringback.protocols.vmrest.messages import Priority, Sensitivity
from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.events import Command, Prompt, Say, Spoken

KEY_SECONDS: Final = 6.0
"""How long a choice waits for a key."""
DIGIT_SECONDS: Final = 8.0
"""How long a number that is typed waits for its next digit."""
TRIES: Final = 3
LONGEST_NUMBER: Final = 16
SHORTEST_MESSAGE: Final = 1.0
"""Seconds; less is somebody who hung up."""

State = Callable[[it.Event], list[Command]]
Words = str | Spoken


def say(*words: Words, interruptible: bool = True) -> Say:
    """Names of prompts, and what else is spoken."""
    return Say(tuple(Prompt(word) if isinstance(word, str) else word for word in words), interruptible)


class Steps:
    """The state of a dialogue. A state is a method that takes what happened and gives what to do."""

    def __init__(self, call: it.Call) -> None:
        self._call = call
        self._state: State = self._nothing
        self._user = ""
        self._extension = ""
        self._typed = ""
        self._tries = 0
        self._menu: tuple[Words, ...] = ()
        self._priority: Priority = "Normal"
        self._sensitivity: Sensitivity = "Normal"
        self.over = False

    def _nothing(self, _event: it.Event) -> list[Command]:
        return []

    def _ask(self, state: State, *words: Words) -> list[Command]:
        self._state = state
        self._tries = 0
        # What is repeated when nothing comes are the last words: the menu, not what was said before it.
        self._menu = words[-1:]
        return [say(*words), it.Wait(KEY_SECONDS)]

    def _again(self, event: it.Event) -> list[Command]:
        """Nothing came, or a key that means nothing here."""
        match event:
            case it.Said():
                return [it.Wait(KEY_SECONDS)]
            case it.Waited() | it.Key():
                self._tries += 1
                if self._tries >= TRIES:
                    return self._good_bye("good-bye")
                wrong = ("no-such-choice",) if isinstance(event, it.Key) else ()
                return [say(*wrong, *self._menu), it.Wait(KEY_SECONDS)]
        return []

    def _type(self, event: it.Event) -> bool:
        """Whether a digit of a number was typed."""
        if isinstance(event, it.Key) and event.digit.isdigit() and len(self._typed) < LONGEST_NUMBER:
            self._typed += event.digit
            return True
        return False

    def _to(self, state: State) -> list[Command]:
        self._state = state
        return []

    def _transfer(self) -> list[Command]:
        return [say("transferring", interruptible=False), it.Transfer(self._call.operator), *self._end()]

    def _good_bye(self, *words: Words) -> list[Command]:
        rest = () if words[-1:] == ("good-bye",) else ("good-bye",)
        return [say(*words, *rest, interruptible=False), it.HangUp(), *self._end()]

    def _end(self) -> list[Command]:
        self.over = True
        return []


def is_good_pin(pin: str, extension: str, least: int = 4) -> bool:
    """Whether a PIN is not the first that anybody tries: length, one digit repeated, a row, the extension."""
    if not least <= len(pin) <= LONGEST_NUMBER or not pin.isdigit() or pin in (extension, extension[::-1]):
        return False
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return not (len(steps) == 1 and steps <= {0, 1, 9})
