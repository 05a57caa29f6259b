"""Call detail records (CDR) and call management records (CMR) as files.

The first line holds the names of the columns, the second their SQL types, then comes a record a line. Text is quoted,
numbers are not; a number that is not known is empty. Names, types and order are those of files of a real server of
release 15. Times are Unix seconds. An IPv4 address as a number is little-endian: 10.248.64.14 is 239138826.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Value = int | str | None
Record = Mapping[str, Value]
"""A record by column; columns that it lacks get their default (0 or empty)."""

# Name, and after a colon the length of a text or ``id`` for a UUID; numbers have nothing.
_CDR = """
cdrRecordType globalCallID_callManagerId globalCallID_callId origLegCallIdentifier dateTimeOrigination origNodeId
origSpan origIpAddr callingPartyNumber:50 callingPartyUnicodeLoginUserID:128 origCause_location origCause_value
origPrecedenceLevel origMediaTransportAddress_IP origMediaTransportAddress_Port origMediaCap_payloadCapability
origMediaCap_maxFramesPerPacket origMediaCap_g723BitRate origVideoCap_Codec origVideoCap_Bandwidth
origVideoCap_Resolution origVideoTransportAddress_IP origVideoTransportAddress_Port origRSVPAudioStat:64
origRSVPVideoStat:64 destLegIdentifier destNodeId destSpan destIpAddr originalCalledPartyNumber:50
finalCalledPartyNumber:50 finalCalledPartyUnicodeLoginUserID:128 destCause_location destCause_value
destPrecedenceLevel destMediaTransportAddress_IP destMediaTransportAddress_Port destMediaCap_payloadCapability
destMediaCap_maxFramesPerPacket destMediaCap_g723BitRate destVideoCap_Codec destVideoCap_Bandwidth
destVideoCap_Resolution destVideoTransportAddress_IP destVideoTransportAddress_Port destRSVPAudioStat:64
destRSVPVideoStat:64 dateTimeConnect dateTimeDisconnect lastRedirectDn:50 pkid:id
originalCalledPartyNumberPartition:50 callingPartyNumberPartition:50 finalCalledPartyNumberPartition:50
lastRedirectDnPartition:50 duration origDeviceName:129 destDeviceName:129 origCallTerminationOnBehalfOf
destCallTerminationOnBehalfOf origCalledPartyRedirectOnBehalfOf lastRedirectRedirectOnBehalfOf
origCalledPartyRedirectReason lastRedirectRedirectReason destConversationId globalCallId_ClusterID:50 joinOnBehalfOf
comment:2048 authCodeDescription:50 authorizationLevel clientMatterCode:32 origDTMFMethod destDTMFMethod
callSecuredStatus origConversationId origMediaCap_Bandwidth destMediaCap_Bandwidth authorizationCodeValue:32
outpulsedCallingPartyNumber:50 outpulsedCalledPartyNumber:50 origIpv4v6Addr:64 destIpv4v6Addr:64
origVideoCap_Codec_Channel2 origVideoCap_Bandwidth_Channel2 origVideoCap_Resolution_Channel2
origVideoTransportAddress_IP_Channel2 origVideoTransportAddress_Port_Channel2 origVideoChannel_Role_Channel2
destVideoCap_Codec_Channel2 destVideoCap_Bandwidth_Channel2 destVideoCap_Resolution_Channel2
destVideoTransportAddress_IP_Channel2 destVideoTransportAddress_Port_Channel2 destVideoChannel_Role_Channel2
IncomingProtocolID IncomingProtocolCallRef:32 OutgoingProtocolID OutgoingProtocolCallRef:32 currentRoutingReason
origRoutingReason lastRedirectingRoutingReason huntPilotPartition:50 huntPilotDN:50 calledPartyPatternUsage
IncomingICID:50 IncomingOrigIOI:50 IncomingTermIOI:50 OutgoingICID:50 OutgoingOrigIOI:50 OutgoingTermIOI:50
outpulsedOriginalCalledPartyNumber:50 outpulsedLastRedirectingNumber:50 wasCallQueued totalWaitTimeInQueue
callingPartyNumber_uri:255 originalCalledPartyNumber_uri:255 finalCalledPartyNumber_uri:255 lastRedirectDn_uri:255
mobileCallingPartyNumber:50 finalMobileCalledPartyNumber:50 origMobileDeviceName:129 destMobileDeviceName:129
origMobileCallDuration destMobileCallDuration mobileCallType originalCalledPartyPattern:50
finalCalledPartyPattern:50 lastRedirectingPartyPattern:50 huntPilotPattern:50 origDeviceType:100 destDeviceType:100
origDeviceSessionID:128 destDeviceSessionID:128
"""
_CMR = """
cdrRecordType globalCallID_callManagerId globalCallID_callId nodeId directoryNum:50 callIdentifier dateTimeStamp
numberPacketsSent numberOctetsSent numberPacketsReceived numberOctetsReceived numberPacketsLost jitter latency
pkid:id directoryNumPartition:50 globalCallId_ClusterID:50 deviceName:129 varVQMetrics:600 duration
videoContentType:10 videoDuration numberVideoPacketsSent numberVideoOctetsSent numberVideoPacketsReceived
numberVideoOctetsReceived numberVideoPacketsLost videoAverageJitter videoRoundTripTime videoOneWayDelay
videoReceptionMetrics:600 videoTransmissionMetrics:600 videoContentType_channel2:10 videoDuration_channel2
numberVideoPacketsSent_channel2 numberVideoOctetsSent_channel2 numberVideoPacketsReceived_channel2
numberVideoOctetsReceived_channel2 numberVideoPacketsLost_channel2 videoAverageJitter_channel2
videoRoundTripTime_channel2 videoOneWayDelay_channel2 videoReceptionMetrics_channel2:600
videoTransmissionMetrics_channel2:600 localSessionID:128 remoteSessionID:128 headsetSN:129 headsetMetrics:1024
"""


class RecordError(ValueError):
    """The text is no file of call records; the message says why."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``length`` of a text, None for a number; ``identifier``: a UUID."""

    name: str
    length: int | None = None
    identifier: bool = False

    @property
    def sql(self) -> str:
        """The type as the second line of a file names it."""
        if self.identifier:
            return "UNIQUEIDENTIFIER"
        return "INTEGER" if self.length is None else f"VARCHAR({self.length})"


def _columns(text: str) -> tuple[Column, ...]:
    found: list[Column] = []
    for word in text.split():
        name, _, kind = word.partition(":")
        found.append(Column(name, 36, identifier=True) if kind == "id" else Column(name, int(kind) if kind else None))
    return tuple(found)


CDR_COLUMNS = _columns(_CDR)
CMR_COLUMNS = _columns(_CMR)
_UNQUOTABLE = re.compile("[\x00-\x1f\x7f]")


def head(columns: Iterable[Column]) -> str:
    """The two first lines of a file, each with its end."""
    listed = tuple(columns)
    names = ",".join(f'"{column.name}"' for column in listed)
    return f"{names}\n{','.join(column.sql for column in listed)}\n"


def cdr_line(record: Record) -> str:
    """The line of a call detail record, with its end. Columns that no file has are left out."""
    return _CDR_LINES.line(record)


def cmr_line(record: Record) -> str:
    """The line of a call management record, with its end. Figures of video stay empty where there was none."""
    return _CMR_LINES.line(record)


class _Lines:
    """Lines of one kind of file: most columns of most records have their default, which is written beforehand."""

    def __init__(self, columns: tuple[Column, ...], kind: int, empty: frozenset[str]) -> None:
        self._places = {
            column.name: (place, -1 if column.length is None else column.length, column.name in empty)
            for place, column in enumerate(columns)
        }
        self._usual = ['""' if one.length is not None else "" if one.name in empty else "0" for one in columns]
        self._usual[0] = str(kind)

    def line(self, record: Record) -> str:
        parts = self._usual.copy()
        for name, value in record.items():
            found = self._places.get(name)
            if found is None or value is None:
                continue
            place, length, empty = found
            if length >= 0:
                if value != "":
                    parts[place] = _text(str(value), length)
            elif value or empty:
                parts[place] = str(int(value))
        return ",".join(parts) + "\n"


def _text(text: str, length: int) -> str:
    if not text.isprintable():
        text = _UNQUOTABLE.sub(" ", text)  # a record is one line, whatever a phone put into its texts
    if len(text) > length:
        text = text[:length]
    if '"' in text:
        text = text.replace('"', '""')
    return f'"{text}"'


_CDR_LINES = _Lines(CDR_COLUMNS, 1, frozenset())
_CMR_LINES = _Lines(
    CMR_COLUMNS, 2, frozenset(column.name for column in CMR_COLUMNS if column.length is None and "ideo" in column.name)
)


def parse(text: str) -> tuple[tuple[str, ...], list[dict[str, Value]]]:
    """The names of the columns and the records of a file, with or without the line of types. Raises RecordError."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise RecordError(f"The file is not made of comma-separated values: {error}") from error
    if not rows or "cdrRecordType" not in rows[0]:
        raise RecordError("The file does not start with the names of columns")
    names = tuple(rows[0])
    begin = 2 if len(rows) > 1 and "INTEGER" in rows[1] else 1
    numbers = _numbers(names)
    return names, [_record(names, numbers, row, line) for line, row in enumerate(rows[begin:], begin + 1) if row]


def _numbers(names: Iterable[str]) -> frozenset[str]:
    columns = (*CDR_COLUMNS, *CMR_COLUMNS)
    wanted = frozenset(names)
    return frozenset(column.name for column in columns if column.length is None and column.name in wanted)


def _record(names: tuple[str, ...], numbers: frozenset[str], row: list[str], line: int) -> dict[str, Value]:
    if len(row) != len(names):
        raise RecordError(f"Line {line} has {len(row)} values where {len(names)} were expected")
    record: dict[str, Value] = {}
    for name, text in zip(names, row, strict=True):
        if name not in numbers:
            record[name] = text
        elif not text:
            record[name] = None
        elif re.fullmatch(r"-?[0-9]{1,19}", text):
            record[name] = int(text)
        else:
            raise RecordError(f"Line {line}: {text!r} is no number for {name}")
    return record


@lru_cache(maxsize=4096)
def ip_number(address: str) -> int:
    """An IPv4 address as the number that a record holds (little-endian, signed 32 bits); 0 for other texts."""
    try:
        octets = ipaddress.IPv4Address(address).packed
    except ValueError:
        return 0
    return int.from_bytes(octets, "little", signed=True)


def ip_address(number: int) -> str:
    """The IPv4 address of such a number; empty for 0. Raises RecordError for a number that is too large."""
    if not number:
        return ""
    if not -(2**31) <= number < 2**32:
        raise RecordError(f"{number} is not an address")
    return str(ipaddress.IPv4Address((number % 2**32).to_bytes(4, "little")))
