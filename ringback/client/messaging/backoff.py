"""How long to wait before the next attempt to connect: exponential, with full jitter, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: ``first`` after the first failure, doubled at each further one, at most ``limit``."""

    first: float = 1.0
    limit: float = 60.0

    def wait(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row (1 or more); ``chance`` is random in 0 to 1.

        Full jitter between a tenth and the whole: thousands of clients of a node that died must not return together.
        """
        ceiling = min(self.limit, self.first * 2.0 ** min(max(failures, 1) - 1, 16))
        return ceiling * (0.1 + 0.9 * chance)
