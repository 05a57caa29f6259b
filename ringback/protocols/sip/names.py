"""Names of SIP headers: one spelling for each, compact forms, and the reason phrases of the status codes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ringback.protocols.sip.errors import MalformedMessage

# RFC 3261 section 7.3.3 and the registry of the header fields
COMPACT: Final[dict[str, str]] = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_NAMES: Final = """
Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Alert-Info Allow Allow-Events
Answer-Mode Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-ID
Content-Language Content-Length Content-Transfer-Encoding Content-Type CSeq Date Diversion Encryption Error-Info Event
Expires Feature-Caps Flow-Timer From Geolocation Geolocation-Error Geolocation-Routing Hide History-Info Identity
Identity-Info Info-Package In-Reply-To Join Max-Breadth Max-Forwards MIME-Version Min-Expires Min-SE Organization
P-Access-Network-Info P-Answer-State P-Asserted-Identity P-Called-Party-ID P-Charging-Vector P-Early-Media
P-Preferred-Identity Path Permission-Missing Policy-Contact Policy-ID Priority Privacy Proxy-Authenticate
Proxy-Authentication-Info Proxy-Authorization Proxy-Require RAck Reason Record-Route Recv-Info Refer-Events-At Refer-Sub
Refer-To Referred-By Reject-Contact Relayed-Charge Remote-Party-ID Replaces Reply-To Request-Disposition Require
Resource-Priority Response-Key Retry-After Route RSeq Security-Client Security-Server Security-Verify Server
Service-Route Session-Expires Session-ID SIP-ETag SIP-If-Match Subject Subscription-State Supported Suppress-If-Match
Target-Dialog Timestamp To Unsupported User-Agent User-to-User Via Warning WWW-Authenticate X-Ringback-Ringing
""".split()  # noqa: SIM905  a list of this length reads better as text

# The usual spellings lead straight to the name; everything else goes through canonical()
SPELLINGS: Final[dict[str, str]] = {
    **{name: name for name in _NAMES},
    **{name.lower(): name for name in _NAMES},
    **{name.upper(): name for name in _NAMES},
    **COMPACT,
    **{letter.upper(): name for letter, name in COMPACT.items()},
}
_BY_LOWER: Final[dict[str, str]] = {**{name.lower(): name for name in _NAMES}, **COMPACT}
_CACHED_LENGTH: Final = 60
_NAME: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z", re.ASCII)

METHODS: Final = frozenset({"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK"}) | {
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
}

REASONS: Final[dict[int, str]] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    417: "Unknown Resource-Priority",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}


def canonical(name: str) -> str:
    """The one spelling of a header's name; in an unknown one each word begins with a capital.

    Raises MalformedMessage where it is no token.
    """
    known = SPELLINGS.get(name)
    if known is not None:
        return known
    return _look_up_cached(name) if len(name) <= _CACHED_LENGTH else _look_up(name)


def _look_up(name: str) -> str:
    name = name.rstrip(" \t")
    if not _NAME.match(name):
        raise MalformedMessage(400, "A header line has no name")
    return _BY_LOWER.get(name.lower()) or _capitalised(name)


_look_up_cached: Final = lru_cache(maxsize=1024)(_look_up)


def _capitalised(name: str) -> str:
    """Unknown names must meet under one key, however they are spelt; the words begin with capitals."""
    return "-".join(word.capitalize() for word in name.split("-"))


def reason_phrase(status: int) -> str:
    """The usual reason phrase of a status."""
    return REASONS.get(status) or REASONS.get(status // 100 * 100, "Unknown")
