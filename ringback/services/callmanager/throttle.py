"""How many wrong passwords somebody may try, as every service that asks for passwords counts."""

from __future__ import annotations

from ringback.rules.throttle import Throttle

__all__ = ["Throttle"]
