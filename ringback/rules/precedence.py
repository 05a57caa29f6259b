"""Which value of a setting counts, parameter by parameter (planning guide, chapter 5, "Configuration Priorities").

| service profile | configuration file | counts                          |
|-----------------|--------------------|---------------------------------|
| set             | set                | service profile                 |
| set             | blank              | service profile                 |
| blank           | set                | configuration file              |
| blank           | blank              | the service profile's default   |

Among configuration files the group's comes before the global one. A blank value is an absent, empty or white one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.reasons import Reason


class ValueSource(StrEnum):
    """Where a value came from."""

    PROFILE = "profile"
    GROUP_FILE = "group"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """The value that counts (empty: the default), its source and the reason."""

    name: str
    value: str
    source: ValueSource
    reason: Reason


def decide_setting(name: str, profile: str | None, group_file: str | None, global_file: str | None) -> Setting:
    """Choose one value."""
    in_file = not _blank(group_file) or not _blank(global_file)
    if profile is not None and not _blank(profile):
        reason = "precedence.profile" if in_file else "precedence.profile-alone"
        return Setting(name, profile, ValueSource.PROFILE, Reason.of(reason, name=name))
    if group_file is not None and not _blank(group_file):
        return Setting(name, group_file, ValueSource.GROUP_FILE, Reason.of("precedence.group", name=name))
    if global_file is not None and not _blank(global_file):
        return Setting(name, global_file, ValueSource.FILE, Reason.of("precedence.file", name=name))
    return Setting(name, "", ValueSource.DEFAULT, Reason.of("precedence.default", name=name))


def merge_settings(
    profile: Mapping[str, str], group_file: Mapping[str, str], global_file: Mapping[str, str]
) -> dict[str, Setting]:
    """Choose for every name that any of the three holds."""
    names = sorted({*profile, *group_file, *global_file})
    return {
        name: decide_setting(name, profile.get(name), group_file.get(name), global_file.get(name)) for name in names
    }


def _blank(value: str | None) -> bool:
    return value is None or not value.strip()
