"""Our answer to a page's offer (RFC 8829): one bundled connection, with the codecs that the call at the other side has.

The page is offered nothing that would need transcoding where the call's codec is one of its own.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from ringback.client.calling.page.transport import PageParameters
from ringback.protocols.sdp import Attribute, Connection, Description, Format, MediaSection, Origin, SdpError
from ringback.protocols.sdp.negotiation import Local, Settled, Stream, answer

OPUS = Format(111, "opus", 48000, 2, "minptime=10;useinbandfec=1")
G722 = Format(9, "G722", 8000)
PCMU = Format(0, "PCMU", 8000)
PCMA = Format(8, "PCMA", 8000)
PAGE_AUDIO = (OPUS, G722, PCMU, PCMA)
H264 = Format(102, "H264", 90000, fmtp="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
VP8 = Format(96, "VP8", 90000)
PAGE_VIDEO = (H264, VP8)
RED = Format(63, "red", 48000, 2, "111/111")
VIDEO_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")


@dataclass(frozen=True, slots=True)
class PageWish:
    """What the engine takes of a page's offer, best first; without ``video`` pictures are refused. ``copies``: sound
    may come and go with copies of what went before (RFC 2198), where the page can do that."""

    audio: tuple[Format, ...] = PAGE_AUDIO
    video: tuple[Format, ...] = ()
    copies: bool = True


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """``sdp`` for the page, the agreed streams and how the page is reached. ``sources``: our SSRC of each kind."""

    sdp: str
    audio: Stream
    video: Stream | None
    page: PageParameters
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class OwnTransport:
    """What the page must know of our side of the connection."""

    fingerprint: str
    user: str
    password: str
    candidates: Sequence[str]


def answer_page(offer: str, wish: PageWish, own: OwnTransport) -> PageAnswer:
    """Take a page's offer. Raises SdpError where it is none, has no sound that we know, or is not of one connection."""
    offered = Description.parse(offer.encode())
    page = _parameters(offered)
    sound = (*wish.audio, RED) if wish.copies else wish.audio
    locals_ = [_local("audio", sound, own.fingerprint)]
    if wish.video:
        locals_.append(_local("video", wish.video, own.fingerprint))
    origin = Origin(str(secrets.randbits(62)), 1, "127.0.0.1")
    settled = answer(_without_places(offered), origin, "127.0.0.1", locals_)
    audio = settled.stream("audio")
    if audio is None:
        raise SdpError("The page offers no sound that a call can have")
    sources = {kind: secrets.randbits(31) | 1 for kind in ("audio", "video")}
    sdp = _for_web(offered, _copies_first(settled, audio), own, sources).encode().decode()
    return PageAnswer(sdp, audio, settled.stream("video"), page, sources)


def _copies_first(settled: Settled, audio: Stream) -> Settled:
    """A browser sends by the first format of an answer: copies come only where that is redundancy (RFC 2198)."""
    if audio.redundancy is None:
        return settled
    first, sections = str(audio.redundancy), list(settled.description.media)
    section = sections[audio.index]
    others = tuple(one for one in section.formats if one != first)
    sections[audio.index] = dataclasses.replace(section, formats=(first, *others))
    return dataclasses.replace(settled, description=settled.description.with_media(sections))


def _without_places(offered: Description) -> Description:
    """The offer without its addresses: ICE tells them. Of a bundle only the first section has one; the others stand at
    0.0.0.0 (RFC 8829 section 5.2.1), which elsewhere means that the stream is held."""
    nowhere = Connection.of("127.0.0.1")
    return offered.with_media(dataclasses.replace(section, connection=nowhere) for section in offered.media)


def _local(kind: str, formats: tuple[Format, ...], fingerprint: str) -> Local:
    return Local(
        kind,
        9,
        formats,
        encryption="required",
        fingerprint=fingerprint,
        rtcp_mux=True,
        feedback=VIDEO_FEEDBACK if kind == "video" else (),
    )


def _parameters(offered: Description) -> PageParameters:
    section = next((one for one in offered.media if one.kind == "audio"), None)
    if section is None:
        raise SdpError("The page offers no sound")
    user, password = offered.value("ice-ufrag", section), offered.value("ice-pwd", section)
    print_ = offered.value("fingerprint", section)
    if not user or not password or not print_:
        raise SdpError("The page's offer has no ICE credentials or no fingerprint")
    algorithm, _, value = print_.partition(" ")
    return PageParameters(user, password, ((algorithm.lower(), value.strip()),), section.values("candidate"))


def _for_web(offered: Description, settled: Settled, own: OwnTransport, sources: dict[str, int]) -> Description:
    """The plain answer with what WebRTC wants in addition: the bundle, ICE, and names for what we send."""
    sections, mids = [], []
    for section in settled.description.media:
        mid = section.value("mid")
        if not section.port or mid is None:
            sections.append(section)
            continue
        mids.append(mid)
        sections.append(_with_ice(section, own, sources[section.kind]))
    if not mids:
        raise SdpError("The page's offer does not name its sections")
    bundle = Attribute("group", f"BUNDLE {' '.join(mids)}")
    plain = settled.description
    return Description(
        plain.origin, tuple(sections), Connection.of("127.0.0.1"), (bundle, Attribute("msid-semantic", " WMS *"))
    )


def _with_ice(section: MediaSection, own: OwnTransport, source: int) -> MediaSection:
    return section.with_attributes(
        Attribute("ice-ufrag", own.user),
        Attribute("ice-pwd", own.password),
        *(Attribute("candidate", one) for one in own.candidates),
        Attribute("end-of-candidates"),
        Attribute("msid", f"ringback ringback-{section.kind}"),
        Attribute("ssrc", f"{source} cname:ringback"),
        Attribute("ssrc", f"{source} msid:ringback ringback-{section.kind}"),
    )
