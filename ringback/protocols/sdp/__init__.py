"""Session descriptions (RFC 8866) and the offer/answer model (RFC 3264), as values and pure functions.

``description`` reads and writes; ``formats`` knows codecs, directions and keys; ``negotiation`` makes offers and
answers, and says why each stream came out as it did.
"""

from ringback.protocols.sdp.description import Attribute, Connection, Description, MediaSection, Origin, SdpError
from ringback.protocols.sdp.formats import Direction, Format, Security

__all__ = [
    "Attribute",
    "Connection",
    "Description",
    "Direction",
    "Format",
    "MediaSection",
    "Origin",
    "SdpError",
    "Security",
]
