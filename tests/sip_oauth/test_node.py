"""A real call manager: a token from its authorisation server registers a softphone on TLS, and is taken back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringback.deployment.authority import Authority
from ringback.net.sip.node import SipNode
from ringback.net.tls import client_context
from ringback.protocols.sip import events
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.registration import Registrar, Registration, RegistrationSettings
from ringback.protocols.sip.settings import AgentSettings
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    CallManagerSettings,
    CallSettings,
    DeviceRecord,
    LineRecord,
    PersonRecord,
)
from tests.support.access_tokens import authorisation
from tests.support.services import ADMINISTRATOR, CHEAP, OwnServer

NODE, DOMAIN, PASSWORD = "cm1.halden.example", "halden.example", "anita's password"


@dataclass
class Stage:
    """A node in this process, and where its authorisation server is."""

    target: Target
    authority: Authority
    server: OwnServer


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    authority = Authority(tmp_path / "authority")
    node = CallManager(
        CallManagerSettings(
            node=NODE,
            address="127.0.0.1",
            identity=authority.issue(NODE, [NODE], ["127.0.0.1"]),
            ca_file=authority.ca_file,
            database_url=f"sqlite+aiosqlite:///{tmp_path / 'cluster.db'}",
            https_port=0,
            files_port=0,
            files_tls_port=0,
            people=(PersonRecord("anita", PASSWORD),),
            devices=(DeviceRecord("CSFANITA", "anita", lines=(LineRecord("2001"),)),),
            application_users=(ADMINISTRATOR,),
            hashing=CHEAP,
            sign_in=SignInSettings(b"k" * 32, poll_seconds=0.1),
            calls=CallSettings(
                sip_port=0,
                sip_tls_port=0,
                domain=DOMAIN,
                domains=frozenset({DOMAIN}),
                credential_key=b"c" * 32,
                plan=DialPlan(lines=frozenset({"2001"}), domains=frozenset({DOMAIN})),
                media_ports=(0, 0),
            ),
        )
    )
    await node.start()
    ports = {row.service: row.port for row in node.endpoints}
    server = OwnServer(DOMAIN, "", "127.0.0.1", 0, 0, 0, authority.ca_file, 0, 0, ports["uds"])
    yield Stage(Target("tls", "127.0.0.1", ports["sip-tls"], NODE), authority, server)
    await node.stop()


class Softphone:
    """Our registration on a real socket; ``token`` is what it has now."""

    def __init__(self, stage: Stage, token: str) -> None:
        self.token = token
        self.states: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.agent = Agent(AgentSettings(product="Ringback/test", contact_user="2001"))
        self.node = SipNode(self.agent, self._told, listen=(), client_context=client_context(stage.authority.ca_file))
        self.registration: Registration = self.agent.register(
            RegistrationSettings(
                "2001",
                (Registrar(stage.target, DOMAIN),),
                contact_params=(("+u.sip!devicename.ccm.cisco.com", '"CSFANITA"'),),
                token=lambda server: self.token if server.startswith(f"https://{NODE}:") else "",
            )
        )

    async def start(self) -> None:
        await self.node.start()
        self.act("start")

    def act(self, what: str) -> None:
        getattr(self.registration, what)(time.monotonic())
        self.node.flush()

    def _told(self, event: events.Event, _now: float) -> None:
        if isinstance(event, events.RegistrationChanged):
            self.states.put_nowait((event.state, event.reasons[-1].id if event.reasons else ""))

    async def until(self, state: str, reason: str = "") -> None:
        async with asyncio.timeout(10):
            while True:
                found, why = await self.states.get()
                if found == state and (not reason or why == reason):
                    return


@pytest.mark.parametrize("way", ["signs out", "is revoked", "is deactivated"])
async def test_a_softphone_is_out_within_seconds(stage: Stage, way: str) -> None:
    async with authorisation(stage.server) as desk:
        tokens = await desk.sign_in("anita", PASSWORD)
        phone = Softphone(stage, tokens.access_token)
        await phone.start()
        await phone.until("registered")
        if way == "signs out":
            await desk.sign_out(tokens)
        elif way == "is revoked":
            await desk.revoke("anita")
        else:
            await desk.set_active("anita", active=False)
        began = time.monotonic()
        await phone.until("refused", "registration.token-refused")
        assert time.monotonic() - began < 5
        if way == "is deactivated":
            await desk.set_active("anita", active=True)
        phone.token = (await desk.sign_in("anita", PASSWORD)).access_token
        phone.act("refresh")
        await phone.until("registered")
        phone.act("stop")
        await phone.node.stop()
