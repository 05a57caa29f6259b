"""libopus through ctypes: the copy that PyAV's wheel carries, else the system's.

PyAV itself has no way to ask libopus for concealment or for the coarse copy in the next packet, nor to change a working
encoder; the library has both (opus.h, opus_defines.h). The library is called without the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import av

from ringback.media.codecs.base import NoSuchCodecError

APPLICATION_VOIP = 2048
OK = 0

SET_BITRATE = 4002
SET_MAX_BANDWIDTH = 4004
SET_COMPLEXITY = 4010
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016
SET_SIGNAL = 4024

SIGNAL_VOICE = 3001
BANDWIDTHS = ((8000, 1101), (12000, 1102), (16000, 1103), (24000, 1104), (48000, 1105))
"""PCM rates with the bandwidth that each carries whole."""


def _candidates() -> Iterator[str]:
    package = Path(av.__file__).parent
    for folder in (package.parent / "av.libs", package / ".dylibs", package):
        yield from sorted(map(str, folder.glob("libopus*.so*")))
        yield from sorted(map(str, folder.glob("libopus*.dylib")))
        yield from sorted(map(str, folder.glob("libopus*.dll")))
    found = ctypes.util.find_library("opus")
    if found:
        yield found
    yield "libopus.so.0"


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, size = ctypes.c_void_p, ctypes.c_int32
    octets = ctypes.c_char_p
    for name, result, arguments in (
        ("opus_get_version_string", octets, []),
        ("opus_strerror", octets, [ctypes.c_int]),
        ("opus_encoder_create", pointer, [size, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]),
        ("opus_encoder_destroy", None, [pointer]),
        ("opus_encode", size, [pointer, pointer, ctypes.c_int, pointer, size]),
        ("opus_decoder_create", pointer, [size, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]),
        ("opus_decoder_destroy", None, [pointer]),
        ("opus_decode", ctypes.c_int, [pointer, octets, size, pointer, ctypes.c_int, ctypes.c_int]),
        ("opus_packet_get_nb_samples", ctypes.c_int, [octets, size, size]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    # Variadic: only the fixed arguments are declared, integers follow.
    library.opus_encoder_ctl.restype = ctypes.c_int
    library.opus_decoder_ctl.restype = ctypes.c_int
    return library


@cache
def load() -> ctypes.CDLL:
    """The library with its functions declared. Raises NoSuchCodecError where there is none."""
    tried = []
    for path in _candidates():
        try:
            return _declare(ctypes.CDLL(path))
        except (OSError, AttributeError) as error:
            tried.append(f"{Path(path).name}: {error}")
    raise NoSuchCodecError("no libopus was found, neither in PyAV nor in the system: " + "; ".join(tried))


def version() -> str:
    """What the library calls itself, such as ``libopus 1.6.1``. Raises NoSuchCodecError."""
    return str(load().opus_get_version_string().decode("ascii", "replace"))


def reason(code: int) -> str:
    """The library's words for an error code."""
    return str(load().opus_strerror(code).decode("ascii", "replace"))
