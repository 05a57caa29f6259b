"""UDS over real HTTPS."""

from __future__ import annotations

import re

import pytest

from ringback.protocols import uds
from tests.callmanager.conftest import Launch, Running

ANITA = ("anita", "anita's password")


async def test_a_user_reads_her_own_document(running: Running) -> None:
    status, body = await running.get(running.uds("/user/anita"), login=ANITA)
    assert status == 200
    user = uds.User.parse(body)
    assert user.person.user_name == "anita"
    assert user.person.name == "Anita Pérez"
    assert user.home_cluster
    assert user.enable_im_and_presence
    assert user.presence_servers == ("imp1.example.com", "imp2.example.com")
    assert user.service_profile_uri == running.files("/SPDefault.cnf.xml")
    assert user.primary_extension is not None
    assert user.primary_extension.directory_number == "2001"
    assert user.links["devices"] == running.uds("/user/anita/devices")


async def test_passwords_and_names_beyond_ascii(running: Running) -> None:
    status, body = await running.get(running.uds("/user/BRUNO"), login=("bruno", "bruno's pässword"))
    assert status == 200
    assert uds.User.parse(body).person.user_name == "Bruno"


async def test_nobody_reads_another_user(running: Running) -> None:
    for path in ("", "/devices", "/extensions", "/device/x"):
        status, _ = await running.get(running.uds(f"/user/Bruno{path}"), login=ANITA)
        assert status == 403


@pytest.mark.parametrize("login", [None, ("anita", "wrong"), ("nobody", "x"), ("presence", "application password")])
async def test_wrong_credentials_get_the_known_page(running: Running, login: tuple[str, str] | None) -> None:
    status, body = await running.get(running.uds("/user/anita"), login=login)
    assert status == 401
    assert b"<!-- custom Cisco error page -->" in body


async def test_readers_in_use_find_what_they_look_for(running: Running) -> None:
    """The patterns and indexes of two real clients, in our words."""
    _, body = await running.get(running.uds("/user/anita"), login=ANITA)
    text = body.decode()
    devices = re.search(r'<devices uri="([^"]*)"/>', text)
    assert devices is not None
    first_uri = re.search(r"<uri>([^<]*)</uri>", text)
    assert first_uri is not None
    assert first_uri[1].endswith("/SPDefault.cnf.xml")
    positions = [
        text.index(f"<{tag}")
        for tag in (
            "id>", "userName>", "firstName>", "lastName>", "displayName>", "phoneNumber>", "homeNumber",
            "mobileNumber", "remoteDestinationLimit>", "email>",
        )
    ]  # fmt: skip
    assert positions == sorted(positions)

    _, body = await running.get(devices[1], login=ANITA)
    listed = re.findall(r'<device uri="([^"]+)">', body.decode())
    assert len(listed) == 2
    assert '<description editable="' in body.decode()
    _, body = await running.get(listed[0], login=ANITA)
    provision = re.search(r"<provision><uri>([^<]*)</uri>", body.decode())
    assert provision is not None
    assert provision[1] == running.files("/CSFANITA.cnf.xml")


async def test_devices_and_extensions(running: Running) -> None:
    _, body = await running.get(running.uds("/user/anita/devices"), login=ANITA)
    devices = uds.Devices.parse(body).devices
    assert [(device.name, device.model) for device in devices] == [
        ("CSFANITA", "Cisco Unified Client Services Framework"),
        ("TCTANITA", "Cisco Dual Mode for iPhone"),
    ]
    _, body = await running.get(running.uds("/user/anita/extensions"), login=ANITA)
    extensions = uds.Extensions.parse(body).extensions
    assert [(line.directory_number, line.is_primary, line.voicemail_pilot) for line in extensions] == [
        ("2001", True, "2999")
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"name": "an"}, ["zoe", "anita", "anders"]),
        ({"name": "perez"}, ["anita"]),
        ({"name": "PÉREZ anita"}, ["anita"]),
        ({"name": "anita pe"}, ["anita"]),
        ({"name": "bruno de la"}, ["Bruno"]),
        ({"name": "de la cruz bruno and more"}, []),
        ({"name": "zoe angs"}, ["zoe"]),
        ({"name": "smith@"}, ["anders"]),
        ({"name": "nita"}, []),
        ({"first": "b", "number": "2002"}, ["Bruno"]),
        ({"first": "a", "last": "p"}, ["anita"]),
        ({"number": "2001"}, ["anita"]),
        ({"number": "+1 (408) 555"}, ["anita"]),
        ({"number": "4567"}, ["Bruno"]),
        ({"number": "567"}, []),
        ({"number": "none"}, []),
        ({"username": "ZO"}, ["zoe"]),
        ({"email": "bruno."}, ["Bruno"]),
        ({"displayname": "anders s"}, ["anders"]),
        ({"uri": "anita@example.com"}, ["anita"]),
        ({"name": "%"}, []),
        ({"name": "' or 1=1"}, []),
    ],
)
async def test_search(running: Running, query: dict[str, str], found: list[str]) -> None:
    status, body = await running.get(running.uds("/users"), params=query)
    assert status == 200
    page = uds.Users.parse(body)
    assert [person.user_name for person in page.people] == found
    assert page.total_count == len(found)


async def test_search_comes_in_pages(running: Running) -> None:
    names = []
    for start in range(0, 6, 2):
        _, body = await running.get(running.uds("/users"), params={"max": "2", "start": str(start)})
        page = uds.Users.parse(body)
        assert (page.start, page.requested_count, page.total_count) == (start, 2, 4)
        names += [person.user_name for person in page.people]
    assert sorted(names) == ["Bruno", "anders", "anita", "zoe"]


@pytest.mark.parametrize("query", [{"max": "many"}, {"start": "-1"}, {"name": "x" * 300}])
async def test_search_refuses_nonsense(running: Running, query: dict[str, str]) -> None:
    status, _ = await running.get(running.uds("/users"), params=query)
    assert status == 400


async def test_search_pages_have_every_element_even_empty(running: Running) -> None:
    _, body = await running.get(running.uds("/users"), params={"name": "anders"})
    for tag in ("middleName", "displayName", "homeNumber", "mobileNumber", "msUri", "manager", "pager"):
        assert f"<{tag}/>".encode() in body


async def test_what_anybody_may_ask(running: Running) -> None:
    _, body = await running.get(running.uds("/version"))
    assert uds.Version.parse(body).version == "14.0.1"
    _, body = await running.get(running.uds("/servers"))
    assert uds.Servers.parse(body).servers == ("cucm1.example.com",)
    _, body = await running.get(running.uds("/options"))
    lists = {entry.name: entry for entry in uds.Options.parse(body).lists}
    assert lists["doNotDisturbSettings"].choices[0].name == "Ringer Off"
    _, body = await running.get(running.uds("/options/dayOfWeek"))
    assert len(uds.OptionList.parse(body, "dayOfWeek").choices) == 7
    status, _ = await running.get(running.uds("/options/nothing"))
    assert status == 404


async def test_the_policy_needs_a_sign_in(running: Running) -> None:
    status, _ = await running.get(running.uds("/options/userPolicy"))
    assert status == 401
    _, body = await running.get(running.uds("/options/userPolicy"), login=ANITA)
    assert uds.UserPolicy.parse(body).value("UserSearchLimit") == "64"


async def test_other_methods_are_refused_with_those_allowed(running: Running) -> None:
    async with running.session.post(running.uds("/users")) as response:
        assert response.status == 405
        assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize(
    "query", [{"username": "ANITA"}, {"email": "Anita@Example.com"}, {"useridentifier": "anita@example.com"}]
)
async def test_home_cluster_of_our_own(running: Running, query: dict[str, str]) -> None:
    status, body = await running.get(running.uds("/clusterUser"), params=query)
    assert status == 200
    answer = uds.ClusterUser.parse(body)
    assert answer.found
    assert answer.home_cluster == "cucm1.example.com"
    assert answer.servers_uri == running.uds("/servers")
    assert answer.user_uri == running.uds("/user/anita")


async def test_nobody_is_found_nowhere(running: Running) -> None:
    status, body = await running.get(running.uds("/clusterUser"), params={"username": "nobody"})
    assert status == 200
    assert not uds.ClusterUser.parse(body).found
    status, _ = await running.get(running.uds("/clusterUser"))
    assert status == 400


async def test_search_behind_a_sign_in_where_the_cluster_says_so(launch: Launch) -> None:
    from ringback.services.callmanager.settings import SearchPolicy

    running = await launch(search=SearchPolicy(needs_sign_in=True, limit=1))
    status, _ = await running.get(running.uds("/users"), params={"name": "a"})
    assert status == 401
    status, body = await running.get(running.uds("/users"), params={"name": "a", "max": "50"}, login=ANITA)
    assert status == 200
    page = uds.Users.parse(body)
    assert (len(page.people), page.requested_count, page.total_count) == (1, 1, 3)
