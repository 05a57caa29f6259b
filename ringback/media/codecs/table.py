"""Which sound codecs there are, found by their registered names, and which are not there and why."""

from __future__ import annotations

from collections.abc import Mapping

from ringback.media.codecs.base import Codec, NoSuchCodecError
from ringback.media.codecs.g711 import PCMA, PCMU
from ringback.media.codecs.g722 import G722
from ringback.media.codecs.g729 import G729
from ringback.media.codecs.g729 import available as g729_available
from ringback.media.codecs.opus import OPUS, opus

ALL: tuple[Codec, ...] = (OPUS, G722, PCMU, PCMA)
"""The codecs that are always there, the best first."""

UNAVAILABLE: Mapping[str, str] = {
    "G729": "FFmpeg decodes it but has no encoder; the system's libbcg729 would be used and is not installed",
    "G7221": "FFmpeg decodes it (as Siren) but has no encoder, and its algorithm needs a licence from its owner",
    "iLBC": "FFmpeg decodes it; PyAV's build has no encoder",
    "AMR-WB": "PyAV's build only decodes it, and it is licensed by its patent holders",
}
"""Names of codecs that calls meet and that may be missing, with the reason."""


def available() -> tuple[Codec, ...]:
    """What can be offered on this computer, the best first: ``ALL``, and G.729 where the system has libbcg729."""
    return (*ALL, G729) if g729_available() else ALL


def codec_named(name: str, clock: int | None = None, *, rate: int | None = None) -> Codec:
    """The codec of an ``a=rtpmap`` line; names count without case.

    ``clock`` is the line's clock rate, checked where given. ``rate`` chooses the PCM rate of Opus.
    Raises NoSuchCodecError, whose text says why.
    """
    for codec in available():
        if codec.name.lower() == name.lower():
            if clock is not None and clock != codec.clock:
                raise NoSuchCodecError(f"{codec.name} counts {codec.clock} ticks a second, not {clock}")
            return opus(rate) if codec.name == "opus" and rate else codec
    why = next((text for other, text in UNAVAILABLE.items() if other.lower() == name.lower()), "it is not known here")
    raise NoSuchCodecError(f"no codec {name}: {why}")
