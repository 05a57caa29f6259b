"""The table ``[voicemail]``: how long messages may be, how much a mailbox holds, when deleted ones are gone."""

from __future__ import annotations

from ringback.deployment.entity import Entity


class VoicemailOptions(Entity, frozen=True, kw_only=True):
    """Rules of the voicemail service for everybody.

    ``longest_seconds`` of a message; ``mailbox_megabytes`` of sound that a mailbox holds; ``deleted_days`` until a
    deleted message is gone for good; ``operator`` is the number that the key 0 leads to.
    """

    longest_seconds: int = 300
    mailbox_megabytes: int = 50
    deleted_days: int = 15
    operator: str = ""
