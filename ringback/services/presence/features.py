"""The features of the presence service in the order in which they start."""

from __future__ import annotations

from ringback.services.presence.archive import ArchiveModule
from ringback.services.presence.avatars import AvatarModule
from ringback.services.presence.blocking import BlockingModule
from ringback.services.presence.module import Module
from ringback.services.presence.pep import PepModule
from ringback.services.presence.private import PrivateModule


def standard_modules(*, archive: bool = True) -> list[Module]:
    """All features for accounts; ``archive`` False leaves the message archive out (deployments that keep nothing)."""
    pep = PepModule()
    modules: list[Module] = [BlockingModule(), pep, AvatarModule(pep), PrivateModule(pep)]
    return [ArchiveModule(), *modules] if archive else modules
