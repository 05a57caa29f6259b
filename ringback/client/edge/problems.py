"""Why the edge was of no use, as one sentence each."""

from __future__ import annotations

from typing import Final

from ringback.rules.addresses import HostPort
from ringback.rules.catalogue import arguments_of, catalogue
from ringback.rules.reasons import Reason

_LONGEST: Final = 200  # characters of a value in a reason of the edge
SERVER: Final = "CE_C ECS"
"""What an edge calls itself in its own answers; those of servers inside carry other names."""


class EdgeProblemError(Exception):
    """The edge lets nobody through now; ``reason`` says why, for showing. ``wait``: seconds to leave it alone, 0 where
    it did not say; ``status``: of its answer, 0 where there was none."""

    def __init__(self, reason: Reason, *, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(reason.id)
        self.reason = reason
        self.status = status
        self.wait = wait


def reason_of(status: int, edge: HostPort, *, domain: str, server: str = "", wait: float = 0.0) -> Reason | None:
    """What an answer of the edge itself means; None where it stands in nobody's way. ``server``: the one inside that
    was wanted, empty where the edge itself was asked. Pure."""
    values: dict[str, object] = {"edge": edge.host, "domain": domain, "server": server or "-"}
    if status < 400:
        return None
    if status == 429 and wait >= 60.0:
        return Reason.of("edge.problem.blocked", minutes=max(1, -(-round(wait) // 60)), **values)
    if status == 404 and not server:
        return Reason.of("edge.problem.domain", **values)
    words = {
        401: "signed_out",
        403: "not_allowed" if server else "policy",
        429: "busy",
        502: "next_hop",
        503: "not_ready",
    }
    return Reason.of(f"edge.problem.{words.get(status, 'other')}", status=status, **values)


def reason_in(reason_id: str, values: str) -> Reason | None:
    """The reason that an edge of this project names in its answer (``kind=phone;minutes=10``); None where it names none
    that can be said here. Pure."""
    sentence = catalogue().get(reason_id) if reason_id.startswith("edge.") else None
    if sentence is None:
        return None
    rows = (part.partition("=") for part in values[: 4 * _LONGEST].split(";"))
    given = {name.strip(): value.strip()[:_LONGEST] for name, _, value in rows if name.strip()}
    return Reason(reason_id, given) if arguments_of(sentence) <= set(given) else None
