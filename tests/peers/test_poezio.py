"""Poezio on our presence service: sign-in, contacts, presence, chat both ways, group chat, archive."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ringback.deployment.authority import Authority
from tests.hostile.wire import Person, Server
from tests.peers.conftest import PEOPLE
from tests.peers.terminal import Terminal, running_poezio
from tests.support.services import OwnServer

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

_SIGNED_IN = r"Your JID is cara@example\.com/desk"
_BOTH_THERE = r"none \(2/2\)"  # contacts without a group: Dirk and, as Poezio counts, oneself


def test_a_person_at_poezio(own: OwnServer, server: Server, tmp_path: Path) -> None:
    with Person(server, "dirk", resource="desk") as dirk:
        dirk.ask("<query xmlns='jabber:iq:roster'/>")
        with running_poezio(tmp_path / "first", own, "cara", PEOPLE["cara"], own.ca) as poezio:
            poezio.shows(_SIGNED_IN)
            _contacts_and_presence(poezio, dirk)
            _chat(poezio, dirk)
            _group_chat(poezio, dirk, f"canteen@{own.rooms}")
        _until_old_enough(time.time())
        # The second one is new to everything: what it shows of the past is what the server told it.
        with running_poezio(tmp_path / "second", own, "cara", PEOPLE["cara"], own.ca) as poezio:
            poezio.shows(_SIGNED_IN)
            poezio.shows(_BOTH_THERE)
            poezio.write("/message dirk@example.com")
            poezio.shows(r"cara> Hello Dirk, grüß dich")
            poezio.shows(r"dirk> Hello Cara ☺")
            poezio.shows(r"dnd Writing a report")
            poezio.write(f"/join canteen@{own.rooms}/cara")
            poezio.shows(r"Dirk> Who comes along\?")
            poezio.shows(r"cara> Keep me a seat")


def test_poezio_refuses_a_server_that_another_authority_vouches_for(own: OwnServer, tmp_path: Path) -> None:
    """Else the test above would not show that our certificate passes its check."""
    another = Authority(tmp_path / "another")
    with running_poezio(tmp_path / "home", own, "bea", PEOPLE["bea"], another.ca_file) as poezio:
        screen = poezio.shows(r"certificate sent by the server is invalid")
        assert "Authentication success" not in screen


def _until_old_enough(said: float) -> None:
    """Poezio asks an archive for what was said before the last whole second or the one before: wait for the clock."""
    while int(time.time()) < int(said) + 3:
        time.sleep(0.05)


def _contacts_and_presence(poezio: Terminal, dirk: Person) -> None:
    poezio.write("/add dirk@example.com")
    dirk.expect(r"<presence(?=[^>]*type=['\"]subscribe['\"])[^>]*>")
    dirk.send("<presence type='subscribed' to='cara@example.com'/>")
    poezio.shows(r"dirk@example\.com accepted your contact proposal")
    poezio.shows(_BOTH_THERE)
    dirk.send("<presence type='subscribe' to='cara@example.com'/>")  # which Poezio allows by itself now
    dirk.expect(r"<presence(?=[^>]*type=['\"]subscribed['\"])[^>]*>")
    dirk.expect(r"<presence(?=[^>]*from=['\"]cara@example\.com/desk[^>]*>)(?:(?!</presence>).)*https://poez\.io")
    poezio.write("/status away Gone for lunch")
    dirk.expect(r"<show>away</show>.*?Gone for lunch|Gone for lunch.*?<show>away</show>")
    dirk.send("<presence><show>dnd</show><status>Writing a report</status></presence>")


def _chat(poezio: Terminal, dirk: Person) -> None:
    poezio.write("/message dirk@example.com Hello Dirk, grüß dich")
    poezio.shows(r"cara> Hello Dirk, grüß dich")
    poezio.shows(r"dnd Writing a report")
    got = dirk.expect(r"Hello Dirk, grüß dich</body>")
    assert "from='cara@example.com/desk-" in got[got.rindex("<message") :].replace('"', "'")
    dirk.send(
        "<message type='chat' to='cara@example.com' id='a1'><body>Hello Cara ☺</body>"
        "<request xmlns='urn:xmpp:receipts'/></message>"
    )
    poezio.shows(r"dirk> Hello Cara ☺")
    dirk.expect(r"<received(?=[^>]*urn:xmpp:receipts)(?=[^>]*id=['\"]a1['\"])[^>]*>")


def _group_chat(poezio: Terminal, dirk: Person, room: str) -> None:
    poezio.write(f"/join {room}/cara")
    poezio.shows(r"You \(cara\) joined the room")
    poezio.shows(r"The room has been created")
    poezio.write("/configure")
    poezio.shows(r"Ctrl\+Y: send form")
    poezio.press("C-y")
    poezio.shows(r"\(owner, moderator\)")
    poezio.write("Here is a table")  # comes back after the room was opened by the form
    poezio.shows(r"cara> Here is a table")
    dirk.send(f"<presence to='{room}/Dirk'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    dirk.expect(rf"<presence(?=[^>]*from=['\"]{room}/Dirk['\"])[^>]*>(?:(?!</presence>).)*code=['\"]110['\"]")
    poezio.shows(r"Dirk \(dirk@example\.com/desk\) joined the room")
    dirk.send(f"<message type='groupchat' to='{room}'><body>Who comes along?</body></message>")
    poezio.shows(r"Dirk> Who comes along\?")
    poezio.write("Keep me a seat")
    dirk.expect(rf"<message(?=[^>]*from=['\"]{room}/cara['\"])[^>]*>(?:(?!</message>).)*<body>Keep me a seat</body>")
