"""How the delay is brought to where it should be: by taking sound out or putting some in, as little heard as can be."""

from __future__ import annotations

import numpy as np

from ringback.media.codecs.base import Pcm
from ringback.media.playout import stretch
from ringback.media.playout.queue import SoundQueue
from ringback.media.playout.types import PlayOutSettings, Tally

_SMOOTH = 0.1
_TOO_SHORT = 0.03  # seconds; a delay too short by anything loses sound, so it counts as at least so wrong
_ROOM = 0.004  # seconds that must be to spare before a whole frame is taken out, so that it need not come back
_MARGIN_STEP, _MARGIN_MOST = 0.002, 0.04  # seconds more for each late packet, and at most
_MARGIN_DECAY = 0.0005  # seconds a second
_ANY_TIME = 0.02  # seconds; the delay is so wrong that changes may follow each other closely
_SPACING = 0.1  # seconds between changes otherwise
_QUIET = 100  # root mean square of samples below which nobody hears a seam


class Pace:
    """The delay of one stream, seconds: ``delay`` measured (None: not yet), ``target`` what the link demands."""

    __slots__ = ("_frame", "_least", "_margin", "_most", "_since", "_tally", "delay", "target")

    def __init__(self, settings: PlayOutSettings, tally: Tally) -> None:
        self._least, self._most = settings.least_delay, settings.most_delay
        self._tally = tally
        self._frame = settings.frame / 1000
        self._margin = 0.0
        self._since = 0.0
        self.delay: float | None = None
        self.target = settings.start_delay

    def aim(self, wanted: float) -> None:
        """Set the target, within the settings' bounds."""
        wanted = max(wanted, self._least)
        wanted += self._margin
        self.target = wanted if wanted < self._most else self._most

    def was_late(self, by: float) -> None:
        """Sound came after its turn and was played all the same, so the delay grew by that.

        The link, or the clock that pulls, needs more room than was thought.
        """
        self._margin = min(_MARGIN_MOST, self._margin + _MARGIN_STEP)
        if self.delay is not None:
            self.delay += by

    def tick(self) -> None:
        """A frame went out."""
        self._since += self._frame
        if self._margin:
            self._margin = max(0.0, self._margin - _MARGIN_DECAY * self._frame)

    def follow(self, delay: float) -> None:
        """The delay was measured; the clock that pulls is uneven, so it is smoothed."""
        self.delay = delay if self.delay is None else self.delay + (delay - self.delay) * _SMOOTH

    def excess(self, leftover: float) -> float:
        """Seconds by which the delay is longer than it need be; negative where it is too short.

        Sound is decoded when a pull finds less than a frame. ``leftover`` seconds still wait then, so the packet waited
        the delay less the leftover. That can be changed by whole frames only: the clock of the pulls sets the phase.
        """
        slack = (self.delay or 0.0) - leftover - self.target
        if slack < 0:
            return slack
        return leftover + self._frame * int(max(0.0, slack - _ROOM) / self._frame)

    def adapt(self, queue: SoundQueue, at: int, leftover: int) -> None:
        """Change the sound just decoded, which begins at ``at``, if the delay is not what it should be.

        ``leftover``: samples that waited when it was decoded.
        """
        if self.delay is None:
            return
        rate = queue.rate
        if not leftover and 0 <= self.delay - self.target <= self._frame:  # nearly always: no frame is to spare
            return
        excess = self.excess(leftover / rate)
        if 0 <= excess < stretch.SHORTEST or not self._worth_a_search(excess, queue, at):
            return
        if excess < 0:
            change = stretch.lengthen(queue.sound, at, rate, rate // 50)
            if change is not None and self._acceptable(max(_TOO_SHORT, -excess), change, queue, at):
                self.delay += change.samples / rate
                self._tally.lengthened += change.samples / rate
                self._since = 0.0
                queue.replace(change.sound)
        else:
            change = stretch.shorten(queue.sound, at, rate, int(excess * rate))
            if change is not None and self._acceptable(excess, change, queue, at):
                self.delay -= change.samples / rate
                self._tally.shortened += change.samples / rate
                self._since = 0.0
                queue.replace(change.sound)

    def _worth_a_search(self, excess: float, queue: SoundQueue, at: int) -> bool:
        """Whether any seam could be accepted now: to look for one costs more than all the rest of a frame."""
        if excess < 0 or excess > _ANY_TIME or self._since > _SPACING:
            return True
        return _quiet(queue.sound[at:])

    def _acceptable(self, wrong: float, change: stretch.Change, queue: SoundQueue, at: int) -> bool:
        """The further the delay is off, the less perfect the seam need be."""
        if wrong > 0.06 or _quiet(queue.sound[at:]):
            return True
        if wrong > _ANY_TIME:
            return change.likeness > 0.6 or self._since > _SPACING
        return self._since > _SPACING and (change.likeness > 0.85 or self._since > 1.0)


def _quiet(sound: Pcm) -> bool:
    """Whether nobody hears a seam in it."""
    wide = sound.astype(np.float32)
    return float(np.dot(wide, wide)) < _QUIET * _QUIET * wide.size
