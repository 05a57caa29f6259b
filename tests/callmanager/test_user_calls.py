"""UDS about calls: what softphones sign in with, forwarding and do not disturb, each for its owner only."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import hdrs

from ringback.protocols import uds
from ringback.protocols.device_config import DeviceConfig, SecurityMode, SipServer, Transport
from ringback.protocols.dial_rules import parse
from ringback.rules.dial_plan import DialPlan
from ringback.rules.dial_rules import DialRule
from ringback.services.callmanager.device_credentials import derive_secret
from ringback.services.callmanager.settings import CallSettings, DeviceRecord, LineRecord, Sibling
from tests.callmanager.conftest import DEVICES, Launch, Running

ANITA = ("anita", "anita's password")
BRUNO = ("bruno", "bruno's pässword")
KEY = b"a key of the cluster"
TO_2002 = uds.ForwardTo(destination="2002")
CALLS = CallSettings(
    sip_port=0,
    sip_tls_port=0,
    domain="example.com",
    domains=frozenset({"example.com"}),
    credential_key=KEY,
    plan=DialPlan(lines=frozenset({"2001", "2002"}), external={"2001": "+14085552001"}),
    siblings=(Sibling("cucm2.example.com", "127.0.0.2", 15061, sip_port=15060),),
    keep_alive_seconds=30,
    dial_rules=(DialRule("00", 0, 2, "+"),),
    look_up_rules=(DialRule("2", 4, 0, "+1408555"),),
)


@pytest.fixture
async def calling(launch: Launch) -> Running:
    """The first of two nodes of a cluster that carries calls."""
    devices = (
        *DEVICES,
        DeviceRecord("SEP001122334455", "anita", lines=(LineRecord("2001"),), encrypted=True, password="its own"),
    )
    return await launch(calls=CALLS, devices=devices, servers=("cucm1.example.com", "cucm2.example.com"))


async def put(running: Running, url: str, body: bytes, login: tuple[str, str]) -> tuple[int, bytes]:
    headers = {"Authorization": aiohttp.encode_basic_auth(*login)}
    async with running.session.put(url, data=body, headers=headers) as response:
        return response.status, await response.read()


async def device_uri(running: Running, name: str, login: tuple[str, str] = ANITA) -> str:
    _, body = await running.get(running.uds(f"/user/{login[0]}/devices"), login=login)
    return next(device.uri for device in uds.Devices.parse(body).devices if device.name == name)


async def extension(running: Running, login: tuple[str, str] = ANITA) -> uds.Extension:
    _, body = await running.get(running.uds(f"/user/{login[0]}/extensions"), login=login)
    return uds.Extensions.parse(body).extensions[0]


async def test_the_owner_of_a_softphone_learns_what_it_signs_in_with(calling: Running) -> None:
    uri = await device_uri(calling, "CSFANITA")
    headers = {"Authorization": aiohttp.encode_basic_auth(*ANITA)}
    async with calling.session.get(uri, headers=headers) as response:
        assert response.headers[hdrs.CACHE_CONTROL] == "private, no-store"
        device = uds.Device.parse(await response.read())
    assert device.credential == uds.SipCredential("CSFANITA", "example.com", derive_secret(KEY, "CSFANITA"))
    assert device.credential.secret not in repr(device)


async def test_nobody_else_learns_it(calling: Running) -> None:
    uri = await device_uri(calling, "CSFANITA")
    secret = derive_secret(KEY, "CSFANITA").encode()
    for login, status in ((None, 401), (BRUNO, 403), (("anita", "wrong"), 401)):
        calling.session.cookie_jar.clear()
        answer = await calling.get(uri, login=login)
        assert answer[0] == status
        assert secret not in answer[1]
    for url in (calling.uds("/user/anita/devices"), calling.uds("/user/anita"), calling.uds("/user/anita/extensions")):
        assert secret not in (await calling.get(url, login=ANITA))[1]
    assert secret not in (await calling.get(calling.files("/CSFANITA.cnf.xml")))[1]


async def test_phones_with_a_password_of_their_own_have_no_derived_one(calling: Running) -> None:
    _, body = await calling.get(await device_uri(calling, "SEP001122334455"), login=ANITA)
    assert uds.Device.parse(body).credential is None


async def test_forwarding_is_set_read_and_ended(calling: Running) -> None:
    line = await extension(calling)
    change = uds.ExtensionChange({"all": TO_2002, "no_answer_external": uds.ForwardTo(to_voicemail=True)})
    status, body = await put(calling, line.uri, change.build(), ANITA)
    assert status == 200
    told = uds.Extension.parse(body)
    assert told.forwarding == change.forwarding
    assert (await extension(calling)).forwarding == change.forwarding
    assert uds.Extension.parse((await calling.get(line.uri, login=ANITA))[1]) == told
    _, user = await calling.get(calling.uds("/user/anita"), login=ANITA)
    assert b"<destination>2002</destination>" in user

    status, _ = await put(calling, line.uri, uds.ExtensionChange({"all": uds.ForwardTo()}).build(), ANITA)
    assert status == 200
    assert (await extension(calling)).forwarding == {"no_answer_external": uds.ForwardTo(to_voicemail=True)}


async def test_an_absent_element_changes_nothing_and_an_empty_one_sets_the_default(calling: Running) -> None:
    line = await extension(calling)
    await put(calling, line.uri, uds.ExtensionChange({"all": TO_2002, "busy_internal": TO_2002}).build(), ANITA)
    await put(calling, line.uri, b"<extension><callForwardAllDestination/></extension>", ANITA)
    assert (await extension(calling)).forwarding == {"busy_internal": TO_2002}
    await put(calling, line.uri, b"<extension><label>x</label></extension>", ANITA)
    assert (await extension(calling)).forwarding == {"busy_internal": TO_2002}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not xml", b"Not XML"),
        (b"<device/>", b"expected"),
        (uds.ExtensionChange({"all": uds.ForwardTo(destination="no number")}).build(), b"number or an address"),
        (uds.ExtensionChange({"all": uds.ForwardTo(destination="2001")}).build(), b"to itself"),
        (uds.ExtensionChange({"all": uds.ForwardTo(destination="1" * 300)}).build(), b"number or an address"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(calling: Running, body: bytes, words: bytes) -> None:
    status, answer = await put(calling, (await extension(calling)).uri, body, ANITA)
    assert status == 400
    assert words in answer


async def test_voicemail_is_refused_where_there_is_none(calling: Running) -> None:
    change = uds.ExtensionChange({"all": uds.ForwardTo(to_voicemail=True)}).build()
    status, answer = await put(calling, (await extension(calling, BRUNO)).uri, change, BRUNO)
    assert status == 400
    assert b"no voicemail" in answer


async def test_nobody_forwards_the_calls_of_others(calling: Running) -> None:
    line = await extension(calling)
    change = uds.ExtensionChange({"all": TO_2002}).build()
    assert (await put(calling, line.uri, change, BRUNO))[0] == 403
    assert (await put(calling, line.uri.replace("/user/anita/", "/user/bruno/"), change, BRUNO))[0] == 404
    calling.session.cookie_jar.clear()
    async with calling.session.put(line.uri, data=change) as response:
        assert response.status == 401
    assert (await extension(calling)).forwarding == {}


@pytest.mark.parametrize("option", [uds.DND_RINGER_OFF, uds.DND_CALL_REJECT])
async def test_do_not_disturb_is_set_for_a_device(calling: Running, option: str) -> None:
    uri = await device_uri(calling, "CSFANITA")
    wanted = uds.DoNotDisturb(True, option)
    status, body = await put(calling, uri, uds.DeviceChange(wanted).build(), ANITA)
    assert (status, uds.Device.parse(body).do_not_disturb) == (200, wanted)
    assert uds.Device.parse((await calling.get(uri, login=ANITA))[1]).do_not_disturb == wanted
    _, tablet = await calling.get(await device_uri(calling, "TCTANITA"), login=ANITA)
    assert uds.Device.parse(tablet).do_not_disturb == uds.DoNotDisturb()
    await put(calling, uri, b"<device><doNotDisturbSettings><enable/></doNotDisturbSettings></device>", ANITA)
    assert not uds.Device.parse((await calling.get(uri, login=ANITA))[1]).do_not_disturb.enabled  # type: ignore[union-attr]


async def test_an_unknown_option_of_do_not_disturb_is_refused(calling: Running) -> None:
    uri = await device_uri(calling, "CSFANITA")
    status, _ = await put(calling, uri, uds.DeviceChange(uds.DoNotDisturb(True, "Sing")).build(), ANITA)
    assert status == 400


async def device_file(running: Running, name: str) -> DeviceConfig:
    return DeviceConfig.parse((await running.get(running.files(f"/{name}.cnf.xml")))[1])


async def test_a_device_file_names_both_nodes_with_their_ports(calling: Running) -> None:
    config = await device_file(calling, "CSFANITA")
    first, second = config.servers
    assert first.name == "cucm1.example.com"
    assert (first.sip_port, first.secured_sip_port) == (calling.port("sip"), calling.port("sip-tls"))
    assert second == SipServer("cucm2.example.com", 15060, 15061)
    assert config.lines[0].shared
    assert config.lines[0].port == calling.port("sip")
    assert (config.domain, config.external_number) == ("example.com", "+14085552001")
    assert (config.timers.keep_alive_expires, config.connection_monitor) == (30, 30)
    assert (config.dscp_audio, config.dscp_video, config.dtmf_payload) == (0x2E, 0x22, 101)
    assert not (await device_file(calling, "CSFBRUNO")).lines[0].shared


async def test_an_encrypted_device_is_told_to_use_tls(calling: Running) -> None:
    secure, plain = await device_file(calling, "SEP001122334455"), await device_file(calling, "CSFANITA")
    assert (secure.security_mode, secure.transport) == (SecurityMode.ENCRYPTED, Transport.TLS)
    assert (plain.security_mode, plain.transport) == (SecurityMode.NON_SECURE, Transport.TCP_AND_UDP)


async def test_dial_rules_are_served_as_files(calling: Running) -> None:
    rules: dict[str, Any] = {"AppDialRules.xml": CALLS.dial_rules, "DirLookupDialRules.xml": CALLS.look_up_rules}
    for name, wanted in rules.items():
        status, body = await calling.get(calling.files(f"/{name}"))
        assert status == 200
        assert parse(body) == wanted


async def test_a_device_without_a_file_finds_its_call_managers(calling: Running) -> None:
    status, body = await calling.get(calling.files("/XMLDefault.cnf.xml"))
    assert status == 200
    assert b"<autoRegistration>false</autoRegistration>" in body
    assert body.index(b"cucm1.example.com") < body.index(b"cucm2.example.com")
