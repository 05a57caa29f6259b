"""What is wrong, from evidence: each fault with what happened, why, what the person and what the IT department can do.

``change`` is the one literal change that would have helped: a DNS record, a certificate name, a setting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ringback.rules.addresses import HostPort
from ringback.rules.reachability import CertificateFacts, Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import ServiceRecords
from ringback.rules.srv import NameAnswer, NameOutcome
from ringback.rules.trace import Fault

_PORT_OBSTACLES = (Obstacle.REFUSED, Obstacle.TIMED_OUT, Obstacle.CLOSED, Obstacle.NOT_TLS)


@dataclass(frozen=True, slots=True)
class ServerFailure:
    """Why one server was of no use. ``record`` is the SRV record that named it, as text, or empty.

    ``usual_port`` is filled where the server's usual port answers though the named one does not. ``status`` is the HTTP
    status where it answered with something else than was asked for, ``detail`` the literal error.
    """

    server: HostPort
    obstacle: Obstacle | None = None
    certificate: CertificateFacts | None = None
    status: int = 0
    detail: str = ""
    record: str = ""
    usual_port: int = 0


def _fault(fault_id: str, why: str, *, change: str = "", **values: object) -> Fault:
    """A fault whose sentences are ``fault.<id>.{what,do-first,do-then}`` and ``fault.<id>.why.<why>``."""
    return Fault(
        fault_id,
        Reason.of(f"fault.{fault_id}.what", **values),
        Reason.of(f"fault.{fault_id}.why.{why}", **values),
        Reason.of(f"fault.{fault_id}.do-first", **values),
        Reason.of(f"fault.{fault_id}.do-then", **values),
        change,
    )


def no_servers_found(domain: str, records: ServiceRecords, suggestion: str = "") -> Fault:
    """No source named a server: because nobody answered, the domain is unknown, or it has no such record."""
    server = next((answer.server for answer in records.all if answer.server), "")
    if records.silent:
        timed_out = any(answer.outcome is NameOutcome.TIMED_OUT for answer in records.all)
        return _fault("names-silent", "timed-out" if timed_out else "no-answer", domain=domain, server=server or "-")
    change = f"_cisco-uds._tcp.{domain}. 300 IN SRV 10 10 8443 <call manager>.{domain}."
    values = {"domain": domain, "server": server or "-", "suggestion": suggestion}
    if suggestion:
        return _fault("domain-typo", _why_none(records), **values)
    return _fault("no-records", _why_none(records), change=change, **values)


def _why_none(records: ServiceRecords) -> str:
    outcomes = {answer.outcome for answer in records.all}
    if any(_denied(answer) for answer in records.all):
        return "denied"
    if outcomes == {NameOutcome.REFUSED}:
        return "refused"
    return "none" if outcomes else "not-asked"


def _denied(answer: NameAnswer) -> bool:
    """RFC 2782: a record with the target "." says that the service is decidedly not there."""
    return answer.outcome is NameOutcome.FOUND and not any(record.target for record in answer.srv)


def manual_entry_wanted(domain: str) -> Fault:
    """All look-ups are excluded: the servers must be entered by hand."""
    return _fault("manual-wanted", "excluded", domain=domain)


def cloud_domain(domain: str) -> Fault:
    """The domain is in the messenger cloud, which this deployment can't sign in to."""
    return _fault("cloud-domain", "cloud", domain=domain)


_EDGE_KINDS = {
    "edge.access.none": "policy",
    "edge.access.none_on": "policy",
    "edge.access.messaging": "policy",
    "edge.access.messaging_on": "policy",
    "edge.access.revoked": "signed_out",
    "edge.access.deactivated": "signed_out",
    "edge.access.unknown": "not_ready",
    "edge.sign_in.blocked": "blocked",
}


def edge_closed(domain: str, edge: str, reason: Reason) -> Fault:
    """This computer is outside the company's network, and the edge lets it through no further: ``reason``."""
    area, _, word = reason.id.rpartition(".")
    kind = word if area == "edge.problem" else _EDGE_KINDS.get(reason.id, "other")
    values = {"domain": domain, "edge": edge}
    return Fault(
        f"edge-{kind.replace('_', '-')}",
        Reason.of(f"fault.edge.{kind}.what", **values),
        reason,
        Reason.of(f"fault.edge.{kind}.do-first", **values),
        Reason.of(f"fault.edge.{kind}.do-then", **values),
    )


def server_unreachable(domain: str, failure: ServerFailure, others: int = 0) -> Fault:
    """A server that a record or a person named can't be used; ``others`` more failed too."""
    host, port = failure.server.host, failure.server.port
    values: dict[str, str] = {
        "domain": domain, "server": str(failure.server), "host": host, "port": str(port),
        "others": str(others), "record": failure.record or "-", "detail": failure.detail or "-",
    }  # fmt: skip
    obstacle = failure.obstacle
    if obstacle is None:
        return _fault("bad-answer", "status" if failure.status else "document", status=failure.status, **values)
    if obstacle.of_certificate:
        return certificate_fault(failure)
    if failure.usual_port and obstacle in _PORT_OBSTACLES:
        change = _srv_line(failure, domain, failure.usual_port)
        return _fault("wrong-port", str(obstacle), change=change, usual=failure.usual_port, **values)
    if obstacle is Obstacle.NOT_TLS:
        return _fault("wrong-port", "not-tls", change=_srv_line(failure, domain, 8443), usual=8443, **values)
    if obstacle is Obstacle.NO_ADDRESS:
        return _fault("dead-host", "no-address", change=f"{host}. 300 IN A <address of {host}>", **values)
    return _fault("dead-host", str(obstacle), change=_srv_line(failure, domain, port, "<a server that runs>"), **values)


def _srv_line(failure: ServerFailure, domain: str, port: int, target: str = "") -> str:
    if not failure.record:
        return f"{failure.server.host}:{port}"
    return f"_cisco-uds._tcp.{domain}. 300 IN SRV 10 10 {port} {target or failure.server.host + '.'}"


def certificate_fault(failure: ServerFailure) -> Fault:
    """A certificate that is expired, not yet valid, for another name or from an unknown authority."""
    facts = failure.certificate
    values: dict[str, str] = {
        "server": str(failure.server),
        "host": failure.server.host,
        "names": ", ".join(facts.names) if facts is not None and facts.names else "-",
        "issuer": facts.issuer if facts is not None else "-",
        "valid_from": _day(facts.valid_from) if facts is not None else "-",
        "valid_until": _day(facts.valid_until) if facts is not None else "-",
    }
    if failure.obstacle is Obstacle.EXPIRED:
        return _fault("certificate-expired", "dates", change=f"A new certificate for {failure.server.host}", **values)
    if failure.obstacle is Obstacle.NOT_YET_VALID:
        return _fault("certificate-not-yet-valid", "dates", **values)
    if failure.obstacle is Obstacle.WRONG_NAME:
        change = f"A certificate whose subject alternative names hold DNS:{failure.server.host}"
        return _fault("certificate-name", "names", change=change, **values)
    return _fault("certificate-untrusted", "issuer", change=f"Trust for the authority {values['issuer']}", **values)


def _day(moment: str) -> str:
    return moment[:10]


def unknown_user(address: str, server: HostPort) -> Fault:
    """The call manager knows nobody of this name."""
    return _fault("unknown-user", "not-found", address=address, server=server)


def home_unreachable(home: str, failure: ServerFailure) -> Fault:
    """The home cluster is known and can't be reached. A certificate at fault keeps its own words."""
    if failure.obstacle is not None and failure.obstacle.of_certificate:
        return certificate_fault(failure)
    why = str(failure.obstacle) if failure.obstacle is not None else "bad-answer"
    return _fault("home-unreachable", why, home=home, server=failure.server, detail=failure.detail or "-")


def malformed_configuration(file: str, server: str, detail: str) -> Fault:
    """A configuration file or service profile is not what it must be."""
    return _fault("malformed-configuration", "document", file=file, server=server, detail=detail)


def missing_configuration(file: str, server: str, detail: str) -> Fault:
    """A needed file could not be fetched."""
    return _fault("missing-configuration", "fetch", file=file, server=server, detail=detail)


def wrong_password(address: str, server: str) -> Fault:
    """The authenticator refused the password."""
    return _fault("wrong-password", "refused", address=address, server=server)


def service_unreachable(service: str, failure: ServerFailure) -> Fault:
    """A service behind the sign-in can't be used: ``files``, ``messages``, ``login``, ``calls`` or
    ``voicemail``."""
    if failure.obstacle is not None and failure.obstacle.of_certificate:
        return certificate_fault(failure)
    why = str(failure.obstacle) if failure.obstacle is not None else "bad-answer"
    fault = _fault("service-unreachable", why, service=service, server=failure.server, detail=failure.detail or "-")
    return replace(fault, what=Reason.of(f"fault.service-unreachable.what.{service}", server=failure.server))


def phone_refused(device: str, server: HostPort, detail: str) -> Fault:
    """The call manager does not let a device of the person in, though the secret is the one it told."""
    return _fault("phone-refused", "status", device=device, server=server, detail=detail)


def no_mailbox(user: str, server: HostPort, detail: str) -> Fault:
    """The voicemail does not know somebody whom the home cluster knows by the same account."""
    return _fault("no-mailbox", "status", user=user, server=server, detail=detail)


def no_code_grant(server: str) -> Fault:
    """People sign in at an identity provider, and the call manager gives this client no tokens for it."""
    change = "Authorization code grant (OAuth with Refresh Login Flow): enabled"
    return _fault("no-code-grant", "single-sign-on", change=change, server=server)


def took_too_long(domain: str, seconds: float) -> Fault:
    """The whole look-up ran out of time."""
    return _fault("too-slow", "time", domain=domain, seconds=round(seconds))
