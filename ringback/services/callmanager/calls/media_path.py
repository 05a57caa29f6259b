"""Whether sound goes directly between two ends or through our relay, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ringback.protocols.sdp.description import Description
from ringback.rules.reasons import Reason
from ringback.services.callmanager.calls.passing import keying

Keying = Literal["none", "sdes", "dtls"]
_COMPANIONS = frozenset({"telephone-event", "cn", "red"})
_STATIC = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729", "31": "H261", "34": "H263"}


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


def quick_end(sdp: bytes) -> End:
    """What a description says of its writer, without reading it all: enough to see that nothing has to be relayed."""
    family = "IP6" if b"c=IN IP6" in sdp else "IP4"
    if b"UDP/TLS/" in sdp:
        return End("dtls", family)
    if b"a=crypto" in sdp:
        return End("sdes", family)
    return End("none", family)


@dataclass(frozen=True, slots=True)
class Agreed:
    """Where an end wants media of a kind, and the codec: the first of its formats that the other side named as well."""

    address: str
    port: int
    codec: str


def agreed_media(said: bytes | Description, told: bytes | Description | None, kind: str) -> Agreed | None:
    """What an end and its counterpart agreed for the first open section of a kind; None where there is none.

    Reads only the lines that matter: this is asked at the end of each call."""
    text = said if isinstance(said, bytes) else said.encode()
    mine = _section(text, kind) if b"m=" + kind.encode() in text else None
    if mine is None:
        return None
    address, port, formats = mine
    other = None if told is None else _section(told if isinstance(told, bytes) else told.encode(), kind)
    names = [name for name in formats if name.lower() not in _COMPANIONS]
    known = {name.lower() for name in other[2]} if other is not None else None
    codec = next((name for name in names if known is None or name.lower() in known), names[0] if names else "")
    return Agreed(address, port, codec)


def _section(sdp: bytes, kind: str) -> tuple[str, int, list[str]] | None:
    """Address, port and names of formats of the first open section of a kind."""
    session, *sections = sdp.decode("utf-8", "surrogateescape").replace("\r", "").split("\nm=")
    for section in sections:
        head, _, rest = section.partition("\n")
        fields = head.split()
        if len(fields) < 4 or fields[0] != kind or fields[1].partition("/")[0] in ("", "0"):
            continue
        lines = rest.split("\n")
        found = next((line for line in lines if line.startswith("c=")), None)
        found = found or next((line for line in session.split("\n") if line.startswith("c=")), "")
        maps = dict(line[9:].partition(" ")[::2] for line in lines if line.startswith("a=rtpmap:"))
        names = [maps[one].partition("/")[0] if one in maps else _STATIC.get(one, "") for one in fields[3:]]
        port = fields[1].partition("/")[0]
        address = found.rpartition(" ")[2].partition("/")[0]
        return address, int(port) if port.isascii() and port.isdigit() else 0, [name for name in names if name]
    return None
