"""Greetings: switched and recorded over the interface, chosen by reason of the diversion, caller, switch and clock."""

from __future__ import annotations

import datetime

import pytest

from ringback.rules.office_hours import OfficeHours, OfficeHoursError
from ringback.services.voicemail.greetings import Circumstances, choose
from ringback.storage.voicemail.records import GREETING_KINDS, Greeting, GreetingKind
from tests.voicemail.conftest import Running, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PLACE = "/vmrest/user/greetings"
_HOURS = OfficeHours.parse(["Mo-Fr 08:00-17:30"], ["2026-12-25"], "Europe/Zurich")


def _at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


_TUESDAY, _SUNDAY, _CHRISTMAS = (
    _at("2026-11-24T10:00:00+01:00"),
    _at("2026-11-22T10:00:00+01:00"),
    _at("2026-12-25T10:00:00+01:00"),
)


@pytest.mark.parametrize(
    ("on", "reason", "inside", "now", "heard"),
    [
        (set(), "no-answer", False, _TUESDAY, "Standard"),
        ({"Busy", "Internal", "Closed", "Holiday"}, "no-answer", False, _TUESDAY, "Standard"),
        ({"Busy", "Internal"}, "user-busy", True, _TUESDAY, "Busy"),
        ({"Internal", "Closed"}, "no-answer", True, _SUNDAY, "Internal"),
        ({"Closed"}, "unavailable", False, _SUNDAY, "Closed"),
        ({"Closed", "Holiday"}, "no-answer", False, _CHRISTMAS, "Holiday"),
        ({"Alternate", "Busy", "Closed"}, "user-busy", False, _SUNDAY, "Alternate"),
    ],
)
async def test_one_greeting_counts(on: set[GreetingKind], reason: str, inside: bool, now: float, heard: str) -> None:
    greetings = {kind: Greeting(kind, kind in on or kind == "Standard") for kind in GREETING_KINDS}
    assert choose(greetings, Circumstances(reason, inside, now, _HOURS)).kind == heard


async def test_a_greeting_ends_by_itself() -> None:
    until = int(_TUESDAY * 1000)
    greetings: dict[GreetingKind, Greeting] = {"Alternate": Greeting("Alternate", enabled=True, until=until)}
    for now, heard in ((_TUESDAY - 1, "Alternate"), (_TUESDAY, "Standard")):
        assert choose(greetings, Circumstances("", False, now, _HOURS)).kind == heard


@pytest.mark.parametrize("wrong", [["Mo 17:00-08:00"], ["Xy 08:00-09:00"], ["Mo 08:00-25:00"], ["always"]])
async def test_hours_that_are_none_are_refused(wrong: list[str]) -> None:
    with pytest.raises(OfficeHoursError):
        OfficeHours.parse(wrong, [])


async def test_a_week_that_goes_over_sunday() -> None:
    hours = OfficeHours.parse(["Sa-Mo 00:00-24:00"], [], "Europe/Zurich")
    assert hours.is_open(_SUNDAY)
    assert not hours.is_open(_TUESDAY)


async def test_a_greeting_is_recorded_heard_switched_and_deleted(running: Running) -> None:
    listed = await running.json(_PLACE)
    assert [row["GreetingType"] for row in listed["Greeting"]] == list(GREETING_KINDS)
    audio = f"{_PLACE}/Alternate/greetingstreamfiles/1031"
    assert (await running.ask("GET", audio))[0] == 404
    sound = recorded(1.0)
    headers = {"Content-Type": "audio/wav"}
    assert (await running.ask("PUT", audio, data=sound, headers=headers))[0] == 204
    assert (await running.ask("GET", audio))[2] == sound
    files = await running.json(f"{_PLACE}/Alternate/greetingstreamfiles")
    assert (files["@total"], files["GreetingStreamFile"]["LanguageCode"]) == ("1", "1031")
    change = b'{"Enabled":"true","TimeExpires":"0"}'
    json = {"Content-Type": "application/json"}
    assert (await running.ask("PUT", f"{_PLACE}/Alternate", data=change, headers=json))[0] == 204
    shown = await running.json(f"{_PLACE}/Alternate")
    assert (shown["Enabled"], shown["PlayWhat"]) == ("true", "1")
    assert (await running.ask("GET", audio, "bram"))[0] == 404, "greetings of others are not told"
    assert (await running.ask("DELETE", audio))[0] == 204
    assert (await running.json(f"{_PLACE}/Alternate"))["PlayWhat"] == "0"


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("PUT", "/Standard", b'{"Enabled":"false"}', 400),
        ("PUT", "/Alternate", b'{"PlayWhat":"2"}', 400),
        ("PUT", "/Alternate", b'{"Colour":"blue"}', 400),
        ("GET", "/Sunday", None, 400),
        ("PUT", "/Busy/greetingstreamfiles/1033", b"no sound", 415),
        ("PUT", "/Busy/greetingstreamfiles/1033", recorded(91.0, 4000), 413),
    ],
)
async def test_what_is_no_greeting_is_refused(
    running: Running, method: str, path: str, data: bytes | None, status: int
) -> None:
    headers = {"Content-Type": "application/json" if data and data[:1] == b"{" else "audio/wav"}
    assert (await running.ask(method, _PLACE + path, data=data, headers=headers))[0] == status


async def test_people_see_who_they_are_and_how_long_messages_may_be(running: Running) -> None:
    me = await running.json("/vmrest/user")
    assert (me["Alias"], me["DtmfAccessId"], me["Language"]) == ("anita", "2001", "1033")
    assert (await running.json("/vmrest/user/cos"))["MaxMsgLen"] == "10"
