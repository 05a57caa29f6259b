"""Clients that were not written for this service: a CometD client from PyPI, and the published sample of requests."""

from __future__ import annotations

import asyncio
import json

import pytest
import requests
from aiocometd_ng.client import Client
from requests.auth import HTTPBasicAuth

from ringback.net.tls import client_context
from tests.voicemail.conftest import PASSWORDS, Running, recorded

pytestmark = [pytest.mark.peer, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("port", ["notify", "notify-tls"])
async def test_a_cometd_client_hears_of_new_changed_and_deleted_messages(running: Running, port: str) -> None:
    """Over both ports; the client connects by the address, since it takes no resolver, and the certificate names it."""
    _, _, name = await running.ask("POST", "/vmrest/mailbox?method=requestnotification", "bram", data=b"{}")
    secure = port == "notify-tls"
    url = f"http{'s' if secure else ''}://127.0.0.1:{running.port(port)}/vmevents/cometd"
    tls = client_context(running.settings.ca_file) if secure else None
    async with asyncio.timeout(20), Client(url, ssl=tls) as client:
        await client.subscribe(f"/vmrest/mailbox/{name.decode()}")

        async def kind() -> str:
            return str((await client.receive())["data"]["EventType"])

        await running.send("anita", ["bram@example.com"], recorded(), "Hear this")
        event = (await client.receive())["data"]
        assert (event["EventType"], event["DisplayName"], event["MailboxId"]) == (
            "NEW_MESSAGE",
            "Bram de Vries",
            "bram",
        )
        [info] = event["MessageInfo"]
        place = f"/vmrest/messages/{info['MessageId']}"
        for read, told in ((b"true", "SAVED_MESSAGE"), (b"false", "UNREAD_MESSAGE")):
            await running.ask("PUT", place, "bram", data=b"<Message><Read>%b</Read></Message>" % read)
            assert await kind() == told
        await running.ask("DELETE", place, "bram")
        assert [await kind(), await kind()] == ["DELETED_MESSAGE", "DELETED_MESSAGE_CREATE"]
        await running.ask("PUT", f"{place}?method=undelete", "bram")
        assert [await kind(), await kind()] == ["UNREAD_MESSAGE", "DELETED_MESSAGE_UNDELETE"]
        await running.ask("DELETE", f"{place}?harddelete=true", "bram")
        assert [await kind() for _ in range(3)] == [
            "DELETED_MESSAGE",
            "DELETED_MESSAGE_CREATE",
            "DELETED_MESSAGE_DELETE",
        ]


async def test_the_published_sample_sends_lists_and_deletes(running: Running) -> None:
    """The steps of the vendor's sample script with requests: look an address up, send with a body built by hand, list
    with the own id, delete one after the other."""

    def sample() -> list[int]:
        base = f"https://127.0.0.1:{running.port('vmrest')}/vmrest"
        session = requests.Session()
        session.auth = HTTPBasicAuth("anita", PASSWORDS["anita"])
        session.trust_env = False
        session.verify = str(running.settings.ca_file)
        as_json = {"Accept": "application/json"}
        found = session.get(f"{base}/mailbox/addresses?name=anita", headers=as_json, timeout=10).json()["Address"]
        message = {"Subject": "testMessage", "Priority": "Normal", "Sensitivity": "Normal", "Secure": True}
        recipients = {"Recipient": [{"Type": "TO", "Address": {"SmtpAddress": found["SmtpAddress"]}}]}
        limit = b"--the_message_boundary\r\n"
        request = b"".join(
            limit + b"Content-Type: " + kind + b"\r\n\r\n" + part + b"\r\n"
            for kind, part in (
                (b"application/json", json.dumps(message | {"ReadReceiptRequested": False}).encode()),
                (b"application/json", json.dumps(recipients).encode()),
                (b"audio/wav", recorded(0.5, 44_100)),
            )
        )
        headers = {"Content-Type": "multipart/form-data; boundary=the_message_boundary"}
        last = b"--the_message_boundary--\r\n"
        sent = session.post(f"{base}/messages", data=request + last, headers=headers, timeout=10)
        sent.raise_for_status()
        listed = session.get(
            f"{base}/mailbox/folders/inbox/messages?userobjectid={found['UserGuid']}", headers=as_json, timeout=10
        ).json()
        rows = listed["Message"] if isinstance(listed["Message"], list) else [listed["Message"]]
        return [session.delete(f"{base}/messages/{row['MsgId']}", timeout=10).status_code for row in rows]

    assert await asyncio.to_thread(sample) == [204]
    assert await running.count("anita") == 0
    assert await running.count("anita", "deleted") == 1
