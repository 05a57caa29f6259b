"""What every event and every command of the interface between host and page has."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ServiceState = Literal["off", "connecting", "up", "waiting", "failed"]


class Event(Struct, frozen=True, kw_only=True, tag_field="event", tag=lambda name: name):
    """Base of what the host sends."""


class Command(Struct, frozen=True, kw_only=True, tag_field="do", tag=lambda name: name, forbid_unknown_fields=True):
    """Base of what a page sends; ``n`` is the page's own number of it."""

    n: int
