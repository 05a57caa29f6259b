"""Transactions (RFC 3261 section 17, RFC 6026) as tables of (state, input)."""

from __future__ import annotations


class ServerTransaction:
    """One request of the other side until its final response is done. ``request`` and ``flow`` as they came."""

    __slots__ = ()
