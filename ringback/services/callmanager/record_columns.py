"""From facts of calls to the columns of call records.

Confirmed by a real server's files: the columns, that times are Unix seconds and addresses little-endian, causes of
Q.850, payload capability 4 for PCMU. The other capabilities and protocol numbers are from general knowledge.
"""

from __future__ import annotations

import uuid
from typing import Final

from ringback.protocols.call_records import Value, ip_number
from ringback.services.callmanager.calls.facts import CallFacts, QualityFacts, SideFacts

_CAPABILITIES: Final = {
    "PCMA": (2, 64),
    "PCMU": (4, 64),
    "G722": (6, 64),
    "G729": (11, 8),
    "OPUS": (90, 64),
}
_VIDEO: Final = {"H263": 101, "H264": 103}
_OTHER_CODEC: Final = 1  # "non-standard"
_UNKNOWN: Final = (_OTHER_CODEC, 0)
_NO_CODEC: Final = (0, 0)
_BY_RFC_2833: Final = 2
_SIP: Final = 1
_FRAMES: Final = 20  # milliseconds of sound in a packet, which is what all of ours send

Columns = dict[str, Value]


def call_columns(facts: CallFacts, node: int, cluster: str, key: str = "") -> Columns:
    """The call detail record of a call at a node. ``key`` is its UUID; without one it gets a new one."""
    connected = facts.connected
    columns: Columns = {
        "cdrRecordType": 1,
        "globalCallID_callManagerId": node,
        "globalCallID_callId": facts.call,
        "globalCallId_ClusterID": cluster,
        "pkid": key or str(uuid.uuid4()),
        "dateTimeOrigination": int(facts.began),
        "dateTimeConnect": int(connected) if connected is not None else 0,
        "dateTimeDisconnect": int(facts.ended),
        "duration": max(0, int(facts.ended) - int(connected)) if connected is not None else 0,
        "callingPartyNumber": facts.caller.number,
        "callingPartyNumber_uri": facts.caller.uri,
        "callingPartyUnicodeLoginUserID": facts.caller.user,
        "originalCalledPartyNumber": facts.original_called,
        "originalCalledPartyNumber_uri": facts.original_called_uri,
        "originalCalledPartyPattern": facts.original_called,
        "finalCalledPartyNumber": facts.final_called or facts.original_called,
        "finalCalledPartyNumber_uri": facts.final_called_uri,
        "finalCalledPartyUnicodeLoginUserID": facts.final_user,
        "finalCalledPartyPattern": facts.final_called or facts.original_called,
        "lastRedirectDn": facts.last_redirect or facts.original_called,
        "lastRedirectDn_uri": facts.last_redirect_uri,
        "lastRedirectingPartyPattern": facts.last_redirect,
        "origCalledPartyRedirectReason": int(facts.original_reason),
        "lastRedirectRedirectReason": int(facts.last_reason),
        "origCalledPartyRedirectOnBehalfOf": int(facts.original_on_behalf_of),
        "lastRedirectRedirectOnBehalfOf": int(facts.last_on_behalf_of),
        "joinOnBehalfOf": int(facts.joined_by),
        "callSecuredStatus": facts.secured,
        "comment": facts.comment,
        "origLegCallIdentifier": facts.caller.leg,
        "destLegIdentifier": facts.called.leg,
        "outpulsedCallingPartyNumber": facts.caller.number if facts.called.trunk else "",
        "outpulsedCalledPartyNumber": facts.called.number if facts.called.trunk else "",
        "calledPartyPatternUsage": 5 if facts.called.trunk else 2,
    }
    if facts.caller.trunk:
        columns["IncomingProtocolID"] = _SIP
        columns["IncomingProtocolCallRef"] = facts.caller.protocol_call
    if facts.called.trunk:
        columns["OutgoingProtocolID"] = _SIP
        columns["OutgoingProtocolCallRef"] = facts.called.protocol_call
    columns.update(zip(_ORIG, _side(facts.caller, node), strict=True))
    columns.update(zip(_DEST, _side(facts.called, node), strict=True))
    return columns


_SIDE: Final = (
    "NodeId",
    "IpAddr",
    "Ipv4v6Addr",
    "Cause_value",
    "PrecedenceLevel",
    "MediaTransportAddress_IP",
    "MediaTransportAddress_Port",
    "MediaCap_payloadCapability",
    "MediaCap_maxFramesPerPacket",
    "MediaCap_Bandwidth",
    "VideoCap_Codec",
    "VideoTransportAddress_IP",
    "VideoTransportAddress_Port",
    "RSVPAudioStat",
    "RSVPVideoStat",
    "DeviceName",
    "DeviceType",
    "DeviceSessionID",
    "CallTerminationOnBehalfOf",
    "ConversationId",
    "DTMFMethod",
)
_ORIG: Final = tuple(f"orig{name}" for name in _SIDE)
_DEST: Final = tuple(f"dest{name}" for name in _SIDE)


def _side(side: SideFacts, node: int) -> tuple[Value, ...]:
    """The values of the columns of a side, in the order of ``_SIDE``."""
    payload, bandwidth = _CAPABILITIES.get(side.codec.upper(), _UNKNOWN) if side.codec else _NO_CODEC
    signalling = _bare(side.signalling)
    return (
        node if side.leg else 0,
        ip_number(signalling),
        signalling,
        int(side.cause),
        4,
        ip_number(side.media),
        side.media_port,
        payload,
        _FRAMES if payload else 0,
        bandwidth,
        _VIDEO.get(side.video_codec.upper(), _OTHER_CODEC) if side.video_codec else 0,
        ip_number(side.video_media),
        side.video_port,
        "0",
        "0",
        side.device,
        side.device_type,
        side.session_id,
        int(side.terminated_by),
        side.conversation,
        _BY_RFC_2833 if side.leg else 0,
    )


def _bare(address: str) -> str:
    """An address without its port, if it has one."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, colon, _ = address.rpartition(":")
    return host if colon and ":" not in host else address


def quality_columns(facts: QualityFacts, node: int, cluster: str) -> Columns:
    """The call management record of a side."""
    columns: Columns = {
        "cdrRecordType": 2,
        "globalCallID_callManagerId": node,
        "globalCallID_callId": facts.call,
        "globalCallId_ClusterID": cluster,
        "nodeId": node,
        "pkid": str(uuid.uuid4()),
        "callIdentifier": facts.leg,
        "dateTimeStamp": int(facts.at),
        "directoryNum": facts.number,
        "deviceName": facts.device,
        "numberPacketsSent": facts.packets_sent,
        "numberOctetsSent": facts.octets_sent,
        "numberPacketsReceived": facts.packets_received,
        "numberOctetsReceived": facts.octets_received,
        "numberPacketsLost": facts.packets_lost,
        "jitter": facts.jitter,
        "latency": facts.latency,
        "duration": facts.seconds,
        "varVQMetrics": facts.metrics,
        "localSessionID": facts.local_session,
        "remoteSessionID": facts.remote_session,
    }
    if facts.video_packets_sent or facts.video_packets_received:
        columns |= {
            "videoContentType": "main",
            "videoDuration": facts.seconds,
            "numberVideoPacketsSent": facts.video_packets_sent,
            "numberVideoOctetsSent": facts.video_octets_sent,
            "numberVideoPacketsReceived": facts.video_packets_received,
            "numberVideoOctetsReceived": facts.video_octets_received,
            "numberVideoPacketsLost": facts.video_packets_lost,
            "videoAverageJitter": facts.video_jitter,
            "videoRoundTripTime": facts.video_round_trip,
        }
    return columns
