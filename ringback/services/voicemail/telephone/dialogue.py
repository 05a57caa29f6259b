"""The dialogue of a call: a table of states and what happens in them, without socket, loop or clock.

Two ways lead in. Who was diverted here hears a greeting and leaves a message; who calls the service itself (or presses
``*`` in a greeting) opens a mailbox with a PIN and hears, keeps, deletes, answers and sends on messages, and changes
greetings and PIN. Each state has one function that takes what happened; it gives the commands to carry out. A key that
means nothing says so and asks again; who does nothing three times is told good-bye.
"""

from __future__ import annotations

from typing import Final

from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.events import Command
from ringback.services.voicemail.telephone.reading import Reading
from ringback.services.voicemail.telephone.steps import SHORTEST_MESSAGE, is_good_pin, say
from ringback.storage.voicemail.records import GreetingKind

__all__ = ["Dialogue", "is_good_pin"]

_GREETINGS: Final[dict[str, tuple[GreetingKind, str]]] = {
    "1": ("Standard", "greeting-standard"),
    "2": ("Alternate", "greeting-alternate"),
    "3": ("Busy", "greeting-busy"),
    "4": ("Closed", "greeting-closed"),
    "5": ("Internal", "greeting-internal"),
    "6": ("Holiday", "greeting-holiday"),
}


class Dialogue(Reading):
    """One call. ``begin`` and ``happened`` give what to do, in order."""

    def __init__(self, call: it.Call) -> None:
        super().__init__(call)
        self._kind: GreetingKind = "Standard"
        self._name = ""
        self._on = True

    def begin(self) -> list[Command]:
        """The call was answered."""
        to, caller = self._call.to, self._call.caller
        if to is not None and caller is not None and to.user == caller.user and caller.has_pin:
            return self._ask_pin(caller)  # who calls themselves wants their messages
        if to is not None:
            return self._greet(to)
        if self._call.diverted:
            return self._good_bye("no-mailbox")
        if caller is not None and caller.has_pin:
            return self._ask_pin(caller)
        return self._ask_extension()

    def happened(self, event: it.Event) -> list[Command]:
        """Something happened; after ``over`` nothing follows."""
        return [] if self.over else self._state(event)

    # --- greetings

    def _choose_greeting(self) -> list[Command]:
        return self._ask(self._which_greeting, "which-greeting")

    def _which_greeting(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key(digit) if digit in _GREETINGS:
                self._kind, self._name = _GREETINGS[digit]
                return [it.AskGreeting(self._user, self._kind)]
            case it.GreetingNow(_, on):
                return self._show_greeting(on=on)
            case it.Key("*"):
                return self._list()
        return self._again(event)

    def _show_greeting(self, *words: str, on: bool) -> list[Command]:
        self._on = on
        if self._kind == "Standard":
            return self._ask(self._greeting, *words, self._name, "greeting-menu")
        word = "greeting-is-on" if on else "greeting-is-off"
        return self._ask(self._greeting, *words, self._name, word, "switched-greeting-menu")

    def _greeting(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("1"):
                return self._ask(self._greeting, it.OwnGreeting(self._user, self._kind), *self._menu)
            case it.Key("2"):
                self._state = self._speaking
                return [say("record-greeting", interruptible=False)]
            case it.Key("3"):
                self._state = self._keeping
                return [it.KeepGreeting(self._user, recorded=False, kind=self._kind)]
            case it.Key("4") if self._kind != "Standard":
                self._state, self._on = self._keeping, not self._on
                return [it.SwitchGreeting(self._user, self._kind, self._on)]
            case it.Key("*"):
                return self._list()
        return self._again(event)

    def _speaking(self, event: it.Event) -> list[Command]:
        match event:
            case it.Said():
                return [it.Record()]
            case it.Key():
                return [it.StopRecording()]
            case it.Recorded(seconds) if seconds < SHORTEST_MESSAGE:
                return [it.DropRecording(), *self._show_greeting("nothing-recorded", on=self._on)]
            case it.Recorded():
                self._state = self._keeping
                return [it.KeepGreeting(self._user, recorded=True, kind=self._kind)]
        return []

    def _keeping(self, event: it.Event) -> list[Command]:
        match event:
            case it.Saved(True):
                return self._show_greeting("greeting-saved", on=self._on)
            case it.Saved(False, why):
                return self._show_greeting(why or "not-saved", on=self._on)
        return []
