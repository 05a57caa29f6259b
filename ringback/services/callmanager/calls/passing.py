"""Descriptions on their way from one side of a call to the other (RFC 3264 as a back-to-back agent has to keep it).

Each side sees one session with a rising version, whoever stands behind it: another phone, music, a conference. So what
is passed on gets the origin line that the side has seen before and sections in the order it has seen before; the answer
goes the same way back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ringback.protocols.sdp.description import Attribute, Connection, Description, MediaSection, Origin
from ringback.protocols.sdp.formats import Direction, formats_of, is_secure_profile, suite_of
from ringback.protocols.sdp.negotiation import direction_of

_DIRECTIONS = tuple(one.value for one in Direction)
_DISCARD = 9
_COMPANIONS = frozenset({"telephone-event", "cn", "red", "ulpfec", "rtx"})


@dataclass(frozen=True, slots=True)
class Passed:
    """An offer as the next side gets it. ``order[i]`` is the section of the original that stands at place i there,
    None for one that only keeps a place."""

    description: Description
    order: tuple[int | None, ...]

    def back(self, answered: Description, offered: Description) -> Description:
        """The answer in the order of the original offer; what has no counterpart is refused."""
        sections: list[MediaSection] = [refused(section) for section in offered.media]
        for place, original in enumerate(self.order):
            if original is not None and place < len(answered.media) and original < len(sections):
                sections[original] = answered.media[place]
        return replace(answered, media=tuple(sections))


def pass_offer(fresh: Description, before: Description | None) -> Passed:
    """An offer for a side that was sent ``before`` last (None: nothing yet)."""
    if before is None:
        return Passed(fresh, tuple(range(len(fresh.media))))
    free = list(range(len(fresh.media)))
    order: list[int | None] = []
    for section in before.media:
        match = next((index for index in free if fresh.media[index].kind == section.kind), None)
        order.append(match)
        if match is not None:
            free.remove(match)
    order += free
    sections = [
        refused(before.media[place]) if original is None else fresh.media[original]
        for place, original in enumerate(order)
    ]
    return Passed(_continued(replace(fresh, media=tuple(sections)), before), tuple(order))


def pass_answer(fresh: Description, before: Description | None) -> Description:
    """An answer for a side that was sent ``before`` last. Its sections already stand in the order of the offer."""
    return fresh if before is None else _continued(fresh, before)


def _continued(fresh: Description, before: Description) -> Description:
    """The same content as a further version of the session that the side knows."""
    same = replace(fresh, origin=before.origin)
    return same if same == before else replace(fresh, origin=before.origin.next())


def refused(section: MediaSection) -> MediaSection:
    """A section that is not wanted (RFC 3264 section 6)."""
    return MediaSection(section.kind, 0, section.proto, section.formats[:1], section.connection)


def is_hold(description: Description) -> bool:
    """Whether its writer wants to hear nothing: every open audio section (or any, where there is no audio) is sendonly,
    inactive or has no address."""
    opened = [one for one in description.media if one.port]
    audio = [one for one in opened if one.kind == "audio"] or opened
    return bool(audio) and not any(direction_of(description, one).receives for one in audio)


def hold_answer(offered: Description, before: Description | None, address: str) -> Description:
    """The answer to a side that holds: nothing flows, and what was agreed stays as it is for the way back."""
    origin = Origin("1", 1, address) if before is None else before.origin.next()
    sections = []
    for place, section in enumerate(offered.media):
        known = before.media[place] if before is not None and place < len(before.media) else None
        sections.append(_quiet(section, known) if section.port else refused(section))
    connection = before.connection if before is not None and before.connection else Connection.of(address)
    return Description(origin, tuple(sections), connection)


def _quiet(offered: MediaSection, known: MediaSection | None) -> MediaSection:
    if known is None or not known.port or known.kind != offered.kind or known.proto != offered.proto:
        kept = tuple(one for one in offered.attributes if one.name in ("rtpmap", "fmtp", "mid"))
        known = MediaSection(offered.kind, _DISCARD, offered.proto, offered.formats, attributes=kept)
    formats = tuple(one for one in known.formats if one in offered.formats) or offered.formats[:1]
    crypto = _matching_crypto(offered, known)
    quiet = known.with_attributes(
        *crypto, Attribute(Direction.NONE.value), without=(*_DIRECTIONS, "crypto", "candidate", "end-of-candidates")
    )
    return replace(quiet, formats=formats)


def _matching_crypto(offered: MediaSection, known: MediaSection) -> tuple[Attribute, ...]:
    """Our key line under the tag of the offer (RFC 4568 section 5.1.2)."""
    for line in offered.values("crypto"):
        for ours in known.values("crypto"):
            if suite_of(ours) == suite_of(line):
                return (Attribute("crypto", f"{line.split()[0]} {ours.split(None, 1)[1]}"),)
    return ()


def cross(first: Description, second: Description) -> tuple[Description, Description] | None:
    """Two offers as answers to each other: for ``first``'s writer and for ``second``'s. None where they have no audio
    codec in common.

    The first writer's order of codecs counts. Each answer tells the payload types that its reader has to send, which
    are those of the other's offer (RFC 3264 section 6.1 allows other numbers than the offered ones).
    """
    to_first: list[MediaSection] = [refused(section) for section in first.media]
    to_second: list[MediaSection] = [refused(section) for section in second.media]
    free = list(range(len(second.media)))
    heard = False
    for place, section in enumerate(first.media):
        match = next((one for one in free if _pairs(section, second.media[one])), None)
        if match is None:
            continue
        free.remove(match)
        common = _common(section, second.media[match])
        if common is None:
            continue
        heard = heard or section.kind == "audio"
        to_first[place] = _answering(second, second.media[match], common[1], section)
        to_second[match] = _answering(first, section, common[0], second.media[match])
    if not heard:
        return None
    return replace(second, media=tuple(to_first)), replace(first, media=tuple(to_second))


def _pairs(one: MediaSection, other: MediaSection) -> bool:
    return bool(one.port and other.port) and one.kind == other.kind and _keys_fit(one, other)


def _keys_fit(one: MediaSection, other: MediaSection) -> bool:
    """Whether both encrypt alike; an end that only would if it could (RFC 8643) goes with one that does not."""
    mine, theirs = keying(one), keying(other)
    plain = not is_secure_profile(one.proto) and not is_secure_profile(other.proto)
    return mine == theirs or (plain and {mine, theirs} == {"none", "sdes"})


def _common(one: MediaSection, other: MediaSection) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The payload types of the agreed codec and its companions in both numberings."""
    if not one.proto.upper().startswith(("RTP/", "UDP/TLS/RTP/")):
        return (one.formats, other.formats) if one.proto == other.proto and one.formats == other.formats else None
    theirs = formats_of(other)
    here: list[str] = []
    there: list[str] = []
    clock = 0
    for mine in formats_of(one):
        companion = mine.name.lower() in _COMPANIONS
        match = next((x for x in theirs if (x.name.lower(), x.clock) == (mine.name.lower(), mine.clock)), None)
        if match is None or (here and not companion) or (companion and clock and mine.clock != clock):
            continue
        if not companion:
            clock = mine.clock
        here.append(str(mine.payload_type))
        there.append(str(match.payload_type))
    return (tuple(here), tuple(there)) if clock else None


def _answering(
    description: Description, section: MediaSection, formats: tuple[str, ...], offered: MediaSection
) -> MediaSection:
    """A section of somebody's offer as the answer to another offer's section."""
    kept = tuple(
        one
        for one in section.attributes
        if one.name not in ("rtpmap", "fmtp", "crypto") or _belongs(one, formats, section, offered)
    )
    connection = section.connection or description.connection
    return replace(section, formats=formats, attributes=kept, proto=offered.proto, connection=connection)


def _belongs(one: Attribute, formats: tuple[str, ...], section: MediaSection, offered: MediaSection) -> bool:
    if one.name != "crypto":
        return (one.value or "").partition(" ")[0] in formats
    suites = {suite_of(line) for line in offered.values("crypto")}
    first = next((line for line in section.values("crypto") if suite_of(line) in suites), None)
    return one.value == first


def keying(section: MediaSection) -> str:
    """How a section is encrypted: ``none``, ``sdes`` (also where a plain profile carries keys) or ``dtls``."""
    if "TLS" in section.proto.upper():
        return "dtls"
    if section.value("crypto") is not None:
        return "sdes"
    return "dtls" if "SAVP" in section.proto.upper() else "none"
