"""SIP statuses and causes of ITU-T Q.850, both ways (RFC 3398 section 8.2.6), and Reason headers that carry them."""

from __future__ import annotations

import re
from typing import Final

from ringback.services.callmanager.calls.facts import Cause

_CAUSES: Final = {
    400: Cause.TEMPORARY_FAILURE,
    401: Cause.CALL_REJECTED,
    403: Cause.CALL_REJECTED,
    404: Cause.UNALLOCATED_NUMBER,
    405: Cause.BEARER_NOT_AUTHORISED,
    408: Cause.RECOVERY_ON_TIMER_EXPIRY,
    410: Cause.NUMBER_CHANGED,
    415: Cause.INCOMPATIBLE_DESTINATION,
    420: Cause.INTERWORKING,
    480: Cause.NO_USER_RESPONDING,
    481: Cause.TEMPORARY_FAILURE,
    482: Cause.EXCHANGE_ROUTING_ERROR,
    483: Cause.EXCHANGE_ROUTING_ERROR,
    484: Cause.INVALID_NUMBER_FORMAT,
    486: Cause.USER_BUSY,
    487: Cause.NORMAL_CLEARING,
    488: Cause.INCOMPATIBLE_DESTINATION,
    500: Cause.TEMPORARY_FAILURE,
    503: Cause.TEMPORARY_FAILURE,
    504: Cause.RECOVERY_ON_TIMER_EXPIRY,
    600: Cause.USER_BUSY,
    603: Cause.CALL_REJECTED,
    604: Cause.UNALLOCATED_NUMBER,
    606: Cause.INCOMPATIBLE_DESTINATION,
}
_Q850: Final = re.compile(r"Q\.850\s*;[^,]*?cause\s*=\s*(\d{1,3})", re.IGNORECASE)
ELSEWHERE: Final = ("Reason", 'SIP;cause=200;text="Call completed elsewhere"')


def cause_of(status: int) -> Cause:
    """Why a call failed that was refused with this status."""
    return _CAUSES.get(status, Cause.NORMAL_UNSPECIFIED)


def cause_told(reason: str) -> Cause:
    """The cause that a Reason header names; normal clearing where it names none that is known."""
    found = _Q850.search(reason)
    if found is None:
        return Cause.NORMAL_CLEARING
    try:
        return Cause(int(found[1]))
    except ValueError:
        return Cause.NORMAL_UNSPECIFIED


def reason_header(cause: Cause, text: str = "") -> tuple[str, str]:
    """A Reason header with a cause (RFC 3326)."""
    words = f';text="{text}"' if text else ""
    return "Reason", f"Q.850;cause={int(cause)}{words}"
