"""The file server on both ports, and photos."""

from __future__ import annotations

import asyncio
import re
from xml.dom import expatbuilder

import pytest

from ringback.protocols.device_config import DeviceConfig, SipServer
from ringback.protocols.jabber_config import JabberConfig, group_file
from ringback.protocols.service_profile import ServiceProfile
from tests.callmanager.conftest import JPEG, PROFILE, Launch, Running


async def test_the_configuration_file(running: Running) -> None:
    status, body = await running.get(running.files("/jabber-config.xml"))
    assert status == 200
    config = JabberConfig.parse(body)
    assert config.get("Voicemail_Enabled") == "true"
    photo = config.get("UdsPhotoUriWithToken")
    assert photo == running.https("/photos/%%uid%%.jpg")
    for section in ("Client", "Options", "Policies", "Directory"):
        assert re.search(rf"<{section}[ />]", body.decode())
    status, secure = await running.get(f"https://{running.settings.node}:{running.port('files-tls')}/jabber-config.xml")
    assert (status, secure) == (200, body)


async def test_a_group_file_comes_before_the_global_one(running: Running) -> None:
    _, common = await running.get(running.files("/jabber-config.xml"))
    _, device = await running.get(running.files("/CSFANITA.cnf.xml"))
    path = group_file(DeviceConfig.parse(device).support_field)
    assert path == "sales/jabber.xml"
    status, group = await running.get(running.files(f"/{path}"))
    assert status == 200
    merged = JabberConfig.parse(common).overridden_by(JabberConfig.parse(group))
    assert merged.get("Voicemail_Enabled") == "false"
    assert merged.get("DirectoryServerType") == "UDS"


async def test_the_service_profile(running: Running) -> None:
    status, body = await running.get(running.files("/SPDefault.cnf.xml"))
    assert status == 200
    assert ServiceProfile.parse(body) == PROFILE
    tree = expatbuilder.parseString(body, False)
    for section in (
        "Voicemail", "MailStore", "Conferencing", "Directory", "IMandPresence", "CTI",
        "VideoConferenceSchedulingPortal",
    ):  # fmt: skip
        element = tree.getElementsByTagName(section)[0]
        for server in ("Primary", "Backup1", "Backup2"):
            for leaf in ("Address", "Port", "Protocol"):
                assert element.getElementsByTagName(server)[0].getElementsByTagName(leaf)


async def test_a_device_file_has_what_a_softphone_indexes(running: Running) -> None:
    """The look-ups of a real client, in our words: it reads without namespaces and takes everything for granted."""
    status, body = await running.get(running.files("/CSFANITA.cnf.xml"))
    assert status == 200
    tree = expatbuilder.parseString(body, False)

    def text(element: object, name: str) -> str:
        found = element.getElementsByTagName(name)[0]  # type: ignore[attr-defined]
        return "".join(node.data for node in found.childNodes)

    line = tree.getElementsByTagName("line")[0]
    assert text(line, "name") == "2001"
    assert re.fullmatch(r"[0-9a-f-]{36}", text(line, "contact"))
    manager = tree.getElementsByTagName("callManager")[0]
    assert text(manager, "name") == "cucm1.example.com"
    assert (text(manager, "sipPort"), text(manager, "securedSipPort")) == ("5060", "5061")
    assert text(tree, "deviceSecurityMode") == "1"
    assert text(tree, "transportLayerProtocol")
    assert tree.getElementsByTagName("certHash")
    config = DeviceConfig.parse(body)
    assert config.servers == (SipServer("cucm1.example.com"),)
    assert (config.user, config.service_profile) == ("anita", "SPDefault.cnf.xml")


async def test_mobile_devices_have_the_mobile_timers(running: Running) -> None:
    _, body = await running.get(running.files("/TCTANITA.cnf.xml"))
    timers = DeviceConfig.parse(body).timers
    assert (timers.register_expires, timers.register_delta, timers.keep_alive_expires) == (720, 120, 720)
    assert (timers.subscribe_expires, timers.subscribe_delta) == (21600, 15)


async def test_a_file_that_is_known_is_not_sent_again(running: Running) -> None:
    for path in ("/jabber-config.xml", "/CSFANITA.cnf.xml", "/photos/anita.jpg"):
        async with running.session.get(running.files(path)) as response:
            tag = response.headers["ETag"]
        for asked, expected in ((tag, 304), (f'"other", {tag}', 304), ("*", 304), ('"other"', 200)):
            async with running.session.get(running.files(path), headers={"If-None-Match": asked}) as response:
                assert response.status == expected
                assert response.headers["ETag"] == tag


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.xml", "/CSFNOBODY.cnf.xml", "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/sales/../../x",
        "//etc/passwd", "/photos/../anita.jpg", "/photos/nobody.jpg", "/photos/..%2f..%2fanita.jpg", "/sales/", "/",
        "/%00", "/jabber-config.xml/", "/.cnf.xml",
    ],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(running: Running, path: str) -> None:
    """Sent as raw bytes: a library would tidy the path first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port("files"))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.split(b" ", 2)[1] == b"404"
    assert b"root:" not in answer


async def test_photos_on_both_ports(running: Running) -> None:
    for url in (running.files("/photos/anita.jpg"), running.https("/photos/ANITA.jpg")):
        async with running.session.get(url) as response:
            assert response.status == 200
            assert response.content_type == "image/jpeg"
            assert await response.read() == JPEG
    assert (await running.get(running.files("/photos/Bruno.jpg")))[0] == 404


async def test_a_taken_port_is_named(running: Running, launch: Launch) -> None:
    taken = running.port("files")
    with pytest.raises(OSError, match=rf"127\.0\.0\.1 port {taken}"):
        await launch("cucm2.example.com", files_port=taken)
