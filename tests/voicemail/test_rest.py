"""The voicemail interface as its clients use it: published shapes, in XML and JSON, over HTTPS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from ringback.protocols import markup
from ringback.protocols.vmrest.messages import MessageList
from tests.voicemail.conftest import OWN_PASSWORD, PASSWORDS, VOICEMAIL, Running, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_sent_message_is_listed_played_and_shown_as_sent(running: Running) -> None:
    sound = recorded(1.5)
    status, place = await running.send("anita", ["bram@example.com"], sound, "Lunch", Priority="Urgent")
    assert status == 201
    page = await running.json("/vmrest/mailbox/folders/inbox/messages", "bram")
    message = page["Message"]
    assert page["@total"] == "1"
    assert (message["Subject"], message["Priority"], message["Read"]) == ("Lunch", "Urgent", "false")
    assert (message["From"]["DisplayName"], message["Duration"]) == ("Anita Perez", "1500")
    assert message["CallerId"]["CallerNumber"] == "2001"
    status, kind, body = await running.ask("GET", message["Attachments"]["Attachment"]["URI"], "bram")
    assert (status, kind, body) == (200, "audio/wav", sound)
    sent = await running.json("/vmrest/mailbox/folders/sent/messages")
    assert sent["Message"]["URI"] == place.decode()
    assert sent["Message"]["Recipients"]["Recipient"]["Address"]["SmtpAddress"] == "bram@example.com"


async def test_the_same_page_in_xml(running: Running) -> None:
    await running.send("anita", ["bram@example.com"], recorded(), "One")
    await running.send("anita", ["bram@example.com"], recorded(), "Two")
    status, kind, body = await running.ask("GET", "/vmrest/messages?sortorder=ascending", "bram")
    assert (status, kind) == (200, "application/xml")
    page = MessageList.read_from(markup.parse(body))
    assert (page.total, [message.subject for message in page.messages]) == (2, ["One", "Two"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<Message><Read>true</Read></Message>", "application/xml"), (b'{"Read": true}', "application/json")],
)
async def test_marking_moves_the_numbers_of_the_folder(running: Running, body: bytes, kind: str) -> None:
    await running.send("anita", ["bram@example.com"], recorded())
    message = (await running.json("/vmrest/messages", "bram"))["Message"]
    before = await running.json("/vmrest/mailbox/folders/inbox", "bram")
    status, _, _ = await running.ask("PUT", message["URI"], "bram", data=body, headers={"Content-Type": kind})
    assert status == 204
    assert (await running.json(message["URI"], "bram"))["Read"] == "true"
    after = await running.json("/vmrest/mailbox/folders/inbox", "bram")
    assert int(after["USN"]) == int(before["USN"]) + 1
    assert (await running.json("/vmrest/messages?read=false", "bram"))["@total"] == "0"


async def test_deleting_taking_back_and_emptying(running: Running) -> None:
    for subject in ("one", "two"):
        await running.send("anita", ["bram@example.com"], recorded(), subject)
    first, second = (await running.json("/vmrest/messages", "bram"))["Message"]
    assert (await running.ask("DELETE", first["URI"], "bram"))[0] == 204
    assert (await running.json("/vmrest/mailbox/folders/deleted/messages", "bram"))["@total"] == "1"
    assert (await running.ask("PUT", first["URI"] + "?method=undelete", "bram"))[0] == 204
    assert (await running.json("/vmrest/messages", "bram"))["@total"] == "2"
    assert (await running.ask("DELETE", second["URI"] + "?harddelete=true", "bram"))[0] == 204
    assert (await running.ask("GET", second["URI"], "bram"))[0] == 404
    await running.ask("DELETE", first["URI"], "bram")
    status, _, _ = await running.ask("POST", "/vmrest/mailbox/folders/deleted/messages?method=empty", "bram")
    assert status == 204
    folders = (await running.json("/vmrest/mailbox/folders", "bram"))["Folder"]
    assert [folder["MessageCount"] for folder in folders] == ["0", "0", "0"]
    assert (await running.json("/vmrest/mailbox", "bram"))["CurrentSizeInBytes"] == "0"


async def test_nobody_sees_the_messages_of_others(running: Running) -> None:
    await running.send("anita", ["bram@example.com"], recorded())
    message = (await running.json("/vmrest/messages", "bram"))["Message"]
    for method, path in (("GET", ""), ("GET", "/attachments/0"), ("DELETE", ""), ("PUT", "?method=undelete")):
        assert (await running.ask(method, message["URI"] + path, "anita"))[0] == 404
    assert (await running.json("/vmrest/messages", "bram"))["@total"] == "1"


async def test_a_mailbox_with_its_own_password_opens_by_that_only(running: Running) -> None:
    assert (await running.ask("GET", "/vmrest/mailbox", "chidi", password=PASSWORDS["chidi"]))[0] == 401
    assert (await running.ask("GET", "/vmrest/mailbox", "chidi", password=OWN_PASSWORD))[0] == 200


async def test_a_token_that_nobody_signed_is_refused(running: Running) -> None:
    headers = {"Authorization": "Bearer not.a.token"}
    async with running.session.get(running.url("/vmrest/mailbox"), headers=headers) as response:
        assert response.status == 503  # this call manager gives no keys: nobody can say whether a token is good


async def test_addressees_are_found_by_name(running: Running) -> None:
    found = await running.json("/vmrest/mailbox/addresses?name=vries")
    assert found["Address"]["SmtpAddress"] == "bram@example.com"


@pytest.mark.parametrize(
    ("sound", "status", "code"),
    [
        (b"this is no sound", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (recorded(0.0), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (recorded(11.0, 4000), 413, "MESSAGE_TOO_LONG"),
        (recorded(9.0), 507, "MAILBOX_FULL"),
    ],
)
async def test_what_is_no_message_is_refused_with_its_reason(
    running: Running, sound: bytes, status: int, code: str
) -> None:
    answered, body = await running.send("anita", ["bram@example.com"], sound)
    assert (answered, msgspec.json.decode(body)["errors"]["code"]) == (status, code)
    assert (await running.json("/vmrest/mailbox/folders/sent/messages"))["@total"] == "0"


async def test_an_unknown_recipient_stops_the_whole_message(running: Running) -> None:
    status, body = await running.send("anita", ["bram@example.com", "ghost@example.com"], recorded())
    assert status == 400
    assert b"ghost@example.com" in body
    assert (await running.json("/vmrest/messages", "bram"))["@total"] == "0"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/vmrest/messages/not-an-id", 400),
        ("GET", "/vmrest/messages/0:00000000-0000-0000-0000-000000000000", 404),
        ("GET", "/vmrest/messages?rowsperpage=0", 400),
        ("GET", "/vmrest/messages?read=perhaps", 400),
        ("GET", "/vmrest/mailbox/folders/attic", 400),
        ("POST", "/vmrest/mailbox/folders/inbox/messages?method=empty", 400),
        ("PUT", "/vmrest/messages/0:00000000-0000-0000-0000-000000000000", 400),
        ("GET", "/vmrest/elsewhere", 404),
    ],
)
async def test_bad_requests_are_told_so(running: Running, method: str, path: str, status: int) -> None:
    assert (await running.ask(method, path))[0] == status


async def test_the_probe_and_the_version_need_nobody(running: Running) -> None:
    async with running.session.get(running.url("/ssosp/ws/public/singleSignOn")) as response:
        assert b'<Status enabled="false"/>' in await response.read()
    async with running.session.get(running.url("/vmrest/version")) as response:
        assert b"<version>14.0.1</version>" in await response.read()


async def test_cometd_tells_of_each_change_at_once(running: Running) -> None:
    _, _, body = await running.ask("POST", "/vmrest/mailbox?method=requestnotification", "bram", data=b"{}")
    channel = f"/vmrest/mailbox/{body.decode()}"
    client = _Comet(running)
    await client.begin(channel)
    await running.send("anita", ["bram@example.com"], recorded(), "Hear this")
    [event] = await client.events()
    assert event["channel"] == channel
    assert event["data"]["EventType"] == "NEW_MESSAGE"
    [info] = event["data"]["MessageInfo"]
    assert (info["Sender"], info["CallerAni"]) == ("Anita Perez", "2001")
    body = b"<Message><Read>true</Read></Message>"
    await running.ask("PUT", f"/vmrest/messages/{info['MessageId']}", "bram", data=body)
    [event] = await client.events()
    assert event["data"]["EventType"] == "SAVED_MESSAGE"
    await running.ask("DELETE", f"/vmrest/messages/{info['MessageId']}", "bram")
    assert [event["data"]["EventType"] for event in await client.events()] == [
        "DELETED_MESSAGE",
        "DELETED_MESSAGE_CREATE",
    ]


async def test_cometd_gives_nobody_a_channel_that_was_not_asked_for(running: Running) -> None:
    client = _Comet(running)
    for channel in ("/vmrest/mailbox/bram", "/vmrest/mailbox/*", "/meta/connect"):
        [answer] = await client.begin(channel)
        assert not answer["successful"]


class _Comet:
    """A client of the notification port by long polling."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._id = ""

    async def begin(self, channel: str) -> list[dict[str, Any]]:
        kinds = {"supportedConnectionTypes": ["long-polling"], "version": "1.0"}
        [greeted] = await self._post({"channel": "/meta/handshake", **kinds})
        self._id = greeted["clientId"]
        return await self._post({"channel": "/meta/subscribe", "clientId": self._id, "subscription": channel})

    async def events(self) -> list[dict[str, Any]]:
        connect = {"channel": "/meta/connect", "clientId": self._id, "connectionType": "long-polling"}
        return [packet for packet in await self._post(connect) if "data" in packet]

    async def _post(self, packet: Mapping[str, object]) -> list[dict[str, Any]]:
        port = self._running.port("notify-tls")
        url = f"https://{VOICEMAIL}:{port}/vmevents/cometd/{str(packet['channel']).rpartition('/')[2]}"
        headers = {"Content-Type": "application/json"}
        async with self._running.session.post(url, data=msgspec.json.encode([packet]), headers=headers) as response:
            found: list[dict[str, Any]] = msgspec.json.decode(await response.read())
            return found
