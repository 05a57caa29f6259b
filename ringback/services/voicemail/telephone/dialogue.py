"""The dialogue of a call: a table of states and what happens in them, without socket, loop or clock.

Two ways lead in. Who was diverted here hears a greeting and leaves a message; who calls the service itself (or presses
``*`` in a greeting) opens a mailbox with a PIN and hears, keeps and deletes messages, and changes greeting and PIN.
Each state has one function that takes what happened; it gives the commands to carry out. A key that means nothing says
so and asks again; who does nothing three times is told good-bye.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from ringback.protocols.vmrest.messages import Priority, Sensitivity
from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.events import Command, Digits, Number, Prompt, Say, Spoken

KEY_SECONDS: Final = 6.0
"""How long a choice waits for a key."""
_PIN_SECONDS = 8.0
_TRIES = 3
_SHORTEST_PIN, _LONGEST_PIN = 4, 16
_SHORTEST_MESSAGE = 1.0  # seconds; less is somebody who hung up

_State = Callable[[it.Event], list[Command]]


def _say(*words: str | Spoken, interruptible: bool = True) -> Say:
    return Say(tuple(Prompt(word) if isinstance(word, str) else word for word in words), interruptible)


class Dialogue:
    """One call. ``begin`` and ``happened`` give what to do, in order."""

    def __init__(self, call: it.Call) -> None:
        self._call = call
        self._state: _State = self._leaving if call.to is not None else self._naming
        self._user = ""
        self._extension = ""
        self._typed = ""
        self._chosen_pin = ""
        self._tries = 0
        self._menu: tuple[str | Spoken, ...] = ()
        self._priority: Priority = "Normal"
        self._sensitivity: Sensitivity = "Normal"
        self._messages: tuple[it.Heard, ...] = ()
        self._place = 0
        self.over = False

    def begin(self) -> list[Command]:
        """The call was answered."""
        if self._call.to is not None:
            return self._greet(self._call.to)
        if self._call.caller is not None and self._call.caller.has_pin:
            return self._ask_pin(self._call.caller)
        return self._ask_extension()

    def happened(self, event: it.Event) -> list[Command]:
        """Something happened; after ``over`` nothing follows."""
        return [] if self.over else self._state(event)

    # --- leaving a message

    def _greet(self, to: it.Mailbox) -> list[Command]:
        if to.full:
            return self._good_bye("mailbox-full")
        self._state = self._leaving
        greeting: tuple[str | Spoken, ...] = (it.OwnGreeting(to.user),)
        if not to.greeting:
            greeting = ("not-available-1", Digits(to.extension), "not-available-2")
        return [_say(*greeting, "record-after-tone")]

    def _leaving(self, event: it.Event) -> list[Command]:
        match event:
            case it.Said():
                return self._record()
            case it.Key("#"):
                return self._record()
            case it.Key("*"):
                return self._ask_pin(self._call.to) if self._call.to is not None else self._ask_extension()
            case it.Key("0") if self._call.operator:
                return self._transfer()
        return []

    def _record(self) -> list[Command]:
        self._state = self._recording
        return [it.Record()]

    def _recording(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("0") if self._call.operator:
                return [it.StopRecording(), it.DropRecording(), *self._transfer()]
            case it.Key():
                return [it.StopRecording()]
            case it.Recorded(seconds) if seconds < _SHORTEST_MESSAGE:
                return [it.DropRecording(), *self._good_bye("nothing-recorded")]
            case it.Recorded():
                return self._ask(self._deciding, "message-menu")
        return []

    def _deciding(self, event: it.Event) -> list[Command]:
        to = self._call.to
        match event:
            case it.Key("1") | it.Key("#"):
                return self._deliver()
            case it.Key("2"):
                return self._ask(self._deciding, it.Recording(), "message-menu")
            case it.Key("3"):
                return [it.DropRecording(), _say("record-after-tone"), *self._to(self._leaving)]
            case it.Key("4"):
                self._priority = "Normal" if self._priority == "Urgent" else "Urgent"
                word = "marked-urgent" if self._priority == "Urgent" else "marked-normal"
                return self._ask(self._deciding, word, "message-menu")
            case it.Key("5"):
                self._sensitivity = "Normal" if self._sensitivity == "Private" else "Private"
                word = "marked-private" if self._sensitivity == "Private" else "marked-not-private"
                return self._ask(self._deciding, word, "message-menu")
            case it.Key("0") if self._call.operator:
                return [*self._delivery(), *self._transfer()]
            case it.Key("*") if to is not None:
                return [it.DropRecording(), *self._good_bye("message-dropped")]
            case it.Waited() if self._tries + 1 >= _TRIES:
                return self._deliver()  # what was spoken is kept, also when nobody decides
        return self._again(event)

    def hung_up(self, recorded: float) -> list[Command]:
        """The caller hung up; ``recorded``: seconds of a recording that was not delivered yet. It is."""
        leaving = self._state in (self._recording, self._deciding) and self._call.to is not None
        self.over = True
        return self._delivery() if leaving and recorded >= _SHORTEST_MESSAGE else []

    def _delivery(self) -> list[Command]:
        if self._call.to is None:
            return []
        return [it.Deliver(self._call.to.user, self._priority, self._sensitivity)]

    def _deliver(self) -> list[Command]:
        self._state = self._delivering
        return self._delivery()

    def _delivering(self, event: it.Event) -> list[Command]:
        match event:
            case it.Saved(True):
                return self._good_bye("message-sent")
            case it.Saved(False, why):
                return self._good_bye(why or "not-saved")
        return []

    # --- opening a mailbox

    def _ask_extension(self) -> list[Command]:
        self._typed = ""
        return self._ask(self._naming, "enter-extension")

    def _naming(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") if self._typed:
                self._extension = self._typed
                return [it.Find(self._typed)]
            case it.Key(digit) if digit.isdigit() and len(self._typed) < _LONGEST_PIN:
                self._typed += digit
                return [it.Wait(KEY_SECONDS)]
            case it.Found(mailbox) if mailbox is not None and mailbox.has_pin:
                return self._ask_pin(mailbox)
            case it.Found():
                # Who has no mailbox is asked for a PIN all the same: nobody learns who has one.
                return self._ask_pin(it.Mailbox("", self._extension))
            case it.Waited() if self._typed:
                self._extension = self._typed
                return [it.Find(self._typed)]
        return self._again(event)

    def _ask_pin(self, mailbox: it.Mailbox) -> list[Command]:
        self._user, self._extension, self._typed = mailbox.user, mailbox.extension, ""
        return self._ask(self._proving, "enter-pin")

    def _proving(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") | it.Waited() if self._typed:
                typed, self._typed = self._typed, ""
                return [it.CheckPin(self._user, typed)]
            case it.Key("*"):
                return self._ask_extension()
            case it.Key(digit) if digit.isdigit() and len(self._typed) < _LONGEST_PIN:
                self._typed += digit
                return [it.Wait(_PIN_SECONDS)]
            case it.Checked(True):
                self._tries = 0
                return [it.List(self._user)]
            case it.Listed(messages):
                return self._open(messages)
            case it.Checked(False, wait):
                self._tries += 1
                if wait or self._tries >= _TRIES:
                    return self._good_bye("too-many-tries" if wait else "wrong-pin")
                return [_say("wrong-pin", "enter-pin")]
        return self._again(event)

    # --- the mailbox

    def _open(self, messages: Sequence[it.Heard]) -> list[Command]:
        self._messages, self._place = tuple(messages), 0
        new = sum(message.new for message in messages)
        count: tuple[str | Spoken, ...] = ("no-messages",)
        if messages:
            count = ("you-have", Number(new), "new-messages", Number(len(messages) - new), "old-messages")
        return self._ask(self._choosing, *count, "main-menu")

    def _choosing(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("1") if self._messages:
                return self._play()
            case it.Key("1"):
                return self._ask(self._choosing, "no-messages", "main-menu")
            case it.Key("2"):
                return self._ask(self._greeting, "greeting-menu")
            case it.Key("3"):
                self._typed = ""
                return self._ask(self._new_pin, "enter-new-pin")
            case it.Key("*") | it.Key("9"):
                return self._good_bye("good-bye")
        return self._again(event)

    def _play(self) -> list[Command]:
        message = self._messages[self._place]
        head: list[str | Spoken] = ["urgent-message"] if message.urgent else []
        head.append("message-from" if message.caller else "message-from-unknown")
        if message.caller:
            head.append(Digits(message.caller))
        self._tries = 0
        self._menu = ("play-menu",)
        self._state = self._playing
        return [_say(*head, it.VoiceMessage(self._user, message.id))]

    def _playing(self, event: it.Event) -> list[Command]:
        message = self._messages[self._place]
        match event:
            case it.Said():
                self._state = self._heard
                marked = [it.Mark(self._user, message.id, read=True)] if message.new else []
                return [*marked, _say(*self._menu), it.Wait(KEY_SECONDS)]
            case it.Key():
                return self._after(event, message)
        return []

    def _heard(self, event: it.Event) -> list[Command]:
        if isinstance(event, it.Key):
            return self._after(event, self._messages[self._place])
        return self._again(event)

    def _after(self, key: it.Key, message: it.Heard) -> list[Command]:
        match key.digit:
            case "1":
                return self._play()
            case "2":
                return [it.Mark(self._user, message.id, read=True), *self._further("message-kept")]
            case "3":
                return [it.Delete(self._user, message.id), *self._further("message-deleted")]
            case "4":
                return [it.Mark(self._user, message.id, read=False), *self._further("message-new-again")]
            case "5" if message.caller:
                return [_say("calling-back"), it.Transfer(message.caller), *self._end()]
            case "*":
                return [it.List(self._user), *self._to(self._proving)]
        self._state = self._heard
        return self._again(key)

    def _further(self, word: str) -> list[Command]:
        if self._place + 1 >= len(self._messages):
            self._state = self._proving
            return [_say(word, "last-message", interruptible=False), it.List(self._user)]
        self._place += 1
        first, *rest = self._play()
        spoken = first.spoken if isinstance(first, Say) else ()
        return [_say(word, *spoken), *rest]

    # --- greeting and PIN

    def _greeting(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("1"):
                return self._ask(self._greeting, it.OwnGreeting(self._user), "greeting-menu")
            case it.Key("2"):
                self._state = self._speaking
                return [_say("record-greeting", interruptible=False)]
            case it.Key("3"):
                self._state = self._keeping
                return [it.KeepGreeting(self._user, recorded=False)]
            case it.Key("*"):
                return [it.List(self._user), *self._to(self._proving)]
        return self._again(event)

    def _speaking(self, event: it.Event) -> list[Command]:
        match event:
            case it.Said():
                return [it.Record()]
            case it.Key():
                return [it.StopRecording()]
            case it.Recorded(seconds) if seconds < _SHORTEST_MESSAGE:
                return [it.DropRecording(), *self._ask(self._greeting, "nothing-recorded", "greeting-menu")]
            case it.Recorded():
                self._state = self._keeping
                return [it.KeepGreeting(self._user, recorded=True)]
        return []

    def _keeping(self, event: it.Event) -> list[Command]:
        match event:
            case it.Saved(True):
                return self._ask(self._greeting, "greeting-saved", "greeting-menu")
            case it.Saved(False, why):
                return self._ask(self._greeting, why or "not-saved", "greeting-menu")
        return []

    def _new_pin(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") | it.Waited() if self._typed:
                return self._take_pin()
            case it.Key("*"):
                return [it.List(self._user), *self._to(self._proving)]
            case it.Key(digit) if digit.isdigit() and len(self._typed) < _LONGEST_PIN:
                self._typed += digit
                return [it.Wait(_PIN_SECONDS)]
            case it.Saved(True):
                self._state = self._proving
                return [_say("pin-changed", interruptible=False), it.List(self._user)]
            case it.Saved(False, why):
                return self._ask(self._choosing, why or "not-saved", "main-menu")
        return self._again(event)

    def _take_pin(self) -> list[Command]:
        typed, self._typed = self._typed, ""
        if not self._chosen_pin:
            if not is_good_pin(typed, self._extension):
                return self._ask(self._new_pin, "pin-too-simple", "enter-new-pin")
            self._chosen_pin = typed
            return self._ask(self._new_pin, "enter-pin-again")
        chosen, self._chosen_pin = self._chosen_pin, ""
        if typed != chosen:
            return self._ask(self._new_pin, "pins-differ", "enter-new-pin")
        return [it.SetPin(self._user, typed)]

    # --- common

    def _ask(self, state: _State, *words: str | Spoken) -> list[Command]:
        self._state = state
        self._tries = 0
        # What is repeated when nothing comes are the last words: the menu, not what was said before it.
        self._menu = words[-1:]
        return [_say(*words), it.Wait(KEY_SECONDS)]

    def _again(self, event: it.Event) -> list[Command]:
        """Nothing came, or a key that means nothing here."""
        match event:
            case it.Said():
                return [it.Wait(KEY_SECONDS)]
            case it.Waited() | it.Key():
                self._tries += 1
                if self._tries >= _TRIES:
                    return self._good_bye("good-bye")
                wrong = ("no-such-choice",) if isinstance(event, it.Key) else ()
                return [_say(*wrong, *self._menu), it.Wait(KEY_SECONDS)]
        return []

    def _to(self, state: _State) -> list[Command]:
        self._state = state
        return []

    def _transfer(self) -> list[Command]:
        return [_say("transferring", interruptible=False), it.Transfer(self._call.operator), *self._end()]

    def _good_bye(self, *words: str) -> list[Command]:
        rest = () if words[-1:] == ("good-bye",) else ("good-bye",)
        return [_say(*words, *rest, interruptible=False), it.HangUp(), *self._end()]

    def _end(self) -> list[Command]:
        self.over = True
        return []


def is_good_pin(pin: str, extension: str) -> bool:
    """Whether a PIN is not the first that anybody tries: length, one digit repeated, a row, the extension."""
    if not _SHORTEST_PIN <= len(pin) <= _LONGEST_PIN or pin in (extension, extension[::-1]):
        return False
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return not (len(steps) == 1 and steps <= {0, 1, 9})
