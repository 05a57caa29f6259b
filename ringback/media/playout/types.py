"""How a play-out is set up, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ringback.media.codecs.base import Codec


@dataclass(frozen=True, slots=True)
class PlayOutFormats:
    """What payload types mean in this direction of a call, as negotiated.

    ``codecs``: sound. ``red``: redundant audio (RFC 2198). ``comfort_noise``: RFC 3389. Packets of any other type
    (telephone events) are not sound; hand them in all the same, so that their numbers do not look like losses.
    """

    codecs: Mapping[int, Codec]
    red: frozenset[int] = frozenset()
    comfort_noise: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PlayOutSettings:
    """``rate``: PCM rate that ``pull`` gives, Hz. ``frame``: milliseconds that a ``pull`` gives. All delays in seconds.

    ``start_delay``: how long the first packet waits while nothing is known of the link yet; ``least_delay`` and
    ``most_delay`` bound what the link may cause. ``quantile``: share of packets that the delay shall be enough for, and
    ``lossy_quantile`` the same while packets get lost that copies may still bring.
    """

    rate: int = 48000
    frame: int = 20
    start_delay: float = 0.04
    least_delay: float = 0.002
    most_delay: float = 0.5
    quantile: float = 0.985


@dataclass(frozen=True, slots=True)
class PlayOutStatistics:
    """What happened since the start; times in seconds.

    ``received`` packets of sound, ``lost`` packets that never came as originals, ``late`` that came after their turn,
    ``undecodable`` that were not of their codec; ``recovered_by_copy`` (RFC 2198) and ``recovered_by_fec`` (in-band).
    ``played``: all sound given out while the stream ran, without its silences; ``concealed``: guesses within it.
    ``concealed_seconds`` and ``severely_concealed_seconds`` (more than 50 ms guessed) count seconds of sound played.
    ``interval_ratio`` is the share of guesses in the last three such seconds, ``interval_ratio_most`` its maximum.
    ``delay``: from the arrival of the fastest packet to the loudspeaker now; ``target_delay``: what the link demands.
    ``shortened`` and ``lengthened``: sound taken out or put in to reach it. ``restarts``: new streams after the first.
    """

    received: int = 0
    lost: int = 0
    late: int = 0
    undecodable: int = 0
    recovered_by_copy: int = 0
    recovered_by_fec: int = 0
    played: float = 0.0
    concealed: float = 0.0
    concealed_seconds: int = 0
    severely_concealed_seconds: int = 0
    interval_ratio: float = 0.0
    interval_ratio_most: float = 0.0
    delay: float = 0.0
    target_delay: float = 0.0
    shortened: float = 0.0
    lengthened: float = 0.0
    restarts: int = 0
    codec: str = ""

    @property
    def conceal_ratio(self) -> float:
        """The share of guesses in all sound played."""
        return self.concealed / self.played if self.played else 0.0


@dataclass(slots=True)
class Tally:
    """The counting side of PlayOutStatistics."""

    received: int = 0
    late: int = 0
    undecodable: int = 0
    recovered_by_copy: int = 0
    recovered_by_fec: int = 0
    shortened: float = 0.0
    lengthened: float = 0.0
    restarts: int = 0
