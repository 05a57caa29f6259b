"""People of a real OpenLDAP become people of a running deployment, and leave it, without a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from ringback.deployment import read as read_deployment
from ringback.lab.directory_sync import agreements
from ringback.net.ldap.connection import LdapServer
from ringback.protocols.sip.events import Accepted
from ringback.protocols.uds import Device, Devices, User
from ringback.rules.catalogue import render
from ringback.services.callmanager.synchronisation.runner import Done, SynchronisationError, run
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.synced import SyncStore
from ringback.storage.voicemail.store import VoicemailStore
from tests.directory_sync.company import (
    ANITA,
    BRUNO,
    CROWD,
    DOLORES,
    GROUPS,
    INDEXES,
    Employee,
    added,
    content,
    deleted,
    modify,
    replaced,
)  # fmt: skip
from tests.directory_sync.conftest import Company, company, write_file
from tests.presence.talk import authenticate, open_stream, sign_in
from tests.support.nursery import start_ringback
from tests.support.services import OwnServer
from tests.support.sip_phone import Bell, SipPhone, sip_phone
from tests.support.slapd import Directory, running_slapd
from tests.support.waiting import until

ZORA = Employee("zora", "Zora", "Ōno", "+41 44 555 20 01")  # the number is Anita's
PASSWORD = ANITA.password
IN_MODULE = pytest.mark.asyncio(loop_scope="module")
pytestmark = pytest.mark.peer


async def command(running: Company, *words: str) -> tuple[int, str]:
    """``ringback people ...`` beside the running deployment: how it ended, and all that it printed."""
    output = running.file.with_name("output.txt")
    output.unlink(missing_ok=True)
    given = ("people", words[0], str(running.file), "--data", str(running.folder.path), *words[1:])
    process = await asyncio.to_thread(start_ringback, given, output)
    status = await asyncio.to_thread(process.wait, 30)
    return status, output.read_text()


async def difference(running: Company, *words: str) -> dict[str, Any]:
    """The difference that the command tells programs."""
    status, out = await command(running, "sync", "--json", *words)
    assert status == 0, out
    told: dict[str, Any] = json.loads(out)["directories"][0]
    return told


async def run_here(running: Company, **changes: Any) -> Done:
    """What the command does, in this process: the node sees it as it sees the command's."""
    (agreement,) = agreements(read_deployment(running.file.read_bytes()), "office", running.file.parent)
    store = await Store.open(running.folder.database("office", "call-manager"))
    try:
        return await run(SyncStore(store.engine), replace(agreement, **changes))
    finally:
        await store.close()


async def credential(running: Company, user: str) -> tuple[str, str]:
    """What the softphone of somebody registers with."""
    _, body = await running.get(f"/cucm-uds/user/{user}/devices", user, PASSWORD)
    device = Devices.parse(body).devices[0]
    _, body = await running.get(f"/cucm-uds/user/{user}/device/{device.id}", user, PASSWORD)
    found = Device.parse(body).credential
    assert found is not None
    return found.user, found.secret


@asynccontextmanager
async def phone_of(running: Company, user: str, number: str, bell: Bell) -> AsyncIterator[SipPhone]:
    """The softphone of somebody, registered."""
    async with sip_phone(running.running.ca_file, *await credential(running, user), number, bell) as phone:
        phone.register([("cm1.example.com", running.address, running.port("sip-tls"))])
        await bell.until(lambda: bool(phone.registered_with))
        yield phone


def chat_server(running: Company) -> OwnServer:
    """The presence service."""
    ports = {row.service: row.port for row in running.running.endpoints if row.role == "presence"}
    return OwnServer(
        "example.com", "conference.example.com", running.address, ports["xmpp"], ports["xmpp-tls"], ports["login"],
        running.running.ca_file, 0, 0,
    )  # fmt: skip


def _nowhere(directory: Directory) -> LdapServer:
    return replace(directory.secure, address="127.0.0.2")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(directory: Directory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    async with company(tmp_path_factory.mktemp("company"), directory) as made:

        async def everybody() -> bool:
            return (await made.users(username="p")).total_count == CROWD

        await until(everybody)
        yield made


@IN_MODULE
async def test_everybody_is_there_and_found_page_by_page(running: Company) -> None:
    """More than OpenLDAP gives without pages; numbers in any notation; the file's people beside them."""
    seen: list[str] = []
    while True:
        page = await running.users(username="p", start=len(seen), max=50)
        if not page.people:
            break
        assert page.total_count == CROWD
        assert page.start == len(seen)
        seen += [person.user_name for person in page.people]
    assert seen == sorted(seen)
    assert len(set(seen)) == CROWD
    assert [one.user_name for one in (await running.users(name="frieda")).people] == ["frieda"]
    for number in (
        "+41 44 555 20 01",
        "0445552001",
        "044 555 20 01",
        "0041 44 5552001",
        "5552001",
        "2001",
        "41445552001",
    ):
        assert "anita" in {one.user_name for one in (await running.users(number=number)).people}, number
    for number in ("+41445552004", "0445552004", "0041445552004"):  # written nationally in the directory
        assert [one.user_name for one in (await running.users(number=number)).people] == ["dolores"], number
    wide = await running.users(number="+41 44", max=10)
    assert (len(wide.people), wide.total_count) == (10, CROWD + 4), "nationally written ones too"


@IN_MODULE
async def test_they_sign_in_with_the_password_of_the_directory(running: Company) -> None:
    status, body = await running.get("/cucm-uds/user/anita", "anita", PASSWORD)
    assert status == 200
    user = User.parse(body)
    assert user.use_ldap_auth
    assert user.home_cluster
    assert user.presence_servers == ("im1.example.com",)
    assert (user.person.title, user.person.manager) == ("Head of operations", "dolores")
    assert user.primary_extension is not None
    assert user.primary_extension.directory_number == "2001"
    assert (await running.get("/cucm-uds/user/anita", "anita", "wrong"))[0] == 401
    talk = await open_stream(chat_server(running), "anita")
    assert await authenticate(talk, "PLAIN", f"\0anita\0{PASSWORD}") == "success"
    await talk.leave()


@IN_MODULE
async def test_they_register_and_call_each_other(running: Company) -> None:
    """By extension, by the whole number and by address."""
    bell = Bell()
    async with phone_of(running, "anita", "2001", bell) as anita, phone_of(running, "bruno", "2002", bell):
        for dialled in ("2002", "+41445552002", "bruno"):
            session = anita.call(dialled)
            await bell.until(partial(anita.saw, Accepted, session))
            anita.hang_up(session)


async def mailbox(running: Company, user: str) -> tuple[int, bytes]:
    """What the voicemail service says to somebody of their own mailbox."""
    url = f"https://{running.address}:{running.port('vmrest')}/vmrest/user"
    headers = {"Authorization": aiohttp.encode_basic_auth(user, PASSWORD), "Accept": "application/json"}
    async with running.session.get(url, headers=headers) as response:
        return response.status, await response.read()


@IN_MODULE
async def test_their_voicemail_takes_calls_for_them(running: Company) -> None:
    """A mailbox comes with the line; Dolores has no phone on, so nobody else can take the call."""

    async def opened() -> bool:
        return (await mailbox(running, "dolores"))[0] == 200

    await until(opened)
    told = json.loads((await mailbox(running, "dolores"))[1])
    assert (told["DisplayName"], told["DtmfAccessId"]) == ("Dolores Vega", "2004")
    bell = Bell()
    async with phone_of(running, "anita", "2001", bell) as anita:
        session = anita.call("2004")
        await bell.until(partial(anita.saw, Accepted, session))
        anita.hang_up(session)


@IN_MODULE
async def test_a_dry_run_shows_the_difference_and_changes_nothing(running: Company, directory: Directory) -> None:
    await modify(directory, added(ZORA) + deleted(BRUNO) + replaced(ANITA, "title", "Director"))
    told = await difference(running, "--dry-run")
    assert told["outcome"] == "dry-run"
    changes = {change["user"]: change for change in told["changes"] if change["kind"] != "skip"}
    assert {user: change["kind"] for user, change in changes.items()} == {
        "zora": "add", "bruno": "gone", "anita": "change",
    }  # fmt: skip
    assert changes["anita"]["fields"] == {"title": ["Head of operations", "Director"]}
    assert changes["zora"]["number"] == "7000", "her number is taken, so it is one of the pool"
    assert told["counts"]["unchanged"] == CROWD + 1
    skipped = [change["reasons"][0]["text"] for change in told["changes"] if change["kind"] == "skip"]
    assert skipped == ["The entry has no user name (uid)"]
    status, out = await command(running, "sync", "--dry-run")
    assert status == 0
    assert "title: Head of operations → Director" in out
    assert "nothing was changed" in out
    assert (await running.users(username="zora")).total_count == 0


@IN_MODULE
async def test_a_run_reaches_everything_without_a_restart(running: Company) -> None:
    chat = await sign_in(chat_server(running), "bruno", PASSWORD, "desk")
    secret = await credential(running, "bruno")
    async with phone_of(running, "bruno", "2002", Bell()):
        assert (await run_here(running)).written

        async def reached() -> bool:
            return (await running.get("/cucm-uds/user/zora", "zora", PASSWORD))[0] == 200

        await until(reached, pause=0.5)  # whoever tries faster than that is slowed down as one who guesses
    assert (await running.users(name="Director")).total_count == 0
    _, body = await running.get("/cucm-uds/user/anita", "anita", PASSWORD)
    assert User.parse(body).person.title == "Director"

    async def out() -> bool:
        return (await running.get("/cucm-uds/user/bruno", "bruno", PASSWORD))[0] in {401, 403}

    await until(out)
    assert "account-disabled" in await chat.closed() or "not-authorized" in chat.seen
    bell = Bell()
    async with sip_phone(running.running.ca_file, *secret, "2002", bell) as late:
        late.register([("cm1.example.com", running.address, running.port("sip-tls"))])
        await bell.until(lambda: late.state in {"refused", "failed", "waiting"})
        assert not late.registered_with, "what the phone had before is worth nothing now"
    async with phone_of(running, "zora", "7000", bell), phone_of(running, "anita", "2001", bell) as anita:
        session = anita.call("7000")
        await bell.until(partial(anita.saw, Accepted, session))
        anita.hang_up(session)
    status, lines = await command(running, "changes", "anita")
    assert status == 0
    assert "title: Head of operations → Director" in lines


@IN_MODULE
async def test_who_is_gone_for_long_is_removed(running: Company) -> None:
    """And a password that was right a moment ago is forgotten."""
    done = await run_here(running, keep_seconds=0.0)
    assert {change.user: change.kind for change in done.difference.changes}["bruno"] == "remove"

    async def nobody() -> bool:
        return (await running.users(username="bruno")).total_count == 0

    async def out() -> bool:
        return (await running.get("/cucm-uds/user/bruno", "bruno", PASSWORD))[0] == 401

    await until(nobody)
    await until(out)
    store = await VoicemailStore.open(running.folder.database("vm1.example.com", "voicemail"))
    try:

        async def closed() -> bool:
            return await store.mailbox("bruno") is None and await store.mailbox("zora") is not None

        await until(closed)
    finally:
        await store.close()


@IN_MODULE
async def test_what_fails_changes_nothing_and_says_one_sentence(running: Company, directory: Directory) -> None:
    """On the command line once; then every way to fail, by what the command shows."""
    text = running.file.read_text()
    running.file.write_text(text + f'groups = ["cn=missing,{GROUPS}"]\n')
    status, err = await command(running, "sync")
    running.file.write_text(text)
    assert status == 1
    assert "There is no group cn=missing" in err
    assert len(err.strip().splitlines()) == 1
    (agreement,) = agreements(read_deployment(text.encode()), "office", running.file.parent)
    stranger = replace(directory.secure, host="ldap.example.com", address="127.0.0.1")
    blind = replace(agreement.access, account=ANITA.name, password=PASSWORD)
    failures = {
        "did not answer": replace(agreement, access=replace(agreement.access, servers=(_nowhere(directory),))),
        "not valid for": replace(agreement, access=replace(agreement.access, servers=(stranger,))),
        "refused the search": replace(agreement, base="ou=elsewhere,dc=example,dc=com"),
        "result 32": replace(agreement, access=blind),
        "result 49": replace(agreement, access=replace(agreement.access, password="wrong")),
    }
    store = await Store.open(running.folder.database("office", "call-manager"))
    try:
        for words, wrong in failures.items():
            with pytest.raises(SynchronisationError) as caught:
                await run(SyncStore(store.engine), wrong)
            assert words in render(caught.value.reason)
            assert "Nothing was changed" in render(caught.value.reason)
        last = (await SyncStore(store.engine).runs())["Office"]
        assert (last.outcome, last.why["id"]) == ("failed", "sync.failed.refused")
        nobody = await run(SyncStore(store.engine), replace(agreement, filter="(objectClass=device)"))
        assert not nobody.written
    finally:
        await store.close()
    assert (await running.users(username="p")).total_count == CROWD


async def test_an_answer_that_is_cut_is_no_answer(tmp_path: Path) -> None:
    """OpenLDAP gives 500 entries, with pages too, unless it is told otherwise; nobody else has left."""
    with running_slapd(tmp_path / "slapd", {}, names=("127.0.0.1",), ldif=content(), indexes=INDEXES) as limited:
        file = write_file(tmp_path, limited, "127.0.0.1")
        (agreement,) = agreements(read_deployment(file.read_bytes()), "office", tmp_path)
        store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'cluster.db'}")
        try:
            with pytest.raises(SynchronisationError) as caught:
                await run(SyncStore(store.engine), agreement)
        finally:
            await store.close()
    assert "gives 500 people and no more (result 4)" in render(caught.value.reason)


async def test_groups_and_what_a_second_start_finds(directory: Directory, tmp_path: Path) -> None:
    """Only members of a group, of groups in it too; the next start has them before the directory is asked."""
    more = f'groups = ["cn=callers,{GROUPS}"]\n'
    async with company(tmp_path, directory, more) as first:

        async def there() -> bool:
            return {one.user_name for one in (await first.users()).people} == {"anita", "frieda"}

        await until(there)
        database = first.folder.database("office", "call-manager")
    store = await Store.open(database)
    runs = await SyncStore(store.engine).runs()
    await store.close()
    assert runs["Office"].outcome == "done"
    assert runs["Office"].counts["add"] == 1
    async with company(tmp_path, directory, more, server="ldaps://127.0.0.2:1") as second:
        assert {one.user_name for one in (await second.users()).people} == {"anita", "frieda"}
    async with company(tmp_path, directory, more.replace("groups", "# groups"), base="ou=people") as third:
        assert DOLORES.user not in {one.user_name for one in (await third.users()).people}
