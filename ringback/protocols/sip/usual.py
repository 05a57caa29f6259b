"""How nearly all messages read: recognised in one step each, so that a call costs no typed value that nobody asks for.

Every function gives what the full reading of the value would give, or None where only the full reading can tell.
"""

from __future__ import annotations

from typing import Final

from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.uri import parse_host_port

_SENT_OVER: Final = frozenset(f"SIP/2.0/{name}" for name in ("UDP", "TCP", "TLS", "WS", "WSS", "SCTP"))
_CACHED_LENGTH: Final = 300  # as of whole values: what strangers send can't fill the memory through a cache


def hop(via: str) -> tuple[str, str, bool] | None:
    """Branch, sent-by and whether rport is asked for, of a Via with nothing else in it. Raises MalformedMessage where
    the sent-by is no host and port."""
    protocol, _, rest = via.partition(" ")
    if protocol not in _SENT_OVER or "," in rest or " " in rest or '"' in rest or "\t" in rest:
        return None
    parts = rest.split(";")
    count = len(parts)
    rport = count == 3
    last = parts[-1]
    if rport:
        if last == "rport":
            last = parts[1]
        elif parts[1] != "rport":
            return None
    elif count != 2:
        return None
    sent_by = parts[0]
    if not sent_by or not last.startswith("branch=") or "=" in last[7:]:
        return None
    parse_host_port(sent_by)
    return last[7:], sent_by, rport


def tag(value: str) -> str | None:
    """The tag of a From or To whose address is in angle brackets and has a tag or nothing behind them. Raises
    MalformedMessage where the address can't be read."""
    end = value.find(">") + 1
    if not end or len(value) > _CACHED_LENGTH:
        return None
    if end == len(value):
        NameAddr.parse(value)
        return ""
    if value[end : end + 5] != ";tag=":
        return None
    told = value[end + 5 :]
    if told.isalnum():
        NameAddr.parse(value[:end])
        return told
    if ";" in told or '"' in told or ">" in told or " " in told or "\t" in told:
        return None
    NameAddr.parse(value[:end])
    return told
