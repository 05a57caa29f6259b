"""tshark, which we did not write, reads what we send: RTP, RTCP, telephone events, STUN, without a malformed mark."""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
from pathlib import Path

import pytest

from ringback.media.codecs import PCMU
from ringback.media.players import Player, beep
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RemoteMedia
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.red import RedSender
from ringback.protocols.rtp.rtcp_wire import serialize_compound
from ringback.protocols.stun import binding_request, binding_response
from tests.media_transport.conftest import audio
from tests.support.waiting import until

_RTP, _RTCP, _STUN = 20000, 20001, 3478


def write_capture(path: Path, datagrams: list[tuple[int, bytes]]) -> None:
    """A pcap file of UDP datagrams, each to a port, on raw IPv4."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 228))
        for number, (port, data) in enumerate(datagrams):
            udp = struct.pack("!HHHH", port, port, 8 + len(data), 0) + data
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xB8, 20 + len(udp), number, 0, 64, 17, 0, bytes(4), bytes(4))
            whole = head[:12] + b"\x7f\0\0\1\x7f\0\0\2" + udp
            file.write(struct.pack("<IIII", number // 50, number % 50 * 20000, len(whole), len(whole)) + whole)


def dissect(path: Path) -> tuple[list[dict[str, object]], str]:
    """The layers of each packet as tshark names them, and its whole text, where a name may come twice."""
    done = subprocess.run(
        (
            *("tshark", "-r", str(path), "-T", "json", "-d", f"udp.port=={_RTP},rtp", "-d", f"udp.port=={_RTCP},rtcp"),
            *("-o", "rtp.heuristic_rtp:TRUE", "-d", "rtp.pt==101,rtpevent", "-d", "rtp.pt==63,rtp_rfc2198"),
        ),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return [one["_source"]["layers"] for one in json.loads(done.stdout)], done.stdout.decode().lower()


class Tap(asyncio.DatagramProtocol):
    """A socket that keeps what comes."""

    def __init__(self, port: int, kept: list[tuple[int, bytes]]) -> None:
        self._port = port
        self._kept = kept

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep it under the port that tshark knows."""
        self._kept.append((self._port, data))


@pytest.mark.peer
async def test_tshark_reads_a_leg_without_a_malformed_mark(host: MediaHost, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    kept: list[tuple[int, bytes]] = []
    taps = [
        await loop.create_datagram_endpoint(lambda port=port: Tap(port, kept), local_addr=("127.0.0.1", 0))  # type: ignore[misc]
        for port in (_RTP, _RTCP)
    ]
    ports = [transport.get_extra_info("sockname")[1] for transport, _ in taps]
    leg = host.open_leg(audio(event_type=101))
    leg.connect(RemoteMedia("127.0.0.1", ports[0], rtcp_port=ports[1]))
    player = Player(host, leg, beep(seconds=5.0), PCMU, 0)
    await until(lambda: player.position > 0.2)
    leg.press("1#")
    await until(lambda: player.position > 1.2)
    leg.close()
    await until(lambda: any(port == _RTCP and b"\x81\xcb" in data for port, data in kept))
    for transport, _ in taps:
        transport.close()

    every = (
        rtcp.SenderReport(1, 1 << 40, 2, 3, 4, (rtcp.ReportBlock(5, 6, 7, 8, 9, 10, 11),)),
        rtcp.SourceDescription.of(1, "somebody@example.com"),
        rtcp.Nack(1, 5, (10, 11, 30)),
        rtcp.PictureLoss(1, 5),
        rtcp.FullIntraRequest(1, ((5, 1),)),
        rtcp.ReceiverEstimate(1, 500_000, (5,)),
        rtcp.ExtendedReport(
            1, (rtcp.ReferenceTime(1 << 40), rtcp.LastReferenceTimes(((5, 1, 2),)), rtcp.VoipMetrics(5))
        ),
        rtcp.Goodbye((1,), b"done"),
    )
    kept.append((_RTCP, serialize_compound(every)))
    redundancy = RedSender(2)
    wrapped = [redundancy.wrap(0, number * 160, bytes(160)) for number in range(3)]
    kept += [
        (_RTP, struct.pack("!BBHII", 0x80, 63, number, number * 160, 7) + one) for number, one in enumerate(wrapped)
    ]
    request = binding_request()
    kept.append((_STUN, request.serialize(b"key", fingerprint=True)))
    kept.append((_STUN, binding_response(request, ("192.0.2.1", 5)).serialize(b"key", fingerprint=True)))

    write_capture(tmp_path / "leg.pcap", kept)
    layers, text = dissect(tmp_path / "leg.pcap")
    assert len(layers) == len(kept)
    assert "malformed" not in text
    names = [set(one) for one in layers]
    assert sum("rtp" in one for one in names) >= 50
    assert sum("rtpevent" in one for one in names) >= 8
    assert sum("rtcp" in one for one in names) >= 3
    assert sum("stun" in one for one in names) == 2
    for word in ("rtcp.xr.voipmetrics", "rtcp.psfb", "rtcp.rtpfb", "rfc 2198: redundant", "somebody@example.com"):
        assert word in text, word
    sequence = [int(one["rtp"]["rtp.seq"]) for one in layers if "rtp" in one and one["rtp"]["rtp.ssrc"] != "0x00000007"]  # type: ignore[index]
    assert [(number - sequence[0]) & 0xFFFF for number in sequence] == list(range(len(sequence)))
