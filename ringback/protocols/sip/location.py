"""Where a SIP request goes: RFC 3263 as a pure function of the answers of name servers.

``locate`` is asked again with more answers until it has no more questions. What comes out is the order in which to try,
so that fail-over (RFC 3263 section 4.3) is only going on to the next; ``after_failures`` puts those behind that failed
a short while ago. The transports of the caller are in the order of its own preference.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ringback.protocols.sip.flows import Target, Transport
from ringback.protocols.sip.uri import Uri
from ringback.rules.reasons import Reason
from ringback.rules.srv import NameAnswer, NaptrRecord, SrvRecord, order_srv

TARGET_LIMIT: Final = 16  # hosts whose addresses are asked for; more would only help a zone that wants to keep us busy
COOL_DOWN: Final = 30.0  # seconds for which a target that failed stands behind the others

_SERVICES: Final[dict[str, Transport]] = {"sips+d2t": "tls", "sip+d2t": "tcp", "sip+d2u": "udp"}
_PREFIXES: Final[dict[Transport, str]] = {"tls": "_sips._tcp", "tcp": "_sip._tcp", "udp": "_sip._udp"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. ``port`` is 0 and ``transport`` empty where the URI does not say; ``secure``: sips.

    ``transports`` are those that the caller can use, the preferred one first; ``ipv4`` and ``ipv6`` what it can reach.
    """

    host: str
    port: int = 0
    transport: str = ""
    secure: bool = False
    transports: tuple[Transport, ...] = ("udp", "tcp", "tls")
    ipv4: bool = True
    ipv6: bool = True

    @classmethod
    def of(cls, uri: Uri, transports: tuple[Transport, ...] = ("udp", "tcp", "tls")) -> Wanted:
        """What a sip or sips URI asks for (RFC 3263 section 4: maddr goes before the host)."""
        return cls(uri.params.get("maddr") or uri.host, uri.port or 0, uri.transport, uri.secure, transports)


@dataclass(frozen=True, slots=True)
class Question:
    """A question for a name server: ``kind`` is NAPTR, SRV or A (which stands for both kinds of addresses)."""

    kind: str
    name: str


Answers = Mapping[Question, NameAnswer]


@dataclass(frozen=True, slots=True)
class Location:
    """Targets in the order to try, why, and the questions still to be asked (none: this is the end)."""

    targets: tuple[Target, ...]
    reasons: tuple[Reason, ...]
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class _Service:
    """One transport of the host, with the name of its SRV records."""

    transport: Transport
    name: str


def locate(wanted: Wanted, answers: Answers, pick: Callable[[], float] = random.random) -> Location:
    """Decide where to send. ``pick`` gives the chances for SRV weights, from 0 up to 1; it is asked for once all
    answers are there, so a caller need not keep it still between rounds."""
    return _Locator(wanted, answers, pick).run()


def after_failures(targets: tuple[Target, ...], failed_at: Mapping[Target, float], now: float) -> tuple[Target, ...]:
    """The same targets, those that failed within the last half minute behind the rest, the longest ago first."""
    bad = [target for target in targets if now - failed_at.get(target, -COOL_DOWN) < COOL_DOWN]
    return (*(target for target in targets if target not in bad), *sorted(bad, key=lambda target: failed_at[target]))


def default_port(transport: str) -> int:
    """5061 for TLS, else 5060 (RFC 3261 section 19.1.2)."""
    return 5061 if transport == "tls" else 5060


class _Locator:
    """One run of the decision."""

    def __init__(self, wanted: Wanted, answers: Answers, pick: Callable[[], float]) -> None:
        self._wanted = wanted
        self._answers = answers
        self._pick = pick
        self._questions: list[Question] = []
        self._reasons: list[Reason] = []
        self._targets: list[Target] = []

    def run(self) -> Location:
        wanted = self._wanted
        if _is_address(wanted.host):
            self._literal()
        elif wanted.port:
            self._host(self._transport(), wanted.host, wanted.port)
        else:
            services = self._services()
            if not self._questions:
                self._by_services(services)
        if self._questions:
            return Location((), (), tuple(dict.fromkeys(self._questions)))
        if not self._targets:
            self._say("nowhere", host=wanted.host)
        return Location(tuple(dict.fromkeys(self._targets)), tuple(self._reasons))

    def _literal(self) -> None:
        transport = self._transport()
        port = self._wanted.port or default_port(transport)
        self._say("address", host=self._wanted.host, transport=transport.upper(), port=port)
        self._targets.append(Target(transport, self._wanted.host, port, self._wanted.host))

    def _transport(self) -> Transport:
        """The transport where no records are asked for it (section 4.1)."""
        wanted = self._wanted
        if wanted.secure or wanted.transport == "tls":
            return "tls"
        if wanted.transport == "tcp":
            return "tcp"
        return "udp" if "udp" in wanted.transports or wanted.transport == "udp" else wanted.transports[0]

    def _services(self) -> list[_Service]:
        """The transports to try with their SRV names, in order: by the URI, by NAPTR, else by our own preference."""
        wanted = self._wanted
        if wanted.transport or (wanted.secure and "tls" in wanted.transports):
            transport = self._transport()
            if wanted.transport:
                self._say("transport", host=wanted.host, transport=transport.upper())
            return [_Service(transport, f"{_PREFIXES[transport]}.{wanted.host}")]
        answer = self._ask("NAPTR", wanted.host)
        if answer is None:
            return []
        found = [_Service(transport, record.replacement) for record, transport in self._usable(answer.naptr)]
        if found:
            self._say("naptr", host=wanted.host, transports=", ".join(each.transport.upper() for each in found))
            return found
        return [_Service(each, f"{_PREFIXES[each]}.{wanted.host}") for each in wanted.transports]

    def _usable(self, records: tuple[NaptrRecord, ...]) -> list[tuple[NaptrRecord, Transport]]:
        rows = []
        for record in sorted(records, key=lambda record: (record.order, record.preference)):
            transport = _SERVICES.get(record.service.lower())
            if record.flags.lower() != "s" or not record.replacement or transport not in self._wanted.transports:
                continue
            if transport == "tls" or not self._wanted.secure:
                rows.append((record, transport))
        return rows

    def _by_services(self, services: list[_Service]) -> None:
        """SRV records of every service; the host itself where there are none at all (section 4.2)."""
        answers = [(service, self._ask("SRV", service.name)) for service in services]
        if self._questions:
            return
        told = False
        for service, answer in answers:
            records = answer.srv if answer is not None else ()
            if not records:
                continue
            told = True
            if not any(record.target for record in records):
                self._say("not-offered", name=service.name)
                continue
            self._by_records(service, records)
        if not told:
            transport = self._transport()
            self._say_unanswered([answer for _, answer in answers if answer is not None])
            self._say("no-records", host=self._wanted.host, port=default_port(transport))
            self._host(transport, self._wanted.host, default_port(transport))

    def _by_records(self, service: _Service, records: tuple[SrvRecord, ...]) -> None:
        hosts = sorted(records, key=lambda record: record.priority)[:TARGET_LIMIT]
        for record in hosts:
            if record.target:
                self._ask("A", record.target)
        if self._questions:
            return
        for record in order_srv(hosts, self._pick):
            self._say("srv", name=service.name, host=record.target, port=record.port)
            self._host(service.transport, record.target, record.port)

    def _host(self, transport: Transport, host: str, port: int) -> None:
        answer = self._ask("A", host)
        if answer is None:
            return
        wanted = self._wanted
        addresses = [each for each in answer.addresses if (wanted.ipv6 if ":" in each else wanted.ipv4)]
        if not addresses:
            self._say_unanswered([answer])
            self._say("no-address", host=host)
        # RFC 5922 section 7: the certificate must name the domain of the URI, not the host that a record leads to
        self._targets += [Target(transport, address, port, wanted.host) for address in addresses]

    def _ask(self, kind: str, name: str) -> NameAnswer | None:
        question = Question(kind, name.lower())
        answer = self._answers.get(question)
        if answer is None:
            self._questions.append(question)
        return answer

    def _say(self, what: str, **values: object) -> None:
        self._reasons.append(Reason.of(f"sip.location.{what}", **values))

    def _say_unanswered(self, answers: list[NameAnswer]) -> None:
        for answer in answers:
            if not answer.answered:
                self._say("unanswered", question=answer.question)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
