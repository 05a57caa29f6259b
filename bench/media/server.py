"""``python -m bench.media.server``: our media side alone in a process, as a call manager runs it.

One JSON line says what to open and where the phones of each call or conference are, one JSON line answers with our
ports; it ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from ringback.media.codecs import PCMU, Codec, opus
from ringback.media.conference import MixingHub
from ringback.media.playout import PlayOutFormats
from ringback.media.relay import Relay
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import LegSettings, RemoteMedia
from ringback.media.transport.ports import PortRange
from ringback.protocols.rtp.crypto import CryptoLine, Suite

CODECS: dict[str, tuple[Codec, int]] = {"PCMU": (PCMU, 0), "opus": (opus(16000), 111)}


async def _serve() -> None:
    wish = json.loads(await asyncio.to_thread(sys.stdin.readline))
    host = MediaHost("127.0.0.1", PortRange(0, 0))
    hub = MixingHub(host)
    keys = [bytes.fromhex(key) for key in wish.get("keys", [])]
    ports = []
    for group in wish["phones"]:
        codec, number = CODECS[wish["codec"]]
        legs = []
        for port in group:
            leg = host.open_leg(LegSettings(protocol="sdes" if keys else "clear", clock_rate=codec.clock))
            leg.connect(RemoteMedia("127.0.0.1", port))
            if keys:
                suite = Suite.AES_CM_128_HMAC_SHA1_80
                leg.secure_with(CryptoLine(1, suite, keys[1]), CryptoLine(1, suite, keys[0]))
            legs.append(leg)
        if wish["what"] == "relay":
            Relay(*legs)
        else:
            conference = hub.open()
            for leg in legs:
                conference.join(leg, PlayOutFormats({number: codec}), codec, number)
        ports.append([leg.port for leg in legs])
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    hub.close()
    host.close()


if __name__ == "__main__":
    uvloop.run(_serve())
