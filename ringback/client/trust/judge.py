"""The judge: contexts whose handshakes end in a verdict, and what to do about a certificate that did not pass.

How a connection is judged: OpenSSL verifies chain and dates against the authorities of system and deployment. At the
end of the handshake, before anything is sent, names, keys, mode and revocation are looked at and ``rules.certificates``
gives the verdict. A server for which the person accepted a certificate gets a context that takes this very certificate
as an anchor too; whatever else that certificate may have signed is refused.

What did not pass is told by ``consider``. Where OpenSSL ended the handshake, nobody has seen the certificate: one more
connection that carries nothing shows it.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding

from ringback.client.store.store import Store
from ringback.client.trust.evidence import certificate_error, obstacle_of_evidence, validity
from ringback.client.trust.memory import Memory, Remembered
from ringback.client.trust.model import CertificateStopError, Considered, Expected, Place, Question
from ringback.client.trust.policy import TrustPolicy
from ringback.net.certificates import NO_CHECK_TIME, ReadCertificate, look, obstacle_of, read_certificate
from ringback.net.names import NameClient
from ringback.net.revocation import RevocationChecker
from ringback.net.tls import load_authorities, narrow
from ringback.net.tls_checks import CertificateRefusedError, CheckedContext, Handshake
from ringback.rules.certificates import (
    CertificateEvidence,
    CertificateVerdict,
    IdentityEvidence,
    Revocation,
    comparable_host,
    judge,
    match_identity,
)
from ringback.rules.reachability import Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.tls_modes import connection_weakness, weaknesses

_T = TypeVar("_T")
_CONTEXTS = 64
_QUESTIONS = 64
_READ = 256
_TRIES = 3
_NAME_MISMATCH = 62  # X509_V_ERR_HOSTNAME_MISMATCH, which callers know already


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """``ca_file``: authorities beside the system's. ``clock`` gives seconds since 1970. ``identity``: the person's own
    certificate with its chain and key (PEM), for servers that are expected to want it."""

    ca_file: Path | None = None
    policy: TrustPolicy = field(default_factory=TrustPolicy)
    clock: Callable[[], float] = time.time
    identity: Path | None = None


class JudgedContext(CheckedContext):
    """What connections are opened with. Each gets its settings of the judge by the name that it is opened with; those
    of this object itself count for nothing."""

    choose: Callable[[str], ssl.SSLContext]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As the base class does, in the context that the judge has for this server."""
        name = server_hostname.decode("ascii", "replace") if isinstance(server_hostname, bytes) else server_hostname
        return self.choose(name or "").wrap_bio(incoming, outgoing, server_side, server_hostname, session)


class TrustJudge:
    """Judges the servers of one person. Connections of every kind may be opened with its contexts."""

    def __init__(self, settings: TrustSettings, names: NameClient) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._names = names
        self._memory = Memory()
        self._revocation = RevocationChecker(names, settings.clock)
        self._judged: OrderedDict[Expected, JudgedContext] = OrderedDict()
        self._contexts: OrderedDict[tuple[Expected, str], CheckedContext] = OrderedDict()
        self._asked: OrderedDict[tuple[str, str], tuple[str, ReadCertificate]] = OrderedDict()
        self._read: OrderedDict[bytes, ReadCertificate] = OrderedDict()
        self._authorities_of = 0

    @property
    def policy(self) -> TrustPolicy:
        """The policy in force."""
        return self._policy

    def change_policy(self, policy: TrustPolicy) -> None:
        """Another policy, for connections from now on."""
        self._policy = policy
        self._contexts.clear()

    def change_names(self, names: NameClient) -> None:
        """Ask another name client from now on."""
        self._names = names
        self._revocation.change_names(names)

    async def attach(self, store: Store) -> None:
        """Remember in a store, and know what it holds. Raises StoreKeyError where it was changed."""
        await self._memory.attach(store)
        self._contexts.clear()

    def detach(self) -> None:
        """The store is closed."""
        self._memory.detach()

    async def close(self) -> None:
        """End what is under way."""
        await self._revocation.close()

    @property
    def has_identity(self) -> bool:
        """Whether the person has a certificate to show."""
        return self._settings.identity is not None

    # --- opening connections

    def context(self, expected: Expected | None = None) -> ssl.SSLContext:
        """The context for connections to whom is expected; kept, so ask each time.

        Raises OSError or ssl.SSLError where ``ca_file`` or ``identity`` can't be read.
        """
        expected = expected or Expected()
        found = self._judged.get(expected)
        if found is None:
            found = self._judged[expected] = JudgedContext(ssl.PROTOCOL_TLS_CLIENT)
            found.choose = lambda name: self._context(expected, name)
            self._context(expected, expected.host)
            if len(self._judged) > _CONTEXTS:
                self._judged.popitem(last=False)
        self._judged.move_to_end(expected)
        return found

    async def reach(self, place: Place, connect: Callable[[], Awaitable[_T]]) -> _T:
        """Connect, as often as the judge must ask somebody in between. Raises CertificateStopError where a certificate
        stands in the way, and whatever else ``connect`` raises."""
        for _ in range(_TRIES):
            try:
                return await connect()
            except (ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError) as error:
                considered = await self.consider(error, place)
                if considered.outcome != "again":
                    raise CertificateStopError(place, considered) from error
        return await connect()

    def _context(self, expected: Expected, name: str) -> CheckedContext:
        """Trusts the authorities and what was accepted for this server."""
        self._look_at_authorities()
        server = comparable_host(expected.host or name)
        accepted = self._memory.of(server) if self._policy.strictness.person_may_accept else ()
        # Servers without exceptions share one context.
        place = (expected, server if accepted else "")
        found = self._contexts.get(place)
        if found is None:
            found = self._authorities()
            if accepted:
                # A certificate that is over may be among them; the check looks at all dates itself.
                found.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
                found.load_verify_locations(cadata=b"".join(row.der for row in accepted))
            if expected.identify and self._settings.identity is not None:
                found.load_cert_chain(self._settings.identity)
            found.check = lambda handshake: self._check(handshake, expected, dates=bool(accepted))
            self._contexts[place] = found
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(place)
        return found

    def _look_at_authorities(self) -> None:
        """An authority that was installed meanwhile counts from the next connection on."""
        ca_file = self._settings.ca_file
        if ca_file is None:
            return
        with contextlib.suppress(OSError):  # told where a context is made of it
            changed = ca_file.stat().st_mtime_ns
            if changed != self._authorities_of:
                self._authorities_of = changed
                self._contexts.clear()

    def _authorities(self) -> CheckedContext:
        context = CheckedContext(ssl.PROTOCOL_TLS_CLIENT)
        narrow(context, self._policy.strictness.tls)
        context.check_hostname = False  # names are looked at by the check, which knows those of XMPP and SIP too
        load_authorities(context, self._settings.ca_file)
        return context

    # --- the check at the end of a handshake

    def _check(self, handshake: Handshake, expected: Expected, *, dates: bool) -> None:
        """Raises CertificateRefusedError for any verdict but ``connect``."""
        server = comparable_host(expected.host or handshake.host)
        anchors = {row.fingerprint for row in self._memory.of(server)} if dates else set()
        try:
            chain = [self._reading(der) for der in handshake.chain]
        except ValueError as error:
            raise CertificateRefusedError(str(error), (), handshake) from error
        # What an accepted certificate signed is not trusted: it was accepted as a server's, not as an authority's.
        trusted = bool(chain) and chain[-1].fingerprint not in anchors
        revocation = self._known(handshake.chain) if trusted else "unasked"
        if revocation is None:
            words = "it must be asked first whether the certificate was revoked"
            raise CertificateRefusedError(words, (), handshake, undecided=True)
        evidence = self._evidence(server, chain, handshake, expected, trusted, revocation)
        verdict = judge(evidence, self._policy.strictness)
        if verdict.outcome != "connect":
            words = ", ".join(reason.id for reason in verdict.reasons)
            code = 1 if evidence.identity.matches else _NAME_MISMATCH
            raise CertificateRefusedError(words, verdict.reasons, handshake, code=code)

    def _known(self, chain: tuple[bytes, ...]) -> Revocation | None:
        return "unasked" if self._policy.checks == "off" else self._revocation.known(chain)

    def _evidence(
        self,
        server: str,
        chain: list[ReadCertificate],
        handshake: Handshake,
        expected: Expected,
        trusted: bool,
        revocation: Revocation,
    ) -> CertificateEvidence:
        mode, leaf = self._policy.strictness.tls, chain[0]
        weak: list[Reason] = []
        for each in chain:
            weak += (reason for reason in weaknesses(each.key, mode, server) if reason not in weak)
        if (weakness := connection_weakness(handshake.version, handshake.cipher, mode)) is not None:
            weak.append(weakness)
        identity = match_identity(
            IdentityEvidence(
                expected.purpose, expected.host or handshake.host, leaf.names, expected.domain, expected.service
            )
        )
        return CertificateEvidence(
            server,
            identity,
            trusted,
            valid=validity(chain if trusted else chain[:1], self._settings.clock()),
            weak=tuple(weak),
            revocation=revocation,
            checks=self._policy.checks,
            remembered=self._memory.holds(server, leaf.fingerprint),
            behaviour=self._policy.behaviour,
        )

    def _reading(self, der: bytes) -> ReadCertificate:
        found = self._read.get(der)
        if found is None:
            found = self._read[der] = read_certificate(der)
            if len(self._read) > _READ:
                self._read.popitem(last=False)
        return found

    # --- afterwards

    async def consider(self, error: BaseException, place: Place) -> Considered:
        """What to do about a connection that a certificate ended. ``error`` is what the connection raised.

        Where nothing is seen of the certificate any more, the outcome is ``refuse`` with the error's own word.
        """
        inner = certificate_error(error)
        if isinstance(inner, CertificateRefusedError):
            handshake, trusted = inner.handshake, None
            if inner.undecided:
                await self._revocation.check(handshake.chain)
                return Considered("again")
        else:
            seen = await self._look(place)
            if seen is None:
                words = inner.verify_message if inner is not None else type(error).__name__
                reason = Reason.of("certificates.unseen", server=place, why=words or "-")
                obstacle = obstacle_of(inner) if inner is not None else Obstacle.NOT_TLS
                return Considered("refuse", (reason,), obstacle=obstacle)
            handshake, trusted = seen
        return await self._conclude(place, handshake, trusted)

    async def _conclude(self, place: Place, handshake: Handshake, trusted: bool | None) -> Considered:
        """The verdict once more, of all that is known; ``trusted`` None: the chain was verified in the handshake."""
        expected = place.expected
        server = comparable_host(expected.host or place.host)
        try:
            chain = [self._reading(der) for der in handshake.chain]
        except ValueError as error:
            return Considered("refuse", (Reason.of("certificates.unseen", server=place, why=error),))
        anchors = {row.fingerprint for row in self._memory.of(server)}
        if trusted is None:
            trusted = chain[-1].fingerprint not in anchors
        revocation: Revocation = "unasked"
        if trusted and self._policy.checks != "off":
            revocation = await self._revocation.check(handshake.chain)
        named = handshake if handshake.host else Handshake(place.host, handshake.chain, handshake.version, "")
        evidence = self._evidence(server, chain, named, expected, trusted, revocation)
        verdict = judge(evidence, self._policy.strictness)
        if verdict.outcome == "connect":
            return Considered("again")
        return self._told(place, server, chain[0], evidence, verdict)

    def _told(
        self,
        place: Place,
        server: str,
        leaf: ReadCertificate,
        evidence: CertificateEvidence,
        verdict: CertificateVerdict,
    ) -> Considered:
        expected = place.expected
        wanted = " / ".join(dict.fromkeys(filter(None, (expected.domain, expected.host or place.host))))
        facts = leaf.facts(str(place), wanted)
        obstacle = obstacle_of_evidence(evidence)
        if verdict.outcome != "ask":
            return Considered("refuse", verdict.reasons, facts=facts, obstacle=obstacle)
        before = next((row for row in reversed(self._memory.of(server)) if row.fingerprint != leaf.fingerprint), None)
        question = Question(
            facts.server, wanted, facts.names, facts.subject, facts.issuer, facts.valid_from, facts.valid_until,
            facts.fingerprint, verdict.reasons, before,
        )  # fmt: skip
        self._asked[leaf.fingerprint, question.server] = (server, leaf)
        if len(self._asked) > _QUESTIONS:
            self._asked.popitem(last=False)
        return Considered("ask", verdict.reasons, question, facts, obstacle)

    async def _look(self, place: Place) -> tuple[Handshake, bool] | None:
        """What the server shows to one who does not judge, and whether an authority stands behind it."""
        expected = place.expected
        name = (expected.domain if expected.purpose == "xmpp" else "") or place.host
        addresses = (place.address,) if place.address else (await self._names.addresses(place.host)).addresses
        for address in addresses:
            authorities = self._authorities()
            domain = (expected.domain or place.host) if place.starttls else ""
            shown = await look(address, place.port, name, authorities, domain=domain, ldap=place.ldap)
            if shown is not None:
                return Handshake(place.host, shown.chain, shown.version, shown.cipher), shown.trusted
        return None

    # --- the person's word

    async def accept(self, fingerprint: str, server: str = "") -> None:
        """Accept the certificate of a question from now on, for the server of that question and no other that shows the
        same one. ``server`` is the question's; empty where only one was asked about. Raises KeyError where none was."""
        places = [place for place in self._asked if place[0] == fingerprint and server in ("", place[1])]
        if len(places) != 1:
            raise KeyError(fingerprint)
        server, leaf = self._asked.pop(places[0])
        now = datetime.datetime.fromtimestamp(self._settings.clock(), datetime.UTC)
        await self._memory.add(
            Remembered(
                server=server,
                fingerprint=fingerprint,
                certificate=base64.b64encode(_der(leaf)).decode(),
                subject=leaf.subject,
                issuer=leaf.issuer,
                valid_until=leaf.certificate.not_valid_after_utc.isoformat(),
                accepted_at=now.isoformat(timespec="microseconds"),
            )
        )
        self._contexts.clear()

    def decline(self, fingerprint: str) -> None:
        """Do not accept it; a later connection asks again."""
        for place in [place for place in self._asked if place[0] == fingerprint]:
            del self._asked[place]

    async def forget(self) -> None:
        """Forget every accepted certificate."""
        await self._memory.forget()
        self._asked.clear()
        self._contexts.clear()


def _der(leaf: ReadCertificate) -> bytes:
    return leaf.certificate.public_bytes(Encoding.DER)
