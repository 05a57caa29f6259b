"""Voicemail by telephone: foreign phones (baresip) leave messages and hear them, through a real call manager."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from ringback.media.players.sound import parse_sound
from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import client_context
from ringback.rules.addresses import HostPort
from tests.support.baresip import Account, Baresip, running_baresip
from tests.support.foreign import free_ports
from tests.support.lab import ringback, start_until, stop
from tests.support.tones import heard

pytestmark = pytest.mark.peer

_PASSWORD = "a-phone-s-pass-phrase"
_PIN = "82640"
_MAIL = "127.0.0.9"  # call managers know whom they speak with by the address


@dataclass(frozen=True, slots=True)
class _House:
    """A call manager and a voicemail service in one process, as a deployment file describes them."""

    registrar: str
    rest: str
    ca: Path

    def account(self, number: int) -> Account:
        return Account(str(number), self.registrar, f"phone{number}", _PASSWORD)

    async def messages(self, user: str, least: int = 1) -> list[dict[str, Any]]:
        """The inbox, once it has so many messages."""
        async with asyncio.timeout(20):
            while True:
                page = msgspec.json.decode(await self.get(user, "/vmrest/messages"))
                if int(page["@total"]) >= least:
                    found = page["Message"]
                    return found if isinstance(found, list) else [found]
                await asyncio.sleep(0.1)

    async def count(self, user: str) -> int:
        """How many messages the inbox has."""
        return int(msgspec.json.decode(await self.get(user, "/vmrest/messages"))["@total"])

    async def get(self, user: str, path: str) -> bytes:
        host, port = self.rest.rsplit(":", 1)
        resolver = NodeResolver({"vm.mail.example": HostPort(host, int(port))})
        connector = aiohttp.TCPConnector(ssl=client_context(self.ca), resolver=resolver)
        async with aiohttp.ClientSession(connector=connector) as session:
            headers = {"Accept": "application/json", "Authorization": aiohttp.encode_basic_auth(user, _PASSWORD)}
            async with session.get(f"https://vm.mail.example:{port}{path}", headers=headers) as response:
                assert response.status == 200
                return await response.read()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_House]:
    folder = tmp_path_factory.mktemp("house")
    ports = free_ports(10)
    file = folder / "deployment.toml"
    file.write_text(_deployment(ports))
    data = folder / "data"
    data.mkdir()
    output = folder / "output.txt"
    with output.open("a") as out:
        process = subprocess.Popen(
            ringback("serve", str(file), "--data", str(data)),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        )
    try:
        start_until(process, data / "lab.json", output)
        info = json.loads((data / "lab.json").read_text())
        yield _House(f"127.0.0.1:{ports[3]}", f"{_MAIL}:{ports[5]}", Path(info["ca"]))
    finally:
        stop(process)
        assert "Traceback" not in output.read_text(), output.read_text()


def _deployment(ports: tuple[int, ...]) -> str:
    https, files, files_tls, sip, sip_tls, rest, notify, notify_tls, mail_sip, mail_tls = ports
    people = "".join(
        f'\n[[person]]\nuser = "{user}"\nfirst = "{user.title()}"\nlast = "Example"\npassword = "{_PASSWORD}"\n'
        f'number = "+49 30 5550 {number}"\npin = "{_PIN}"\ndevices = []\n'
        f'\n[[device]]\nname = "PHONE{number}"\nowner = "{user}"\nuser = "phone{number}"\npassword = "{_PASSWORD}"\n'
        for user, number in (("anita", 2001), ("bram", 2002))
    )
    return f"""
domain = "mail.example"
[[cluster]]
name = "main"
[dial-plan]
voicemail = "2999"
[[node]]
name = "cm.mail.example"
address = "127.0.0.1"
roles = ["call-manager"]
cluster = "main"
ports = {{ https = {https}, files = {files}, files-tls = {files_tls}, sip = {sip}, sip-tls = {sip_tls} }}
[[node]]
name = "vm.mail.example"
address = "{_MAIL}"
roles = ["voicemail"]
ports = {{ vmrest = {rest}, notify = {notify}, notify-tls = {notify_tls}, sip = {mail_sip}, sip-tls = {mail_tls} }}
{people}"""


@contextlib.asynccontextmanager
async def _phone(house: _House, folder: Path, number: int, tone: int = 700) -> AsyncIterator[Baresip]:
    place = folder / str(number)
    place.mkdir()
    async with running_baresip(place, house.account(number), tone=tone) as phone:
        yield phone


async def test_a_call_that_nobody_takes_leaves_its_message(house: _House, tmp_path: Path) -> None:
    before = await house.count("bram")
    async with _phone(house, tmp_path, 2001, tone=700) as anita:
        await anita.command("dial", f"sip:2002@{house.registrar}")
        await anita.expect("CALL_ESTABLISHED")
        await asyncio.sleep(1.0)  # a moment of the greeting, as a person has it
        await anita.command("sndcode", "#")
        await anita.hears(1000.0, window=0.2)
        await asyncio.sleep(3.0)  # what is spoken
        await anita.command("hangup")
        message = (await house.messages("bram", before + 1))[0]
    assert message["From"]["DisplayName"] == "Anita Example"
    assert message["CallerId"]["CallerNumber"] == "2001"
    assert 2000 <= int(message["Duration"]) <= 6000
    wav = await house.get("bram", f"{message['URI']}/attachments/0")
    sound = parse_sound(wav)
    found = heard(sound.pcm[sound.rate :] / 32768, sound.rate)
    assert abs(found.frequency - 700) < 12
    assert found.share > 0.8


async def test_the_owner_hears_and_deletes_it_by_keypad(house: _House, tmp_path: Path) -> None:
    before = await house.count("bram")
    async with _phone(house, tmp_path, 2001, tone=900) as anita:
        await anita.command("dial", f"sip:2002@{house.registrar}")
        await anita.expect("CALL_ESTABLISHED")
        await anita.command("sndcode", "#")
        await anita.hears(1000.0, window=0.2)
        await asyncio.sleep(3.0)  # what is spoken
        await anita.command("hangup")
        newest = (await house.messages("bram", before + 1))[0]
    async with _phone(house, tmp_path, 2002) as bram:
        await bram.command("dial", f"sip:2999@{house.registrar}")
        await bram.expect("CALL_ESTABLISHED")
        for key in f"{_PIN}#1":
            await bram.command("sndcode", key)
        await bram.hears(900.0)
        await bram.command("sndcode", "3")
        async with asyncio.timeout(10):
            while newest["URI"] in await _uris(house, "inbox"):
                continue  # each question takes its time
        assert newest["URI"] in await _uris(house, "deleted")
        await bram.command("hangup")


async def _uris(house: _House, folder: str) -> str:
    return (await house.get("bram", f"/vmrest/mailbox/folders/{folder}/messages")).decode()
