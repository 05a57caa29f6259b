"""The link between the two proxies of an edge, through the firewall: many connections in one.

The inner proxy opens it, the outer one then opens channels in it: HTTP/2 (RFC 9113) with extended CONNECT (RFC 8441)
in the other direction than usual, as in a reverse tunnel. No socket, loop or clock.
"""

from ringback.protocols.traversal.link import (
    Channel,
    Closed,
    Data,
    Ended,
    Link,
    LinkError,
    LinkEvent,
    Opened,
    Ponged,
    Refused,
    Room,
)
from ringback.protocols.traversal.opening import Opening, OpeningError

__all__ = [
    "Channel",
    "Closed",
    "Data",
    "Ended",
    "Link",
    "LinkError",
    "LinkEvent",
    "Opened",
    "Opening",
    "OpeningError",
    "Ponged",
    "Refused",
    "Room",
]
