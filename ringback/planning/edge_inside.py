"""The doctor at the inner side of the edge: what the inner proxy of this machine says of itself, judged.

The proxy tells (``protocols.edge.desk.State``), this judges: one sentence for each thing that is as it should be or is
not, and for what is not, what to do about it. Nothing is asked here; so a state of any edge, also a half dead one, can
be judged in a test.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ringback.protocols.edge.desk import Company, Outer, Shown, Source, State
from ringback.rules.reasons import Reason

_DAY: Final = 86_400.0
_SOON: Final = 30 * _DAY
_STALE: Final = 60.0  # seconds; keys are asked for every two seconds
_CLOCK: Final = 30.0  # seconds; tokens bear a minute between two clocks


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` is so; ``remedy`` says what to do where it is a fault, or will be one (``warning``)."""

    what: Reason
    remedy: Reason | None = None
    warning: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether something does not work now."""
        return self.remedy is not None and not self.warning


def not_running(node: str, why: str) -> Finding:
    """The inner proxy can't be asked."""
    return Finding(
        Reason.of("edge.doctor.not_running", node=node, why=why), Reason.of("edge.doctor.not_running.do", node=node)
    )


def judge(state: State) -> tuple[Finding, ...]:
    """All that is to be said of an inner proxy, from the outside inwards."""
    found = [*(_outer(outer) for outer in state.outers)]
    found += _certificate(state.link_certificate, (), state.now, "link")
    for company in state.companies:
        found += _certificate(company.certificate, tuple(company.names), state.now, "public")
        found += _names(company)
        found += _sources(company.domain, company.keys, "keys")
        found += _sources(company.domain, company.policies, "policies")
        found += _clocks(company)
        found += _presence(company)
    return (*found, *_protection(state))


def _outer(outer: Outer) -> Finding:
    if outer.reached:
        return Finding(Reason.of("edge.doctor.link", outer=outer.name, connections=outer.connections))
    words = outer.why.lower()
    kind = "refused"
    if "certificate" in words or "ssl" in words:
        kind = "certificate"
    elif "no answer" in words or "timed out" in words or "unreachable" in words:
        kind = "silent"
    values = {"outer": outer.name, "link": outer.link, "why": outer.why or "it was not tried yet"}
    return Finding(Reason.of("edge.doctor.no_link", **values), Reason.of(f"edge.doctor.no_link.{kind}", **values))


def _certificate(shown: Shown, names: tuple[str, ...], now: float, use: str) -> Iterator[Finding]:
    values = {"file": shown.file, "use": use, "until": time.strftime("%Y-%m-%d", time.gmtime(shown.until))}
    if not shown.until:
        yield Finding(
            Reason.of("edge.doctor.certificate.unreadable", **values), Reason.of("edge.doctor.certificate.do")
        )
        return
    lacks = sorted(set(names) - {name.lower() for name in shown.names})
    if lacks:
        named = {**values, "names": ", ".join(lacks)}
        yield Finding(
            Reason.of("edge.doctor.certificate.lacks", **named), Reason.of("edge.doctor.certificate.anew", **named)
        )
    if shown.until <= now:
        yield Finding(Reason.of("edge.doctor.certificate.over", **values), Reason.of("edge.doctor.certificate.do"))
    elif shown.until - now < _SOON:
        soon = Reason.of("edge.doctor.certificate.soon", **values)
        yield Finding(soon, Reason.of("edge.doctor.certificate.do"), warning=True)
    elif not lacks:
        yield Finding(Reason.of("edge.doctor.certificate", **values))


def _names(company: Company) -> Iterator[Finding]:
    server = company.name_server or "the system's name server"
    values = {"domain": company.domain, "server": server, "why": company.name_error}
    if company.name_error:
        yield Finding(Reason.of("edge.doctor.no_names", **values), Reason.of("edge.doctor.no_names.do", **values))
    else:
        yield Finding(Reason.of("edge.doctor.names", **values))


def _sources(domain: str, sources: list[Source], what: str) -> Iterator[Finding]:
    """Keys or policies: with one call manager of each cluster they work, so one that is silent is a warning."""
    good = [one for one in sources if not one.why]
    if good:
        yield Finding(Reason.of(f"edge.doctor.{what}", domain=domain, nodes=", ".join(one.node for one in good)))
    for one in sources:
        if not one.why:
            continue
        values = {"domain": domain, "node": one.node, "why": one.why}
        kind = "refused" if one.why.endswith(("401", "403")) else "silent"
        never = one.seconds is None
        old = not never and (one.seconds or 0.0) > _STALE
        state = "never" if never else ("old" if old else "now")
        yield Finding(
            Reason.of(f"edge.doctor.no_{what}", **values, state=state),
            Reason.of(f"edge.doctor.source.{kind}", **values),
            warning=bool(good),
        )


def _clocks(company: Company) -> Iterator[Finding]:
    for one in company.keys:
        if not one.why and abs(one.ahead) > _CLOCK:
            values = {
                "node": one.node,
                "seconds": str(round(abs(one.ahead))),
                "way": "ahead" if one.ahead > 0 else "behind",
            }
            yield Finding(Reason.of("edge.doctor.clock", **values), Reason.of("edge.doctor.clock.do", **values))


def _presence(company: Company) -> Iterator[Finding]:
    silent = {name: why for name, why in company.reached.items() if why}
    for name, why in company.reached.items():
        if not why:
            yield Finding(Reason.of("edge.doctor.presence", node=name))
            continue
        values = {"node": name, "why": why}
        yield Finding(
            Reason.of("edge.doctor.no_presence", **values),
            Reason.of("edge.doctor.no_presence.do", **values),
            warning=len(silent) < len(company.reached),
        )


def _protection(state: State) -> Iterator[Finding]:
    addresses = [block.who for block in state.blocks if block.kind == "address"]
    people = [block.who for block in state.blocks if block.kind == "person"]
    if not addresses and not people:
        yield Finding(Reason.of("edge.doctor.nobody_out"))
    if addresses:
        shown = ", ".join(addresses[:5]) + (" ..." if len(addresses) > 5 else "")
        yield Finding(
            Reason.of("edge.doctor.addresses_out", count=len(addresses), who=shown),
            Reason.of("edge.doctor.addresses_out.do"),
            warning=True,
        )
    if people:
        yield Finding(
            Reason.of("edge.doctor.people_out", count=len(people), who=", ".join(sorted(set(people))[:5])),
            Reason.of("edge.doctor.people_out.do"),
            warning=True,
        )
