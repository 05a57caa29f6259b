"""Whether sound goes directly between two ends or through our relay, and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from ringback.protocols.sdp.description import Description
from ringback.rules.reasons import Reason
from ringback.services.callmanager.calls.passing import keying

Keying = Literal["none", "sdes", "dtls"]
_COMPANIONS: Final = frozenset({"telephone-event", "cn", "red"})
_STATIC: Final = {
    "0": "PCMU",
    "3": "GSM",
    "4": "G723",
    "8": "PCMA",
    "9": "G722",
    "18": "G729",
    "31": "H261",
    "34": "H263",
}


class End(Struct, frozen=True, gc=False):
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


@lru_cache(maxsize=256)
def quick_end(sdp: bytes) -> End:
    """What a description says of its writer, without reading it all: enough to see that nothing has to be relayed."""
    family = "IP6" if b"c=IN IP6" in sdp else "IP4"
    if b"UDP/TLS/" in sdp:
        return End("dtls", family)
    if b"a=crypto" in sdp:
        return End("sdes", family)
    return End("none", family)


class Agreed(Struct, frozen=True, gc=False):
    """Where an end wants media of a kind, and the codec that was agreed."""

    address: str
    port: int
    codec: str


def agreed_media(said: bytes | Description, told: bytes | Description | None, kind: str) -> Agreed | None:
    """What an end and its counterpart agreed for the first open section of a kind; None where there is none.

    An answer names fewer formats than its offer: the first of the shorter list is the codec. Only the lines that
    matter are read, since this is asked at the end of each call.
    """
    mine = _section(said, kind)
    if mine is None:
        return None
    counterpart = None if told is None else _section(told, kind)
    shorter = counterpart if counterpart is not None and len(counterpart[0]) < len(mine[0]) else mine
    fields, section, whole = mine
    at = section.find(b"\nc=IN ")
    connection = section[at + 1 :] if at >= 0 else whole[whole.find(b"c=IN ") :]
    address = connection.partition(b"\n")[0].rpartition(b" ")[2].partition(b"/")[0].strip()
    port = fields[1].partition(b"/")[0]
    return Agreed(
        address.decode("ascii", "replace"), int(port) if port.isdigit() and len(port) <= 5 else 0, _codec(*shorter[:2])
    )


def _section(sdp: bytes | Description, kind: str) -> tuple[list[bytes], bytes, bytes] | None:
    """The words of the m= line of the first open section of a kind, the section, and the whole description."""
    return _section_of(sdp if isinstance(sdp, bytes) else sdp.encode(), kind)


@lru_cache(maxsize=256)  # each description is asked as what one end said and as what the other was told
def _section_of(whole: bytes, kind: str) -> tuple[list[bytes], bytes, bytes] | None:
    mark = b"\nm=" + kind.encode() + b" "
    at = whole.find(mark)
    while at >= 0:
        end = whole.find(b"\nm=", at + 3)
        section = whole[at + 1 : end] if end >= 0 else whole[at + 1 :]
        fields = section.partition(b"\n")[0].split()
        if len(fields) > 3 and fields[1] != b"0":
            return fields, section, whole
        at = whole.find(mark, at + 3)
    return None


def _codec(fields: list[bytes], section: bytes) -> str:
    """The first format of a section that is no companion, by name."""
    for payload_type in fields[3:]:
        mark = b"\na=rtpmap:" + payload_type + b" "
        at = section.find(mark)
        if at >= 0:
            rest = section[at + len(mark) : at + len(mark) + 40]
            name = rest.partition(b"/")[0].decode("ascii", "replace")
        else:
            name = _STATIC.get(payload_type.decode("ascii", "replace"), "")
        if name and name.lower() not in _COMPANIONS:
            return name
    return ""
