"""What can be done with a call now, and why not where it can't: a pure function of evidence."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.client.host.wire_calls import Barred, CallAction, CallState
from ringback.rules.reasons import Reason

_TALKING = ("active", "held")


@dataclass(frozen=True, slots=True)
class ActionEvidence:
    """What is known. ``reachable``: the server that carries the call answers; ``server`` names it. ``others``: how many
    further calls are talked in; ``devices``: further devices of the person; ``keys``: telephone events were agreed;
    ``video_why``: why there are no pictures, where there can be none."""

    state: CallState
    direction: str
    reachable: bool
    server: str = ""
    others: int = 0
    devices: int = 0
    keys: bool = False
    voicemail: bool = False
    emergency: bool = False
    conference: bool = False
    video_why: Reason | None = None


def what_may(evidence: ActionEvidence) -> tuple[list[CallAction], list[Barred]]:
    """The actions that make sense in this state, and those of them that can't be done, with the reason."""
    may: list[CallAction] = []
    barred: list[Barred] = []
    for action, reason in _judged(evidence):
        if reason is None:
            may.append(action)
        else:
            barred.append(Barred(action=action, reason=reason))
    return may, barred


def _judged(evidence: ActionEvidence) -> list[tuple[CallAction, Reason | None]]:
    if evidence.state == "ringing_in":
        why = None if evidence.voicemail else Reason.of("calls.barred.no_voicemail")
        return [("divert", _unreachable(evidence) or why)]
    if evidence.state not in _TALKING:
        return []
    gone = _unreachable(evidence)
    rescue = Reason.of("calls.barred.emergency") if evidence.emergency else None
    return [
        ("hold", gone or rescue),
        ("transfer", gone or rescue),
        ("add", gone),
        ("merge", gone or (None if evidence.others else Reason.of("calls.barred.one_call"))),
        ("park", gone or rescue),
        ("move", gone or rescue or (None if evidence.devices else Reason.of("calls.barred.one_device"))),
        ("video", gone or evidence.video_why),
        ("digits", None if evidence.keys else Reason.of("calls.barred.no_keys")),
    ]


def _unreachable(evidence: ActionEvidence) -> Reason | None:
    return None if evidence.reachable else Reason.of("calls.barred.no_server", server=evidence.server)
