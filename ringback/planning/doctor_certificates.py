"""What the doctor checks of certificates: each TLS port on the way, its chain, its revocation server, the clock."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ringback.client.discovery.ledger import Ledger
from ringback.net.certificates import UNREADABLE, ReadCertificate, Shown, look, read_certificate
from ringback.net.names import NameClient
from ringback.net.revocation import RevocationChecker
from ringback.net.tls import load_authorities, narrow
from ringback.net.tls_checks import CheckedContext
from ringback.rules.addresses import HostPort
from ringback.rules.certificate_checks import (
    ChainEvidence,
    ChainLink,
    ChainReport,
    clock_fault,
    examine,
    mode_fault,
)
from ringback.rules.certificates import Revocation
from ringback.rules.reasons import Reason
from ringback.rules.tls_modes import USUAL, TlsMode, connection_weakness
from ringback.rules.trace import Fault, Kind, Outcome


@dataclass(frozen=True, slots=True)
class TlsPlace:
    """A port that speaks TLS. ``domain``: it is a message service of this XMPP domain; TLS begins within the stream.
    ``ldap``: TLS begins within LDAP."""

    server: HostPort
    domain: str = ""
    ldap: bool = False


@dataclass(frozen=True, slots=True)
class CertificateChecks:
    """The checks of all places; ``told`` takes each fault. ``seconds`` bounds each handshake, ``mode`` is that
    of the clients."""

    ledger: Ledger
    names: NameClient
    ca_file: Path | None
    seconds: float
    told: Callable[[Fault], None]
    mode: TlsMode = USUAL

    async def run(self, places: Iterable[TlsPlace]) -> None:
        """Look at all places at once. Those that do not answer were told of before."""
        checker = RevocationChecker(self.names)
        try:
            await asyncio.gather(*(self._place(place, checker) for place in places))
        finally:
            await checker.close()

    async def _place(self, place: TlsPlace, checker: RevocationChecker) -> None:
        server = place.server
        shown = await self._look(place, self.mode)
        if shown is None:
            if self.mode is not USUAL and await self._look(place, USUAL) is not None:
                self.told(mode_fault(str(server), server.host, self.mode))
            return
        line = self.ledger.ask(
            Reason.of("trace.checked.certificate", subject=server), f"TLS {server}", server=str(server),
            kind=Kind.CHECKED,
        )  # fmt: skip
        try:
            read = [read_certificate(der) for der in shown.sent]
        except ValueError as error:
            self.ledger.answer(line, Outcome.FAILED, str(error))
            return
        revocation: Revocation = await checker.check(shown.chain) if shown.trusted else "unasked"
        report = examine(_evidence(place, shown, read, revocation, self.mode))
        if connection_weakness(shown.version, shown.cipher, self.mode) is not None:
            self.told(mode_fault(str(server), server.host, self.mode))
        for fault in report.faults:
            self.told(fault)
        outcome = Outcome.NONE if report.warns else Outcome.OK
        if report.faults or not shown.trusted:
            outcome = Outcome.FAILED
        self.ledger.answer(line, outcome, _words(read, shown), reasons=_reasons(report))

    async def _look(self, place: TlsPlace, mode: TlsMode) -> Shown | None:
        for address in (await self.names.addresses(place.server.host)).addresses:
            authorities = CheckedContext(ssl.PROTOCOL_TLS_CLIENT)
            narrow(authorities, mode)
            load_authorities(authorities, self.ca_file)
            name = place.domain or place.server.host
            shown = await look(
                address, place.server.port, name, authorities,
                domain=place.domain, ldap=place.ldap, seconds=self.seconds,
            )  # fmt: skip
            if shown is not None:
                return shown
        return None


def skew_of(date: str, took: float, server: HostPort, now: float | None = None) -> Fault | None:
    """The fault of a server whose HTTP answer was dated so; ``took`` is how long the answer took, in seconds."""
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return None
    ours = (now if now is not None else time.time()) - took / 2
    return clock_fault(str(server), server.host, theirs - ours)


def _evidence(
    place: TlsPlace, shown: Shown, read: list[ReadCertificate], revocation: Revocation, mode: TlsMode
) -> ChainEvidence:
    signed = [_signed(lower.certificate, upper.certificate) for lower, upper in itertools.pairwise(read)]
    links = tuple(
        ChainLink(each.subject, each.issuer, each.key, each.ends, by_next)
        for each, by_next in zip(read, [*signed, False], strict=True)
    )
    until = read[0].certificate.not_valid_after_utc.isoformat()
    return ChainEvidence(
        str(place.server), place.server.host, links, read[0].names, shown.trusted, until, time.time(), revocation,
        place.domain, mode,
    )  # fmt: skip


def _signed(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _words(read: list[ReadCertificate], shown: Shown) -> str:
    key = read[0].key
    kind = f"{key.kind.upper()} {key.bits}" if key.bits else key.curve or key.kind
    until = f"{read[0].certificate.not_valid_after_utc:%Y-%m-%d}"
    return f"until {until}, {kind}, {len(read)} sent, issued by {read[0].issuer}, {shown.version}"


def _reasons(report: ChainReport) -> tuple[Reason, ...]:
    return (*(fault.why for fault in report.faults), *report.notes)
