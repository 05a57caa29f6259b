"""Profanity, a client for the terminal, driven through tmux as a person would: keys in, screen out."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.services import OwnServer

PATIENCE = 20.0


class Profanity:
    """A running Profanity."""

    def __init__(self, session: str) -> None:
        self._session = session

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        _tmux(self._session, "send-keys", "-t", self._session, "-l", line)
        _tmux(self._session, "send-keys", "-t", self._session, "Enter")

    def screen(self) -> str:
        """What is on the screen, with what scrolled off it."""
        return _tmux(self._session, "capture-pane", "-p", "-J", "-S", "-500", "-t", self._session)

    def shows(self, pattern: str, seconds: float = PATIENCE) -> str:
        """Wait for a text. Raises AssertionError with the screen."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, screen := self.screen()):
            assert time.monotonic() < deadline, f"{pattern!r} is not on the screen:\n{screen}"
            time.sleep(0.05)
        return screen


@contextlib.contextmanager
def running_profanity(folder: Path, server: OwnServer, user: str, password: str) -> Iterator[Profanity]:
    """Profanity of this person, which trusts the server's authority and nothing else; not connected yet."""
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    (certificates / "authority.pem").write_bytes(server.ca.read_bytes())
    subprocess.run(("openssl", "rehash", str(certificates)), check=True, capture_output=True)
    data, configuration = folder / "data" / "profanity", folder / "config" / "profanity"
    data.mkdir(parents=True)
    configuration.mkdir(parents=True)
    jid = f"{user}@{server.domain}"
    (data / "accounts").write_text(
        f"[{jid}]\nenabled=true\njid={jid}\nresource=profanity\npassword={password}\nserver={server.address}\n"
        f"port={server.port}\ntls.policy=force\nmuc.service={server.rooms}\nmuc.nick={user}\n"
    )
    (data / "accounts").chmod(0o600)
    (configuration / "profrc").write_text(
        f"[connection]\ncafile={server.ca}\ntls.certpath={certificates}\n[ui]\nsplash=false\n"
        "occupants=true\n[logging]\nchlog=true\n"
    )
    session = f"ringback-{secrets.token_hex(4)}"
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "LC_ALL": "C.UTF-8",
        "SSL_CERT_FILE": str(server.ca),
        "TERM": "screen-256color",
    }
    subprocess.run(
        (
            *("tmux", "-L", session, "-f", "/dev/null", "new-session", "-d", "-s", session),
            *("-x", "180", "-y", "50", "profanity -l DEBUG"),
        ),
        check=True,
        env=environment,
        timeout=20,
    )
    try:
        profanity = Profanity(session)
        profanity.shows("Profanity|profanity")
        yield profanity
    finally:
        subprocess.run(("tmux", "-L", session, "kill-server"), check=False, capture_output=True, timeout=20)


def _tmux(socket: str, *words: str) -> str:
    done = subprocess.run(("tmux", "-L", socket, *words), check=True, capture_output=True, timeout=20)
    return done.stdout.decode()
