"""Whether the identity provider can be reached from outside: the browser goes there by itself, not through the edge."""

from __future__ import annotations

import asyncio
from typing import Final

from yarl import URL

from ringback.client.discovery.ledger import Ledger
from ringback.client.edge.problems import EdgeProblemError
from ringback.client.edge.way import EdgeWay
from ringback.client.identity.authorization import NO_BROWSER, Authorization, UnavailableError
from ringback.net.names import NameClient
from ringback.rules.reasons import Reason
from ringback.rules.trace import Outcome

_SECONDS: Final = 3.0


async def check_provider(way: EdgeWay, server: Authorization, names: NameClient, ledger: Ledger) -> None:
    """Find out where people sign in, and whether somebody answers there. Raises EdgeProblemError where nobody does;
    what can't be found out is left to the browser."""
    try:
        place = await server.where_to(NO_BROWSER)
    except UnavailableError as error:
        if error.reason is None:
            return
        raise EdgeProblemError(error.reason, status=error.status, wait=error.wait) from error
    if place is None or not place.host or place.host == way.edge.host:
        return
    asked = Reason.of("trace.asked.provider", provider=place.host)
    line = ledger.ask(asked, f"TCP {place.host}:{place.port}", server=f"{place.host}:{place.port}")
    why = await _obstacle(names, place)
    ledger.answer(line, Outcome.FAILED if why else Outcome.OK, why or "open")
    if why:
        raise EdgeProblemError(Reason.of("edge.problem.provider", provider=place.host))


async def _obstacle(names: NameClient, place: URL) -> str:
    """Why nobody answers there; empty where somebody does."""
    answer = await names.addresses(place.host or "")
    why = answer.detail or str(answer.outcome)
    for address in answer.addresses:
        try:
            async with asyncio.timeout(_SECONDS):
                _, writer = await asyncio.open_connection(address, place.port)
        except (OSError, TimeoutError) as error:
            why = str(error) or "no answer"
            continue
        writer.close()
        return ""
    return why
