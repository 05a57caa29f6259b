"""Play-out of sound: ``PlayOut(formats).push(packet, arrival)`` and ``.pull(now)``, which gives 20 ms of PCM.

Formats name the codecs by payload type, the redundant type (RFC 2198) and comfort noise. The rate of the PCM is the
settings' (48 kHz unless said otherwise), whatever the codec.
"""

from ringback.media.playout.concealer import Concealer
from ringback.media.playout.playout import PlayOut
from ringback.media.playout.types import PlayOutFormats, PlayOutSettings, PlayOutStatistics

__all__ = ["Concealer", "PlayOut", "PlayOutFormats", "PlayOutSettings", "PlayOutStatistics"]
