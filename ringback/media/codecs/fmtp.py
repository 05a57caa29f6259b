"""What ``a=fmtp`` says about Opus, both ways (RFC 7587 section 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ringback.media.codecs.base import EncoderSettings

_LOWEST, _HIGHEST = 6000, 510000  # bits a second


@dataclass(frozen=True, slots=True)
class OpusParameters:
    """What a side wishes to receive; the values that are meant where nothing is said.

    ``max_rate`` (Hz) and ``max_bitrate`` (bits a second, None: no limit) bind the sender; ``fec``, ``dtx`` and ``cbr``
    are wishes. ``stereo`` tells that the side plays two channels; Ringback sends one all the same.
    """

    max_rate: int = 48000
    max_bitrate: int | None = None
    fec: bool = False
    dtx: bool = False
    cbr: bool = False
    stereo: bool = False
    min_ptime: int = 3

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> OpusParameters:
        """From the parameters of an ``a=fmtp`` line; values that are not numbers in range are passed over."""
        return cls(
            max_rate=_number(parameters, "maxplaybackrate", 8000, 48000) or 48000,
            max_bitrate=_number(parameters, "maxaveragebitrate", _LOWEST, _HIGHEST),
            fec=parameters.get("useinbandfec") == "1",
            dtx=parameters.get("usedtx") == "1",
            cbr=parameters.get("cbr") == "1",
            stereo=parameters.get("stereo") == "1",
            min_ptime=_number(parameters, "minptime", 3, 120) or 3,
        )

    def __str__(self) -> str:
        """As text of an ``a=fmtp`` line; only what differs from what is meant anyway."""
        said = [f"minptime={self.min_ptime}"] if self.min_ptime != 3 else []
        if self.max_rate != 48000:
            said.append(f"maxplaybackrate={self.max_rate}")
        if self.max_bitrate is not None:
            said.append(f"maxaveragebitrate={self.max_bitrate}")
        names = (("useinbandfec", self.fec), ("usedtx", self.dtx), ("cbr", self.cbr), ("stereo", self.stereo))
        return ";".join([*said, *(f"{name}=1" for name, value in names if value)])

    def limit(self, settings: EncoderSettings) -> EncoderSettings:
        """``settings`` kept within what the other side said here."""
        bitrate = settings.bitrate
        if self.max_bitrate is not None:
            bitrate = min(bitrate or self.max_bitrate, self.max_bitrate)
        return replace(settings, bitrate=bitrate, max_rate=min(settings.max_rate, self.max_rate))


def _number(parameters: Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    text = parameters.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return min(highest, max(lowest, int(text)))
