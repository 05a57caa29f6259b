"""Who listens is told of each new message, also of those that were kept while nobody could be told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiocometd_ng.client import Client

from ringback.services.voicemail.service import VoicemailService
from ringback.storage.voicemail.notices import NoticeStore
from ringback.storage.voicemail.records import NewVoiceMessage
from tests.voicemail.conftest import VOICEMAIL, Running, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Listener:
    """A CometD client whose every request can be looked at."""

    def __init__(self, running: Running, name: str) -> None:
        self._running = running
        self._name = name
        self._client = ""

    async def say(self, channel: str, **more: Any) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self._running.port('notify')}/vmevents/cometd"
        packet = {"channel": f"/meta/{channel}", "clientId": self._client} | more
        async with aiohttp.ClientSession() as session, session.post(url, json=[packet]) as answer:
            packets: list[dict[str, Any]] = await answer.json()
            return packets

    async def join(self) -> list[str]:
        """A new session; the messages it is told of at once."""
        [hello] = await self.say("handshake", supportedConnectionTypes=["long-polling"])
        self._client = hello["clientId"]
        told = await self.say("subscribe", subscription=f"/vmrest/mailbox/{self._name}")
        return [*_messages(told), *await self.listen()]

    async def listen(self) -> list[str]:
        """The next messages that it is told of; it shows by this request that it got those before."""
        return _messages(await self.say("connect", connectionType="long-polling", advice={"timeout": 0}))


def _messages(packets: list[dict[str, Any]]) -> list[str]:
    return [
        packet["data"]["MessageInfo"][0]["MessageId"].removeprefix("0:")
        for packet in packets
        if packet.get("data", {}).get("EventType") == "NEW_MESSAGE"
    ]


async def subscription(running: Running, user: str = "bram") -> str:
    status, _, name = await running.ask("POST", "/vmrest/mailbox?method=requestnotification", user, data=b"{}")
    assert status == 200
    return name.decode()


async def keep(running: Running, user: str = "bram") -> str:
    """Keep a message and tell nobody, as a service that is killed at that moment; its id."""
    new = NewVoiceMessage(recorded(), 1000, 1_790_000_000_000)
    [kept] = await running.store.deliver([user], new)
    return kept.message.id


async def untold(running: Running, name: str) -> int:
    return len(await NoticeStore(running.store.engine, VOICEMAIL).untold(name))


async def test_who_comes_back_hears_once_what_was_kept_and_not_told(running: Running) -> None:
    name = await subscription(running)
    listener = Listener(running, name)
    assert await listener.join() == []
    first, second = await keep(running), await keep(running)
    assert await listener.join() == [first, second]
    assert await listener.listen() == []
    assert await listener.join() == []
    assert await untold(running, name) == 0


async def test_an_answer_that_nobody_is_known_to_have_got_is_given_again(running: Running) -> None:
    listener = Listener(running, await subscription(running))
    await listener.join()
    await running.send("anita", ["bram@example.com"], recorded())
    [message] = await listener.listen()
    assert await listener.join() == [message], "the client fell over before it showed that it had read"
    assert await listener.listen() == []
    assert await listener.join() == []


async def test_two_who_share_a_subscription_each_hear_once(running: Running) -> None:
    name = await subscription(running)
    one, other = Listener(running, name), Listener(running, name)
    await one.join()
    await other.join()
    await running.send("anita", ["bram@example.com"], recorded())
    assert len(await one.listen()) == len(await other.listen()) == 1
    assert await one.listen() == await other.listen() == []


async def test_notices_go_with_message_and_subscription(running: Running) -> None:
    name = await subscription(running)
    listener = Listener(running, name)
    await listener.join()
    message = await keep(running)
    assert await untold(running, name) == 1
    await running.store.remove("bram", [message])
    assert await untold(running, name) == 0
    assert await listener.join() == []
    await keep(running)
    for _ in range(32):  # more than a person may have: the oldest ends, and what it was not told
        last = await subscription(running)
    assert await listener.say("subscribe", subscription=f"/vmrest/mailbox/{last}")
    assert await untold(running, name) == 0
    store = NoticeStore(running.store.engine, VOICEMAIL)
    names = {one.name for one in await store.listeners() if one.user == "bram"}
    assert len(names) == 32
    assert {one.listener for one in await store.untold()} <= names


@pytest.mark.peer
async def test_a_client_of_others_that_stays_hears_after_a_restart_what_it_missed(running: Running) -> None:
    """The service of the next start has the same port; the client is left to itself (its own watch of the connection
    asks for what Python 3.10 removed)."""
    before = running.service
    name = await subscription(running)
    url = f"http://127.0.0.1:{running.port('notify')}/vmevents/cometd"
    async with asyncio.timeout(40), Client(url, connection_timeout=0) as client:
        await client.subscribe(f"/vmrest/mailbox/{name}")
        ports = {endpoint.service: endpoint.port for endpoint in before.endpoints}
        await before.stop()
        missed = await keep(running)
        running.service = VoicemailService(
            replace(running.settings, rest_port=ports["vmrest"], notify_port=ports["notify"])
        )
        await running.service.start()
        event = (await client.receive())["data"]
        assert (event["EventType"], event["MessageInfo"][0]["MessageId"]) == ("NEW_MESSAGE", f"0:{missed}")
        assert (event["SubscriptionId"], event["DisplayName"]) == (name, "Bram de Vries")
        await running.send("anita", ["bram@example.com"], recorded())
        event = (await client.receive())["data"]
        assert event["MessageInfo"][0]["MessageId"] != f"0:{missed}"
