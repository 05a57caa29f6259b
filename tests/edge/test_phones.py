"""Foreign phones through both proxies: sound both ways, hold, and no port left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.edge.sip_world import DOMAIN, PASSWORD, SipWorld, start_sip_world
from tests.support.baresip import Account, Baresip, running_baresip
from tests.support.linphone import LinphoneAccount, running_linphone
from tests.support.nodes import HERE
from tests.support.waiting import until

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


async def test_a_phone_outside_and_one_inside(world: SipWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("phones")
    async with (
        running_baresip(folder / "a", outside(world, "2001"), tone=440) as anita,
        running_baresip(folder / "b", inside(world, "2002"), tone=660) as bram,
    ):
        await anita.command("dial", f"sip:2002@{DOMAIN}")
        await answered(bram, anita)
        await asyncio.gather(anita.hears(660), bram.hears(440))
        assert world.allocations == (1, 1)
        await anita.command("hangup")
        await bram.expect("CALL_CLOSED")
        await until(lambda: world.allocations == (0, 0))
        # the other way round, where the offer comes from inside and has no keys
        await bram.command("dial", f"sip:2001@{world.inside('sip')}")
        await answered(anita, bram)
        await asyncio.gather(anita.hears(660), bram.hears(440))
        await bram.command("hangup")
        await anita.expect("CALL_CLOSED")
        await until(lambda: world.allocations == (0, 0))


async def test_two_phones_of_different_makers_outside(
    world: SipWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("outside")
    account = LinphoneAccount(
        "2003",
        DOMAIN,
        "phone2003",
        PASSWORD,
        transport="tls",
        encryption="srtp",
        codec="PCMU/8000/1",
        ca=world.authority.ca_file,
        proxy=str(world.edge),
    )
    async with (
        running_baresip(folder / "a", outside(world, "2001"), tone=440) as anita,
        running_linphone(folder / "c", account, tone=880) as clara,
    ):
        await anita.command("dial", f"sip:2003@{DOMAIN}")
        await clara.wait("call-status", "State", "LinphoneCallIncomingReceived")
        await clara.say("answer 1")
        await anita.expect("CALL_ESTABLISHED")
        await asyncio.gather(anita.hears(880), clara.hears(440))
        assert world.allocations == (2, 2)
        assert {stream.secure for stream in world.media.streams} == {True}
        await anita.command("hold")
        await clara.until(lambda last: last.level > -45 and abs(last.frequency - 440) > 12 and last.share < 0.9)
        await anita.command("resume")
        await clara.hears(440)
        await anita.command("hangup")
        await until(lambda: world.allocations == (0, 0))


async def answered(called: Baresip, caller: Baresip) -> None:
    await called.expect("CALL_INCOMING")
    await called.command("accept")
    await asyncio.gather(called.expect("CALL_ESTABLISHED"), caller.expect("CALL_ESTABLISHED"))
