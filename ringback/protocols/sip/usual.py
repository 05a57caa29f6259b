"""How nearly all messages read: recognised in one step each, so that a call costs no typed value that nobody asks for.

Every function gives what the full reading of the value would give, or None where only the full reading can tell.
"""

from __future__ import annotations

import re

from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.uri import parse_host_port

_HOP = re.compile(
    r"SIP/2\.0/(?:UDP|TCP|TLS|WSS?|SCTP) ([^ \t,;\"]+)(;rport)?;branch=([^ \t,;=\"]*)(;rport)?\Z", re.ASCII
)
_CACHED_LENGTH = 300  # as of whole values: what strangers send can't fill the memory through a cache


def hop(via: str) -> tuple[str, str, bool] | None:
    """Branch, sent-by and whether rport is asked for, of a Via with nothing else in it. Raises MalformedMessage where
    the sent-by is no host and port."""
    found = _HOP.match(via)
    if found is None:
        return None
    sent_by, before, branch, behind = found.groups()
    if before and behind:
        return None
    parse_host_port(sent_by)
    return branch, sent_by, bool(before or behind)


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
    if ";" in told or '"' in told or ">" in told or " " in told or "\t" in told:
        return None
    NameAddr.parse(value[:end])
    return told
