"""What the end of a call means to the person: pure tables from SIP status and causes to sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.client.calling.call import Result
from ringback.protocols.sip.headers import Reason as Cause
from ringback.rules.reasons import Reason

_ELSEWHERE = 200  # RFC 3326: "SIP;cause=200;text="Call completed elsewhere""
_REFUSED: dict[int, tuple[str, Result]] = {
    403: ("calls.failed.forbidden", "failed"),
    404: ("calls.failed.unknown", "failed"),
    408: ("calls.failed.no_server_answer", "failed"),
    410: ("calls.failed.unknown", "failed"),
    415: ("calls.failed.no_codec", "failed"),
    480: ("calls.failed.unavailable", "unanswered"),
    484: ("calls.failed.unknown", "failed"),
    486: ("calls.failed.busy", "busy"),
    487: ("calls.failed.given_up", "unanswered"),
    488: ("calls.failed.no_codec", "failed"),
    503: ("calls.failed.server_down", "failed"),
    600: ("calls.failed.busy", "busy"),
    603: ("calls.failed.declined", "declined"),
    604: ("calls.failed.unknown", "failed"),
    606: ("calls.failed.no_codec", "failed"),
}
_NO_ANSWER = 19  # Q.850: no answer from the one who was alerted


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call that nobody answered ended."""

    result: Result
    note: Reason


def failed(status: int, name: str, number: str, causes: Sequence[Cause] = (), text: str = "") -> Outcome:
    """An outgoing call was refused with a status. ``text``: the server's own words."""
    if any(cause.protocol == "Q.850" and cause.cause == _NO_ANSWER for cause in causes):
        return Outcome("unanswered", Reason.of("calls.failed.no_answer", name=name))
    known = _REFUSED.get(status)
    if known is None:
        return Outcome("failed", Reason.of("calls.failed.other", name=name, status=status, text=text))
    return Outcome(known[1], Reason.of(known[0], name=name, number=number))


def cancelled(reason: str, name: str) -> Outcome:
    """The caller gave up, or somebody else answered: the Reason header field says which."""
    cause = read_cause(reason)
    if cause is not None and cause.protocol.upper() == "SIP" and cause.cause == _ELSEWHERE:
        where = cause.text if cause.text and "elsewhere" not in cause.text.lower() else ""
        if where:
            return Outcome("elsewhere", Reason.of("calls.ended.elsewhere_at", where=where))
        return Outcome("elsewhere", Reason.of("calls.ended.elsewhere"))
    return Outcome("missed", Reason.of("calls.ended.missed", name=name))


def read_cause(reason: str) -> Cause | None:
    """A Reason header field's value; None where it is absent or can't be read."""
    if not reason:
        return None
    try:
        return Cause.parse(reason)
    except ValueError:
        return None


def ended(by: str, name: str, cause: str = "") -> Reason:
    """An answered call is over: who ended it."""
    match by:
        case "us":
            return Reason.of("calls.ended.us")
        case "them":
            return Reason.of("calls.ended.them", name=name)
        case "timer":
            return Reason.of("calls.ended.timer", name=name)
        case _:
            return Reason.of("calls.ended.failure", name=name, cause=cause)
