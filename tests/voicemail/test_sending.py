"""Sending, replying and sending on, in the published shapes; what is refused, and with which word."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest

from ringback.media.players.recorder import wav
from ringback.media.players.sound import parse_sound
from ringback.services.voicemail.sounds import as_kept
from tests.voicemail.conftest import Running, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}


def g729() -> bytes:
    """A WAV file of ten frames of G.729 (format tag 0x0083)."""
    form = struct.pack("<HHIIHH", 0x0083, 1, 8000, 1000, 10, 1)
    data = bytes(100)
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", len(form))
    return head + form + struct.pack("<4sI", b"data", len(data)) + data


def body(*parts: tuple[str, bytes]) -> dict[str, Any]:
    """Parts without names, written by hand as the published samples do."""
    lines = b"".join(b"--limit\r\nContent-Type: %b\r\n\r\n%b\r\n" % (kind.encode(), part) for kind, part in parts)
    return {"data": lines + b"--limit--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=limit"}}


def to(**address: str) -> tuple[str, bytes]:
    return "application/json", msgspec.json.encode({"Recipient": {"Type": "TO", "Address": address}})


async def newest(running: Running, user: str, folder: str = "inbox") -> Any:
    found = (await running.json(f"/vmrest/mailbox/folders/{folder}/messages", user))["Message"]
    return found[0] if isinstance(found, list) else found


async def test_a_reply_goes_to_who_left_the_message(running: Running) -> None:
    await running.send("anita", ["bram@example.com", "chidi@example.com"], recorded(), "Lunch")
    message = await newest(running, "bram")
    for method, inboxes in (("reply", {"anita": 1, "chidi": 1}), ("replyall", {"anita": 2, "chidi": 2})):
        parts = body(("application/json", b"{}"), ("audio/wav", recorded(0.5)))
        place = f"/vmrest/messages?messageid={message['MsgId']}&method={method}"
        status, _, answer = await running.ask("POST", place, "bram", **parts)
        assert status == 201, answer
        assert (await newest(running, "anita"))["Subject"] == "Re: Lunch"
        for user, count in inboxes.items():
            assert await running.count(user) == count


async def test_a_message_is_sent_on_as_it_is_and_with_words_before_it(running: Running) -> None:
    """The published way to send a message on: its id in the address, two parts in XML, of type multipart/mixed."""
    await running.send("anita", ["bram@example.com"], recorded(1.5), "Lunch")
    message = await newest(running, "bram")
    place = f"/vmrest/messages?messageid={message['MsgId']}"
    recipients = (
        b"<?xml version='1.0' encoding='UTF-8'?><Recipients><Recipient><Type>TO</Type><Address>"
        b"<SmtpAddress>chidi@example.com</SmtpAddress></Address></Recipient></Recipients>"
    )
    envelope = b"<Message><Subject/><ArrivalTime>0</ArrivalTime><FromSub>false</FromSub></Message>"
    parts = body(("application/xml", envelope), ("application/xml", recipients))
    parts["headers"] = {"Content-Type": "multipart/mixed;boundary=limit"}
    assert (await running.ask("POST", place, "bram", **parts))[0] == 201
    sent_on = await newest(running, "chidi")
    assert (sent_on["Subject"], sent_on["Duration"], sent_on["From"]["DisplayName"]) == (
        "Fwd: Lunch",
        "1500",
        "Bram de Vries",
    )
    words = ("audio/wav", recorded(1.0))
    status, _, _ = await running.ask(
        "POST", place, "bram", **body(("application/json", b"{}"), to(UserGuid="chidi"), words)
    )
    assert status == 201
    assert 2700 <= int((await newest(running, "chidi"))["Duration"]) <= 3100  # with a pause between the two


async def test_private_messages_stay_where_they_are(running: Running) -> None:
    await running.send("anita", ["bram@example.com"], recorded(), "Secret", Sensitivity="Private")
    message = await newest(running, "bram")
    assert message["Sensitivity"] == "Private"
    parts = body(("application/json", b"{}"), to(UserGuid="chidi"))
    status, _, answer = await running.ask("POST", f"/vmrest/messages?messageid={message['MsgId']}", "bram", **parts)
    assert (status, msgspec.json.decode(answer)["errors"]["code"]) == (403, "PRIVATE_MESSAGE")
    assert await running.count("chidi") == 0


@pytest.mark.parametrize(
    "address", [{"UserGuid": "bram"}, {"DtmfAccessID": "2002"}, {"SmtpAddress": "BRAM@example.com"}]
)
async def test_people_are_named_by_id_address_or_extension(running: Running, address: dict[str, str]) -> None:
    sound = ("audio/wav", recorded())
    parts = body(("application/json", b'{"Subject":"x","ArrivalTime":"0","FromSub":"false"}'), to(**address), sound)
    assert (await running.ask("POST", "/vmrest/messages?userobjectid=anita", "anita", **parts))[0] == 201
    assert await running.count("bram") == 1


async def test_who_gets_a_blind_copy_is_not_shown(running: Running) -> None:
    rows = [
        {"Type": "TO", "Address": {"UserGuid": "bram"}},
        {"Type": "BCC", "Address": {"UserGuid": "chidi"}},
    ]
    recipients = ("application/json", msgspec.json.encode({"Recipient": rows}))
    parts = body(("application/json", b"{}"), recipients, ("audio/wav", recorded()))
    assert (await running.ask("POST", "/vmrest/messages", "anita", **parts))[0] == 201
    for user in ("bram", "chidi"):
        shown = (await newest(running, user))["Recipients"]["Recipient"]
        assert shown["Address"]["SmtpAddress"] == "bram@example.com"


@pytest.mark.parametrize("kind", ["mu", "A", None])
async def test_each_notation_of_sound_comes_in_and_goes_out(running: Running, kind: str | None) -> None:
    linear = parse_sound(recorded(0.5))
    sent = wav(linear.pcm, 8000, law=kind)
    assert (await running.send("anita", ["bram@example.com"], sent))[0] == 201
    place = (await newest(running, "bram"))["Attachments"]["Attachment"]["URI"]
    assert (await running.ask("GET", place, "bram"))[2] == sent
    for tag in (1, 6, 7):
        headers = {"Accept": f"audio/wav; codec={tag:X}"}
        _, _, given = await running.ask("GET", place, "bram", headers=headers)
        assert struct.unpack_from("<H", given, 20)[0] == tag
        assert given == as_kept(sent, tag)
        assert abs(parse_sound(given).pcm.astype(int) - linear.pcm).max() < 800  # what the laws leave out


@pytest.mark.parametrize("kind", ["audio/wav", "audio/G729"])
async def test_g729_is_refused_with_the_documented_word(running: Running, kind: str) -> None:
    parts = body(("application/json", b"{}"), to(UserGuid="bram"), (kind, g729()))
    status, _, answer = await running.ask("POST", "/vmrest/messages", "anita", **parts)
    assert status == 415
    assert b"Visual voicemail does not support G.729" in answer


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ((("application/json", b'{"FutureDelivery":"1"}'), to(UserGuid="bram"), ("audio/wav", recorded())), b"Future"),
        ((("application/json", b'{"Dispatch":"true"}'), to(UserGuid="bram"), ("audio/wav", recorded())), b"Dispatch"),
        ((("application/json", b"{}"), ("audio/wav", recorded())), b"recipients"),
        ((("application/json", b"{}"), to(UserGuid="bram")), b"three parts"),
        ((("application/json", b"{}"), ("application/json", b'{"Recipient":{"Address":{}}}')), b"recipient has no"),
        ((("text/plain", b"{}"), to(UserGuid="bram"), ("audio/wav", recorded())), b"Part 1"),
    ],
)
async def test_what_is_not_offered_is_said(running: Running, parts: tuple[tuple[str, bytes], ...], word: bytes) -> None:
    status, _, answer = await running.ask("POST", "/vmrest/messages", "anita", **body(*parts))
    assert status == 400
    assert word in answer
    assert await running.count("bram") == 0


async def test_a_full_mailbox_warns_then_sends_no_more(running: Running) -> None:
    """The limit is 100,000 octets: 85 % warn, 95 % end the sending, and nothing more is taken at the end."""
    flags = ("IsWarningQuotaExceeded", "IsSendQuotaExceeded", "IsReceiveQuotaExceeded")
    seen = []
    for seconds in (5.0, 0.6, 0.3):  # of 16,000 octets each
        assert (await running.send("bram", ["anita@example.com"], recorded(seconds)))[0] == 201
        found = await running.json("/vmrest/mailbox")
        seen.append([found[flag] for flag in flags])
    assert (found["WarningQuota"], found["SendQuota"], found["ReceiveQuota"]) == ("85000", "95000", "100000")
    assert seen == [["false", "false", "false"], ["true", "false", "false"], ["true", "false", "false"]]
    await running.send("chidi", ["anita@example.com"], recorded(0.1))
    status, answer = await running.send("anita", ["chidi@example.com"], recorded(0.1))
    assert (status, msgspec.json.decode(answer)["errors"]["code"]) == (403, "SEND_QUOTA_EXCEEDED")


async def test_somebody_elses_mailbox_is_not_used_by_naming_it(running: Running) -> None:
    for other in ("bram", "nobody-has-this"):
        assert (await running.ask("GET", f"/vmrest/mailbox?userobjectid={other}"))[0] == 403
