"""Strangers who flood a SIP server with what nobody asked for: ``python -m tests.support.strangers HOST PORT SECONDS``.

In a process of its own, so that the phones beside it aren't slowed by the one who sends. It tells how many it sent.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SOCKETS = 16
RATE = 3000  # a second, all kinds together
_SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
_REQUEST = (
    b"%(method)s sip:%(to)s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK%(number)d\r\n"
    b"From: <sip:2000@example.com>;tag=%(number)d\r\nTo: <sip:%(to)s>\r\nCall-ID: stranger-%(number)d\r\n"
    b"CSeq: 1 %(method)s\r\nMax-Forwards: 70\r\nContact: <sip:2000@127.0.0.1:9>\r\nExpires: 600\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: %(size)d\r\n\r\n"
)
_KINDS = ((b"OPTIONS", b"example.com"), (b"REGISTER", b"example.com"), (b"INVITE", b"2007@example.com"))


def flood(host: str, port: int, seconds: float) -> int:
    """Send; how many."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for one in sockets:
        one.setblocking(False)
    began, number = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        while number < elapsed * RATE:
            method, to = _KINDS[number % len(_KINDS)]
            head = _REQUEST % {b"method": method, b"to": to, b"number": number, b"size": len(_SDP)}
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                sockets[number % SOCKETS].sendto(head + _SDP, (host, port))
            number += 1
        time.sleep(0.002)
    return number


@contextlib.contextmanager
def strangers(host: str, port: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Strangers for so long; their process."""
    with subprocess.Popen(
        (sys.executable, "-m", __name__, host, str(port), str(seconds)),
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    print(flood(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))  # noqa: T201
