"""What the judge is asked and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ringback.client.trust.memory import Remembered
from ringback.rules.certificates import Purpose
from ringback.rules.reachability import CertificateFacts, Obstacle
from ringback.rules.reasons import Reason


@dataclass(frozen=True, slots=True)
class Expected:
    """Who is expected at the other end: the fields of ``rules.certificates.IdentityEvidence``.

    ``host`` empty: the name that the connection is opened with (``server_hostname``). ``identify``: the person's own
    certificate is shown to who asks for it, where there is one.
    """

    purpose: Purpose = Purpose.HTTP
    host: str = ""
    domain: str = ""
    service: str = ""
    identify: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a certificate was shown. ``address`` empty: that of the host is looked up. ``starttls``: TLS begins within
    an XMPP stream; ``ldap``: TLS begins within LDAP."""

    host: str
    port: int
    expected: Expected = Expected()
    address: str = ""
    starttls: bool = False
    ldap: bool = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Question:
    """What a person needs to decide: whose certificate, who was expected, who was found, and ``why`` it is asked.

    ``before`` is what was accepted for this server earlier, where that has changed.
    """

    server: str
    expected: str
    found: tuple[str, ...]
    subject: str
    issuer: str
    valid_from: str
    valid_until: str
    fingerprint: str
    why: tuple[Reason, ...]
    before: Remembered | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """What follows from a certificate that did not pass.

    ``again``: connect once more, the answer is known now. ``ask``: show ``question``. ``refuse``: nobody may accept.
    ``facts`` and ``obstacle`` are for the words of a fault, where a certificate was seen at all.
    """

    outcome: Literal["again", "ask", "refuse"]
    reasons: tuple[Reason, ...] = ()
    question: Question | None = None
    facts: CertificateFacts | None = None
    obstacle: Obstacle | None = None


class CertificateStopError(Exception):
    """No connection to a server without the person's word, or none at all: see ``considered``."""

    def __init__(self, place: Place, considered: Considered) -> None:
        super().__init__(f"{place}: {', '.join(reason.id for reason in considered.reasons) or considered.outcome}")
        self.place = place
        self.considered = considered
