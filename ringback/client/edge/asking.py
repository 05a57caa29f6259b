"""What is asked of the edge itself: how people sign in, and its configuration."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Final
from urllib.parse import urlencode

from ringback.client.edge.problems import EdgeProblemError, reason_of
from ringback.client.edge.telling import Listener, Nobody
from ringback.client.edge.way import EdgeWay
from ringback.client.identity.credentials import Credentials, NoTokenError
from ringback.client.identity.https import Answer, CertificateProblemError, Https, HttpsError
from ringback.client.trust import CertificateStopError
from ringback.protocols.edge import EdgeConfiguration, EdgeDocumentError, EdgeSignIn
from ringback.rules.addresses import UserAddress
from ringback.rules.reasons import Reason

SERVICES: Final = ("_cisco-uds", "_cuplogin")
"""The records inside that are asked for, in the order in which they count."""
_NOBODY: Final = Nobody()


class EdgeStopError(EdgeProblemError):
    """The certificate of the edge stands in the way; ``stop`` says what may be done about it."""

    def __init__(self, reason: Reason, stop: CertificateStopError) -> None:
        super().__init__(reason)
        self.stop = stop


class EdgePasswordError(EdgeProblemError):
    """The edge refuses what proves who the person is."""


async def ask_sign_in(way: EdgeWay, https: Https, address: UserAddress, told: Listener = _NOBODY) -> EdgeSignIn:
    """How the people of the domain sign in. Raises EdgeProblemError."""
    path = f"get_edge_sso?{urlencode({'email': str(address)})}"
    answer = await _ask(way, https, path, {}, told)
    try:
        found = EdgeSignIn.parse(answer.body)
    except EdgeDocumentError as error:
        raise _unreadable(way, error) from error
    return found


async def open_way(
    way: EdgeWay,
    https: Https,
    credentials: Credentials,
    told: Listener = _NOBODY,
    clock: Callable[[], float] = time,
) -> None:
    """Read the configuration of the edge as this person, who goes this way from now on. Raises EdgeProblemError."""

    async def proof() -> str:
        try:
            return await credentials.proof()
        except NoTokenError as error:
            raise EdgeProblemError(error.reason) from error

    way.proof, way.spoiled = proof, credentials.spoil
    path = f"get_edge_config?{urlencode([('service_name', name) for name in SERVICES])}"
    answer = await _ask(way, https, path, {"Authorization": await proof()}, told)
    if answer.status == 401 and credentials.by_token:
        answer = await _with_another(way, https, credentials, path, told)
    if answer.status == 401:
        raise EdgePasswordError(_reason(way, 401), status=401)
    way.access = answer.access
    try:
        way.open(EdgeConfiguration.parse(answer.body), clock())
    except EdgeDocumentError as error:
        raise _unreadable(way, error) from error


async def _with_another(way: EdgeWay, https: Https, credentials: Credentials, path: str, told: Listener) -> Answer:
    """The edge refused the token: once more with the next one, which was asked for when that was heard."""
    try:
        header = f"Bearer {await credentials.token()}"
    except NoTokenError as error:
        raise EdgeProblemError(error.reason) from error
    return await _ask(way, https, path, {"Authorization": header}, told)


async def _ask(way: EdgeWay, https: Https, path: str, headers: dict[str, str], told: Listener) -> Answer:
    line = told.asks(f"GET {way.own(path)}", str(way.edge))
    try:
        answer = await https.ask_edge(way, path, headers)
    except CertificateProblemError as error:
        told.answered(line, error.detail, good=False)
        raise EdgeStopError(Reason.of("edge.problem.certificate", edge=way.edge.host), error.stop) from error
    except HttpsError as error:
        told.answered(line, error.detail, good=False)
        unreachable = Reason.of("edge.problem.unreachable", edge=_all(way), why=error.detail)
        raise EdgeProblemError(error.reason or unreachable, status=error.status, wait=error.wait) from error
    told.answered(line, f"HTTP {answer.status}", good=answer.status == 200)
    if answer.status not in (200, 401):
        raise EdgeProblemError(_reason(way, answer.status), status=answer.status)
    return answer


def _reason(way: EdgeWay, status: int) -> Reason:
    found = reason_of(status, way.edge, domain=way.domain)
    return found or Reason.of("edge.problem.other", edge=way.edge.host, domain=way.domain, server="-", status=status)


def _unreadable(way: EdgeWay, error: EdgeDocumentError) -> EdgeProblemError:
    return EdgeProblemError(Reason.of("edge.problem.document", edge=way.edge.host, why=error))


def _all(way: EdgeWay) -> str:
    return ", ".join(str(edge) for edge in way.edges)
