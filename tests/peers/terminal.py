"""Clients for the terminal, driven through tmux as a person would: keys in, screen out."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.services import OwnServer

PATIENCE = 20.0

# Poezio refuses to be root, and in a container of CI nobody else may exist: tell it another number then. Debian's
# Python in isolated mode keeps it from our environment and its libraries.
_POEZIO = (
    "import os, sys; os.geteuid = lambda: os.getuid() or 65534; from poezio.poezio import main; "
    "sys.argv[0] = 'poezio'; main()"
)


class Terminal:
    """A client that is running in a terminal."""

    def __init__(self, session: str) -> None:
        self._session = session

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        _tmux(self._session, "send-keys", "-t", self._session, "-l", line)
        self.press("Enter")

    def write(self, line: str) -> None:
        """Type a line, and Enter once the client shows the whole of it.

        Some clients take what comes at once for pasted text, and only a slash that comes alone for a command.
        """
        if line.startswith("/"):
            _tmux(self._session, "send-keys", "-t", self._session, "-l", "/")
            self.shows(r"(?m)│\s*/\s*$")
        _tmux(self._session, "send-keys", "-t", self._session, "-l", line.removeprefix("/"))
        self.shows(re.escape(line))
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press one key, by tmux's name for it."""
        _tmux(self._session, "send-keys", "-t", self._session, key)

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
def running_profanity(folder: Path, server: OwnServer, user: str, password: str) -> Iterator[Terminal]:
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
    with _running(folder, ("profanity", "-l", "DEBUG"), {"SSL_CERT_FILE": str(server.ca)}) as profanity:
        profanity.shows("Profanity|profanity")
        yield profanity


@contextlib.contextmanager
def running_poezio(folder: Path, server: OwnServer, user: str, password: str, authority: Path) -> Iterator[Terminal]:
    """Poezio of this person, which trusts this authority and nothing else, keeps no history, and connects at once."""
    folder.mkdir(parents=True)
    configuration = folder / "poezio.cfg"
    configuration.write_text(
        f"[Poezio]\njid = {user}@{server.domain}/desk\npassword = {password}\ncustom_host = {server.address}\n"
        f"custom_port = {server.port}\nca_cert_path = {authority}\ndefault_nick = {user}\nuse_log = false\n"
        "muc_history_length = 0\nhide_status_change = -1\nroster_show_offline = true\nauto_reconnect = false\n"
        "use_remote_bookmarks = false\nsave_status = false\npopup_time = 60\ninformation_buffer_popup_on = error\n"
        "[var]\ninfo_win_height = 12\n"
    )
    configuration.chmod(0o600)
    words = ("/usr/bin/python3", "-I", "-c", _POEZIO, "-f", str(configuration), "-d", str(folder / "debug.log"))
    with _running(folder, words, {}) as poezio:
        yield poezio


@contextlib.contextmanager
def _running(folder: Path, words: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A client in a terminal of 180 columns and 50 lines that dies with the block, at home in this folder."""
    session = f"ringback-{secrets.token_hex(4)}"
    whole = {
        # The terminal has a size of its own, whatever that of the one who runs the tests.
        **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "TMUX"}},
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LC_ALL": "C.UTF-8",
        "TERM": "screen-256color",
        **environment,
    }
    subprocess.run(
        ("tmux", "-u", "-L", session, "-f", "/dev/null", *_options("new-session", session), *words),
        check=True,
        env=whole,
        timeout=20,
    )
    client = int(_tmux(session, "list-panes", "-F", "#{pane_pid}"))
    try:
        yield Terminal(session)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(client, signal.SIGKILL)  # without its terminal Poezio would stay and spin
        subprocess.run(("tmux", "-L", session, "kill-server"), check=False, capture_output=True, timeout=20)


def _options(command: str, session: str) -> tuple[str, ...]:
    return (command, "-d", "-s", session, "-x", "180", "-y", "50")


def _tmux(socket: str, *words: str) -> str:
    done = subprocess.run(("tmux", "-L", socket, *words), check=True, capture_output=True, timeout=20)
    return done.stdout.decode()
