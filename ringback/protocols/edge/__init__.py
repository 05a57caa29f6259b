"""What clients outside ask of an edge: its configuration, and the way through it to a server inside.

Confirmed and inferred parts: docs/interfaces/edge.md.
"""

from ringback.protocols.edge.configuration import (
    KIND_HEADER,
    EdgeConfiguration,
    EdgeDocumentError,
    EdgeServer,
    Located,
    ServiceRecord,
)
from ringback.protocols.edge.sso import EdgeSignIn
from ringback.protocols.edge.target import Target, TargetError

__all__ = [
    "KIND_HEADER",
    "EdgeConfiguration",
    "EdgeDocumentError",
    "EdgeServer",
    "EdgeSignIn",
    "Located",
    "ServiceRecord",
    "Target",
    "TargetError",
]
