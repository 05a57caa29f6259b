"""How much to send again, and how little to send: decisions from measured loss, with reasons."""

from ringback.media.repair.decide import (
    LinkFacts,
    Repair,
    RepairSettings,
    Wishes,
    decide,
    wishes,
)

__all__ = ["LinkFacts", "Repair", "RepairSettings", "Wishes", "decide", "wishes"]
