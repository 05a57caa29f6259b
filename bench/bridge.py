"""``python -m bench.bridge``: what the engine costs between a page and the other side of a call, and what it delays.

The engine's media run in a process of their own, whose CPU is counted. A page (aiortc's transport, packets made here)
and a phone (a socket, keys of SDES) send each other packets of one codec that carry the time at which they left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket as PagePacket
from av.frame import Frame

from bench.processes import cpu_seconds
from bench.report import Result
from ringback.client.calling.media import CallMedia, MediaProfile
from ringback.client.calling.page.leg import PageLeg
from ringback.client.calling.page.negotiation import OPUS
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RemoteMedia, RtpLeg
from ringback.media.transport.protection import Protection
from ringback.protocols.rtp.crypto import CryptoLine, offer_lines
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.sdp import Description, Origin
from ringback.protocols.sdp.negotiation import Local, offer, settle

INTERVAL = 0.02
_STAMP = struct.Struct("!d")
_FILL = bytes(72)  # a packet of Opus at 32 kbit/s has 80 octets


@dataclass(frozen=True, slots=True)
class Outcome:
    """``core``: percent of a core for one call, both ways. Delays in ms: median, and what 99 of 100 packets keep."""

    core: float
    to_phone: float
    to_phone_99: float
    to_page: float
    to_page_99: float
    lost: int


async def engine() -> None:
    """The process that is measured: offers by a line of standard input, until that is closed."""
    loop = asyncio.get_running_loop()
    asked = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    host = MediaHost("127.0.0.1")
    media = CallMedia(host, MediaProfile(pictures=False))
    answer = media.answer(asked["phone"].encode())
    page = PageLeg(time.monotonic)
    told = await page.answer(asked["page"], media.wish())
    sys.stdout.write(json.dumps({"phone": answer.decode(), "page": told}) + "\n")
    sys.stdout.flush()
    await page.connect()
    media.join_page(page)
    ended = loop.run_in_executor(None, sys.stdin.read)
    while not ended.done():
        media.handle_timer(time.monotonic())
        await asyncio.wait((ended,), timeout=1.0)
    await media.close()
    host.close()


class _Silent(MediaStreamTrack):
    """Sends nothing by itself."""

    kind = "audio"

    async def recv(self) -> Frame:
        """Never gives anything."""
        await asyncio.Event().wait()
        raise MediaStreamError


class _Ends:
    """Both ends, and what they measured."""

    def __init__(self) -> None:
        self.to_page: list[float] = []
        self.to_phone: list[float] = []
        self.sent = 0

    def heard(self, payload: bytes, kept: list[float]) -> None:
        """A packet arrived: how long it was on the way, in ms."""
        kept.append((time.monotonic() - _STAMP.unpack_from(payload)[0]) * 1000)


async def measure(seconds: float) -> Outcome:
    """One call for so many seconds."""
    ends, host = _Ends(), MediaHost("127.0.0.1")
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(_Silent())
    await peer.setLocalDescription(await peer.createOffer())
    leg = host.open_leg(LegSettings(clock_rate=48_000))
    keys = offer_lines()
    local = Local(
        "audio", leg.port, (OPUS,), encryption="best_effort", crypto=tuple(map(str, keys)), rtcp_mux=True
    )  # fmt: skip
    wanted = offer(Origin("1", 1, "127.0.0.1"), "127.0.0.1", [local])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bridge", "--engine", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    asked = {"page": peer.localDescription.sdp, "phone": wanted.encode().decode()}
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    told = json.loads(await process.stdout.readline())
    stream = settle(wanted, Description.parse(told["phone"].encode()), [local]).stream("audio")
    if stream is None:
        raise RuntimeError("no sound was agreed")
    ours, theirs = CryptoLine.parse(stream.ours.crypto[0]), CryptoLine.parse(stream.theirs.crypto[0])
    leg.protection = Protection.from_lines(ours, theirs)
    leg.connect(RemoteMedia(stream.address, stream.port), rtcp_mux=stream.rtcp_mux)
    leg.on_rtp = lambda packet, _: ends.heard(packet.payload, ends.to_phone)
    receiver = peer.getTransceivers()[0].receiver

    async def taken(packet: PagePacket, arrival_time_ms: int) -> None:
        ends.heard(packet.payload, ends.to_page)

    setattr(receiver, "_handle_rtp_packet", taken)  # noqa: B010  a method of aiortc is replaced, so that nothing decodes
    await peer.setRemoteDescription(RTCSessionDescription(told["page"], "answer"))
    while peer.connectionState != "connected":  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.02)
    kind = peer.getTransceivers()[0]._codecs[0].payloadType or 0
    await _talk(ends, leg, peer, kind, stream.format.payload_type, 1.0)
    ends.to_page.clear()
    ends.to_phone.clear()
    ends.sent = 0
    before, began = cpu_seconds(process.pid), time.monotonic()
    await _talk(ends, leg, peer, kind, stream.format.payload_type, seconds)
    core = 100 * (cpu_seconds(process.pid) - before) / (time.monotonic() - began)
    process.stdin.close()
    await process.wait()
    await peer.close()
    host.close()
    return Outcome(
        core,
        *_spread(ends.to_phone),
        *_spread(ends.to_page),
        max(2 * ends.sent - len(ends.to_page) - len(ends.to_phone), 0),
    )


async def _talk(
    ends: _Ends, leg: RtpLeg, peer: RTCPeerConnection, page_type: int, phone_type: int, seconds: float
) -> None:
    """Both ends send a packet every 20 ms."""
    sender = peer.getTransceivers()[0].sender
    began, count = time.monotonic(), 0
    base = int(began * 50) & 0xFFFF
    while count * INTERVAL < seconds:
        await asyncio.sleep(max(began + count * INTERVAL - time.monotonic(), 0))
        number, stamp = (base + count) & 0xFFFF, (base + count) * 960 & 0xFFFFFFFF
        page = PagePacket(payload_type=page_type, sequence_number=number, timestamp=stamp, ssrc=sender._ssrc)
        page.payload = _STAMP.pack(time.monotonic()) + _FILL
        await sender.transport._send_rtp(page.serialize())
        payload = _STAMP.pack(time.monotonic()) + _FILL
        leg.emit_packet(RtpPacket(phone_type, number, stamp, leg.ssrc, payload), leg.now())
        count += 1
        ends.sent += 1
    await asyncio.sleep(0.1)


def _spread(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return 0.0, 0.0
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


def results(rounds: int, seconds: float) -> list[Result]:
    """The rows of the table. The delay is what the engine and this program's own two ends add together."""
    kinds = (
        ("engine, forwarded audio call", "% of a core per call", 3.0, "core"),
        ("engine's delay, page to phone", "ms, median", 20.0, "to_phone"),
        ("engine's delay, page to phone, 99 of 100", "ms, 99 of 100 within", 20.0, "to_phone_99"),
        ("engine's delay, phone to page", "ms, median", 20.0, "to_page"),
        ("engine's delay, phone to page, 99 of 100", "ms, 99 of 100 within", 20.0, "to_page_99"),
    )
    rows = [
        Result(name, "call", "ringback", "Opus, DTLS-SRTP to SDES-SRTP", goal, measure=measure)
        for name, measure, goal, _ in kinds
    ]
    for number in range(rounds):
        found = asyncio.run(measure(seconds))
        for row, (*_, key) in zip(rows, kinds, strict=True):
            row.values.append(float(getattr(found, key)))
        print(
            f"engine, round {number + 1}: {found.core:.2f} % of a core, {found.to_phone:.1f} ms to the phone, "
            f"{found.to_page:.1f} ms to the page, {found.lost} packets lost",
            file=sys.stderr,
        )
    return rows


def main() -> None:
    """Measure, print, and write a file where that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.bridge", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--engine", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the product runs
            runner.run(engine())
        return
    found = asyncio.run(measure(options.seconds))
    print(f"CPU of the engine for one forwarded call: {found.core:.2f} % of a core (goal 3)")
    print(f"page to phone: {found.to_phone:.1f} ms, 99 of 100 within {found.to_phone_99:.1f} ms (goal 20)")
    print(f"phone to page: {found.to_page:.1f} ms, 99 of 100 within {found.to_page_99:.1f} ms (goal 20)")
    print(f"packets lost: {found.lost}")
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1))


if __name__ == "__main__":
    main()
