"""Calls over the WebSocket, as pages ask for them: commands, answers, events, and what is refused and why."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ringback.client.host.server import EngineHost
from ringback.client.host.settings import HostSettings
from ringback.rules.addresses import HostPort
from tests.host.conftest import Json, Tab, browser_at
from tests.softphone.conftest import PASSWORD, SECONDS, person
from tests.support.lab import RunningLab


@contextlib.asynccontextmanager
async def signed_in(lab: RunningLab, folder: Path, user: str) -> AsyncIterator[tuple[Tab, Json]]:
    """A tab of a person whose phone is registered, with the snapshot it began with."""
    settings = HostSettings(
        data=folder, port=0, ca_file=lab.ca_file, cas_url="", use_keyring=False, page=folder / "page",
        name_server=HostPort.parse(lab.inside),
    )  # fmt: skip
    host = EngineHost(settings)
    await host.start()
    try:
        async with browser_at(host) as browser:
            tab, _ = await browser.tab()
            await tab.do("FindServices", address=f"{user}@example.com")
            await tab.phase("credentials")
            await tab.do("SignInWith", password=PASSWORD)
            snapshot = await tab.welcome()
            if snapshot["phone"]["state"] != "registered":
                await tab.until(
                    lambda event: event["event"] == "PhoneChanged" and event["phone"]["state"] == "registered"
                )
            yield tab, snapshot
    finally:
        await host.stop()


def call_state(state: str) -> Callable[[Json], object]:
    """Whether an event tells a call in a state."""
    return lambda event: event["event"] == "CallsChanged" and [call["state"] for call in event["calls"]] == [state]


def card(tab: Tab) -> Json:
    """The phone's card as last told."""
    return dict(next(event["phone"] for event in reversed(tab.seen) if event["event"] == "PhoneChanged"))


async def test_a_page_calls_and_is_told_everything(lab: RunningLab, tmp_path: Path) -> None:
    """From the number's plan to the past call; the other side is a script."""
    async with signed_in(lab, tmp_path, "anita") as (tab, snapshot), person(lab, "bruno") as bruno:
        assert snapshot["features"]["calls"] is True
        assert {one["id"] for one in snapshot["phone"]["devices"]} <= {"CSFANITA", "TABANITA"}
        plan = (await tab.do("PlanNumber", text="2002"))["value"]
        assert (plan["dials"], plan["emergency"]) == ("2002", False)
        assert (await tab.do("PlanNumber", text="112"))["value"]["emergency"] is True
        assert (await tab.do("PlanNumber", text="hello"))["value"]["dials"] == ""
        rings = asyncio.create_task(bruno.next_call(seconds=SECONDS))
        made = (await tab.do("StartCall", to="bruno@example.com"))["value"]["call"]
        assert made["party"]["person"] == "bruno@example.com"
        assert made["media"] == 1
        into = await rings
        await into.answer()
        await tab.until(call_state("active"))
        refused = await tab.do("ConnectMedia", call=made["id"], media=1, sdp="v=0\r\n")
        assert refused["event"] == "Refused"
        assert refused["reason"]["id"] == "calls.refused.page_offer"
        await tab.do("HoldCall", call=made["id"], held=True)
        assert (await tab.do("HoldCall", call=made["id"], held=False))["event"] == "Done"
        await tab.do("MuteCall", call=made["id"], muted=True)
        assert (await tab.do("SendDigits", call=made["id"], digits="1x"))["reason"]["id"] == "calls.refused.keys"
        await tab.do("EndCall", call=made["id"])
        await tab.until(lambda event: event["event"] == "RecentsChanged")
        past = (await tab.do("GetRecents"))["value"]["recents"][0]
        assert (past["result"], past["party"]["name"], past["seen"]) == ("answered", "Bruno Keller", True)
        assert [line["text"]["id"] for line in past["story"]][-1] == "calls.ended.us"
        await tab.do("RemoveRecent", recent=past["id"])
        assert (await tab.do("GetRecents"))["value"]["recents"] == []
        assert (await tab.do("EndCall", call=made["id"]))["reason"]["id"] == "calls.refused.no_call"
        await into.over(SECONDS)


async def test_a_missed_call_is_counted_until_it_was_seen(lab: RunningLab, tmp_path: Path) -> None:
    """Low-bandwidth mode and missed calls belong to the phone's card; both outlive a new page."""
    async with signed_in(lab, tmp_path, "anita") as (tab, _), person(lab, "bruno") as bruno:
        out = await bruno.call("2001")
        event = await tab.until(call_state("ringing_in"))
        assert event["calls"][0]["why"][0]["id"] == "calls.why.line"
        await out.end()
        await tab.until(lambda event: event["event"] == "PhoneChanged" and event["phone"]["missed"] == 1)
        await tab.do("SeeRecents")
        assert card(tab)["missed"] == 0
        await tab.do("SetLowBandwidth", on=True)
        assert card(tab)["low"] is True
        assert (await tab.do("ChooseDevice", device="TABANITA"))["reason"]["id"] == "calls.refused.other_device"
        assert (await tab.do("ChooseDevice", device="NOSUCH"))["reason"]["id"] == "calls.refused.no_device"
        await out.over(SECONDS)
