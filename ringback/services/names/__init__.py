"""The name server of a deployment: authoritative DNS for its zones, one service for each view."""

from ringback.services.names.errors import NamesError, RecordError, ZoneError
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesLimits, NamesSettings, Record, Zone

__all__ = [
    "NamesError",
    "NamesLimits",
    "NamesService",
    "NamesSettings",
    "Record",
    "RecordError",
    "Zone",
    "ZoneError",
]
