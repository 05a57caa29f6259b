"""sipp as many phones at once: digest, calls at a rate, a caller who gives up, a busy phone, rubbish in between."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.signalling.generator import Door, Phone, answering, call, register
from tests.support.foreign import free_ports
from tests.support.telephony import PASSWORD, Telephony, phones, running_telephony

pytestmark = pytest.mark.peer

RUBBISH = (
    b"\x00" * 200,
    b"INVITE\r\n\r\n",
    b"INVITE sip:2002@calls.example SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=\r\nCSeq: one INVITE\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKnobody\r\nCSeq: 1 INVITE\r\n\r\n",
    b"BYE sip:cm SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKb\r\nCSeq: 1 BYE\r\nContent-Length: 9999\r\n\r\n",
    b"REGISTER sip:calls.example SIP/2.0\r\n" + b"X: y\r\n" * 400 + b"\r\n",
)

BUSY = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="A busy phone">
  <recv request="INVITE"/>
  <send retrans="500"><![CDATA[
SIP/2.0 486 Busy Here
[last_Via:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <recv request="ACK"/>
</scenario>
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telephony]:
    with running_telephony(tmp_path_factory.mktemp("office"), phones(22)) as running:
        yield running


def sipp_phones(office: Telephony) -> list[Phone]:
    return [Phone(phone.number, phone.user, PASSWORD) for phone in office.phones]


def throw_rubbish(office: Telephony) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for data in RUBBISH * 5:
            one.sendto(data, (office.address, office.port))
    for data in RUBBISH:
        with socket.create_connection((office.address, office.port), timeout=5) as other, contextlib.suppress(OSError):
            other.sendall(data)


async def test_a_hundred_calls_between_phones_of_sipp_while_rubbish_arrives(office: Telephony, tmp_path: Path) -> None:
    own, door = sipp_phones(office)[:20], Door(office.address, office.port)
    async with answering(office.address, tmp_path) as port:
        await register(door, own, tmp_path, contact=port, rate=20)
        await asyncio.to_thread(throw_rubbish, office)
        pairs = [(own[index % 10], own[10 + index % 10]) for index in range(100)]
        calling = asyncio.create_task(call(door, pairs, tmp_path, rate=20))
        await asyncio.to_thread(throw_rubbish, office)
        await calling


async def test_a_busy_phone_of_sipp_is_busy_for_a_caller_of_sipp(office: Telephony, tmp_path: Path) -> None:
    own, door = sipp_phones(office)[20:], Door(office.address, office.port)
    (port,) = free_ports(1, office.address)
    scenario = tmp_path / "busy.xml"
    scenario.write_text(BUSY)
    words = ["sipp", "-sf", str(scenario), "-i", office.address, "-p", str(port), "-m", "1", "-nostdin"]
    busy = await asyncio.create_subprocess_exec(
        *words,
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
    )
    try:
        await register(door, own, tmp_path, contact=port, rate=10)
        caller = tmp_path / "caller.xml"
        text = (Path(__file__).parents[2] / "bench" / "signalling" / "call.xml").read_text()
        head = text[: text.index("</send>", text.index("start_rtd")) + len("</send>")].replace(' start_rtd="2"', "")
        caller.write_text(head + _REFUSED)
        table = tmp_path / "caller.csv"
        account = f"[authentication username={own[0].user} password={PASSWORD}]"
        table.write_text(f"SEQUENTIAL\n{own[0].number};{account};{own[1].number};\n")
        words = [f"{office.address}:{office.port}", "-sf", str(caller), "-inf", str(table), "-i", office.address]
        calling = await asyncio.create_subprocess_exec(
            "sipp", *words, "-m", "1", "-nostdin", "-timeout", "20s", "-timeout_error",
            cwd=tmp_path, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        async with asyncio.timeout(30):
            assert await calling.wait() == 0
            assert await busy.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            busy.kill()
        await busy.wait()


_REFUSED = """
  <recv response="100" optional="true"/>
  <recv response="486"/>
  <send><![CDATA[
ACK sip:[field2]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-2]
From: <sip:[field0]@[remote_ip]>;tag=[pid]c[call_number]
To: <sip:[field2]@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
</scenario>
"""
