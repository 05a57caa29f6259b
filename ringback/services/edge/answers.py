"""What the edge says to whom it does not serve, so that a client can show it in a person's language."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason

REASON_HEADER: Final = "Ringback-Reason"
"""The id of the reason in the catalogue."""
VALUES_HEADER: Final = "Ringback-Reason-Values"
"""The values that its sentence names: ``kind=phone; minutes=10``."""
ACCESS_HEADER: Final = "Ringback-Remote-Access"
"""``all`` or ``messaging``, on the edge configuration."""
_SERVER: Final = "CE_C ECS"
_AGAIN: Final = 5  # seconds after which an edge that has just begun knows more


def refusal(reason: Reason, status: int = 0, seconds: int = 0) -> web.Response:
    """The answer for a reason: 503 where the edge only does not know yet, else 403; ``seconds`` to wait."""
    unknown = reason.id == "edge.access.unknown"
    answer = web.Response(
        status=status or (503 if unknown else 403), text=f"{render(reason)}\n", headers={"Server": _SERVER}
    )
    tell(answer, reason)
    if seconds or unknown:
        answer.headers[hdrs.RETRY_AFTER] = str(seconds or _AGAIN)
    return answer


def tell(answer: web.StreamResponse, reason: Reason) -> None:
    """Say the reason in the head of an answer. Values are words of ours, never what a client sent."""
    answer.headers[REASON_HEADER] = reason.id
    if reason.values:
        answer.headers[VALUES_HEADER] = "; ".join(f"{name}={value}" for name, value in sorted(reason.values.items()))
