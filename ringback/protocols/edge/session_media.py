"""Session descriptions on their way through the edge: outside always encrypted with keys of the edge (SDES, RFC 4568),
inside as the end there wants it. No socket: places are given in, terms come out.

Formats, directions and all that ends say of their codecs stay as they are; addresses, ports, profiles and keys are the
edge's on both sides. Each section keeps one key for each suite for as long as the call lasts, so that an offer that
changes nothing else changes no key either.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Final, Literal, cast

from ringback.protocols.rtp.crypto import PREFERENCE, CryptoLine, Suite, answer_line, answered_line
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.sdp.description import Attribute, Connection, Description, MediaSection, SdpError
from ringback.protocols.sdp.formats import is_secure_profile

Side = Literal["outside", "inside"]
Inside = Literal["best-effort", "secure", "clear"]
Kind = Literal["audio", "video"]
Pair = tuple[CryptoLine, CryptoLine]
"""Our key and the other end's."""

SECTIONS: Final = 4
"""Streams of a call that are relayed; further ones are refused."""

_KINDS: Final = ("audio", "video")
_ICE: Final = ("candidate", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options", "ice-lite", "remote-candidates")
_DTLS: Final = ("fingerprint", "setup", "tls-id")
_CAPABILITIES: Final = ("acap", "tcap", "pcfg", "acfg", "csup", "creq")  # RFC 5939: profiles beside the one of the line
_OF_TRANSPORT: Final = frozenset(
    ("crypto", "rtcp", "rtcp-mux", "rtcp-mux-only", "group", "mid", "bundle-only", *_DTLS, *_ICE, *_CAPABILITIES)
)


class NotEncryptedError(SdpError):
    """An offer of the world has nothing that could be encrypted (answered with 488)."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a section is reached: by clients of the world, and by ends inside."""

    outside: tuple[str, int]
    inside: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for a section: keys of both sides (``inner`` None: in clear), and where the end inside wants RTP
    and RTCP (port 0: nowhere). ``mux``: the client takes both at one port."""

    outer: Pair = field(repr=False)
    inner: Pair | None = field(repr=False)
    address: str
    port: int
    rtcp_address: str
    rtcp_port: int
    mux: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that passed: who made it, as it was, and as it went on."""

    side: Side
    description: Description = field(repr=False)
    written: Description = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it goes on. ``terms`` by section; None where a section is not used (any more)."""

    written: Description = field(repr=False)
    terms: tuple[Terms | None, ...]


@dataclass(slots=True)
class _Section:
    """What one section keeps."""

    places: Places
    outer_keys: dict[Suite, bytes] = field(default_factory=dict, repr=False)
    inner_keys: dict[Suite, bytes] = field(default_factory=dict, repr=False)
    mux: bool = False


class SessionMedia:
    """The sections of one call. ``inside`` says how offers of the world go on."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._sections: dict[int, _Section] = {}

    @property
    def sections(self) -> frozenset[int]:
        """Those that have places."""
        return frozenset(self._sections)

    def wanted(self, offered: Description, side: Side) -> tuple[tuple[int, Kind], ...]:
        """Which sections of an offer need places that they have not yet. Raises NotEncryptedError."""
        usable = [index for index, one in enumerate(offered.media) if self._usable(one, side)]
        if side == "outside" and not usable and any(_relayed(one) for one in offered.media):
            raise NotEncryptedError("No stream of the offer has a key: outside, media must be encrypted (SRTP)")
        room = SECTIONS - len(self._sections)
        missing = [index for index in usable if index not in self._sections][:room]
        return tuple((index, cast(Kind, offered.media[index].kind)) for index in missing)

    def give(self, index: int, places: Places) -> None:
        """Places of a section."""
        self._sections[index] = _Section(places)

    def drop(self, index: int) -> None:
        """A section has no places any more."""
        self._sections.pop(index, None)

    def offer(self, offered: Description, side: Side) -> Offer:
        """An offer as it goes on. Raises NotEncryptedError."""
        self.wanted(offered, side)
        sections = []
        for index, section in enumerate(offered.media):
            kept = self._sections.get(index)
            if kept is None or not self._usable(section, side):
                sections.append(_refused(section))
            elif side == "outside":
                kept.mux = section.value("rtcp-mux") is not None
                sections.append(self._offer_inside(offered, section, kept))
            else:
                sections.append(self._offer_outside(offered, section, kept))
        return Offer(side, offered, _rewritten(offered, sections, self._address(side)))

    def answer(self, offer: Offer, answered: Description) -> Answer:
        """An answer as it goes on, and what was agreed. Raises SdpError where it does not fit the offer."""
        if len(answered.media) != len(offer.description.media):
            raise SdpError("The answer has another number of streams than the offer")
        sections: list[MediaSection] = []
        terms: list[Terms | None] = []
        for index, (asked, section) in enumerate(zip(offer.description.media, answered.media, strict=True)):
            kept = self._sections.get(index)
            agreed = None
            if kept is not None and section.port and self._usable(asked, offer.side):
                agree = self._agreed_outside if offer.side == "outside" else self._agreed_inside
                agreed = agree(offer.description, answered, asked, section, kept)
            if agreed is None or kept is None:
                sections.append(_refused(asked))
                terms.append(None)
                continue
            ours, found = agreed
            places = kept.places.outside if offer.side == "outside" else kept.places.inside
            plain = section.with_attributes(*ours, without=_OF_TRANSPORT)
            sections.append(replace(_placed(plain, answered, places), proto=asked.proto))
            terms.append(found)
        other: Side = "inside" if offer.side == "outside" else "outside"
        return Answer(_rewritten(answered, sections, self._address(other)), tuple(terms))

    def refusal(self, offer: Offer, answered: Description | None) -> Description:
        """An answer that takes nothing."""
        like = offer.description if answered is None else replace(offer.description, origin=answered.origin)
        other: Side = "inside" if offer.side == "outside" else "outside"
        return _rewritten(like, [_refused(one) for one in like.media], self._address(other))

    # --- offers

    def _usable(self, section: MediaSection, side: Side) -> bool:
        if not _relayed(section):
            return False
        if answer_line(_lines(section)) is not None:
            return True
        return side == "inside" and not is_secure_profile(section.proto)

    def _offer_inside(self, offered: Description, section: MediaSection, kept: _Section) -> MediaSection:
        """A section of the world's as an end inside gets it."""
        lines = () if self._inside == "clear" else _offered(kept.inner_keys)
        added = [Attribute("crypto", str(line)) for line in lines]
        plain = section.with_attributes(*added, without=_OF_TRANSPORT)
        feedback = "F" if section.proto.upper().endswith("F") else ""
        profile = "RTP/SAVP" if self._inside == "secure" else "RTP/AVP"
        return replace(_placed(plain, offered, kept.places.inside), proto=profile + feedback)

    def _offer_outside(self, offered: Description, section: MediaSection, kept: _Section) -> MediaSection:
        """A section of an end inside as a client gets it."""
        added = [Attribute("crypto", str(line)) for line in _offered(kept.outer_keys)]
        if kept.mux:
            added.append(Attribute("rtcp-mux"))
        plain = section.with_attributes(*added, without=_OF_TRANSPORT)
        feedback = "F" if section.proto.upper().endswith("F") else ""
        return replace(_placed(plain, offered, kept.places.outside), proto=f"RTP/SAVP{feedback}")

    # --- answers

    def _agreed_outside(
        self, offer: Description, answer: Description, asked: MediaSection, section: MediaSection, kept: _Section
    ) -> tuple[list[Attribute], Terms] | None:
        """An end inside answered a client: what the client is told, and the terms."""
        outer = _chosen(_lines(asked), kept.outer_keys)
        theirs = _lines(section)
        inner = answered_line(_offered(kept.inner_keys), theirs) if theirs and self._inside != "clear" else None
        if outer is None or (inner is None and (theirs or self._inside == "secure")):
            return None
        said = [Attribute("crypto", str(outer[0]))]
        if kept.mux:
            said.append(Attribute("rtcp-mux"))
        return said, _terms(outer, inner, answer, section, mux=kept.mux)

    def _agreed_inside(
        self, offer: Description, answer: Description, asked: MediaSection, section: MediaSection, kept: _Section
    ) -> tuple[list[Attribute], Terms] | None:
        """A client answered an end inside."""
        outer = answered_line(_offered(kept.outer_keys), _lines(section))
        if outer is None:
            return None
        offered = _lines(asked)
        clear = not is_secure_profile(asked.proto) and (not offered or self._inside == "clear")
        inner = None if clear else _chosen(offered, kept.inner_keys)
        if inner is None and not clear:
            return None
        kept.mux = kept.mux and section.value("rtcp-mux") is not None
        said = [] if inner is None else [Attribute("crypto", str(inner[0]))]
        return said, _terms(outer, inner, offer, asked, mux=kept.mux)

    def _address(self, offering: Side) -> str:
        """The address of the session where it goes to: inside for what comes from outside."""
        kept = next(iter(self._sections.values()), None)
        if kept is None:
            return "0.0.0.0"
        return kept.places.inside[0] if offering == "outside" else kept.places.outside[0]


def _relayed(section: MediaSection) -> bool:
    return bool(section.port) and section.kind in _KINDS and section.proto.upper().startswith("RTP/")


def _refused(section: MediaSection) -> MediaSection:
    """The same section with port 0 (RFC 3264 section 6), with nothing that tells of addresses and keys."""
    return MediaSection(section.kind, 0, section.proto, section.formats)


def _placed(section: MediaSection, description: Description, place: tuple[str, int]) -> MediaSection:
    """At our place; who holds in the old way (RFC 3264 section 8.4) still does."""
    connection = description.connection_of(section)
    held = Connection.of(
        "::" if ":" in place[0] else "0.0.0.0"
    )  # a client of IPv6 alone knows no other address (chosen)
    keeps = connection is not None and connection.is_hold
    return replace(section, port=place[1], port_count=1, connection=held if keeps else None)


def _rewritten(description: Description, sections: list[MediaSection], address: str) -> Description:
    kept = tuple(one for one in description.attributes if one.name not in _OF_TRANSPORT)
    connection = Connection.of(address)
    origin = replace(description.origin, address=address, family=connection.family)
    return replace(description, origin=origin, media=tuple(sections), connection=connection, attributes=kept)


def _lines(section: MediaSection) -> list[CryptoLine]:
    found = []
    for value in section.values("crypto"):
        try:
            line = CryptoLine.parse(value)
        except RtpError:
            continue  # a line that nobody understands is one that can't be chosen
        if line.usable:
            found.append(line)
    return found


def _offered(keys: dict[Suite, bytes]) -> tuple[CryptoLine, ...]:
    return tuple(CryptoLine(tag, suite, _key(keys, suite)) for tag, suite in enumerate(PREFERENCE, 1))


def _chosen(offered: list[CryptoLine], keys: dict[Suite, bytes]) -> Pair | None:
    """Our key for the first offered line that can be used, and theirs."""
    found = answer_line(offered)
    if found is None or found[1].suite is None:
        return None
    theirs = found[1]
    suite = found[1].suite
    return CryptoLine(theirs.tag, suite, _key(keys, suite)), theirs


def _key(keys: dict[Suite, bytes], suite: Suite) -> bytes:
    if suite not in keys:
        keys[suite] = secrets.token_bytes(suite.key_size)
    return keys[suite]


def _terms(outer: Pair, inner: Pair | None, description: Description, section: MediaSection, *, mux: bool) -> Terms:
    """Where an end inside wants media, by its section. Raises SdpError."""
    connection = description.connection_of(section)
    if connection is None:
        raise SdpError("There is no c= line")
    if connection.is_hold:
        return Terms(outer, inner, connection.address, 0, connection.address, 0, mux)
    port, address = section.port + 1, connection.address
    words = (section.value("rtcp") or "").split()
    if words and words[0].isascii() and words[0].isdigit() and 0 < int(words[0]) < 65536:
        port = int(words[0])
        address = words[3] if len(words) == 4 else address
    return Terms(outer, inner, connection.address, section.port, address, port if port < 65536 else 0, mux)
