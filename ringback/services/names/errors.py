"""What can be wrong with the names that a deployment wants to serve."""

from __future__ import annotations


class NamesError(Exception):
    """Base of this package's errors."""


class RecordError(NamesError, ValueError):
    """A record can't be served: its type or values do not fit. The text names the record and what is wrong."""


class ZoneError(NamesError, ValueError):
    """A zone can't be served: a name outside it, or a CNAME beside other records (RFC 1034 section 3.6.2)."""
