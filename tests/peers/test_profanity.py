"""Profanity on our presence service: sign-in, contacts, presence, chat both ways, group chat, archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.wire import Person, Server
from tests.peers.conftest import PEOPLE
from tests.peers.terminal import running_profanity
from tests.support.services import OwnServer

pytestmark = pytest.mark.peer


def test_a_person_at_profanity(own: OwnServer, server: Server, tmp_path: Path) -> None:
    with Person(server, "adam", resource="desk") as adam:
        adam.ask("<query xmlns='jabber:iq:roster'/>")
        with running_profanity(tmp_path / "first", own, "anita", PEOPLE["anita"]) as profanity:
            profanity.type("/connect anita@example.com")
            profanity.shows(r"anita@example\.com/profanity logged in successfully")
            profanity.shows(r"\[TLS\]")

            profanity.type("/roster add adam@example.com Adam")
            profanity.shows(r"Roster item added: adam@example\.com")
            profanity.type("/sub request adam@example.com")
            adam.expect(r"<presence(?=[^>]*type=['\"]subscribe['\"])[^>]*>")
            for kind in ("subscribed", "subscribe"):
                adam.send(f"<presence type='{kind}' to='anita@example.com'/>")
            profanity.shows(r"authorization request from adam@example\.com")
            profanity.type("/sub allow adam@example.com")
            adam.expect(r"<presence(?=[^>]*type=['\"]subscribed['\"])[^>]*>")
            profanity.type("/roster")
            profanity.shows(r"Adam[^\n]*")
            adam.send("<presence><show>dnd</show><status>Writing a report</status></presence>")
            profanity.shows(r"Writing a report")
            profanity.type('/status set away "Gone for lunch"')
            adam.expect(r"<show>away</show>.*?Gone for lunch|Gone for lunch.*?<show>away</show>")

            profanity.type("/msg adam@example.com Hello Adam, grüß dich")
            got = adam.expect(r"Hello Adam, grüß dich</body>")
            assert "from='anita@example.com/profanity'" in got[got.rindex("<message") :].replace('"', "'")
            adam.send("<message type='chat' to='anita@example.com' id='a1'><body>Hello Anita ☺</body></message>")
            profanity.shows(r"Hello Anita ☺")

            profanity.type(f"/join lunch@{own.rooms}")
            profanity.shows(r"You have joined the room as anita")
            profanity.type("/room accept")
            profanity.shows(r"unlocked")
            adam.send(f"<presence to='lunch@{own.rooms}/Adam'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
            adam.expect(r"code=['\"]110['\"]")
            adam.send(f"<message type='groupchat' to='lunch@{own.rooms}'><body>Who comes along?</body></message>")
            profanity.shows(r"Adam: Who comes along\?")
            profanity.type("I do")
            adam.expect(
                rf"<message(?=[^>]*from=['\"]lunch@{own.rooms}/anita['\"])[^>]*>(?:(?!</message>).)*<body>I do</body>"
            )
        with running_profanity(tmp_path / "second", own, "anita", PEOPLE["anita"]) as profanity:
            profanity.type("/connect anita@example.com")
            profanity.shows(r"anita@example\.com/profanity logged in successfully")
            profanity.shows(r"Writing a report|Adam")
            profanity.type("/mam on")
            profanity.type("/msg adam@example.com")
            profanity.shows(r"Hello Anita ☺")
