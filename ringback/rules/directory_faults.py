"""What is wrong with a directory of people, from evidence: each fault with what helps; see ``rules.faults``."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault


def _fault(fault_id: str, why: str, *, change: str = "", **values: object) -> Fault:
    return Fault(
        fault_id,
        Reason.of(f"fault.{fault_id}.what", **values),
        Reason.of(f"fault.{fault_id}.why.{why}", **values),
        Reason.of(f"fault.{fault_id}.do-first", **values),
        Reason.of(f"fault.{fault_id}.do-then", **values),
        change,
    )


def directory_not_found(domain: str, asked: Sequence[str]) -> Fault:
    """No server is configured, and no record names one."""
    change = (
        f"{asked[-1]}. 300 IN SRV 0 100 389 <directory server>." if asked else "PrimaryServerName in jabber-config.xml"
    )
    why = "no-record" if asked else "nothing-asked"
    return _fault("directory-not-found", why, change=change, domain=domain, asked=", ".join(asked) or "-")


def directory_unreachable(server: str, detail: str, *, others: int = 0) -> Fault:
    """A server does not answer. ``others``: how many do."""
    return _fault("directory-unreachable", "others" if others else "alone", server=server, detail=detail, others=others)


def directory_insecure(server: str) -> Fault:
    """A server without TLS, which is told nothing."""
    return _fault("directory-insecure", "no-starttls", change="UseSSL true, or StartTLS at the server", server=server)


def directory_sign_in(server: str, why: str, *, invalid: bool) -> Fault:
    """The account of searches does not get in, or the server wants one."""
    return _fault("directory-sign-in", "refused" if invalid else "no-way", server=server, detail=why)


def directory_base(server: str, base: str, detail: str) -> Fault:
    """A search base is not there, or may not be seen."""
    change = f"SearchBase1, or read access to {base}"
    return _fault("directory-base", "refused", change=change, server=server, base=base, detail=detail)


def directory_slow(server: str, attributes: Sequence[str], how: str) -> Fault:
    """Attributes that people are looked for by have no index."""
    names = ", ".join(attributes)
    lines = "; ".join(f"olcDbIndex: {name} eq,sub" for name in attributes)
    change = lines if how != "schema" else f"searchFlags bit 0 (fATTINDEX) of {names}"
    return _fault("directory-slow", how, change=change, server=server, attributes=names)


def directory_person(server: str, user: str, base: str, attribute: str) -> Fault:
    """The person who is examined is not found in the directory."""
    return _fault("directory-person", "not-found", server=server, user=user, base=base, attribute=attribute)


def directory_search(server: str, detail: str, milliseconds: float = 0.0) -> Fault:
    """A search that people make fails, or takes long."""
    why = "late" if milliseconds else "failed"
    return _fault("directory-search", why, server=server, detail=detail, milliseconds=round(milliseconds))


def directory_photo(user: str, place: str, detail: str) -> Fault:
    """The picture that the directory promises can't be had."""
    return _fault("directory-photo", "unreachable", user=user, place=place, detail=detail)
