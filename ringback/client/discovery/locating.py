"""Where this computer stands, by three questions to the name server and nothing else: milliseconds, at any time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from ringback.client.discovery.evidence import srv_name
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort
from ringback.rules.authenticator import CUPLOGIN, EDGE, UDS
from ringback.rules.remote_access import LocationDecision, ServiceRecords, decide_location, usable
from ringback.rules.srv import order_srv


@dataclass(frozen=True, slots=True)
class Located:
    """Where, and why. ``edges``: the outer proxies in the order to try, also where one is inside."""

    location: LocationDecision
    records: ServiceRecords
    edges: tuple[HostPort, ...]


async def locate(names: NameClient, domain: str, pick: Callable[[], float] = random.random) -> Located:
    """Ask for the records of a voice services domain. ``pick`` gives numbers from 0 up to 1 for the weighted choice."""
    answers = await asyncio.gather(*(names.srv(srv_name(service, domain)) for service in (UDS, CUPLOGIN, EDGE)))
    records = ServiceRecords(*answers)
    edges = tuple(record.server for record in order_srv(usable(records.edge), pick))
    return Located(decide_location(records), records, edges)
