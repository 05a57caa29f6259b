"""Calls in the lab with plain phones: within a cluster, to another one, and to nobody; each leaves a record."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from typing import Any

import pytest

from ringback.protocols.call_records import parse
from ringback.protocols.device_config import DeviceConfig
from ringback.protocols.sip.session import Session
from ringback.protocols.uds import Device, Devices
from tests.support.lab import RunningLab
from tests.support.sip_phone import Accepted, Bell, Ended, Failed, Invited, SipPhone, sip_phone

RECEPTION = ("reception", "reception-phone", "2000")
DESK = ("george-desk", "george-desk-phone", "2007")
SPREE = ("room-spree", "room-spree-phone", "3000")


def node(lab: RunningLab, octet: int, name: str) -> tuple[str, str, int]:
    """A node as a phone is told it."""
    return name, f"{lab.loopback}.10.{octet}", 5061


async def call(caller: SipPhone, number: str) -> Session:
    """A call, answered or refused."""
    session = caller.call(number)
    await caller.bell.until(lambda: caller.saw(Accepted, session) or caller.saw(Failed, session))
    return session


def records(lab: RunningLab, name: str) -> list[dict[str, Any]]:
    """Call detail records of a node, those that it is still writing included."""
    folder = lab.data / "nodes" / name / "records"
    return [record for file in sorted(folder.glob("cdr_*")) for record in parse(file.read_text())[1]]


async def recorded(lab: RunningLab, name: str, **wanted: object) -> dict[str, Any]:
    """The record with these columns, as soon as it is in the file."""
    async with asyncio.timeout(10):
        while True:
            for record in records(lab, name):
                if wanted.items() <= record.items():
                    return record
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("dialled", "other", "octet", "name"),
    [
        ("2007", DESK, 10, "cm1.example.com"),
        ("+41 44 555 20 07", DESK, 12, "cm2.example.com"),
        ("3000", SPREE, 11, "cm-berlin.example.com"),
    ],
)
async def test_phones_reach_each_other(
    lab: RunningLab, dialled: str, other: tuple[str, str, str], octet: int, name: str
) -> None:
    bell = Bell()
    async with sip_phone(lab.ca_file, *RECEPTION, bell) as caller, sip_phone(lab.ca_file, *other, bell) as called:
        caller.register([node(lab, 10, "cm1.example.com")])
        called.register([node(lab, octet, name)])
        await bell.until(lambda: bool(caller.registered_with and called.registered_with))
        async with asyncio.timeout(10):  # another node learns within two seconds where the phone is
            session = await call(caller, dialled.replace(" ", ""))
            while not called.saw(Invited):  # until then the mailbox answers, or nobody
                if caller.saw(Accepted, session):
                    caller.hang_up(session)
                session = await call(caller, dialled.replace(" ", ""))
            await bell.until(lambda: caller.saw(Accepted, session))
        caller.hang_up(session)
        await bell.until(lambda: caller.saw(Ended, session) and called.saw(Ended))
    record = await recorded(lab, "cm1.example.com", callingPartyNumber="2000", origCause_value=16)
    assert record["globalCallId_ClusterID"] == "head-office"
    assert record["dateTimeConnect"] > 0


async def test_a_call_to_nobody_is_refused_and_recorded(lab: RunningLab) -> None:
    bell = Bell()
    async with sip_phone(lab.ca_file, *RECEPTION, bell) as caller:
        caller.register([node(lab, 10, "cm1.example.com")])
        await bell.until(lambda: bool(caller.registered_with))
        for number, status in (("4711", 404), ("2004", 480)):
            session = await call(caller, number)
            (failed,) = [event for event in caller.events if isinstance(event, Failed) and event.session is session]
            assert failed.status == status
    record = await recorded(lab, "cm1.example.com", originalCalledPartyNumber="2004", dateTimeConnect=0)
    assert record["duration"] == 0
    assert record["origCause_value"] != 16


@pytest.mark.parametrize(("user", "password"), [("reception", "wrong"), ("nobody", "reception-phone")])
async def test_a_wrong_secret_registers_nothing(lab: RunningLab, user: str, password: str) -> None:
    bell = Bell()
    async with sip_phone(lab.ca_file, user, password, "2000", bell) as stranger:
        stranger.register([node(lab, 10, "cm1.example.com")])
        await bell.until(lambda: stranger.state == "refused")
        assert not stranger.registered_with


async def test_a_softphone_signs_in_with_what_its_owner_is_told(lab: RunningLab) -> None:
    """As a client does: the list of devices, the device with its secret, its file, then the nodes of the file."""

    def get(url: str) -> bytes:
        address = f"{lab.loopback}.10.10"
        context = ssl.create_default_context(cafile=str(lab.ca_file))
        request = urllib.request.Request(url.replace("cm1.example.com", address))
        token = "YW5pdGE6cmluZ2JhY2s="  # anita:ringback, which lab.json tells
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return bytes(answer.read())

    base = "https://cm1.example.com:8443/cucm-uds/user/anita"
    listed = Devices.parse(await asyncio.to_thread(get, f"{base}/devices")).devices
    assert {device.name for device in listed} == {"CSFANITA", "TABANITA"}
    device = Device.parse(await asyncio.to_thread(get, next(d.uri for d in listed if d.name == "CSFANITA")))
    assert device.credential is not None
    config = DeviceConfig.parse(await asyncio.to_thread(get, device.provision[0]))
    assert [server.name for server in config.servers] == ["cm1.example.com", "cm2.example.com"]
    octets = {"cm1.example.com": 10, "cm2.example.com": 12}
    places = [
        (server.name, f"{lab.loopback}.10.{octets[server.name]}", server.secured_sip_port) for server in config.servers
    ]
    bell = Bell()
    user, secret = device.credential.user, device.credential.secret
    async with sip_phone(lab.ca_file, user, secret, config.lines[0].name, bell) as softphone:
        softphone.register(places)
        await bell.until(lambda: softphone.registered_with == "cm1.example.com")


def test_no_secret_of_calls_is_kept_beside_lab_json(lab: RunningLab) -> None:
    secrets = {path.read_bytes() for path in (lab.data / "secrets").glob("sip-credentials-*")}
    assert len(secrets) == 2
    for path in lab.data.rglob("*"):
        if path.is_file() and path.name not in {"lab.json", "output.txt"} and path.parent.name != "secrets":
            content = path.read_bytes()
            assert b"reception-phone" not in content, path
            assert not any(secret in content for secret in secrets), path
    for path in (lab.data / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0
