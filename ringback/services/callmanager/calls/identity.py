"""How parties are presented to each other: From, Remote-Party-ID, P-Asserted-Identity, Privacy, Diversion, Call-Info.

The forms are those that clients of the field read (``docs/interfaces/calls.md``): both Remote-Party-ID and
P-Asserted-Identity (RFC 3325) are sent, since one half of the phones reads only the one, the other half the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from ringback.protocols.sip.uri import escape_user

ANONYMOUS: Final = "Anonymous"
ANONYMOUS_URI: Final = "sip:anonymous@anonymous.invalid"
CALL_INFO: Final = "<urn:x-cisco-remotecc:callinfo>"
HeaderLines = list[tuple[str, str]]
Which = Literal["calling", "called"]
Secure = Literal["NotAuthenticated", "Authenticated", "Encrypted"]

_DIVERSION: Final = {
    "all": "unconditional",
    "busy": "user-busy",
    "no_answer": "no-answer",
    "unregistered": "unavailable",
    "do_not_disturb": "do-not-disturb",
    "divert": "deflection",
    "transfer": "deflection",
}


class Shown:
    """Who is presented; a value, never changed. ``user`` is the number, or the whole address of a person of another
    domain (``a@b.example``); ``domain`` is used where ``user`` has none. ``private``: the person does not want to be
    shown (RFC 3323)."""

    __slots__ = ("_address", "domain", "name", "private", "user")

    def __init__(self, user: str, name: str = "", domain: str = "", private: bool = False) -> None:
        self.user = user
        self.name = name
        self.domain = domain
        self.private = private
        self._address = ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Shown):
            return NotImplemented
        same = self.user == other.user and self.name == other.name
        return same and self.domain == other.domain and self.private == other.private

    def __hash__(self) -> int:
        return hash((self.user, self.name, self.domain, self.private))

    def __repr__(self) -> str:
        return f"Shown({self.user!r}, {self.name!r}, {self.domain!r}, {self.private})"

    @property
    def uri(self) -> str:
        """The SIP URI."""
        return _uri(self.user, self.domain)

    @property
    def address(self) -> str:
        """Name and URI as in a From or To."""
        if not self._address:
            self._address = f"{quoted(self.name)}<{self.uri}>"
        return self._address


@lru_cache(maxsize=16384)
def _uri(user: str, domain: str) -> str:
    name, at, host = user.rpartition("@")
    if not at:
        name, host = user, domain
    return f"sip:{escape_user(name)}@{host}" if name else f"sip:{host}"


def quoted(name: str) -> str:
    """A display name as it stands before ``<``, with the blank after it; nothing for an empty one."""
    if not name:
        return ""
    clean = "".join(one for one in name if one >= " " and one != "\x7f")
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" '


def from_value(shown: Shown) -> str:
    """The From of a call to somebody: anonymous where the caller is private (RFC 3323 section 4.1)."""
    return f'"{ANONYMOUS}" <{ANONYMOUS_URI}>' if shown.private else shown.address


def identity(shown: Shown, which: Which, trusted: bool) -> HeaderLines:
    """Who the other side is, for the side that ``which`` describes: ``calling`` in the INVITE to the called, ``called``
    in answers to the caller. A private identity is told only to a ``trusted`` side: our own trunks."""
    if shown.private and not trusted:
        anonymous = f'"{ANONYMOUS}" <{ANONYMOUS_URI}>'
        return [("Remote-Party-ID", f"{anonymous};party={which};id-type=subscriber;privacy=full;screen=yes")]
    privacy = "full" if shown.private else "off"
    lines = [
        ("P-Asserted-Identity", shown.address),
        ("Remote-Party-ID", f"{shown.address};party={which};id-type=subscriber;privacy={privacy};screen=yes"),
    ]
    if shown.private:
        lines.append(("Privacy", "id"))
    return lines


@dataclass(frozen=True, slots=True)
class Diversion:
    """A step of a call that was sent on: by whom, and why (RFC 5806)."""

    shown: Shown
    why: str

    def __str__(self) -> str:
        privacy = "full" if self.shown.private else "off"
        reason = _DIVERSION.get(self.why, "unknown")
        return f"{self.shown.address};privacy={privacy};reason={reason};screen=yes"


def diversions(steps: Iterable[Diversion]) -> HeaderLines:
    """The Diversion headers, the last step first (RFC 5806 section 5)."""
    return [("Diversion", str(step)) for step in reversed(list(steps))]


def call_info(orientation: Literal["to", "from"], security: Secure, call: int, instance: int = 1) -> tuple[str, str]:
    """What phones show of a call: its security, which way it goes, and the id that both sides share."""
    value = f"{CALL_INFO};orientation={orientation};security={security};gci=1-{call};call-instance={instance};isVoip"
    return "Call-Info", value


def security(signalling: bool, media: bool) -> Secure:
    """How a call is shown: encrypted only where signalling and media of both legs are."""
    if signalling and media:
        return "Encrypted"
    return "Authenticated" if signalling else "NotAuthenticated"
