"""Several devices of a person: at how many it rings, and carrying on at another one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from ringback.protocols.sip.events import Event, Invited
from ringback.protocols.sip.session import Session
from tests.softphone.conftest import SECONDS, calls, heard, person, tone, until
from tests.support.lab import RunningLab
from tests.support.sip_phone import SDP, Bell, SipPhone

DESK = "SEP02000000A2007"


class Echo(asyncio.DatagramProtocol):
    """Sends all sound back to where it came from, as a source of its own."""

    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        self.heard = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.transport is not None and len(data) > 12 and data[1] & 127 == 0:
            self.heard += 1
            self.transport.sendto(data[:8] + b"echo" + data[12:], addr)


class Desk(SipPhone):
    """The desk phone: it rings, and is answered when the test says so."""

    ringing: Session | None = None

    def _on_event(self, event: Event, now: float) -> None:
        if isinstance(event, Invited):
            self.ringing = event.session
            event.session.ring(now, 180)
        self.events.append(event)
        self.bell.ring()


@contextlib.asynccontextmanager
async def desk_phone(lab: RunningLab) -> AsyncIterator[Desk]:
    """George's desk phone, registered."""
    phone = Desk(lab.ca_file, "george-desk", "george-desk-phone", "2007", Bell())
    await phone.node.start()
    try:
        address, port = lab.endpoint("sip-tls")
        phone.register([("cm1.example.com", address, port)])
        await phone.bell.until(lambda: phone.state == "registered")
        yield phone
    finally:
        await phone.node.stop()


async def test_the_caller_sees_at_how_many_devices_it_rings(lab: RunningLab) -> None:
    """The softphone and the desk phone ring."""
    async with person(lab, "anita") as anita, person(lab, "george") as george, desk_phone(lab) as desk:
        rings = asyncio.create_task(george.next_call(seconds=SECONDS))
        out = await anita.call("2007")
        into = await rings
        await desk.bell.until(lambda: desk.ringing is not None)
        await until(anita, lambda: out.call.ringing == 2)
        await out.end()
        await into.over(SECONDS)


async def test_a_call_is_carried_on_at_the_desk_phone(lab: RunningLab, tmp_path: Path) -> None:
    """It rings there, the softphone is free, and the sound goes there and comes back from there."""
    file, loop = tmp_path / "anita.wav", asyncio.get_running_loop()
    async with person(lab, "anita") as anita, person(lab, "george") as george, desk_phone(lab) as desk:
        waits = asyncio.create_task(anita.next_call(play=tone(440), record=file, seconds=SECONDS))
        out = await george.call("2001", play=tone(700))
        into = await waits
        await into.answer()
        await out.answered()
        assert "move" in out.call.may
        transport, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        try:
            moves = asyncio.create_task(george.engine.signed_in().calling.desk.move(out.call.id, DESK))
            await desk.bell.until(lambda: desk.ringing is not None)
            port = transport.get_extra_info("sockname")[1]
            assert desk.ringing is not None
            desk.ringing.answer(loop.time(), SDP.replace(b" 40000 ", b" %d " % port))
            desk.node.flush()
            await moves
            assert not calls(george)
            seen = len(into.call.quality.receiving.minute)
            await until(anita, lambda: len(into.call.quality.receiving.minute) >= seen + 4)
            assert into.call.quality.receiving.minute[-3:] == [0.0] * 3  # and the echo of it, without a gap
            assert into.call.state == "active"
            desk.hang_up(desk.ringing)
            await into.over(SECONDS)
        finally:
            transport.close()
    assert echo.heard > 100  # two seconds of Anita's sound, at the desk phone
    loudest, level = heard(file)
    assert abs(loudest - 440) < 5
    assert level > 0.05
