"""Voicemail by telephone: foreign phones (baresip) leave messages and hear them, through a real call manager."""

from __future__ import annotations

import contextlib
import json
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
from tests.support.lab import start_until, stop
from tests.support.nursery import Process, start_ringback
from tests.support.tones import heard
from tests.support.waiting import until
from tests.voicemail.conftest import recorded

pytestmark = pytest.mark.peer

_PASSWORD = "a-phone-s-pass-phrase"
_PIN = "82640"
_MAIL = "127.0.0.9"  # call managers know whom they speak with by the address


@dataclass(slots=True)
class _House:
    """A call manager and a voicemail service in one process, as a deployment file describes them."""

    registrar: str
    rest: str
    folder: Path
    process: Process | None = None

    @property
    def ca(self) -> Path:
        return Path(json.loads((self.folder / "data" / "lab.json").read_text())["ca"])

    def start(self) -> None:
        (self.folder / "data" / "lab.json").unlink(missing_ok=True)
        output = self.folder / "output.txt"
        self.process = start_ringback(
            ["serve", str(self.folder / "deployment.toml"), "--data", f"{self.folder}/data"], output
        )
        start_until(self.process, self.folder / "data" / "lab.json", output)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)

    def command(self, *words: str) -> tuple[int, str]:
        """``ringback voicemail`` beside the running deployment: its status, and what it printed."""
        verb, *rest = words
        given = ["voicemail", verb, str(self.folder / "deployment.toml"), *rest, "--data", f"{self.folder}/data"]
        output = self.folder / "command.txt"
        output.unlink(missing_ok=True)
        return start_ringback(given, output).wait(60), output.read_text()

    def account(self, number: int) -> Account:
        return Account(str(number), self.registrar, f"phone{number}", _PASSWORD)

    async def messages(self, user: str, least: int = 1) -> list[dict[str, Any]]:
        """The inbox, once it has so many messages."""
        page: dict[str, Any] = {}

        async def are_there() -> bool:
            nonlocal page
            page = msgspec.json.decode(await self.get(user, "/vmrest/messages"))
            return int(page["@total"]) >= least

        await until(are_there, pause=0.1)
        found = page.get("Message", [])
        return found if isinstance(found, list) else [found]

    async def count(self, user: str) -> int:
        """How many messages the inbox has."""
        return int(msgspec.json.decode(await self.get(user, "/vmrest/messages"))["@total"])

    async def reply(self, user: str, message: str, stream: str) -> None:
        """Send what was recorded on a phone as a reply."""
        control = {"op": "PLAY", "resourceType": "STREAM", "resourceId": stream}
        with aiohttp.MultipartWriter("form-data", "limit") as parts:
            for part in ({}, control):
                parts.append(json.dumps(part).encode(), {"Content-Type": "application/json"})
        await self.ask(user, "POST", f"/vmrest/messages?messageid={message}&method=reply", parts, status=201)

    async def get(self, user: str, path: str) -> bytes:
        return await self.ask(user, "GET", path)

    async def ask(self, user: str, method: str, path: str, body: object = None, *, status: int = 0) -> bytes:
        """The body of an answer; ``status`` 0: any good one."""
        host, port = self.rest.rsplit(":", 1)
        resolver = NodeResolver({"vm.mail.example": HostPort(host, int(port))})
        connector = aiohttp.TCPConnector(ssl=client_context(self.ca), resolver=resolver)
        async with aiohttp.ClientSession(connector=connector) as session:
            headers = {"Accept": "application/json", "Authorization": aiohttp.encode_basic_auth(user, _PASSWORD)}
            if isinstance(body, dict):
                body, headers["Content-Type"] = json.dumps(body), "application/json"
            url = f"https://vm.mail.example:{port}{path}"
            async with session.request(method, url, headers=headers, data=body) as response:
                answer = await response.read()
                assert response.status == status or (not status and response.ok), (response.status, answer)
                return answer


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_House]:
    folder = tmp_path_factory.mktemp("house")
    ports = free_ports(10)
    file = folder / "deployment.toml"
    file.write_text(_deployment(ports))
    (folder / "data").mkdir()
    running = _House(f"127.0.0.1:{ports[3]}", f"{_MAIL}:{ports[5]}", folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        output = (folder / "output.txt").read_text()
        assert "Traceback" not in output, output


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
    place.mkdir(parents=True, exist_ok=True)
    async with running_baresip(place, house.account(number), tone=tone) as phone:
        yield phone


async def _leaves_a_message(house: _House, anita: Baresip, bram: Baresip | None = None) -> dict[str, Any]:
    """Anita calls Bram, who is not there or declines, cuts the greeting short, speaks, hangs up: the message."""
    before = await house.count("bram")
    await anita.command("dial", f"sip:2002@{house.registrar}")
    if bram is not None:
        await bram.expect("CALL_INCOMING")
        await bram.command("hangup")
    await anita.expect("CALL_ESTABLISHED")
    await anita.command("sndcode", "#")
    await anita.beeped()
    await anita.speaks(1.5)
    await anita.command("hangup")
    return (await house.messages("bram", before + 1))[0]


async def test_a_call_that_nobody_takes_leaves_its_message(house: _House, tmp_path: Path) -> None:
    async with _phone(house, tmp_path, 2001, tone=700) as anita:
        message = await _leaves_a_message(house, anita)
    assert message["From"]["DisplayName"] == "Anita Example"
    assert message["CallerId"]["CallerNumber"] == "2001"
    assert 1200 <= int(message["Duration"]) <= 4000
    sound = parse_sound(await house.get("bram", f"{message['URI']}/attachments/0"))
    found = heard(sound.pcm[sound.rate // 2 :] / 32768, sound.rate)
    assert abs(found.frequency - 700) < 12
    assert found.share > 0.8


async def test_the_owner_hears_answers_and_deletes_it_by_keypad(house: _House, tmp_path: Path) -> None:
    """Keys of a foreign phone: PIN, play, reply with a message of one's own, delete."""
    async with _phone(house, tmp_path, 2001, tone=900) as anita:
        newest = await _leaves_a_message(house, anita)
    before = await house.count("anita")
    async with _phone(house, tmp_path, 2002, tone=1300) as bram:
        await bram.command("dial", f"sip:2999@{house.registrar}")
        await bram.expect("CALL_ESTABLISHED")
        for key in f"{_PIN}#1":
            await bram.command("sndcode", key)
        await bram.hears(900.0, seconds=30)
        for key in "6#":  # reply: words, cut short, the tone, what is spoken, done, send
            await bram.command("sndcode", key)
        await bram.beeped()
        await bram.speaks(1.2)
        for key in "#1":
            await bram.command("sndcode", key)
        answer = (await house.messages("anita", before + 1))[0]
        assert answer["From"]["DisplayName"] == "Bram Example"
        assert answer["Subject"] == "Re: Message from Anita Example"
        await bram.command("sndcode", "3")

        async def is_gone() -> bool:
            return newest["URI"] not in await _uris(house, "inbox")

        await until(is_gone, pause=0.1)
        assert newest["URI"] in await _uris(house, "deleted")
        await bram.command("hangup")


async def test_a_message_is_heard_on_a_phone_that_the_service_calls(house: _House, tmp_path: Path) -> None:
    """The interface lets the phone ring, plays the message there, records an answer and sends it."""
    async with _phone(house, tmp_path, 2001, tone=1100) as anita:
        message = await _leaves_a_message(house, anita)
    before = await house.count("anita")
    async with _phone(house, tmp_path, 2002, tone=1500) as bram:
        call = (await house.ask("bram", "POST", "/vmrest/calls", {"number": "2002"})).decode()
        assert (await house.ask("anita", "GET", call, status=404)) != b""
        await bram.expect("CALL_INCOMING")
        await bram.command("accept")

        async def is_connected() -> bool:
            return bool(json.loads(await house.get("bram", call))["connected"] == "true")

        await until(is_connected, pause=0.1)
        play = {"op": "PLAY", "resourceType": "MESSAGE", "resourceId": message["MsgId"]}
        assert json.loads(await house.ask("bram", "POST", call, play))["lastResult"] == "0"
        await bram.hears(1100.0)
        stream = json.loads(await house.ask("bram", "POST", call, {"op": "RECORD"}))["resourceId"]
        await bram.beeped()
        await bram.speaks(1.2)
        await house.ask("bram", "POST", call, {"op": "STOP"})
        await house.reply("bram", message["MsgId"], stream)
        answer = (await house.messages("anita", before + 1))[0]
        sound = parse_sound(await house.get("anita", f"{answer['URI']}/attachments/0"))
        assert abs(heard(sound.pcm[sound.rate // 2 :] / 32768, sound.rate).frequency - 1500) < 12
        await house.ask("bram", "DELETE", call, status=204)
        await bram.expect("CALL_CLOSED")
        refused = await house.ask("bram", "POST", "/vmrest/calls", {"number": "0900123456"}, status=403)
        assert b"RESTRICTED" in refused


async def test_the_lamp_of_a_foreign_phone_goes_on_and_off_and_is_right_after_a_restart(
    house: _House, tmp_path: Path
) -> None:
    for row in await house.messages("bram", 0):
        await house.ask("bram", "DELETE", row["URI"], status=204)
    async with _phone(house, tmp_path, 2002) as bram, _phone(house, tmp_path, 2001) as anita:
        await bram.lamp(lit=False)
        message = await _leaves_a_message(house, anita, bram)
        assert "1/0" in await bram.lamp(lit=True)
        await house.ask("bram", "PUT", message["URI"], {"Read": "true"}, status=204)
        assert "0/1" in await bram.lamp(lit=False)
        await house.ask("bram", "PUT", message["URI"], {"Read": "false"}, status=204)
        await bram.lamp(lit=True)
    house.stop()
    house.start()
    async with _phone(house, tmp_path / "again", 2002) as bram:
        await bram.lamp(lit=True)
        await house.ask("bram", "DELETE", message["URI"], status=204)
        await bram.lamp(lit=False)


def test_mailboxes_are_administered_by_command(house: _House, tmp_path: Path) -> None:
    status, listed = house.command("mailboxes")
    assert status == 0, listed
    assert "Bram Example" in listed
    assert house.command("reset-pin", "bram")[1].strip().isdigit()
    assert house.command("show", "2002")[1].count("must be changed") == 1
    assert "A PIN has 4 to 16 digits" in house.command("reset-pin", "bram", "--pin", "1234")[1]
    assert house.command("reset-pin", "bram", "--pin", _PIN, "--keep")[0] == 0
    file, saved = tmp_path / "greeting.wav", tmp_path / "saved.wav"
    file.write_bytes(recorded(1.0))
    assert house.command("greeting", "bram", "alternate", "--sound", str(file), "--on")[0] == 0
    assert house.command("greeting", "bram", "Alternate", "--off", "--save", str(saved))[0] == 0
    assert saved.read_bytes() == file.read_bytes()
    assert house.command("quota", "bram", "7")[0] == 0
    assert "of 7.0 MB" in house.command("show", "bram")[1]
    _, log = house.command("audit", "--user", "bram")
    for what in ("PIN reset", "Alternate greeting recorded", "Alternate greeting on", "quota set"):
        assert what in log
    assert house.command("show", "nobody")[0] != 0


async def _uris(house: _House, folder: str) -> str:
    return (await house.get("bram", f"/vmrest/mailbox/folders/{folder}/messages")).decode()
