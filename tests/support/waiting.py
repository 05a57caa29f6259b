"""Waiting for what nobody tells: something is asked again and again, until it is so or the time is over."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = 30.0
"""Long enough for a machine that has a lot else to do: whoever waits goes on as soon as it is so."""


async def until(
    condition: Callable[[], object], seconds: float = SECONDS, *, pause: float = 0.02, what: str = ""
) -> float:
    """Wait until a condition is true; the seconds that it took.

    What ``condition`` gives may have to be awaited. ``pause``: seconds between two questions. Raises TimeoutError,
    which says ``what`` did not happen.
    """
    begin = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = condition()
                if await found if inspect.isawaitable(found) else found:
                    return time.monotonic() - begin
                await asyncio.sleep(pause)
    except TimeoutError as error:
        raise TimeoutError(what or f"this did not happen within {seconds} s") from error


def wait_until(
    condition: Callable[[], object], seconds: float = SECONDS, *, pause: float = 0.02, what: str = ""
) -> float:
    """The same without a loop."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise TimeoutError(what or f"this did not happen within {seconds} s")
        time.sleep(pause)
    return time.monotonic() - begin
