"""From what two ends agreed on (SDP) to a leg that talks: where to send, and the keys of both ways."""

from __future__ import annotations

from ringback.media.transport.dtls import DtlsIdentity, Fingerprint, Role
from ringback.media.transport.errors import TransportError
from ringback.media.transport.leg import Protocol, RemoteMedia, RtpLeg
from ringback.protocols.rtp.crypto import CryptoLine
from ringback.protocols.sdp.description import SdpError
from ringback.protocols.sdp.negotiation import Stream


def secure(leg: RtpLeg, stream: Stream, identity: DtlsIdentity) -> None:
    """Tell a leg where its end wants media, and the keys. Raises SdpError."""
    try:
        leg.connect(RemoteMedia(stream.address, stream.port, stream.rtcp_port), rtcp_mux=stream.rtcp_mux)
        if stream.ours.keying == "sdes":
            leg.secure_with(CryptoLine.parse(stream.ours.crypto[0]), CryptoLine.parse(stream.theirs.crypto[0]))
        elif stream.ours.keying == "dtls":
            role: Role = "active" if stream.active else "passive"
            leg.start_dtls(identity, role, [Fingerprint.parse(stream.theirs.fingerprint)])
    except (TransportError, ValueError) as error:
        raise SdpError(f"The end's media can't be reached: {error}") from error


def protocol_of(keying: str) -> Protocol:
    """How a leg must be opened for a way of agreeing on keys: ``sdes``, ``dtls``, anything else: in clear."""
    return "sdes" if keying == "sdes" else "dtls" if keying == "dtls" else "clear"
