"""What the table ``[voicemail]`` must be beyond its types."""

from __future__ import annotations

from collections.abc import Iterator

from ringback.deployment.lines import Path
from ringback.deployment.model import Deployment
from ringback.rules.office_hours import OfficeHours, OfficeHoursError

_LIMITS = {
    "longest_seconds": (5, 3600),
    "mailbox_megabytes": (1, 100_000),
    "warning_percent": (1, 100),
    "send_percent": (1, 100),
    "deleted_days": (0, 3650),
    "heard_days": (0, 3650),
    "pin_length": (3, 16),
    "pin_tries": (1, 100),
    "pin_lock_minutes": (1, 10_080),
}


def check_voicemail(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    options = deployment.voicemail
    for name, (least, most) in _LIMITS.items():
        if not least <= getattr(options, name) <= most:
            yield ("voicemail", name.replace("_", "-")), f"This must be from {least} to {most}"
    try:
        OfficeHours.parse(options.hours, options.holidays, options.time_zone)
    except OfficeHoursError as error:
        yield ("voicemail", "hours"), str(error)
