"""Conferences: several ends that hear each other through our mixer."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.services.callmanager.calls.leg import Leg, Room


@dataclass(slots=True)
class Conference:
    """A call of any number of ends. ``number`` is its own address; ``owner`` the device that may drop people."""

    number: int
    room: Room
    owner: Leg | None = None
