"""Janus' AudioBridge as a conference: its plain RTP participants, driven by its HTTP interface."""

from __future__ import annotations

import contextlib
import json
import secrets
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.media.generator import Phone
from tests.support.foreign import free_ports, running, wait_for_port

_PLUGINS = "/usr/lib/x86_64-linux-gnu/janus"
_SECONDS = 15


def _write(folder: Path, port: int) -> Path:
    settings = folder / "etc"
    for name in ("plugins", "transports", "none"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    settings.mkdir(exist_ok=True)
    base = Path(_PLUGINS)
    for kind, library in (("plugins", "libjanus_audiobridge.so"), ("transports", "libjanus_http.so")):
        with contextlib.suppress(FileExistsError):
            (folder / kind / library).symlink_to(base / kind / library)
    (settings / "janus.jcfg").write_text(
        f'general: {{ configs_folder = "{settings}"\n plugins_folder = "{folder / "plugins"}"\n'
        f' transports_folder = "{folder / "transports"}"\n events_folder = "{folder / "none"}"\n'
        f' loggers_folder = "{folder / "none"}"\n debug_level = 2\n session_timeout = 0\n }}\n'
        'media: { rtp_port_range = "42000-49999" }\n'
    )
    (settings / "janus.transport.http.jcfg").write_text(
        f'general: {{ base_path = "/janus"\n http = true\n port = {port}\n ip = "127.0.0.1"\n https = false\n }}\n'
        "admin: { admin_http = false }\n"
    )
    (settings / "janus.plugin.audiobridge.jcfg").write_text('general: { local_ip = "127.0.0.1" }\n')
    return settings


class _Bridge:
    """A session of the HTTP interface."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/janus"
        self._session = self._post("", {"janus": "create"})["data"]["id"]

    def _open(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps({**body, "transaction": secrets.token_hex(6)}).encode()
        with urllib.request.urlopen(urllib.request.Request(self._base + path, data=data), timeout=_SECONDS) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        told = self._open(path, body)
        if told.get("janus") == "error":
            raise RuntimeError(str(told))
        return told

    def handle(self) -> int:
        """A place for one party."""
        return int(
            self._post(f"/{self._session}", {"janus": "attach", "plugin": "janus.plugin.audiobridge"})["data"]["id"]
        )

    def ask(self, handle: int, **body: Any) -> dict[str, Any]:
        """A message to the plugin, with its answer; Janus sends some of them by a second request."""
        told = self._post(f"/{self._session}/{handle}", {"janus": "message", "body": body})
        while told.get("janus") in {"ack", "keepalive"} or (
            told.get("sender") != handle and told.get("janus") == "event"
        ):
            told = self._open(f"/{self._session}?maxev=1", None)
        data: dict[str, Any] = told["plugindata"]["data"]
        if "error" in data:
            raise RuntimeError(str(data))
        return data


@contextlib.contextmanager
def janus(folder: Path, rooms: Sequence[Sequence[Phone]], codec: str) -> Iterator[int]:
    """A room for each group of phones; gives the process id. The phones learn where to send."""
    (port,) = free_ports(1)
    settings = _write(folder, port)
    with running(("janus", "--configs-folder", str(settings), "--disable-colors"), folder=folder) as process:
        wait_for_port("127.0.0.1", port, process)
        bridge = _Bridge(port)
        maker = bridge.handle()
        for room in range(1, len(rooms) + 1):
            bridge.ask(maker, request="create", room=room, sampling_rate=16000, allow_rtp_participants=True)
        for room, phone in ((room, phone) for room, phones in enumerate(rooms, 1) for phone in phones):
            told = bridge.ask(
                bridge.handle(),
                request="join",
                room=room,
                display=f"p{phone.port}",
                codec=codec.lower(),
                rtp={"ip": "127.0.0.1", "port": phone.port, "payload_type": phone.payload_type},
            )
            phone.destination = ("127.0.0.1", int(told["rtp"]["port"]))
        yield process.pid
