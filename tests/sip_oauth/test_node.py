"""A real call manager: a token from its authorisation server registers a softphone on TLS, and is taken back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from ringback.deployment.authority import Authority
from ringback.net.sip.node import SipNode
from ringback.net.tls import client_context
from ringback.protocols import uds
from ringback.protocols.sip import events
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.registration import Registrar, Registration, RegistrationSettings
from ringback.protocols.sip.settings import AgentSettings, Credential
from ringback.rules.dial_plan import DialPlan
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    CallSettings,
    DeviceRecord,
    LineRecord,
    PersonRecord,
)
from tests.support.access_tokens import authorisation
from tests.support.nodes import call_manager_settings
from tests.support.services import ADMINISTRATOR, OwnServer

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
        replace(
            call_manager_settings(NODE, tmp_path, authority),
            people=(PersonRecord("anita", PASSWORD),),
            devices=(DeviceRecord("CSFANITA", "anita", lines=(LineRecord("2001"),)),),
            application_users=(ADMINISTRATOR,),
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

    def __init__(self, stage: Stage, token: str = "", secret: str = "") -> None:
        self.token = token
        self.states: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.agent = Agent(AgentSettings(product="Ringback/test", contact_user="2001"))
        self.node = SipNode(self.agent, self._told, listen=(), client_context=client_context(stage.authority.ca_file))
        self.stage = stage
        self.registration: Registration = self.agent.register(
            RegistrationSettings(
                "2001",
                (Registrar(stage.target, DOMAIN),),
                credentials=(Credential("CSFANITA", secret),) if secret else (),
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


async def secret_of(stage: Stage) -> str:
    """What the user data service tells anita that her softphone signs in with."""
    base = f"https://127.0.0.1:{stage.server.call_manager_port}"
    headers = {"Authorization": aiohttp.encode_basic_auth("anita", PASSWORD)}
    async with authorisation(stage.server) as desk:
        async with desk.session.get(f"{base}{uds.documents.BASE}/user/anita/devices", headers=headers) as response:
            uri = uds.Devices.parse(await response.read()).devices[0].uri
        async with desk.session.get(base + urlsplit(uri).path, headers=headers) as response:
            credential = uds.Device.parse(await response.read()).credential
    assert credential is not None
    return credential.secret


async def test_the_secret_of_before_is_worth_nothing_after_a_revocation(stage: Stage) -> None:
    """A revoked person can't go on by digest, with what was fetched before, and can after signing in again."""
    before = await secret_of(stage)
    phone = Softphone(stage, secret=before)
    await phone.start()
    await phone.until("registered")
    async with authorisation(stage.server) as desk:
        await desk.revoke("anita")
    await phone.until("refused")
    after = await secret_of(stage)
    assert after != before
    again = Softphone(stage, secret=after)
    await again.start()
    await again.until("registered")
    for one in (phone, again):
        await one.node.stop()
