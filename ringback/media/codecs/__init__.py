"""Sound codecs: G.711 (both laws), G.722, Opus, and G.729 where the system has a library for it.

``base`` says what PCM is in this house.

>>> from ringback.media.codecs import EncoderSettings, codec_named
>>> codec = codec_named("PCMU")
>>> encoder, decoder = codec.encoder(EncoderSettings(ptime=20)), codec.decoder()
"""

from ringback.media.codecs.base import (
    Codec,
    CodecError,
    Decoder,
    Encoder,
    EncoderSettings,
    NoSuchCodecError,
    PayloadError,
    Pcm,
    silence,
)
from ringback.media.codecs.fmtp import OpusParameters
from ringback.media.codecs.g711 import PCMA, PCMU
from ringback.media.codecs.g722 import G722
from ringback.media.codecs.g729 import G729
from ringback.media.codecs.opus import OPUS, opus
from ringback.media.codecs.resample import Resampler
from ringback.media.codecs.table import ALL, UNAVAILABLE, available, codec_named

__all__ = [
    "ALL",
    "G722",
    "G729",
    "OPUS",
    "PCMA",
    "PCMU",
    "UNAVAILABLE",
    "Codec",
    "CodecError",
    "Decoder",
    "Encoder",
    "EncoderSettings",
    "NoSuchCodecError",
    "OpusParameters",
    "PayloadError",
    "Pcm",
    "Resampler",
    "available",
    "codec_named",
    "opus",
    "silence",
]
