"""go-sendxmpp on our presence service: sends, listens, writes to a group chat."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.hostile.wire import Person, Server
from tests.peers.conftest import PEOPLE
from tests.support.foreign import running
from tests.support.services import OwnServer

pytestmark = pytest.mark.peer


def _arguments(own: OwnServer, user: str, *words: str, direct: bool = False) -> tuple[str, ...]:
    port = own.tls_port if direct else own.port
    return (
        *("go-sendxmpp", "-u", f"{user}@{own.domain}", "-p", PEOPLE[user], "-j", f"{own.address}:{port}"),
        *(("-t",) if direct else ()),
        *words,
    )


def _environment(own: OwnServer, folder: Path) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(own.ca), "SSL_CERT_DIR": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"}


def _send(own: OwnServer, folder: Path, text: str, *words: str, direct: bool = False) -> None:
    done = subprocess.run(
        _arguments(own, "bea", *words, direct=direct),
        input=text.encode(),
        env={**os.environ, **_environment(own, folder)},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("direct", [False, True], ids=["starttls", "direct tls"])
def test_it_sends(own: OwnServer, server: Server, tmp_path: Path, direct: bool) -> None:
    with Person(server, "adam") as adam:
        _send(own, tmp_path, "Grüße aus der Konsole\n", adam.bare, direct=direct)
        text = adam.expect(r"Grüße aus der Konsole\s*</body>")
        assert "from='bea@example.com/" in text[text.rindex("<message") :].replace('"', "'")


def test_what_it_sends_to_nobody_there_waits(own: OwnServer, server: Server, tmp_path: Path) -> None:
    _send(own, tmp_path, "for later", f"adam@{own.domain}")
    with Person(server, "adam", available=False) as adam:
        adam.send("<presence/>")
        adam.expect(r"for later\s*</body>")


def test_it_writes_to_a_group_chat(own: OwnServer, server: Server, tmp_path: Path) -> None:
    room = f"console@{own.rooms}"
    with Person(server, "adam") as adam:
        adam.send(f"<presence to='{room}/Adam'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        adam.expect(r"code=['\"]110['\"]")
        adam.ask(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
            kind="set",
            to=room,
        )
        _send(own, tmp_path, "to the whole group", "-a", "Bea", "-c", room)
        text = adam.expect(r"to the whole group\s*</body>")
        assert f"{room}/Bea" in text[text.rindex("<message") :]


def test_it_listens_and_is_seen(own: OwnServer, server: Server, tmp_path: Path) -> None:
    with (
        Person(server, "adam") as adam,
        running(_arguments(own, "bea", "-l"), folder=tmp_path, environment=_environment(own, tmp_path)) as process,
    ):
        output = tmp_path / "output.txt"
        heard = ""
        for number in range(200):
            adam.send(f"<message type='chat' to='bea@{own.domain}'><body>listen {number}</body></message>")
            adam.drain()
            heard = output.read_text()
            if "listen" in heard or process.poll() is not None:
                break
            adam.ended(0.05)
        assert f"adam@{own.domain}" in heard, heard
        assert "listen" in heard
