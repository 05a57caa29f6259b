"""Ending a connection at once, whatever state it is in."""

from __future__ import annotations

import asyncio
import contextlib


def abort(transport: asyncio.WriteTransport) -> None:
    """Drop a connection. Again, or after closing it, does nothing.

    In Python 3.11.2 a TLS transport that was closed twice has let go of its protocol and fails with AttributeError when
    it is aborted then; there is nothing left to end."""
    with contextlib.suppress(AttributeError):
        transport.abort()
