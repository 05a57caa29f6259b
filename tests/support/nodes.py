"""Nodes of an enterprise in the process of a test: settings that bind free ports, which a test makes into what it needs
with ``dataclasses.replace``, and what starts them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, TypeVar

from ringback.deployment.authority import Authority
from ringback.net.service import Service
from ringback.services.callmanager.settings import CallManagerSettings
from ringback.services.presence.settings import PresenceSettings
from ringback.services.voicemail.settings import VoicemailSettings
from tests.support.services import CHEAP

HERE: Final = "127.0.0.1"
"""The only address of the loopback network that some foreign phones take for reachable."""

_Service = TypeVar("_Service", bound=Service)


def call_manager_settings(
    node: str, folder: Path, authority: Authority, *, database: str = "callmanager.db", address: str = HERE
) -> CallManagerSettings:
    """Of a call manager that knows nobody and takes no calls; passwords are hashed at little cost."""
    return CallManagerSettings(
        node=node,
        address=address,
        identity=authority.issue(node, [node], [address]),
        ca_file=authority.ca_file,
        database_url=f"sqlite+aiosqlite:///{folder / database}",
        https_port=0,
        files_port=0,
        files_tls_port=0,
        hashing=CHEAP,
    )


def presence_settings(node: str, domain: str, folder: Path, authority: Authority) -> PresenceSettings:
    """Of a presence service that knows no call manager."""
    return PresenceSettings(
        node=node,
        address=HERE,
        domain=domain,
        conference_domain=f"conference.{domain}",
        identity=authority.issue(node, [node, domain], [HERE]),
        database_url=f"sqlite+aiosqlite:///{folder}/presence.db",
        call_managers=(),
        ca_file=authority.ca_file,
        xmpp_port=0,
        xmpps_port=0,
        login_port=0,
    )


def voicemail_settings(node: str, folder: Path, authority: Authority) -> VoicemailSettings:
    """Of a voicemail node without mailboxes that knows no call manager."""
    return VoicemailSettings(
        node=node,
        address=HERE,
        identity=authority.issue(node, [node], [HERE]),
        ca_file=authority.ca_file,
        database_url=f"sqlite+aiosqlite:///{folder}/voicemail.db",
        rest_port=0,
        notify_port=0,
        notify_tls_port=0,
        sip_port=0,
        sip_tls_port=0,
    )


async def started(service: _Service, stack: AsyncExitStack) -> _Service:
    """Start it; the stack stops it."""
    await service.start()
    stack.push_async_callback(service.stop)
    return service


def port_of(service: Service, name: str) -> int:
    """Where a service that runs takes connections of a kind (``uds``, ``xmpp`` ...)."""
    return next(row.port for row in service.endpoints if row.service == name)
