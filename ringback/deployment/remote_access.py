"""What people may use from outside: ``[[user-profile]]``, and the keys ``remote-access`` of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import field

from ringback.deployment.entity import Entity
from ringback.deployment.lines import Path
from ringback.rules.edge_access import AccessPolicy

if TYPE_CHECKING:
    from ringback.deployment.model import Deployment, Person

AccessOf = Literal["", "none", "messaging", "all"]
"""Nothing, messages and presence, or calls as well; empty: as said elsewhere, in the end ``all``."""


class UserProfile(Entity, frozen=True, kw_only=True):
    """What people of this profile may use from outside: ``remote_access`` on every kind of client, but for those in
    ``remote_access_on`` (``desktop``: CSF, ``phone``: BOT and TCT, ``tablet``: TAB)."""

    name: str
    remote_access: AccessOf = "all"
    remote_access_on: dict[Literal["desktop", "phone", "tablet"], AccessOf] = field(default_factory=dict)


def policies(deployment: Deployment) -> Mapping[str, AccessPolicy]:
    """The user profiles by name."""
    return {
        profile.name: AccessPolicy.of(profile.remote_access, _words(profile.remote_access_on))
        for profile in deployment.user_profile
    }


def access_of(person: Person) -> str:
    """What a person may use, as it is stored: their own words, else the name of their profile behind ``@``."""
    if person.remote_access or person.remote_access_on:
        # "all" in the person's own row outweighs a profile, so it is kept as a word.
        return str(AccessPolicy.of(person.remote_access, _words(person.remote_access_on))) or "all"
    return f"@{person.user_profile}" if person.user_profile else ""


def _words(kinds: Mapping[Literal["desktop", "phone", "tablet"], AccessOf]) -> dict[str, str]:
    return {str(kind): str(access) for kind, access in kinds.items()}


def check_remote_access(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    known = [profile.name for profile in deployment.user_profile]
    for index, profile in enumerate(deployment.user_profile):
        if profile.name in known[:index]:
            yield ("user-profile", index, "name"), f"There are two user profiles {profile.name!r}"
        if "" in profile.remote_access_on.values():
            yield ("user-profile", index, "remote-access-on"), "Say none, messaging or all"
    for index, person in enumerate(deployment.person):
        if person.user_profile and person.user_profile not in known:
            yield ("person", index, "user-profile"), f"There is no user profile {person.user_profile!r}"
        if "" in person.remote_access_on.values():
            yield ("person", index, "remote-access-on"), "Say none, messaging or all"
    for index, group in enumerate(deployment.feature_group):
        if group.user_profile and group.user_profile not in known:
            yield ("feature-group", index, "user-profile"), f"There is no user profile {group.user_profile!r}"
