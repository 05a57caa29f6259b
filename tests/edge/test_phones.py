"""Foreign phones through both proxies: sound both ways, hold, and no port left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.edge.sip_world import DOMAIN, HERE, PASSWORD, SipWorld, start_sip_world
from tests.support.baresip import Account, running_baresip

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.peer]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipWorld]:
    async with AsyncExitStack() as stack:
        yield await start_sip_world(tmp_path_factory.mktemp("sip"), stack)


def outside(world: SipWorld, number: str) -> Account:
    return Account(
        number,
        DOMAIN,
        f"phone{number}",
        PASSWORD,
        transport="tls",
        encryption="srtp-mand",
        proxy=f"sip:{HERE}:{world.edge.port};transport=tls",
        ca=world.authority.ca_file,
    )


def inside(world: SipWorld, number: str) -> Account:
    return Account(number, str(world.inside("sip")), f"phone{number}", PASSWORD)


async def test_a_phone_outside_calls_one_inside(world: SipWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("phones")
    async with (
        running_baresip(folder / "a", outside(world, "2001"), tone=440) as anita,
        running_baresip(folder / "b", inside(world, "2002"), tone=660) as bram,
    ):
        await anita.command("dial", f"sip:2002@{DOMAIN}")
        await bram.expect("CALL_INCOMING")
        await bram.command("accept")
        await asyncio.gather(anita.expect("CALL_ESTABLISHED"), bram.expect("CALL_ESTABLISHED"))
        await asyncio.gather(anita.hears(660), bram.hears(440))
        assert world.allocations == (1, 1)
        await anita.command("hangup")
        await bram.expect("CALL_CLOSED")
        await world.until(lambda: world.allocations == (0, 0))
