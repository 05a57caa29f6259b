"""The table ``[voicemail]``: how long messages may be, how much a mailbox holds, when deleted ones are gone."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from ringback.deployment.entity import Entity


class VoicemailOptions(Entity, frozen=True, kw_only=True):
    """Rules of the voicemail service for everybody.

    ``longest_seconds`` of a message, an hour at most; ``mailbox_megabytes`` of sound that a mailbox holds, from
    ``warning_percent`` of which its owner is warned and from ``send_percent`` on can't send; ``deleted_days`` until a
    deleted message is gone for good, ``heard_days`` until a heard one is deleted (0: never). ``operator`` is the number
    that the key 0 leads to. ``recording``: how messages by telephone are kept. ``locale`` is the language of mailboxes
    whose person has none. ``pin_length`` is the least number of digits; after ``pin_tries`` wrong ones the mailbox is
    closed to telephones for ``pin_lock_minutes``. ``hours`` (``Mo-Fr 08:00-17:30``) say when the greeting for closed
    hours does not count, ``holidays`` (``2026-12-25``) when the one for holidays does, both in ``time_zone`` (empty:
    the node's). ``call_out``: beginnings of numbers, beside extensions, at which people may hear messages.
    """

    longest_seconds: int = 300
    mailbox_megabytes: int = 50
    warning_percent: int = 85
    send_percent: int = 95
    deleted_days: int = 15
    heard_days: int = 0
    operator: str = ""
    recording: Literal["mu-law", "A-law", "linear"] = "mu-law"
    locale: str = ""
    pin_length: int = 4
    pin_tries: int = 5
    pin_lock_minutes: int = 30
    hours: list[str] = field(default_factory=list)
    holidays: list[str] = field(default_factory=list)
    time_zone: str = ""
    call_out: list[str] = field(default_factory=list)
