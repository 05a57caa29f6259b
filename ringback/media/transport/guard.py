"""What the loop does for callbacks of its own, for those that one callback of the loop calls: a mistake stays alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def guarded(loop: asyncio.AbstractEventLoop, callback: Callable[[float], None], now: float) -> None:
    """Call ``callback(now)``; what it raises goes to the loop's handler, which logs it.

    One timer and one descriptor serve all legs of a node. Without this, a mistake in what one leg's owner does with a
    packet would end the media of every call.
    """
    try:
        callback(now)
    except Exception as error:  # noqa: BLE001 (told to the loop's handler, as the loop does)
        loop.call_exception_handler({"message": "media callback failed", "exception": error})
