"""rtpengine as a relay in user space, driven by its control protocol (bencoded dictionaries over UDP)."""

from __future__ import annotations

import base64
import contextlib
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from bench.media.generator import Phone
from tests.support.foreign import free_ports, running

_PORT = re.compile(rb"m=audio (\d+)")
_KEY = re.compile(rb"a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80 inline:(\S+)")
_SUITE = "AES_CM_128_HMAC_SHA1_80"

_Value = str | bytes | list[str] | dict[str, "_Value"]


def _encode(value: _Value) -> bytes:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(_encode(one) for one in value) + b"e"
    return b"d" + b"".join(_encode(key) + _encode(one) for key, one in sorted(value.items())) + b"e"


class _Control:
    """Asks and waits for the answer's session description."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(0.5)

    def ask(self, **command: _Value) -> bytes:
        """The answer's octets. Raises TimeoutError, RuntimeError."""
        cookie = secrets.token_hex(4).encode()
        for _ in range(20):
            with contextlib.suppress(ConnectionRefusedError, TimeoutError):
                self._socket.send(cookie + b" " + _encode({key.replace("_", "-"): one for key, one in command.items()}))
                answer = self._socket.recv(65536)
                if b"6:result5:error" in answer:
                    raise RuntimeError(answer.decode(errors="replace"))
                return answer
            time.sleep(0.1)
        raise TimeoutError("rtpengine does not answer")


def _description(phone: Phone, tag: int) -> str:
    secure = phone.key is not None
    lines = [
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        f"m=audio {phone.port} RTP/{'S' if secure else ''}AVP 0", "a=sendrecv",
    ]  # fmt: skip
    if phone.key is not None:
        lines.append(f"a=crypto:{tag} {_SUITE} inline:{base64.b64encode(phone.key).decode()}")
    return "\r\n".join(lines) + "\r\n"


@contextlib.contextmanager
def rtpengine(folder: Path, pairs: list[tuple[Phone, Phone]]) -> Iterator[int]:
    """Calls between pairs of phones; gives the process id. The phones learn where to send."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    arguments = (
        "rtpengine", "--foreground", "--log-stderr", "--log-level=3", "--table=-1", "--interface=127.0.0.1",
        f"--listen-ng=127.0.0.1:{port}", "--port-min=30000", "--port-max=39999", "--num-threads=2",
    )  # fmt: skip
    with running(arguments, folder=folder) as process:
        control = _Control(port)
        control.ask(command="ping")
        for number, (a, b) in enumerate(pairs):
            _call(control, f"call-{number}", a, b)
        yield process.pid


def _call(control: _Control, name: str, a: Phone, b: Phone) -> None:
    more: dict[str, _Value] = {"ICE": "remove", "replace": ["origin"], "call_id": name, "from_tag": "a"}
    if a.key is not None:
        more["SDES"] = [f"only-{_SUITE}", "pad"]
    offered = control.ask(command="offer", sdp=_description(a, 1), **more)
    tag = _KEY.search(offered)
    answered = control.ask(command="answer", to_tag="b", sdp=_description(b, int(tag[1]) if tag else 1), **more)
    for phone, told in ((b, offered), (a, answered)):
        found = _PORT.search(told)
        if found is None:
            raise RuntimeError(f"no port in {told!r}")
        phone.destination = ("127.0.0.1", int(found[1]))
