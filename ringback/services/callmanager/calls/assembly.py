"""Puts call control together: the one place that knows all of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.protocols.oauth.known_keys import KnownKeys
from ringback.protocols.sip.agent import Agent
from ringback.rules.dial_plan import RouteKind
from ringback.services.callmanager.calls.access import Access
from ringback.services.callmanager.calls.bearer import Bearer
from ringback.services.callmanager.calls.conferences import Conferences
from ringback.services.callmanager.calls.control import CallControl
from ringback.services.callmanager.calls.core import Changes, Core, Lines
from ringback.services.callmanager.calls.desk import MediaDesk
from ringback.services.callmanager.calls.facts import Records
from ringback.services.callmanager.calls.moving import Moving
from ringback.services.callmanager.calls.parking import Parking
from ringback.services.callmanager.calls.peers import Peers
from ringback.services.callmanager.calls.pickups import Pickups
from ringback.services.callmanager.calls.registrar import Limits, Registrar
from ringback.services.callmanager.calls.remotecc import RemoteCc
from ringback.services.callmanager.calls.transfers import Transfers
from ringback.services.callmanager.calls.watching import Watching
from ringback.services.callmanager.settings import CallSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """What call control is made of. ``nonce_key`` signs digest nonces and is the same on all nodes of a cluster;
    ``wall``: what to add to ``now`` for Unix seconds; ``first_number``: where numbers of calls go on. ``tokens`` checks
    access tokens (None: none are taken), which the server at the URL ``authorisation`` gives."""

    settings: CallSettings
    node: str
    agent: Agent
    lines: Lines
    changes: Changes
    desk: MediaDesk
    records: Records
    own_hosts: frozenset[str]
    nonce_key: bytes = field(repr=False)
    wall: float = 0.0
    first_number: int = 0
    relay_always: bool = False
    tokens: KnownKeys | None = None
    authorisation: str = ""


def assemble(parts: Parts) -> CallControl:
    """Call control, ready for events; the gate of the agent is set."""
    settings = parts.settings
    registrar: Registrar = Registrar(Limits(settings.keep_alive_seconds, settings.register_seconds))
    core = Core(
        settings=settings,
        node=parts.node,
        agent=parts.agent,
        lines=parts.lines,
        peers=Peers(settings.trunks, settings.siblings),
        registrar=registrar,
        desk=parts.desk,
        records=parts.records,
        changes=parts.changes,
        own_hosts=parts.own_hosts,
        wall=parts.wall,
    )
    core.begin_numbers(parts.first_number)
    bearer = Bearer(core, parts.tokens, parts.authorisation)
    access = Access(core, parts.nonce_key, bearer)
    parts.agent.gate = access.gate
    control = CallControl(core, access, bearer, relay_always=parts.relay_always)
    transfers = Transfers(control)
    Moving(control, transfers)
    conferences = Conferences(control, transfers, parts.desk)
    parking = Parking(control, transfers)
    watching = Watching(control, parking)
    RemoteCc(control, transfers, parking, conferences, watching)
    pickups = Pickups(control, transfers)
    control.features[RouteKind.PARK] = parking.retrieve
    control.features[RouteKind.PICKUP] = pickups.of_line
    control.features[RouteKind.PICKUP_GROUP] = pickups.of_group
    return control
