"""How long a test is: a short form in every run, a long one in ``make soak``."""

from __future__ import annotations

import os
from typing import TypeVar

Amount = TypeVar("Amount")

LONG = bool(os.environ.get("RINGBACK_SOAK"))


def often(short: Amount, long: Amount) -> Amount:
    """What every run does, or what ``make soak`` does."""
    return long if LONG else short
