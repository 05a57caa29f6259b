"""Offers and answers (RFC 3264) as pure functions that say why each stream came out as it did.

``offer`` writes what we would like, ``answer`` what we take of an offer, ``settle`` reads the answer to our own offer.
The last two give the agreed ``Stream`` of every section, None where it was refused. An answer names one codec for each
stream, beside what travels with it (telephone events, comfort noise, redundancy), so that nobody has to follow a change
of codec in the middle. Best-effort encryption is understood both ways: keys in a plain section (RFC 8643).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ringback.protocols.sdp.description import Attribute, Connection, Description, MediaSection, Origin, SdpError
from ringback.protocols.sdp.formats import (
    NOT_ENCRYPTED,
    Direction,
    Format,
    Security,
    formats_of,
    is_secure_profile,
    suite_of,
)
from ringback.rules.codecs import CodecChoice, CodecEvidence, choose_audio, choose_video
from ringback.rules.reasons import Reason

Demand = Literal["never", "best_effort", "required"]
_COMPANIONS = frozenset({"telephone-event", "cn", "red", "ulpfec", "rtx"})
_DIRECTIONS = tuple(Direction)


@dataclass(frozen=True, slots=True)
class Local:
    """What we have for one section. ``formats`` with our payload types, best first, companions included; ``crypto``
    values of a=crypto lines with our keys, best suite first; ``allowed`` False refuses the kind because of
    ``why_not``; ``bandwidth`` in kbit/s, ``limit`` for audio codecs likewise, 0 for none; ``ptime`` in ms."""

    kind: str
    port: int
    formats: tuple[Format, ...]
    direction: Direction = Direction.BOTH
    encryption: Demand = "never"
    crypto: tuple[str, ...] = field(default=(), repr=False)
    fingerprint: str = ""
    rtcp_mux: bool = False
    rtcp_port: int = 0
    ptime: int = 20
    bandwidth: int = 0
    limit: int = 0
    low_bandwidth: bool = False
    feedback: tuple[str, ...] = ()
    allowed: bool = True
    why_not: Reason | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """An agreed stream, seen from our side. ``format`` is what we send, ``received`` what may come, by payload type;
    ``events`` and ``redundancy`` the payload types of telephone events and RFC 2198 or None. ``ours`` and ``theirs``
    hold the keys of both ways. ``active``: we begin the DTLS hand-shake."""

    index: int
    kind: str
    format: Format
    received: tuple[Format, ...]
    address: str
    port: int
    rtcp_port: int
    rtcp_mux: bool
    direction: Direction
    ours: Security = NOT_ENCRYPTED
    theirs: Security = NOT_ENCRYPTED
    active: bool = False
    events: int | None = None
    redundancy: int | None = None
    ptime: int = 20
    feedback: tuple[str, ...] = ()

    @property
    def encrypted(self) -> bool:
        """Whether keys were agreed."""
        return self.ours.keying != "none"


@dataclass(frozen=True, slots=True)
class Settled:
    """What was agreed: the streams in the order of the sections, None where refused, and why.

    ``description`` is our answer; for an answer that was read it is the one that came."""

    description: Description
    streams: tuple[Stream | None, ...]
    reasons: tuple[Reason, ...]

    def stream(self, kind: str) -> Stream | None:
        """The first agreed stream of a kind."""
        return next((one for one in self.streams if one is not None and one.kind == kind), None)


def offer(origin: Origin, address: str, locals_: Sequence[Local]) -> Description:
    """A description that offers our streams at an address. Raises SdpError for an address that is none."""
    sections = [_section(local, local.formats, local.kind) for local in locals_]
    return Description(origin, tuple(sections), Connection.of(address))


def answer(offered: Description, origin: Origin, address: str, locals_: Sequence[Local]) -> Settled:
    """Our answer to an offer. Each of ``locals_`` serves one section of its kind, in order; others are refused with
    port 0 (RFC 3264 section 6). Raises SdpError where the offer's sections can't be understood."""
    free = list(locals_)
    sections: list[MediaSection] = []
    streams: list[Stream | None] = []
    reasons: list[Reason] = []
    for index, section in enumerate(offered.media):
        local = next((one for one in free if one.kind == section.kind), None)
        if local is not None and section.port:
            free.remove(local)
        taken = _take(offered, section, index, local) if section.port else None
        if taken is None:
            sections.append(_refused(section))
            streams.append(None)
            continue
        own, stream, why = taken
        sections.append(own)
        streams.append(stream)
        reasons += why
    description = Description(origin, tuple(sections), Connection.of(address))
    return Settled(description, tuple(streams), tuple(reasons))


def settle(offered: Description, answered: Description, locals_: Sequence[Local]) -> Settled:
    """What the answer to our own offer means; ``locals_`` as given to ``offer``. Raises SdpError where the answer does
    not fit the offer, as with another number of sections."""
    if len(answered.media) != len(offered.media):
        raise SdpError(f"The answer has {len(answered.media)} sections for the {len(offered.media)} that were offered")
    streams: list[Stream | None] = []
    reasons: list[Reason] = []
    for index, (section, local) in enumerate(zip(answered.media, locals_, strict=False)):
        if not section.port:
            streams.append(None)
            if offered.media[index].port:
                reasons.append(Reason.of("codecs.refused_there", kind=local.kind))
            continue
        stream, why = _agreed(answered, section, index, local)
        streams.append(stream)
        reasons += why
    streams += [None] * (len(answered.media) - len(streams))
    return Settled(answered, tuple(streams), tuple(reasons))


def direction_of(description: Description, section: MediaSection) -> Direction:
    """The direction that a section's writer wants: the attribute, or sendrecv; the old way to hold means sendonly."""
    for attributes in (section.attributes, description.attributes):
        for one in attributes:
            if one.value is None and one.name in _DIRECTIONS:
                wanted = Direction(one.name)
                return wanted.limited_to(Direction.SEND) if _old_hold(description, section) else wanted
    return Direction.SEND if _old_hold(description, section) else Direction.BOTH


def with_direction(description: Description, direction: Direction) -> Description:
    """The same description with every open section in a direction, as the next version: how to hold and to resume."""
    names = [one.value for one in _DIRECTIONS]
    sections = [
        section.with_attributes(Attribute(direction.value), without=names) if section.port else section
        for section in description.media
    ]
    plain = tuple(one for one in description.attributes if one.name not in names)
    return replace(description, attributes=plain).with_media(sections)


def _old_hold(description: Description, section: MediaSection) -> bool:
    connection = description.connection_of(section)
    return connection is not None and connection.is_hold


# --- answering


def _take(
    offered: Description, section: MediaSection, index: int, local: Local | None
) -> tuple[MediaSection, Stream | None, list[Reason]] | None:
    if local is None or not section.proto.upper().startswith(("RTP/", "UDP/TLS/RTP/")):
        return _refused(section), None, [Reason.of("codecs.kind_unknown", kind=section.kind)]
    theirs = formats_of(section)
    main = [one for one in theirs if one.name.lower() not in _COMPANIONS]
    choice = _choose(main, local)
    if choice.index is None:
        return _refused(section), None, list(choice.reasons)
    security = _answer_security(offered, section, local)
    if isinstance(security, Reason):
        return _refused(section), None, [*choice.reasons, security]
    ours, peers = security
    chosen = main[choice.index]
    mine = next(one for one in local.formats if _fits(one, chosen))
    companions = _companions(chosen, theirs, local)
    direction = direction_of(offered, section).reversed.limited_to(local.direction)
    answered = (replace(chosen, fmtp=mine.fmtp), *companions)
    rtcp_mux = local.rtcp_mux and section.value("rtcp-mux") is not None
    feedback = _feedback(section, local, chosen)
    own = _section(replace(local, direction=direction, rtcp_mux=rtcp_mux), answered, section.kind, section.proto, ours)
    own = own.with_attributes(*_group_id(section), *_feedback_lines(chosen, feedback))
    stream = _stream(offered, section, index, chosen, answered, direction, ours, peers, rtcp_mux)
    stream = replace(stream, active=ours.setup == "active", feedback=feedback)
    return own, stream, [*choice.reasons, _how_encrypted(ours)]


def _choose(main: Sequence[Format], local: Local) -> CodecChoice:
    able = [one.codec for one in local.formats if one.name.lower() not in _COMPANIONS]
    evidence = CodecEvidence(
        [one.codec for one in main], able, local.low_bandwidth, local.limit, local.allowed, local.why_not
    )
    return choose_video(evidence) if local.kind == "video" else choose_audio(evidence)


def _fits(mine: Format, chosen: Format) -> bool:
    single = CodecEvidence([chosen.codec], [mine.codec])
    choose = choose_video if chosen.clock == 90000 else choose_audio
    return mine.name.lower() not in _COMPANIONS and choose(single).index == 0


def _companions(chosen: Format, theirs: Sequence[Format], local: Local) -> tuple[Format, ...]:
    """What travels with the codec at the same clock rate and that both sides know; redundancy only of that codec."""
    able = {one.name.lower(): one for one in local.formats}
    found: dict[str, Format] = {}
    for one in theirs:
        name = one.name.lower()
        if name not in able or name not in ("telephone-event", "red", "cn") or name in found:
            continue
        if name == "red" and not _is_redundancy_of(one, chosen):
            continue
        if one.clock == chosen.clock:
            found[name] = one
    if "telephone-event" not in found:  # some phones know only 8000 Hz for events, whatever the codec
        spare = next((one for one in theirs if one.name.lower() == "telephone-event"), None)
        if spare is not None and "telephone-event" in able:
            found["telephone-event"] = spare
    return tuple(found.values())


def _is_redundancy_of(red: Format, chosen: Format) -> bool:
    parts = red.fmtp.split("/")
    return red.clock == chosen.clock and all(part.strip() == str(chosen.payload_type) for part in parts if part.strip())


def _refused(section: MediaSection) -> MediaSection:
    mid = _group_id(section)
    return MediaSection(section.kind, 0, section.proto, section.formats, attributes=mid)


def _group_id(section: MediaSection) -> tuple[Attribute, ...]:
    mid = section.value("mid")
    return (Attribute("mid", mid),) if mid else ()


def _feedback(section: MediaSection, local: Local, chosen: Format) -> tuple[str, ...]:
    """The RTCP feedback (RFC 4585) of the codec that both sides know."""
    offered = set()
    for value in section.values("rtcp-fb"):
        payload_type, _, kind = value.partition(" ")
        if payload_type in ("*", str(chosen.payload_type)):
            offered.add(kind.strip())
    return tuple(kind for kind in local.feedback if kind in offered)


def _feedback_lines(chosen: Format, feedback: tuple[str, ...]) -> list[Attribute]:
    return [Attribute("rtcp-fb", f"{chosen.payload_type} {kind}") for kind in feedback]


# --- keys


def _offered_security(description: Description, section: MediaSection) -> Security:
    crypto = section.values("crypto")
    fingerprint = description.value("fingerprint", section) or ""
    dtls = section.proto.upper().startswith("UDP/TLS/")
    if fingerprint and (dtls or not crypto):
        return Security("dtls", crypto, fingerprint, description.value("setup", section) or "actpass")
    return Security("sdes" if crypto else "none", crypto)


def _answer_security(offered: Description, section: MediaSection, local: Local) -> tuple[Security, Security] | Reason:
    theirs = _offered_security(offered, section)
    must = is_secure_profile(section.proto)
    if local.encryption != "never":
        if theirs.keying == "dtls" and local.fingerprint:
            setup = "passive" if theirs.setup == "active" else "active"
            return Security("dtls", (), local.fingerprint, setup), theirs
        pair = _shared_suite(theirs.crypto, local.crypto)
        if pair is not None and not section.proto.upper().startswith("UDP/TLS/"):
            line, own = pair
            tag = line.split()[0]
            mine = " ".join([tag, *own.split()[1:]])
            return Security("sdes", (mine,)), Security("sdes", (line,))
    if must:
        how = "DTLS" if theirs.keying == "dtls" else (suite_of(theirs.crypto[0]) if theirs.crypto else "SRTP")
        return Reason.of("codecs.cannot_encrypt", how=how)
    if local.encryption == "required":
        return Reason.of("codecs.must_encrypt")
    return NOT_ENCRYPTED, NOT_ENCRYPTED


def _shared_suite(theirs: Sequence[str], ours: Sequence[str]) -> tuple[str, str] | None:
    """The first of their lines whose suite we have a key for, with our line."""
    by_suite = {suite_of(line): line for line in reversed(ours)}
    for line in theirs:
        own = by_suite.get(suite_of(line))
        if own and suite_of(line):
            return line, own
    return None


def _how_encrypted(security: Security) -> Reason:
    if security.keying == "dtls":
        return Reason.of("codecs.encrypted_dtls")
    if security.keying == "sdes":
        return Reason.of("codecs.encrypted", suite=suite_of(security.crypto[0]))
    return Reason.of("codecs.not_encrypted")


# --- reading the answer to our offer


def _agreed(
    answered: Description, section: MediaSection, index: int, local: Local
) -> tuple[Stream | None, list[Reason]]:
    theirs = formats_of(section)
    ours = {one.payload_type: one for one in local.formats}
    # What they would send us by a number that we offered means what we said it means (RFC 3264 section 5.1).
    usable = [one for one in theirs if one.name.lower() not in _COMPANIONS and _known(one, ours, local)]
    if not usable:
        raise SdpError(f"The answer for {section.kind} names no codec that was offered")
    security = _answered_security(answered, section, local)
    if isinstance(security, Reason):
        return None, [security]
    mine, peers = security
    rtcp_mux = local.rtcp_mux and section.value("rtcp-mux") is not None
    direction = direction_of(answered, section).reversed.limited_to(local.direction)
    # A companion of another clock rate belongs to another codec of the answer: telephone events are the exception.
    aside = [one for one in theirs if one.name.lower() in _COMPANIONS]
    aside.sort(key=lambda one: one.clock != usable[0].clock)
    stream = _stream(answered, section, index, usable[0], (*usable, *aside), direction, mine, peers, rtcp_mux)
    feedback = _feedback(section, local, usable[0])
    active = peers.keying == "dtls" and peers.setup == "passive"
    return replace(stream, active=active, feedback=feedback), [_how_encrypted(mine)]


def _known(one: Format, ours: dict[int, Format], local: Local) -> bool:
    same_number = ours.get(one.payload_type)
    if same_number is not None and same_number.codec.key == one.codec.key:
        return True
    return any(_fits(mine, one) for mine in local.formats)


def _answered_security(
    answered: Description, section: MediaSection, local: Local
) -> tuple[Security, Security] | Reason:
    theirs = _offered_security(answered, section)
    if theirs.keying == "dtls" and local.fingerprint:
        return Security("dtls", (), local.fingerprint, "active" if theirs.setup == "passive" else "passive"), theirs
    if theirs.crypto:
        # By tag and suite (RFC 4568 section 5.1.3); an empty line, which anybody may send, is no answer to any of ours.
        tag, suite = theirs.crypto[0].split()[:1], suite_of(theirs.crypto[0])
        mine = next((line for line in local.crypto if line.split()[:1] == tag and suite_of(line) == suite), None)
        if mine is not None:
            return Security("sdes", (mine,)), Security("sdes", theirs.crypto[:1])
    if local.encryption == "required" or is_secure_profile(section.proto):
        return Reason.of("codecs.must_encrypt")
    return NOT_ENCRYPTED, NOT_ENCRYPTED


# --- both


def _stream(
    description: Description,
    section: MediaSection,
    index: int,
    chosen: Format,
    received: tuple[Format, ...],
    direction: Direction,
    ours: Security,
    theirs: Security,
    rtcp_mux: bool,
) -> Stream:
    connection = description.connection_of(section)
    if connection is None:
        raise SdpError(f"There is no c= line for {section.kind}")
    events = next((one.payload_type for one in received if one.name.lower() == "telephone-event"), None)
    red = next((one for one in received if one.name.lower() == "red"), None)
    return Stream(
        index=index,
        kind=section.kind,
        format=chosen,
        received=received,
        address=connection.address,
        port=section.port,
        rtcp_port=section.port if rtcp_mux else _rtcp_port(section),
        rtcp_mux=rtcp_mux,
        direction=direction,
        ours=ours,
        theirs=theirs,
        events=events,
        redundancy=red.payload_type if red is not None and _is_redundancy_of(red, chosen) else None,
        ptime=_ptime(section),
    )


def _rtcp_port(section: MediaSection) -> int:
    """RFC 3605, else the next port (RFC 3550 section 11)."""
    text = (section.value("rtcp") or "").split(" ")[0]
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 65536 else min(section.port + 1, 65535)


def _ptime(section: MediaSection) -> int:
    text = (section.value("ptime") or "").strip()
    return int(text) if text.isascii() and text.isdigit() and 5 <= int(text) <= 200 else 20


def _section(
    local: Local, formats: tuple[Format, ...], kind: str, proto: str = "", security: Security | None = None
) -> MediaSection:
    """A section of ours: in an offer with all that we can, in an answer (``proto`` given) with what was agreed."""
    attributes = [line for one in formats for line in one.attributes]
    if local.kind == "audio":
        attributes.append(Attribute("ptime", str(local.ptime)))
    if security is None:
        security = _our_security(local)
        attributes += [Attribute("rtcp-fb", f"* {kind}") for kind in local.feedback]
    attributes += [Attribute("crypto", line) for line in security.crypto]
    if security.keying == "dtls":
        attributes += [Attribute("fingerprint", security.fingerprint), Attribute("setup", security.setup)]
    if local.rtcp_mux:
        attributes.append(Attribute("rtcp-mux"))
    elif local.rtcp_port:
        attributes.append(Attribute("rtcp", str(local.rtcp_port)))
    attributes.append(Attribute(local.direction.value))
    bandwidths = (f"AS:{local.bandwidth}",) if local.bandwidth else ()
    return MediaSection(
        kind,
        local.port,
        proto or _profile(local, security),
        tuple(str(one.payload_type) for one in formats),
        attributes=tuple(attributes),
        bandwidths=bandwidths,
    )


def _our_security(local: Local) -> Security:
    if local.encryption == "never":
        return NOT_ENCRYPTED
    if local.fingerprint:
        return Security("dtls", (), local.fingerprint, "actpass")
    return Security("sdes", local.crypto) if local.crypto else Security()


def _profile(local: Local, security: Security) -> str:
    if local.encryption != "required":
        return "RTP/AVP"
    return "UDP/TLS/RTP/SAVPF" if security.keying == "dtls" else "RTP/SAVP"
