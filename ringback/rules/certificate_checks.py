"""What will go wrong with a certificate that still works, and what clients stricter than ours will not like; pure.

Untrusted, expired and wrongly named certificates are faults of the connection (``rules.faults``). Here is what a look
at the whole chain tells beyond that.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.rules.certificates import IdentityEvidence, PresentedNames, Purpose, Revocation, match_identity
from ringback.rules.reasons import Reason
from ringback.rules.tls_modes import USUAL, KeyFacts, TlsMode, weaknesses
from ringback.rules.trace import Fault

SOON_DAYS = 30
"""From then on the report mentions the end of a certificate."""
URGENT_DAYS = 7
"""From then on it is a fault."""
CLOCK_SECONDS = 300
"""A server's clock that is further off is a fault: tokens, assertions and tickets count by it (chosen: the bound of
Kerberos, RFC 4120 section 1.6)."""
_DAY = 86400.0
_NO_REVOCATION = "certificates.check.no_revocation"


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One certificate as it was sent. ``signed_by_next``: the one sent after it did sign it."""

    subject: str
    issuer: str
    key: KeyFacts
    ends: float
    signed_by_next: bool = False

    @property
    def is_root(self) -> bool:
        """Whether it vouches for itself."""
        return self.subject == self.issuer


@dataclass(frozen=True, slots=True)
class ChainEvidence:
    """What a server at ``host`` and ``server`` (with port) sent, and what is known of it at ``now``.

    ``sent`` is in the order of the wire, ``trusted`` says whether our authorities stand behind it, ``revocation`` what
    its revocation server said. ``domain`` is that of XMPP clients, or empty; ``mode`` is that of the clients. ``until``
    is the day of its end, ISO 8601.
    """

    server: str
    host: str
    sent: tuple[ChainLink, ...]
    names: PresentedNames
    trusted: bool
    until: str
    now: float
    revocation: Revocation = "not_named"
    domain: str = ""
    mode: TlsMode = USUAL


@dataclass(frozen=True, slots=True)
class ChainReport:
    """Faults, and notes on what is no fault yet."""

    faults: tuple[Fault, ...]
    notes: tuple[Reason, ...]

    @property
    def warns(self) -> bool:
        """Whether a note asks for something to be done. Many private authorities have no revocation server, and need
        none."""
        return any(note.id != _NO_REVOCATION for note in self.notes)


def examine(evidence: ChainEvidence) -> ChainReport:
    """Look at keys, order of the chain, dates, revocation and names."""
    values = {"host": evidence.host, "server": evidence.server, "valid_until": evidence.until[:10]}
    faults: list[Fault] = []
    notes: list[Reason] = []
    weak = [reason for link in evidence.sent for reason in weaknesses(link.key, evidence.mode, evidence.host)]
    if weak:
        faults.append(_fault("weak", values, why=weak[0]))
    problem = _order(evidence)
    if problem:
        faults.append(_fault("chain", values, why=Reason.of(f"fault.certificate-chain.why.{problem}", **values)))
    days = _days_left(evidence)
    if 0 < days <= URGENT_DAYS:
        faults.append(
            _fault("soon", {**values, "days": str(int(days))}, change=f"A new certificate for {evidence.host}")
        )
    elif URGENT_DAYS < days <= SOON_DAYS:
        notes.append(Reason.of("certificates.check.soon", days=int(days), **values))
    if evidence.revocation == "revoked":
        faults.append(_fault("revoked", values))
    elif evidence.revocation in ("unreachable", "unknown"):
        why = Reason.of(f"fault.certificate-revocation.why.{evidence.revocation}", **values)
        faults.append(_fault("revocation", values, why=why))
    elif evidence.revocation == "not_named":
        notes.append(Reason.of(_NO_REVOCATION))
    return ChainReport(tuple(faults), (*notes, *_names(evidence)))


def clock_fault(server: str, host: str, seconds: float) -> Fault | None:
    """A server whose clock differs by so many seconds (positive: it is ahead), if that is too many."""
    if abs(seconds) <= CLOCK_SECONDS:
        return None
    way = "ahead" if seconds > 0 else "behind"
    values = {"server": server, "host": host, "minutes": str(round(abs(seconds) / 60))}
    return Fault(
        "clock-skew",
        Reason.of("fault.clock-skew.what", **values),
        Reason.of(f"fault.clock-skew.why.{way}", **values),
        Reason.of("fault.clock-skew.do-first", **values),
        Reason.of("fault.clock-skew.do-then", **values),
    )


def mode_fault(server: str, host: str, mode: TlsMode) -> Fault:
    """A server that speaks TLS, but none that clients in a mode may use."""
    values = {"server": server, "host": host, "mode": mode.name}
    head = "fault.certificate-mode"
    return Fault(
        "certificate-mode",
        Reason.of(f"{head}.what", **values),
        Reason.of(f"{head}.why.handshake", **values),
        Reason.of(f"{head}.do-first", **values),
        Reason.of(f"{head}.do-then", **values),
    )


def _order(evidence: ChainEvidence) -> str:
    """What is wrong with the order of a chain (RFC 8446 section 4.4.2, RFC 5246 section 7.4.2), or nothing."""
    sent = evidence.sent
    if any(not link.signed_by_next and not link.is_root for link in sent[:-1]):
        return "order"
    if any(link.is_root for link in sent[:-1]):
        return "order"
    lonely = len(sent) == 1 and not sent[0].is_root
    return "incomplete" if lonely and not evidence.trusted else ""


def _days_left(evidence: ChainEvidence) -> float:
    return (min(link.ends for link in evidence.sent) - evidence.now) / _DAY if evidence.sent else 0.0


def _names(evidence: ChainEvidence) -> tuple[Reason, ...]:
    """What clients other than ours miss: those that count alternative names only, and those of XMPP that look for the
    domain and nothing else (RFC 6120 section 13.7.2.1)."""
    found = []
    if not evidence.names.alternative:
        found.append(Reason.of("certificates.check.common_name_only"))
    if evidence.domain:
        strict = IdentityEvidence(Purpose.XMPP, evidence.domain, evidence.names, evidence.domain, "xmpp-client")
        if not match_identity(strict).matches:
            found.append(Reason.of("certificates.check.host_only", host=evidence.host, domain=evidence.domain))
    return tuple(found)


def _fault(kind: str, values: dict[str, str], *, why: Reason | None = None, change: str = "") -> Fault:
    head = f"fault.certificate-{kind}"
    return Fault(
        f"certificate-{kind}",
        Reason.of(f"{head}.what", **values),
        why or Reason.of(f"{head}.why.dates", **values),
        Reason.of(f"{head}.do-first", **values),
        Reason.of(f"{head}.do-then", **values),
        change,
    )
