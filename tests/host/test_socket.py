"""The WebSocket as the page uses it: sign-in, several tabs, reload, slow tabs, what is not understood, restart."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from tests.host.conftest import Browser, Tab, browser_at, running_host
from tests.support.foreign import ForeignServer


async def test_two_browsers_are_two_people(prosody: ForeignServer, tmp_path: Path) -> None:
    async with (
        running_host(tmp_path, ca=prosody.ca) as host,
        browser_at(host) as first,
        browser_at(host) as second,
    ):
        anita, snapshot = await first.tab()
        assert snapshot["sign_in"]["phase"] == "address"
        assert snapshot["me"] is None
        bruno, _ = await second.tab()
        assert (await anita.sign_in(prosody, "anita"))["me"]["id"] == f"anita@{prosody.domain}"
        assert (await bruno.sign_in(prosody, "bruno"))["me"]["id"] == f"bruno@{prosody.domain}"
        to_bruno = {"conversation": f"bruno@{prosody.domain}", "id": "page-made-1", "body": "From tab to tab"}
        done = await anita.do("SendMessage", **to_bruno)
        assert (done["value"]["id"], done["value"]["state"]) == ("page-made-1", "sending")
        event = await bruno.until(lambda event: event["event"] == "MessagesChanged")
        assert event["live"] is True
        assert event["messages"][0]["body"] == "From tab to tab"
        await anita.until(lambda event: event["event"] == "MessagesChanged" and states(event) == ["delivered"])
        # Said twice by a page that was not sure: one message.
        await anita.do("SendMessage", **to_bruno)
        history = (await anita.do("GetHistory", conversation=to_bruno["conversation"]))["value"]["messages"]
        assert [message["id"] for message in history].count("page-made-1") == 1


def states(event: dict[str, object]) -> list[str]:
    """The states of an event's messages."""
    messages = event["messages"]
    assert isinstance(messages, list)
    return [message["state"] for message in messages]


async def test_tabs_of_a_browser_show_the_same_and_a_reload_loses_nothing(
    prosody: ForeignServer, tmp_path: Path
) -> None:
    async with running_host(tmp_path, ca=prosody.ca) as host, browser_at(host) as browser:
        one, _ = await browser.tab()
        await one.sign_in(prosody, "anita")
        other, snapshot = await browser.tab()
        assert snapshot["me"]["id"] == f"anita@{prosody.domain}"
        await one.do("SetPresence", show="dnd", status="Counting wagons")
        event = await other.until(lambda event: event["event"] == "MeChanged" and event["me"]["chosen"] == "dnd")
        assert event["me"]["status"] == "Counting wagons"
        await one.do("SendMessage", conversation=f"bruno@{prosody.domain}", id="before-reload", body="Still here?")
        await one.socket.close()
        await other.socket.close()
        again, snapshot = await browser.tab()
        assert snapshot["sign_in"]["phase"] == "ready"
        assert snapshot["me"]["chosen"] == "dnd"
        talk = next(talk for talk in snapshot["conversations"] if talk["id"] == f"bruno@{prosody.domain}")
        assert talk["last"]["id"] == "before-reload"
        trace = (await again.do("GetTrace"))["value"]["entries"]
        assert trace
        async with browser.http.get(f"{host.origin}/api/trace.json") as answer:
            report = await answer.json()
            assert len(report["entries"]) >= len(trace)
            assert "secret" not in json.dumps(report)


async def test_what_is_not_understood_is_refused_in_words(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        for text in (
            "",
            "{",
            "[]",
            '{"do":"Nothing","n":7}',
            '{"do":"Search","n":7}',
            '{"do":"Search","n":7,"query":1}',
        ):
            await tab.socket.send_str(text)
            event = await tab.until(lambda event: event["event"] == "Refused")
            assert event["reason"]["id"] == "host.not_understood"
        await tab.socket.send_str('{"do":"Search","n":9,"query":"x","more":1}')
        assert (await tab.until(lambda event: event["event"] == "Refused"))["n"] == 9
        assert (await tab.do("SendMessage", conversation="a@b", id="x", body="y"))["reason"][
            "id"
        ] == "engine.not_signed_in"
        assert (await tab.do("FindServices", address="no address"))["reason"]["id"] == "engine.address_wrong_typed"
        assert (await tab.do("SignInWith", password="early"))["reason"]["id"] == "engine.address_first"
        wrong = {"mode": "manual", "account": "xmpp", "presence": "a server:port"}
        assert (await tab.do("SetManual", settings=wrong))["reason"]["id"] == "engine.manual.wrong"


async def test_octets_that_are_no_text_are_refused_too(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        for octets in (
            b'{"do": "FindServices", "n": 1, "address": "\xff\xfe"}',
            b"\xff",
            b'{"n": "\xc3"}',
            b"[" * 3000,
        ):
            await tab.socket.send_bytes(octets)
            event = await tab.until(lambda event: event["event"] == "Refused")
            assert event["reason"]["id"] == "host.not_understood"
        assert (await tab.do("GetTrace"))["event"] == "Done"


async def test_cancel_goes_back_to_the_address(tmp_path: Path) -> None:
    async with running_host(tmp_path) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        # A server that takes connections and says nothing: the sign-in would wait for it.
        silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        where = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        await tab.do("SetManual", settings={"mode": "manual", "account": "xmpp", "presence": where})
        await tab.do("FindServices", address="anita@prosody.example")
        await tab.phase("credentials")
        await tab.do("SignInWith", password="whatever")
        await tab.do("Cancel")
        assert tab.seen[-2]["sign_in"]["phase"] == "address"
        silent.close()


async def test_a_wrong_password_can_be_corrected(prosody: ForeignServer, tmp_path: Path) -> None:
    async with running_host(tmp_path, ca=prosody.ca) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        where = {"mode": "manual", "account": "xmpp", "presence": f"{prosody.address}:{prosody.port}"}
        await tab.do("SetManual", settings=where)
        await tab.do("FindServices", address=f"anita@{prosody.domain}")
        found = await tab.phase("credentials")
        assert found["who_asks"] == prosody.address
        await tab.do("SignInWith", password="wrong")
        refused = await tab.phase("credentials")
        while refused["wrong_password"] is None:
            refused = await tab.phase("credentials")
        assert refused["wrong_password"]["values"]["address"] == f"anita@{prosody.domain}"
        await tab.do("SignInWith", password="secret of anita")
        assert (await tab.welcome())["me"]["id"] == f"anita@{prosody.domain}"


async def test_a_remembered_browser_goes_on_after_a_restart_of_the_host(prosody: ForeignServer, tmp_path: Path) -> None:
    async with running_host(tmp_path, ca=prosody.ca) as host, browser_at(host) as browser:
        tab, _ = await browser.tab()
        await tab.sign_in(prosody, "anita", remember=True)
        await tab.do("SendMessage", conversation=f"bruno@{prosody.domain}", id="over-restart", body="Kept")
        cookies = {cookie.key: cookie.value for cookie in browser.http.cookie_jar}
    async with running_host(tmp_path, ca=prosody.ca) as host, aiohttp.ClientSession(cookies=cookies) as http:
        again = Browser(host)
        await again.http.close()
        again.http = http
        tab = Tab(await http.ws_connect(f"{host.origin}/api/socket", headers={"Origin": host.origin}))
        snapshot = await tab.welcome()
        while snapshot["me"] is None:
            snapshot = await tab.welcome()
        assert snapshot["me"]["id"] == f"anita@{prosody.domain}"
        talk = next(talk for talk in snapshot["conversations"] if talk["id"] == f"bruno@{prosody.domain}")
        assert talk["last"]["body"] == "Kept"
        await tab.do("SignOut")
    async with running_host(tmp_path, ca=prosody.ca) as host, aiohttp.ClientSession(cookies=cookies) as http:
        assert (await http.get(f"{host.origin}/api/trace.json")).status == 401
