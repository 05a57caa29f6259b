"""Who signs in on an XMPP stream that only passes: what the client claims, and what the server says to it.

The client's octets are cut and its SASL messages read by the very code of our presence service, so that both can't
understand them differently. A server answers attempts in their order: what it says belongs to the oldest one that it
has not answered (a client may send several at once), and only after ``success`` a claim is believed.

What a client sends behind an attempt before it is answered (RFC 6120 section 6.4 has it wait) is held back: a server
would serve it in the same breath with ``success``, before anybody could say that this person is not to be served here.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ringback.protocols.xmpp.errors import SaslError, StanzaError
from ringback.protocols.xmpp.sasl import (
    SCRAM,
    ChannelBindings,
    CheckBearer,
    Exchange,
    ScramExchange,
    decode_base64,
    exchange_for,
)
from ringback.protocols.xmpp.server_stream import SASL_NS
from ringback.protocols.xmpp.splitter import Element, Splitter, SplitterLimits
from ringback.protocols.xmpp.stanza import parse_element

_LIMITS: Final = SplitterLimits(stanza=16_384, tag=8_192, depth=8, attributes=32)  # as before a server's sign-in
_END: Final = re.compile(rb"/>|</(?:[^\s:<>]*:)?(?:auth|response)\s*>")  # at least wherever a message of SASL ends
_ANSWER: Final = re.compile(rb"<(failure|success|challenge)[\s>/]")
_LONGEST: Final = len(b"<challenge ") - 1
_MOST: Final = 8  # attempts that wait for an answer; a server bears fewer
_NO_BINDING: Final = ChannelBindings({}, False)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says they are: the localpart, or an access token; both empty where it can't be read."""

    user: str = ""
    token: str = field(default="", repr=False)


class _Attempt:
    def __init__(self, exchange: Exchange | None) -> None:
        self.exchange = exchange
        self.token = ""

    @property
    def claim(self) -> Claim:
        return Claim() if self.exchange is None else Claim(self.exchange.user, self.token)

    def take(self, data: bytes | None) -> None:
        if self.exchange is None:
            return
        try:
            step = self.exchange.begin(data)
        except SaslError:
            return  # the server says so, too
        if isinstance(step, CheckBearer):
            self.token = step.token


class StreamIdentity:
    """Of one stream to ``domain``, from the end of STARTTLS on. ``claim`` is whose it is, once it is ``done``."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._splitter = Splitter(_LIMITS)
        self._attempts: deque[_Attempt] = deque()
        self._claims = 0
        self._tail = b""
        self._held = b""  # of the client, not passed on yet
        self._unanswered = 0
        self.done = False
        self.served = False
        """Set this once they are done, and are to be served; until then nothing more goes to the server."""
        self.claim = Claim()

    @property
    def waits(self) -> bool:
        """Whether nothing may go to the server until it has answered."""
        return not self.served and (self.done or self._unanswered > 0)

    def from_client(self, data: bytes) -> None:
        """Octets of the client; ``to_server`` gives them out again."""
        self._held += data

    def to_server(self) -> bytes:
        """What may go on to the server now; empty where more of the client or an answer of the server has to come
        first. What can't be read is the server's to refuse."""
        if self.served:
            passed, self._held = self._held, b""
            return passed
        if self.waits:
            return b""
        end = _END.search(self._held)
        at = end.end() if end is not None else _whole_tags(self._held)
        passed, self._held = self._held[:at], self._held[at:]
        if self._splitter.error is None:
            for item in self._splitter.feed(passed):
                if isinstance(item, Element):
                    self._take(item)
        return passed

    def from_server(self, data: bytes) -> list[Claim]:
        """Octets of the server, until it says success: the attempts that failed in them."""
        failures: list[Claim] = []
        if self.done:
            return failures
        seen, looked_at = self._tail + data, 0
        for found in _ANSWER.finditer(seen):
            looked_at = found.end()
            self._unanswered = max(0, self._unanswered - 1)
            if found[1] == b"challenge":
                continue
            claim = self._attempts.popleft().claim if self._attempts else Claim()
            if found[1] == b"success":
                self.done, self.claim = True, claim
                return failures
            failures.append(claim)
        self._tail = seen[max(looked_at, len(seen) - _LONGEST) :]
        return failures

    def _take(self, item: Element) -> None:
        self._unanswered += item.name in (f"{SASL_NS} auth", f"{SASL_NS} response")
        if item.name == f"{SASL_NS} auth":
            if self._claims < _MOST:
                self._claims += 1
                attempt = _Attempt(_exchange(item.attributes.get("mechanism", ""), self._domain))
                self._attempts.append(attempt)
                attempt.take(_text(item.raw))
        elif item.name == f"{SASL_NS} response" and self._attempts:
            attempt = self._attempts[-1]
            if attempt.exchange is not None and not attempt.exchange.user and not attempt.token:
                attempt.take(_text(item.raw) or b"")


def _whole_tags(data: bytes) -> int:
    """Up to where the tags are whole: the end of one may be what has to be waited behind."""
    at = data.rfind(b"<")
    return at if at >= 0 and b">" not in data[at:] and len(data) - at < _LIMITS.tag else len(data)


def _exchange(mechanism: str, domain: str) -> Exchange | None:
    if mechanism.startswith("SCRAM-") and not mechanism.endswith("-PLUS"):
        return ScramExchange(domain, plus=False, bindings=_NO_BINDING)  # the first message is the same with every hash
    try:
        return exchange_for(mechanism or SCRAM, domain, _NO_BINDING)
    except SaslError:
        return None


def _text(raw: bytes) -> bytes | None:
    try:
        return decode_base64(parse_element(raw).text)
    except (SaslError, StanzaError):
        return None
