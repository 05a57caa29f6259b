"""Who may in: sessions, tries, the credentials interface, CCMCIP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import sqlite3
from dataclasses import replace

import aiohttp
import pytest

from ringback.deployment.authority import Authority
from ringback.net.tls import client_context
from ringback.protocols.ccmcip import DeviceList, GetDevices, encode_password
from ringback.rules.throttle import Throttle
from ringback.services.callmanager.sessions import Sessions
from tests.callmanager.conftest import APPLICATION, PEOPLE, Launch, Running

ANITA = ("anita", "anita's password")
PRESENCE = (APPLICATION.user, APPLICATION.password)


async def test_cookies_stand_for_the_password_afterwards(running: Running) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(*ANITA)}
    async with running.session.get(running.uds("/user/anita"), headers=headers) as response:
        cookies = response.cookies
    assert set(cookies) == {"JSESSIONID", "JSESSIONIDSSO"}
    assert all(cookie["secure"] and cookie["httponly"] for cookie in cookies.values())
    status, _ = await running.get(running.uds("/user/anita/devices"))
    assert status == 200
    status, _ = await running.get(running.uds("/user/Bruno/devices"))
    assert status == 403


async def test_half_a_session_is_none(running: Running) -> None:
    await running.get(running.uds("/user/anita"), login=ANITA)
    cookies = {cookie.key: cookie.value for cookie in running.session.cookie_jar}
    running.session.cookie_jar.clear()
    for some in ({"JSESSIONID": cookies["JSESSIONID"]}, {**cookies, "JSESSIONIDSSO": "0" * 32}):
        text = "; ".join(f"{name}={value}" for name, value in some.items())
        status, _ = await running.get(running.uds("/user/anita"), headers={"Cookie": text})
        assert status == 401


async def test_a_wrong_password_is_not_made_good_by_a_cookie(running: Running) -> None:
    await running.get(running.uds("/user/anita"), login=ANITA)
    status, _ = await running.get(running.uds("/user/anita"), login=("anita", "wrong"))
    assert status == 401


async def test_many_wrong_passwords_have_to_wait(running: Running) -> None:
    statuses = [(await running.get(running.uds("/user/zoe"), login=("zoe", f"guess {n}")))[0] for n in range(9)]
    assert statuses == [401] * 8 + [429]
    # somebody else from the same place is not held up
    assert (await running.get(running.uds("/user/anita"), login=ANITA))[0] == 200
    # and the right password is not tried either while the wait lasts
    assert (await running.get(running.uds("/user/zoe"), login=("zoe", "zoe-pw")))[0] == 429


async def test_a_presence_node_may_be_wrong_often(launch: Launch) -> None:
    """It asks for everybody and slows down by itself who guesses."""
    running = await launch(trusted_addresses=frozenset({"127.0.0.1"}))
    statuses = [(await running.get(running.uds("/user/zoe"), login=("zoe", f"guess {n}")))[0] for n in range(120)]
    assert set(statuses) == {401}
    assert (await running.get(running.uds("/user/zoe"), login=("zoe", "zoe-pw")))[0] == 200


async def test_an_unknown_user_cannot_be_told_from_a_wrong_password(running: Running) -> None:
    known = await running.get(running.uds("/user/anita"), login=("anita", "wrong"))
    unknown = await running.get(running.uds("/user/nobody"), login=("nobody", "wrong"))
    assert known == unknown


async def test_unreadable_credentials_are_none(running: Running) -> None:
    for text in ("Basic", "Basic ???", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer x", "Basic /w=="):
        status, _ = await running.get(running.uds("/user/anita"), headers={"Authorization": text})
        assert status == 401


async def test_older_clients_send_latin_1(running: Running) -> None:
    text = base64.b64encode("bruno:bruno's pässword".encode("latin-1")).decode()
    status, _ = await running.get(running.uds("/user/bruno"), headers={"Authorization": f"Basic {text}"})
    assert status == 200


async def test_the_presence_service_gets_verifiers_only(running: Running) -> None:
    async with running.session.get(
        running.https("/ringback/credentials/Anita"), headers={"Authorization": aiohttp.encode_basic_auth(*PRESENCE)}
    ) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        answer = await response.json()
    assert set(answer) == {"user", "salt", "iterations", "stored_key", "server_key"}
    assert answer["user"] == "anita"
    salted = hashlib.pbkdf2_hmac("sha256", ANITA[1].encode(), base64.b64decode(answer["salt"]), answer["iterations"])
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert base64.b64decode(answer["stored_key"]) == stored
    assert base64.b64decode(answer["server_key"]) == hmac.digest(salted, b"Server Key", "sha256")


async def test_credentials_are_for_applications_with_the_right(launch: Launch) -> None:
    running = await launch(application_users=(APPLICATION, replace(APPLICATION, user="other", rights=frozenset())))
    url = running.https("/ringback/credentials/anita")
    assert (await running.get(url))[0] == 401
    assert (await running.get(url, login=ANITA))[0] == 401
    assert (await running.get(url, login=("other", APPLICATION.password)))[0] == 403
    assert (await running.get(running.https("/ringback/credentials/nobody"), login=PRESENCE))[0] == 404


async def test_ccmcip_lists_the_devices(running: Running) -> None:
    headers = {
        "Authorization": aiohttp.encode_basic_auth("anita", encode_password(ANITA[1])),
        "Content-Type": "text/xml",
    }
    url = running.https("/ccmcip/Personalization")
    async with running.session.post(url, data=GetDevices("anita").build(), headers=headers) as response:
        assert response.status == 200
        body = await response.read()
    assert b"> <" not in body
    assert b">\n<device>" not in body
    assert [device.name for device in DeviceList.parse(body).devices] == ["CSFANITA", "TCTANITA"]
    for body, expected in ((GetDevices("bruno").build(), 403), (b"<nonsense", 400), (b"x" * 100_000, 413)):
        async with running.session.post(url, data=body, headers=headers) as response:
            assert response.status == expected
    async with running.session.post(url, data=GetDevices("anita").build()) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET /cucm-uds/version HTTP/1.1\r\nHost: x\r\nX-Slow: ", b""),
        (
            b"POST /ccmcip/Personalization HTTP/1.1\r\nHost: x\r\nAuthorization: Basic "
            + base64.b64encode(b"anita:" + encode_password(ANITA[1]).encode())
            + b"\r\nContent-Length: 500\r\n\r\n<getDevices>",
            b"HTTP/1.1 408 ",
        ),
    ],
)
async def test_who_does_not_finish_a_request_is_let_go(
    launch: Launch, authority: Authority, sent: bytes, answer: bytes
) -> None:
    running = await launch(idle_seconds=0.5)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", running.port("uds"), ssl=client_context(authority.ca_file), server_hostname=running.settings.node
    )
    writer.write(sent)
    async with asyncio.timeout(10):
        received = await reader.read()
    writer.close()
    assert received[: len(answer)] == answer
    assert bool(received) == bool(answer)


async def test_a_new_start_keeps_passwords_unless_the_deployment_changed_them(launch: Launch) -> None:
    first = await launch()
    await first.node.stop()
    file = first.settings.database_url.removeprefix("sqlite+aiosqlite:///")

    def hashes() -> dict[str, str]:
        with sqlite3.connect(file) as connection:
            return dict(connection.execute("SELECT user, argon2 FROM credentials WHERE kind = 'person'").fetchall())

    before = hashes()
    changed = (PEOPLE[0], replace(PEOPLE[1], password="another password"), PEOPLE[2])
    second = await launch(people=changed)
    after = hashes()
    assert set(after) == {"anita", "bruno", "zoe"}
    assert after["anita"] == before["anita"]
    assert after["bruno"] != before["bruno"]
    assert (await second.get(second.uds("/user/bruno"), login=("bruno", "another password")))[0] == 200
    assert (await second.get(second.uds("/user/anders"), login=("anders", "anders-pw")))[0] == 401


async def test_nothing_readable_of_a_password_is_stored(running: Running) -> None:
    file = running.settings.database_url.removeprefix("sqlite+aiosqlite:///")
    with sqlite3.connect(file) as connection:
        stored = "\n".join(connection.iterdump())
    assert "$argon2id$" in stored
    assert not any(person.password.replace("'", "''") in stored for person in PEOPLE)
    assert APPLICATION.password not in stored


def test_sessions_end() -> None:
    sessions = Sessions(seconds=10.0)
    identifier, single = sessions.open("anita", now=0.0)
    assert sessions.user(identifier, single, now=9.0) == "anita"
    assert sessions.user(identifier, single, now=18.0) == "anita"
    assert sessions.user(identifier, single, now=28.1) is None
    assert sessions.user(identifier, single, now=28.2) is None


def test_tries_leak_away() -> None:
    throttle = Throttle(burst=2, seconds=10.0)
    for _ in range(2):
        assert throttle.wait("key", now=0.0) == 0
        throttle.count("key", now=0.0)
    assert throttle.wait("key", now=0.0) == 10
    assert throttle.wait("key", now=4.0) == 6
    assert throttle.wait("key", now=10.0) == 0
    throttle.count("key", now=10.0)
    assert throttle.wait("key", now=10.0) == 10
    throttle.give_back("key")
    assert throttle.wait("key", now=10.0) == 0
    throttle.clear("key")
    assert throttle.wait("key", now=10.0) == 0
