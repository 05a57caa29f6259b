"""How much strangers may ask for: token buckets by source, decided before anything of a message is read.

A flood from one port is held by that port's bucket, one from many ports of an address by the address's, one from
everywhere by the bucket of all strangers together. Peers whose flow is protected (registered devices, other nodes)
never come here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a node takes from strangers. Rates are messages a second, bursts messages; times in seconds.

    ``peer_*``: from one address and port; ``host_*``: from one address; ``all_*``: from all strangers together, which
    bounds what they can cost those who are known; ``sources``: how many of them are remembered.
    ``connections`` in all and ``host_connections`` from one address; ``first_message``: how long a new connection may
    be silent, ``message``: how long one message may take to arrive, ``idle``: how long a stranger's connection may be
    silent afterwards; ``write_buffer``: bytes that a peer may leave unread before its connection is closed.
    """

    peer_rate: float = 300.0
    peer_burst: float = 600.0
    host_rate: float = 1500.0
    host_burst: float = 3000.0
    all_rate: float = 1000.0
    all_burst: float = 2000.0
    sources: int = 20_000
    connections: int = 20_000
    host_connections: int = 2_000
    first_message: float = 15.0
    message: float = 15.0
    idle: float = 600.0
    write_buffer: int = 1_048_576


class Buckets:
    """Token buckets by key. The one longest unused is forgotten where there are too many."""

    __slots__ = ("_burst", "_held", "_rate", "_rows", "refused")

    def __init__(self, rate: float, burst: float, held: int) -> None:
        """``held``: how many keys are remembered."""
        self._rate = rate
        self._burst = burst
        self._held = held
        self._rows: dict[object, list[float]] = {}
        self.refused = 0
        """How many messages were turned away."""

    def take(self, key: object, now: float) -> bool:
        """Whether one more message of this source is taken."""
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= self._held:
                del self._rows[next(iter(self._rows))]
            self._rows[key] = [self._burst - 1.0, now]
            return True
        tokens = row[0] + (now - row[1]) * self._rate
        row[1] = now
        tokens = min(tokens, self._burst)
        if tokens < 1.0:
            row[0] = tokens
            self.refused += 1
            return False
        row[0] = tokens - 1.0
        return True

    def wait(self, key: object) -> float:
        """Seconds until a source that was refused has a token again."""
        row = self._rows.get(key)
        return 0.0 if row is None else max((1.0 - row[0]) / self._rate, 0.0)
