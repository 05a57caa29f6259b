"""What callers hear and what their keys do: the dialogue alone, driven as a call drives it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone import prompts
from ringback.services.voicemail.telephone.dialogue import Dialogue, is_good_pin
from ringback.services.voicemail.telephone.prompts import language_of, languages, prompt, words

_BRAM = it.Mailbox("bram", "2002", has_pin=True)
_ANITA = it.Mailbox("anita", "2001", has_pin=True)
_MESSAGES = (
    it.Heard("m1", new=True, urgent=True, caller="2001", answerable=True),
    it.Heard("m2", new=False, urgent=False, caller=""),
)


class _Caller:
    """Drives a dialogue and remembers what was said and done."""

    def __init__(self, call: it.Call) -> None:
        self.dialogue = Dialogue(call)
        self.last: list[it.Command] = []
        self.done: list[it.Command] = []
        self._take(self.dialogue.begin())

    def press(self, keys: str) -> _Caller:
        for key in keys:
            self.tell(it.Key(key))
        return self

    def tell(self, *events: it.Event) -> _Caller:
        for event in events:
            self._take(self.dialogue.happened(event))
        return self

    def hears(self) -> list[str]:
        """Names of the prompts of the last answer."""
        spoken = [one for each in self.last if isinstance(each, it.Say) for one in each.spoken]
        return [one.name for one in spoken if isinstance(one, it.Prompt)]

    def did(self, kind: type[it.Command]) -> list[it.Command]:
        return [one for one in self.done if isinstance(one, kind)]

    def _take(self, commands: Sequence[it.Command]) -> None:
        self.last = list(commands)
        self.done += commands


def _leaving(**more: object) -> _Caller:
    return _Caller(it.Call(to=it.Mailbox("bram", "2002", **more), caller=None, operator="2000"))  # type: ignore[arg-type]


def _inside(*messages: it.Heard) -> _Caller:
    caller = _Caller(it.Call(to=None, caller=_BRAM)).press("8264#")
    return caller.tell(it.Checked(True), it.Listed(messages or _MESSAGES))


def test_the_usual_message() -> None:
    caller = _leaving()
    limit = ["record-up-to", "minutes"]  # how long it may be is said before
    assert caller.hears() == ["not-available-1", "not-available-2", *limit, "record-after-tone"]
    caller.tell(it.Said())
    assert caller.last == [it.Record()]
    caller.press("#")
    assert caller.last == [it.StopRecording()]
    caller.tell(it.Recorded(4.0))
    assert caller.hears() == ["message-menu"]
    caller.press("1")
    assert caller.last == [it.Deliver("bram")]
    caller.tell(it.Saved(True))
    assert caller.hears() == ["message-sent", "good-bye"]
    assert caller.last[-1] == it.HangUp()


def test_a_personal_greeting_takes_the_place_of_the_standard_one() -> None:
    [said] = _leaving(greeting="Alternate").done
    assert isinstance(said, it.Say)
    assert said.spoken[0] == it.OwnGreeting("bram", "Alternate")


def test_a_person_who_speaks_is_said_to_be_busy() -> None:
    caller = _Caller(it.Call(to=it.Mailbox("bram", "2002"), caller=None, busy=True, longest=60))
    assert caller.hears() == ["not-available-1", "is-busy", "record-up-to-one-minute", "record-after-tone"]


def test_a_number_without_mailbox_says_so_and_asks_for_no_pin() -> None:
    caller = _Caller(it.Call(to=None, caller=_ANITA, diverted="2000"))
    assert caller.hears() == ["no-mailbox", "good-bye"]


def test_who_calls_the_own_number_opens_the_mailbox() -> None:
    assert _Caller(it.Call(to=_BRAM, caller=_BRAM, diverted="2002")).hears() == ["enter-pin"]


def test_the_longest_time_is_told() -> None:
    caller = _leaving().tell(it.Said(), it.Recorded(300.0, full=True))
    assert caller.hears() == ["longest-reached", "message-menu"]


def test_who_hangs_up_has_left_the_message() -> None:
    caller = _leaving().tell(it.Said())
    assert caller.dialogue.hung_up(3.0) == [it.Deliver("bram")]
    assert caller.dialogue.happened(it.Key("1")) == []


def test_who_hangs_up_at_once_has_left_none() -> None:
    assert _leaving().dialogue.hung_up(0.0) == []
    assert _leaving().tell(it.Said()).dialogue.hung_up(0.4) == []


def test_urgent_private_and_recorded_again() -> None:
    caller = _leaving().tell(it.Said()).press("#").tell(it.Recorded(4.0)).press("45")
    assert caller.hears() == ["marked-private", "message-menu"]
    caller.press("2")
    assert it.Recording() in next(one.spoken for one in caller.last if isinstance(one, it.Say))
    caller.press("3").tell(it.Said())
    assert caller.last == [it.Record()]
    caller.press("#").tell(it.Recorded(2.0)).press("1")
    assert caller.last == [it.Deliver("bram", "Urgent", "Private")]


def test_who_decides_nothing_has_sent_it() -> None:
    caller = _leaving().tell(it.Said()).press("#").tell(it.Recorded(4.0))
    caller.tell(it.Waited(), it.Waited(), it.Waited())
    assert caller.last == [it.Deliver("bram")]


def test_a_full_mailbox_says_so_and_records_nothing() -> None:
    caller = _leaving(full=True)
    assert caller.hears() == ["mailbox-full", "good-bye"]
    assert not caller.tell(it.Said()).did(it.Record)


def test_what_could_not_be_saved_is_not_called_sent() -> None:
    caller = _leaving().tell(it.Said()).press("#").tell(it.Recorded(4.0)).press("1").tell(it.Saved(False, "not-saved"))
    assert caller.hears() == ["not-saved", "good-bye"]


@pytest.mark.parametrize("before", ["", "#"])
def test_the_key_0_leads_to_the_operator(before: str) -> None:
    caller = _leaving().press(before + "0")
    assert it.Transfer("2000") in caller.last


def test_a_wrong_pin_is_told_and_ends_after_three() -> None:
    caller = _Caller(it.Call(to=None, caller=_BRAM))
    for _ in range(2):
        caller.press("1111#").tell(it.Checked(False))
        assert caller.hears() == ["wrong-pin", "enter-pin"]
    caller.press("1111#").tell(it.Checked(False))
    assert caller.hears() == ["wrong-pin", "good-bye"]
    assert caller.dialogue.over


def test_an_extension_that_nobody_has_is_asked_for_a_pin_all_the_same() -> None:
    caller = _Caller(it.Call(to=None, caller=None)).press("9999#")
    assert caller.last == [it.Find("9999")]
    caller.tell(it.Found(None))
    assert caller.hears() == ["enter-pin"]
    assert caller.press("1234#").last == [it.CheckPin("", "1234")]


def test_messages_are_heard_kept_deleted_and_answered() -> None:
    caller = _inside()
    assert caller.hears() == ["you-have", "new-messages", "old-messages", "main-menu"]
    caller.press("1")
    assert caller.hears() == ["urgent-message", "message-from"]
    caller.tell(it.Said())
    assert it.Mark("bram", "m1", read=True) in caller.last
    caller.press("3")
    assert it.Delete("bram", "m1") in caller.last
    assert caller.hears() == ["message-deleted", "message-from-unknown"]
    caller.press("4")
    assert it.Mark("bram", "m2", read=False) in caller.last
    assert caller.last[-1] == it.List("bram")


def test_calling_back_the_one_who_left_it() -> None:
    assert it.Transfer("2001") in _inside().press("15").last


def test_a_reply_is_spoken_and_sent() -> None:
    caller = _inside().press("16").tell(it.Said())
    assert caller.last == [it.Record()]
    caller.press("#").tell(it.Recorded(3.0)).press("41")
    assert caller.last == [it.Reply("bram", "m1", "Urgent")]
    caller.tell(it.Saved(True))
    assert caller.hears() == ["message-sent", "play-menu"]


def test_who_has_no_mailbox_gets_no_reply() -> None:
    assert _inside().press("126").hears() == ["no-reply", "play-menu"]


def test_a_message_is_sent_on_to_an_extension_that_is_confirmed() -> None:
    caller = _inside().press("17")
    assert caller.hears() == ["enter-recipient"]
    assert caller.press("2001#").last == [it.Find("2001")]
    caller.tell(it.Found(_ANITA))
    said = caller.last[0]
    assert isinstance(said, it.Say)
    assert it.Digits("2001") in said.spoken
    assert caller.hears() == ["to-extension", "confirm-recipient"]
    assert caller.press("1").hears() == ["words-before"]
    assert caller.press("2").last == [it.SendOn("bram", "anita", "m1", recorded=False)]
    assert caller.tell(it.Saved(True)).hears() == ["message-sent", "play-menu"]
    caller.press("72001#").tell(it.Found(_ANITA)).press("11").tell(it.Said()).press("#").tell(it.Recorded(2.0))
    assert caller.press("1").last == [it.SendOn("bram", "anita", "m1")]


def test_an_extension_without_mailbox_is_asked_for_again() -> None:
    caller = _inside().press("4999#").tell(it.Found(None))
    assert caller.hears() == ["no-mailbox", "enter-recipient"]


def test_a_private_message_is_not_sent_on() -> None:
    private = it.Heard("m1", new=True, urgent=False, caller="2001", private=True)
    caller = _inside(private).press("1")
    assert caller.hears() == ["private-message", "message-from"]
    assert caller.press("7").hears() == ["private-not-sent-on", "play-menu"]


def test_a_message_is_sent_to_somebody() -> None:
    caller = _inside().press("42001#").tell(it.Found(_ANITA)).press("1").tell(it.Said()).press("#")
    assert caller.tell(it.Recorded(2.0)).press("1").last == [it.SendOn("bram", "anita")]


def test_the_alternate_greeting_is_turned_on() -> None:
    caller = _inside().press("22")
    assert caller.last == [it.AskGreeting("bram", "Alternate")]
    caller.tell(it.GreetingNow("Alternate", on=False))
    assert caller.hears() == ["greeting-alternate", "greeting-is-off", "switched-greeting-menu"]
    assert caller.press("4").last == [it.SwitchGreeting("bram", "Alternate", on=True)]
    caller.tell(it.Saved(True))
    assert caller.hears() == ["greeting-saved", "greeting-alternate", "greeting-is-on", "switched-greeting-menu"]


def test_a_pin_that_was_reset_must_be_changed_first() -> None:
    caller = _Caller(it.Call(to=None, caller=_BRAM)).press("8264#").tell(it.Checked(True, expired=True))
    assert caller.hears() == ["choose-new-pin", "enter-new-pin"]
    assert caller.press("59265#59265#").last == [it.SetPin("bram", "59265")]
    assert it.List("bram") in caller.tell(it.Saved(True)).last


def test_a_nearly_full_mailbox_is_told() -> None:
    caller = _Caller(it.Call(to=None, caller=_BRAM)).press("8264#").tell(it.Checked(True), it.Listed((), True))
    assert caller.hears() == ["mailbox-nearly-full", "no-messages", "main-menu"]


def test_a_new_pin_must_be_typed_twice_and_not_be_simple() -> None:
    caller = _inside().press("31234#")
    assert caller.hears() == ["pin-too-simple", "enter-new-pin"]
    caller.press("59265#35897#")
    assert caller.hears() == ["pins-differ", "enter-new-pin"]
    caller.press("59265#59265#")
    assert caller.last == [it.SetPin("bram", "59265")]


def test_a_greeting_is_recorded_heard_and_taken_back() -> None:
    caller = _inside().press("21").tell(it.GreetingNow("Standard", on=True)).press("2").tell(it.Said())
    assert caller.last == [it.Record()]
    caller.press("#").tell(it.Recorded(3.0))
    assert caller.last == [it.KeepGreeting("bram", recorded=True)]
    caller.tell(it.Saved(True)).press("3")
    assert caller.last == [it.KeepGreeting("bram", recorded=False)]


@pytest.mark.parametrize("pin", ["123", "1111", "1234", "9876", "2002", "0123456789012345678"])
def test_simple_pins_are_refused(pin: str) -> None:
    assert not is_good_pin(pin, "2002")


_events = st.one_of(
    st.sampled_from("0123456789*#").map(it.Key),
    st.just(it.Said()),
    st.just(it.Waited()),
    st.floats(0, 300).map(it.Recorded),
    st.sampled_from([it.Found(None), it.Found(_BRAM), it.Checked(True), it.Checked(False), it.Checked(False, 60)]),
    st.sampled_from([it.Listed(()), it.Listed(_MESSAGES), it.Saved(True), it.Saved(False, "not-saved")]),
)
_calls = st.sampled_from(
    [it.Call(_BRAM, None, "2000"), it.Call(None, _ANITA), it.Call(None, None), it.Call(_BRAM, _ANITA)]
)


@given(_calls, st.lists(_events, max_size=60))
def test_no_order_of_events_breaks_a_dialogue(call: it.Call, events: list[it.Event]) -> None:
    dialogue = Dialogue(call)
    known = words("en")
    commands = dialogue.begin()
    for event in [*events, *[it.Waited()] * 3]:
        for command in commands:
            for one in command.spoken if isinstance(command, it.Say) else ():
                assert not isinstance(one, it.Prompt) or one.name in known
        commands = dialogue.happened(event)
    assert dialogue.happened(it.Key("1")) == [] or not dialogue.over


_OF_THE_OWNER = (
    it.List, it.Mark, it.Delete, it.SetPin, it.KeepGreeting, it.AskGreeting, it.SwitchGreeting, it.Reply, it.SendOn
)  # fmt: skip


@given(_calls, st.lists(_events, max_size=40))
def test_a_mailbox_opens_only_after_its_pin(call: it.Call, events: list[it.Event]) -> None:
    dialogue = Dialogue(call)
    dialogue.begin()
    proven = False
    for event in events:
        if isinstance(event, it.Listed) and not proven:
            continue  # a list comes only where it was asked for
        commands = dialogue.happened(event)
        opening = [one for one in commands if isinstance(one, _OF_THE_OWNER)]
        proven = proven or event == it.Checked(True)
        assert proven or not opening


def test_every_language_says_everything() -> None:
    assert languages() == {"en", "de"}
    assert words("de").keys() == words("en").keys()
    for language in languages():
        folder = Path(prompts.__file__).parent / language
        assert {file.stem for file in folder.glob("*.ogg")} == {*words(language), *(f"number-{n}" for n in range(100))}
        for name in ("good-bye", "number-0", "number-99"):
            assert prompt(language, name).seconds > 0.1
    assert [language_of(locale) for locale in ("de_AT", "de-DE", "fr_FR", "")] == ["de", "de", "en", "en"]
    with pytest.raises(KeyError):
        prompt("en", "no-such-prompt")
