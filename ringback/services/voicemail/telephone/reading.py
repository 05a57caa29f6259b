"""Opening a mailbox by PIN, and its messages: hear, keep, delete, call back, reply, send on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.composing import Composing
from ringback.services.voicemail.telephone.events import Command, Digits, Number, Say
from ringback.services.voicemail.telephone.steps import DIGIT_SECONDS, KEY_SECONDS, TRIES, Words, is_good_pin, say


class Reading(Composing):
    """See the head of this module."""

    def __init__(self, call: it.Call) -> None:
        super().__init__(call)
        self._chosen_pin = ""
        self._messages: tuple[it.Heard, ...] = ()
        self._place = 0
        self._to_whom: it.Mailbox | None = None
        self._confirmed: Callable[[], list[Command]] = self._list

    # --- opening a mailbox

    def _sign_in(self) -> list[Command]:
        return self._ask_pin(self._call.to) if self._call.to is not None else self._ask_extension()

    def _ask_extension(self) -> list[Command]:
        self._typed = ""
        return self._ask(self._naming, "enter-extension")

    def _naming(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") | it.Waited() if self._typed:
                self._extension = self._typed
                return [it.Find(self._typed)]
            case it.Found(mailbox) if mailbox is not None and mailbox.has_pin:
                return self._ask_pin(mailbox)
            case it.Found():
                # Who has no mailbox is asked for a PIN all the same: nobody learns who has one.
                return self._ask_pin(it.Mailbox("", self._extension))
        return [it.Wait(KEY_SECONDS)] if self._type(event) else self._again(event)

    def _ask_pin(self, mailbox: it.Mailbox) -> list[Command]:
        self._leaves = False
        self._user, self._extension, self._typed = mailbox.user, mailbox.extension, ""
        return self._ask(self._proving, "enter-pin")

    def _proving(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") | it.Waited() if self._typed:
                typed, self._typed = self._typed, ""
                return [it.CheckPin(self._user, typed, self._extension)]
            case it.Key("*"):
                return self._ask_extension()
            case it.Checked(True, expired=True):
                self._typed = ""
                return self._ask(self._new_pin, "choose-new-pin", "enter-new-pin")
            case it.Checked(True):
                self._tries = 0
                return [it.List(self._user)]
            case it.Listed(messages, nearly_full):
                return self._open(messages, nearly_full=nearly_full)
            case it.Checked(False, wait):
                self._tries += 1
                if wait or self._tries >= TRIES:
                    return self._good_bye("too-many-tries" if wait else "wrong-pin")
                return [say("wrong-pin", "enter-pin")]
        return [it.Wait(DIGIT_SECONDS)] if self._type(event) else self._again(event)

    def _list(self) -> list[Command]:
        return [it.List(self._user), *self._to(self._proving)]

    def _back(self, word: str) -> list[Command]:
        """To the main menu, with a word of how it went before it."""
        self._state = self._proving
        return [say(word, interruptible=False), it.List(self._user)]

    # --- the mailbox

    def _open(self, messages: tuple[it.Heard, ...], *, nearly_full: bool) -> list[Command]:
        self._messages, self._place = messages, 0
        new = sum(message.new for message in messages)
        count: tuple[Words, ...] = ("no-messages",)
        if messages:
            count = ("you-have", Number(new), "new-messages", Number(len(messages) - new), "old-messages")
        if nearly_full:
            count = ("mailbox-nearly-full", *count)
        return self._ask(self._choosing, *count, "main-menu")

    def _choosing(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("1") if self._messages:
                return self._play()
            case it.Key("1"):
                return self._ask(self._choosing, "no-messages", "main-menu")
            case it.Key("2"):
                return self._choose_greeting()
            case it.Key("3"):
                self._typed = ""
                return self._ask(self._new_pin, "enter-new-pin")
            case it.Key("4"):
                return self._ask_whom(self._speak_to)
            case it.Key("*") | it.Key("9"):
                return self._good_bye("good-bye")
        return self._again(event)

    @abstractmethod
    def _choose_greeting(self) -> list[Command]:
        """Ask which greeting."""

    def _play(self) -> list[Command]:
        message = self._messages[self._place]
        head: list[Words] = ["urgent-message"] if message.urgent else []
        head += ["private-message"] if message.private else []
        head.append("message-from" if message.caller else "message-from-unknown")
        if message.caller:
            head.append(Digits(message.caller))
        self._tries = 0
        self._menu = ("play-menu",)
        self._state = self._playing
        return [say(*head, it.VoiceMessage(self._user, message.id))]

    def _playing(self, event: it.Event) -> list[Command]:
        message = self._messages[self._place]
        match event:
            case it.Said():
                self._state = self._heard
                marked = [it.Mark(self._user, message.id, read=True)] if message.new else []
                return [*marked, say(*self._menu), it.Wait(KEY_SECONDS)]
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
                return [say("calling-back"), it.Transfer(message.caller), *self._end()]
            case "6":
                return self._reply(message)
            case "7" if message.private:
                return self._ask(self._heard, "private-not-sent-on", "play-menu")
            case "7":
                return self._ask_whom(self._ask_words)
            case "*":
                return self._list()
        self._state = self._heard
        return self._again(key)

    def _further(self, word: str) -> list[Command]:
        if self._place + 1 >= len(self._messages):
            self._state = self._proving
            return [say(word, "last-message", interruptible=False), it.List(self._user)]
        self._place += 1
        first, *rest = self._play()
        spoken = first.spoken if isinstance(first, Say) else ()
        return [say(word, *spoken), *rest]

    def _heard_again(self, word: str) -> list[Command]:
        """Back to the menu of the message, with a word of how it went."""
        return self._ask(self._heard, word, "play-menu")

    # --- reply, send on, send

    def _reply(self, message: it.Heard) -> list[Command]:
        if not message.answerable:
            return self._ask(self._heard, "no-reply", "play-menu")
        self._deliver_by = lambda: [it.Reply(self._user, message.id, self._priority, self._sensitivity)]
        self._then = self._heard_again
        return self._compose("record-after-tone")

    def _ask_whom(self, confirmed: Callable[[], list[Command]]) -> list[Command]:
        self._confirmed, self._typed = confirmed, ""
        return self._ask(self._addressing, "enter-recipient")

    def _addressing(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") | it.Waited() if self._typed:
                typed, self._typed = self._typed, ""
                return [it.Find(typed)]
            case it.Key("*"):
                return self._list()
            case it.Found(None):
                return self._ask(self._addressing, "no-mailbox", "enter-recipient")
            case it.Found(mailbox) if mailbox is not None:
                self._to_whom = mailbox
                return self._ask(self._confirming, "to-extension", Digits(mailbox.extension), "confirm-recipient")
        return [it.Wait(KEY_SECONDS)] if self._type(event) else self._again(event)

    def _confirming(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("1") | it.Key("#"):
                return self._confirmed()
            case it.Key("2"):
                return self._ask_whom(self._confirmed)
            case it.Key("*"):
                return self._list()
        return self._again(event)

    def _speak_to(self) -> list[Command]:
        to = self._to_whom.user if self._to_whom is not None else ""
        self._deliver_by = lambda: [it.SendOn(self._user, to, priority=self._priority, sensitivity=self._sensitivity)]
        self._then = self._back
        return self._compose(*self._limit(), "record-after-tone")

    def _ask_words(self) -> list[Command]:
        return self._ask(self._with_words, "words-before")

    def _with_words(self, event: it.Event) -> list[Command]:
        message, to = self._messages[self._place], self._to_whom.user if self._to_whom is not None else ""
        self._then = self._heard_again
        match event:
            case it.Key("1"):
                self._deliver_by = lambda: [
                    it.SendOn(self._user, to, message.id, True, self._priority, self._sensitivity)
                ]
                return self._compose("record-after-tone")
            case it.Key("2"):
                self._state = self._delivering
                return [it.SendOn(self._user, to, message.id, recorded=False)]
            case it.Key("*"):
                return self._list()
        return self._again(event)

    # --- PIN

    def _new_pin(self, event: it.Event) -> list[Command]:
        match event:
            case it.Key("#") | it.Waited() if self._typed:
                return self._take_pin()
            case it.Key("*"):
                self._chosen_pin = ""
                return self._list()
            case it.Saved(True):
                return self._back("pin-changed")
            case it.Saved(False, why):
                return self._ask(self._choosing, why or "not-saved", "main-menu")
        return [it.Wait(DIGIT_SECONDS)] if self._type(event) else self._again(event)

    def _take_pin(self) -> list[Command]:
        typed, self._typed = self._typed, ""
        if not self._chosen_pin:
            if not is_good_pin(typed, self._extension, self._call.pin_length):
                return self._ask(self._new_pin, "pin-too-simple", "enter-new-pin")
            self._chosen_pin = typed
            return self._ask(self._new_pin, "enter-pin-again")
        chosen, self._chosen_pin = self._chosen_pin, ""
        if typed != chosen:
            return self._ask(self._new_pin, "pins-differ", "enter-new-pin")
        return [it.SetPin(self._user, typed)]
