"""Whether sound goes directly between two ends or through our relay, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ringback.protocols.sdp.description import Description
from ringback.rules.reasons import Reason
from ringback.services.callmanager.calls.passing import keying

Keying = Literal["none", "sdes", "dtls"]


@dataclass(frozen=True, slots=True)
class End:
    """How one end wants its sound: the way of encryption, and the address family it is reached by."""

    keying: Keying = "none"
    family: str = "IP4"


@dataclass(frozen=True, slots=True)
class PathEvidence:
    """Two ends, and whether the deployment wants every call relayed."""

    caller: End
    called: End
    relay_always: bool = False


@dataclass(frozen=True, slots=True)
class MediaPath:
    """The decision: ``direct`` or through the relay, which may turn one way of encryption into another."""

    direct: bool
    reasons: tuple[Reason, ...]


def choose_path(evidence: PathEvidence) -> MediaPath:
    """Direct wherever both ends can; encryption and address family decide, in this order."""
    caller, called = evidence.caller, evidence.called
    reasons: list[Reason] = []
    if caller.keying != called.keying:
        if "none" in (caller.keying, called.keying):
            reasons.append(Reason.of("calls.path.encryption_one_side", keying=_encrypted(caller, called)))
        else:
            reasons.append(Reason.of("calls.path.keys_differ"))
    if caller.family != called.family:
        reasons.append(Reason.of("calls.path.families", caller=caller.family, called=called.family))
    if evidence.relay_always:
        reasons.append(Reason.of("calls.path.configured"))
    if reasons:
        return MediaPath(False, tuple(reasons))
    return MediaPath(True, (Reason.of("calls.path.direct"),))


def _encrypted(caller: End, called: End) -> str:
    return called.keying if caller.keying == "none" else caller.keying


def end_of(description: Description) -> End:
    """What a description says of its writer."""
    section = description.first("audio") or next((one for one in description.media if one.port), None)
    if section is None:
        return End()
    connection = description.connection_of(section)
    way = keying(section)
    return End(
        "sdes" if way == "sdes" else "dtls" if way == "dtls" else "none", connection.family if connection else "IP4"
    )
