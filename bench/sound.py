"""``python -m bench.sound``: what sound costs. CPU of each codec and of the play-out per 20 ms, and the delay it adds.

One process, one thread, no sockets: the figures are CPU time of this thread. The links are made here with a fixed seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.report import Result
from ringback.media.codecs import ALL, OPUS, PCMU, Codec, EncoderSettings, Pcm, opus
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.red import RedSender

FRAME = 0.02
_SOUND, _REDUNDANT = 111, 63


@dataclass(frozen=True, slots=True)
class Cost:
    """``microseconds`` of CPU for 20 ms of sound, median of the rounds; ``core``: that in percent of a core."""

    what: str
    microseconds: float

    @property
    def core(self) -> float:
        """Percent of a core while sound runs."""
        return self.microseconds / FRAME / 1e4


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from the arrival of the fastest packet to the loudspeaker: median, and what 99 of 100 moments keep."""

    link: str
    median: float
    most: float
    guessed: float


def voice(rate: int, seconds: float, seed: int = 1) -> Pcm:
    """Something like a voice: harmonics of a wandering pitch, in syllables, with a little noise."""
    random = np.random.default_rng(seed)
    count = int(rate * seconds)
    at = np.arange(count) / rate
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * at) + 10 * np.sin(2 * np.pi * 2.3 * at)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    harmonics = sum(np.sin(number * phase) / number for number in range(1, 16))
    syllables = np.clip(np.sin(2 * np.pi * 2.1 * at) + 0.4, 0, 1)
    pcm: Pcm = np.clip(3500 * harmonics * syllables + random.normal(0, 40, count), -32768, 32767).astype(np.int16)
    return pcm


def per_frame(work: Callable[[], int], rounds: int) -> float:
    """Microseconds of CPU per frame, ``work`` telling how many it did."""
    found = []
    for _ in range(rounds):
        began = time.thread_time()
        frames = work()
        found.append((time.thread_time() - began) / frames * 1e6)
    return statistics.median(found)


def codec_costs(codec: Codec, seconds: float, rounds: int, settings: EncoderSettings | None = None) -> list[Cost]:
    """Encoding and decoding."""
    pcm = voice(codec.rate, seconds)
    encoder = codec.encoder(settings)
    frames = [pcm[at : at + encoder.frame] for at in range(0, pcm.size - encoder.frame + 1, encoder.frame)]
    payloads = [encoder.encode(frame) for frame in frames]

    def encode() -> int:
        for frame in frames:
            encoder.encode(frame)
        return len(frames)

    def decode() -> int:
        decoder = codec.decoder()
        for payload in payloads:
            decoder.decode(payload)
        return len(payloads)

    name = f"{codec.name} at {codec.rate // 1000} kHz"
    return [Cost(f"encode {name}", per_frame(encode, rounds)), Cost(f"decode {name}", per_frame(decode, rounds))]


def arrivals(
    codec: Codec, seconds: float, *, loss: float = 0.0, jitter: float = 0.0, copies: int = 0
) -> list[tuple[float, RtpPacket]]:
    """Packets as a link delivers them."""
    random = np.random.default_rng(7)
    pcm, encoder, redundancy = voice(codec.rate, seconds), codec.encoder(), RedSender(copies)
    arrived = []
    for number in range(pcm.size // encoder.frame):
        payload = encoder.encode(pcm[number * encoder.frame : (number + 1) * encoder.frame])
        stamp, kind = number * codec.clock // 50, _SOUND
        if copies:
            payload, kind = redundancy.wrap(_SOUND, stamp, payload), _REDUNDANT
        at = 100.0 + number * FRAME + (random.exponential(jitter) if jitter else 0.0)
        if random.random() >= loss:
            arrived.append((at, RtpPacket(kind, number & 0xFFFF, stamp, 1, payload)))
    return sorted(arrived, key=lambda one: one[0])


def played(
    codec: Codec, arrived: Sequence[tuple[float, RtpPacket]], rate: int, phase: float
) -> tuple[int, list[float], float]:
    """Frames played, the delays, and the share that was guessed."""
    formats = PlayOutFormats({_SOUND: codec}, red=frozenset({_REDUNDANT}))
    play_out = PlayOut(formats, PlayOutSettings(rate=rate))
    place, delays = 0, []
    frames = int((arrived[-1][0] - arrived[0][0]) / FRAME)
    for number in range(frames):
        now = 100.0 + phase + number * FRAME
        while place < len(arrived) and arrived[place][0] <= now:
            play_out.push(arrived[place][1], arrived[place][0])
            place += 1
        play_out.pull(now)
        if number >= 100:
            delays.append(play_out.delay)
    return frames, delays, play_out.statistics.conceal_ratio


LINKS: tuple[tuple[str, dict[str, float], int], ...] = (
    ("clean", {}, 0),
    ("jitter 5 ms", {"jitter": 0.005}, 0),
    ("jitter 20 ms", {"jitter": 0.02}, 0),
    ("5 % lost, 1 copy", {"loss": 0.05}, 1),
    ("25 % lost, 3 copies", {"loss": 0.25}, 3),
)


def measure(seconds: float, rounds: int) -> tuple[list[Cost], list[Delay]]:
    """All figures."""
    costs: list[Cost] = []
    for codec in (*ALL, opus(16000)):
        costs += codec_costs(codec, seconds, rounds)
    for name, codec, rate, loss, copies in (
        ("PCMU, 8 kHz out", PCMU, 8000, 0.0, 0),
        ("PCMU, 48 kHz out", PCMU, 48000, 0.0, 0),
        ("Opus, 48 kHz out", OPUS, 48000, 0.0, 0),
        ("Opus, 25 % lost, 3 copies", OPUS, 48000, 0.25, 3),
    ):
        arrived = arrivals(codec, seconds, loss=loss, copies=copies)
        cost = per_frame(lambda a=arrived, c=codec, r=rate: played(c, a, r, 0.01)[0], rounds)  # type: ignore[misc]
        costs.append(Cost(f"play out {name} (decoding included)", cost))
    delays = []
    for name, link, copies in LINKS:
        arrived = arrivals(OPUS, seconds, copies=copies, **link)
        found: list[float] = []
        shares = []
        for step in range(10):  # the clocks of the two sides stand in any phase
            _, some, share = played(OPUS, arrived, 48000, step * 0.002)
            found += some
            shares.append(share)
        delays.append(Delay(name, statistics.median(found), float(np.quantile(found, 0.99)), statistics.mean(shares)))
    return costs, delays


def results(rounds: int, seconds: float) -> list[Result]:
    """The rows of the table."""
    costs, delays = measure(seconds, rounds)
    how = "one thread, no sockets"
    return [
        *(
            Result(one.what, "frame", "ringback", how, None, [one.microseconds], measure="CPU us per 20 ms of sound")
            for one in costs
        ),
        *(
            Result(f"play-out delay, {one.link}{more}", "frame", "ringback", how, None, [value * 1000], measure=what)
            for one in delays
            for more, what, value in (
                ("", "ms, median", one.median),
                (", 99 of 100", "ms, 99 of 100 within", one.most),
            )
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print two tables; with ``--json FILE`` also write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.sound", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of sound in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    costs, delays = measure(options.seconds, options.rounds)
    console = Console()
    table = Table("CPU for 20 ms of sound", "microseconds", "% of a core")
    for cost in costs:
        table.add_row(cost.what, f"{cost.microseconds:.1f}", f"{cost.core:.2f}")
    console.print(table)
    table = Table("play-out, Opus", "delay, median", "99 of 100", "guessed")
    for delay in delays:
        row = (f"{delay.median * 1000:.0f} ms", f"{delay.most * 1000:.0f} ms", f"{delay.guessed:.2%}")
        table.add_row(delay.link, *row)
    console.print(table)
    if options.json:
        rows = {"costs": [asdict(one) for one in costs], "delays": [asdict(one) for one in delays]}
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
