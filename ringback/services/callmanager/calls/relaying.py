"""A relay between two ends, and their descriptions as each of them gets to see them.

Each RTP section of an offer gets two legs of ours: one that the offering end talks to, one for the answering end. Both
may be encrypted differently; payload types stay as they are, since the answer speaks of the offer's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ringback.media.relay import Relay
from ringback.media.transport.dtls import DtlsIdentity, Fingerprint, Role
from ringback.media.transport.errors import TransportError
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import Kind, LegSettings, Protocol, RemoteMedia, RtpLeg
from ringback.protocols.rtp.crypto import CryptoLine, answer_line, answered_line, offer_lines
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.sdp.description import Attribute, Connection, Description, MediaSection, SdpError
from ringback.protocols.sdp.formats import formats_of, is_secure_profile
from ringback.protocols.sdp.negotiation import direction_of
from ringback.services.callmanager.calls.passing import keying as keying_of
from ringback.services.callmanager.calls.passing import refused

_KEYS = ("crypto", "fingerprint", "setup", "tls-id", "rtcp", "rtcp-mux", "rtcp-mux-only")
_ICE = ("candidate", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options", "ice-lite", "remote-candidates")
_OF_TRANSPORT = frozenset((*_KEYS, *_ICE, "group"))


@dataclass(slots=True)
class _Side:
    """Our leg that one end talks to, and what we said there."""

    leg: RtpLeg
    keying: str
    lines: tuple[CryptoLine, ...] = ()


@dataclass(slots=True)
class _Stream:
    offering: _Side
    answering: _Side
    relay: Relay | None = None


def open_leg(host: MediaHost, settings: LegSettings) -> RtpLeg:
    """A leg. Raises OSError where no port is free."""
    try:
        return host.open_leg(settings)
    except TransportError as error:
        raise OSError(str(error)) from error


class SdpRelay:
    """See ``joining.Relay``."""

    def __init__(self, host: MediaHost, identity: DtlsIdentity) -> None:
        self._host = host
        self._identity = identity
        self._offered: Description | None = None
        self._streams: list[_Stream | None] = []

    def offer(self, offered: Description, keying: str) -> Description:
        """See ``joining.Relay``."""
        self.close()
        self._offered = offered
        sections = []
        for section in offered.media:
            stream = self._open(section, keying)
            self._streams.append(stream)
            sections.append(refused(section) if stream is None else self._written(section, stream.answering, section))
        return self._ours(offered, sections)

    def answer(self, answered: Description) -> Description:
        """See ``joining.Relay``."""
        offered = self._offered
        if offered is None or len(answered.media) != len(self._streams):
            raise SdpError("The answer does not fit the offer")
        sections = []
        for asked, section, stream in zip(offered.media, answered.media, self._streams, strict=True):
            if stream is None or not section.port or not asked.port:
                sections.append(refused(asked))
                continue
            lines = self._agree_offering(offered, asked, stream.offering)
            self._agree_answering(answered, section, stream.answering)
            self._connect(offered, asked, stream.offering, section)
            self._connect(answered, section, stream.answering, section)
            if stream.relay is None:
                stream.relay = Relay(stream.offering.leg, stream.answering.leg)
            sections.append(self._written(section, replace_lines(stream.offering, lines), asked))
        return self._ours(answered, sections)

    def close(self) -> None:
        """See ``joining.Relay``."""
        streams, self._streams = self._streams, []
        for stream in streams:
            if stream is not None:
                if stream.relay is not None:
                    stream.relay.stop()
                stream.offering.leg.close()
                stream.answering.leg.close()

    @property
    def legs(self) -> list[RtpLeg]:
        """Our legs, the offering end's first."""
        return [side.leg for one in self._streams if one for side in (one.offering, one.answering)]

    def _open(self, section: MediaSection, keying: str) -> _Stream | None:
        if not section.port or not section.proto.upper().startswith(("RTP/", "UDP/TLS/RTP/")):
            return None
        kind: Kind = "video" if section.kind == "video" else "audio"
        found = formats_of(section)
        clock = found[0].clock if found else 8000
        here = keying_of(section)
        offering = _Side(open_leg(self._host, LegSettings(kind, _protocol(here), clock)), here)
        try:
            answering = _Side(open_leg(self._host, LegSettings(kind, _protocol(keying), clock)), keying)
        except OSError:
            offering.leg.close()
            raise
        if keying == "sdes":
            answering.lines = offer_lines()
        return _Stream(offering, answering)

    def _ours(self, theirs: Description, sections: list[MediaSection]) -> Description:
        kept = tuple(one for one in theirs.attributes if one.name not in _OF_TRANSPORT)
        address = self._host.pool.address
        return replace(theirs, media=tuple(sections), connection=Connection.of(address), attributes=kept)

    def _written(self, section: MediaSection, side: _Side, offered: MediaSection) -> MediaSection:
        """A section of the one end as the other one gets it: our port and keys, everything else as it was."""
        attributes = [Attribute("crypto", str(line)) for line in side.lines]
        if side.keying == "dtls":
            setup = "actpass" if section is offered else "passive"
            attributes += [Attribute("fingerprint", str(self._identity.fingerprint)), Attribute("setup", setup)]
        plain = section.with_attributes(*attributes, without=(*_KEYS, *_ICE))
        proto = _profile(side.keying, offered.proto) if section is offered else offered.proto
        return replace(plain, port=side.leg.port, proto=proto, connection=None)

    def _agree_offering(self, offered: Description, section: MediaSection, side: _Side) -> tuple[CryptoLine, ...]:
        if side.keying == "sdes":
            agreed = answer_line(_lines(section))
            if agreed is None:
                raise SdpError("No key of the offer can be used")
            if not side.lines or side.lines[0].suite is not agreed[0].suite:
                side.lines = agreed[:1]
            _secure(side.leg, side.lines[0], agreed[1])
            return side.lines
        if side.keying == "dtls":
            self._later_dtls(offered, section, side)
        return ()

    def _agree_answering(self, answered: Description, section: MediaSection, side: _Side) -> None:
        if side.keying == "sdes":
            agreed = answered_line(side.lines, _lines(section))
            if agreed is None:
                raise SdpError("The answer has no key for ours")
            _secure(side.leg, *agreed)
        elif side.keying == "dtls":
            self._later_dtls(answered, section, side)

    def _later_dtls(self, description: Description, section: MediaSection, side: _Side) -> None:
        if not description.value("fingerprint", section):
            raise SdpError("There is no fingerprint for DTLS")

    def _connect(self, theirs: Description, section: MediaSection, side: _Side, answered: MediaSection) -> None:
        connection = theirs.connection_of(section)
        if connection is None:
            raise SdpError("There is no c= line")
        rtcp = (section.value("rtcp") or "").split(" ")[0]
        rtcp_port = int(rtcp) if rtcp.isascii() and rtcp.isdigit() and 0 < int(rtcp) < 65536 else None
        try:
            if not connection.is_hold:
                side.leg.connect(RemoteMedia(connection.address, section.port, rtcp_port), rtcp_mux=False)
            side.leg.sending = direction_of(theirs, section).receives
            fingerprint = theirs.value("fingerprint", section)
            if side.keying == "dtls" and fingerprint:
                # we are passive towards who offered and active towards who answered actpass or passive
                active = section is answered and theirs.value("setup", section) != "active"
                role: Role = "active" if active else "passive"
                side.leg.start_dtls(self._identity, role, [Fingerprint.parse(fingerprint)])
        except (TransportError, ValueError) as error:
            raise SdpError(f"The end's media can't be reached: {error}") from error


def replace_lines(side: _Side, lines: tuple[CryptoLine, ...]) -> _Side:
    """The same side with the one key of an answer."""
    return _Side(side.leg, side.keying, lines)


def _lines(section: MediaSection) -> list[CryptoLine]:
    found = []
    for value in section.values("crypto"):
        try:
            found.append(CryptoLine.parse(value))
        except RtpError:
            continue  # a line that nobody understands is one that can't be chosen
    return found


def _secure(leg: RtpLeg, ours: CryptoLine, theirs: CryptoLine) -> None:
    try:
        leg.secure_with(ours, theirs)
    except TransportError as error:
        raise SdpError(f"The keys can't be used: {error}") from error


def _protocol(keying: str) -> Protocol:
    return "sdes" if keying == "sdes" else "dtls" if keying == "dtls" else "clear"


def _profile(keying: str, like: str) -> str:
    """The profile of an offer with these keys; feedback (AVPF) stays where it was."""
    feedback = "F" if like.upper().endswith("F") else ""
    if keying == "dtls":
        return f"UDP/TLS/RTP/SAVP{feedback}"
    if keying == "sdes":
        return f"RTP/SAVP{feedback}"
    return f"RTP/AVP{feedback}" if is_secure_profile(like) or feedback else "RTP/AVP"
