"""sipp and sipsak against a back-to-back agent on our agent and driver, over real sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.signalling import generator
from ringback.net.sip.node import Listen
from ringback.protocols.sip.digest import Algorithm
from ringback.protocols.sip.settings import AgentSettings
from ringback.protocols.sip.timers import Durations
from tests.sip.switchboard import Switchboard

pytestmark = pytest.mark.peer
HOST = "127.0.0.1"
SHORT = AgentSettings(product="switchboard", forwards=True, durations=Durations(t1=0.05, t2=0.4, t4=0.5, d=3.2))


@asynccontextmanager
async def board(settings: AgentSettings | None = None) -> AsyncIterator[Switchboard]:
    made = Switchboard([Listen("udp", HOST), Listen("tcp", HOST)], algorithms=(Algorithm.MD5,), settings=settings)
    await made.node.start()
    try:
        yield made
    finally:
        await made.node.stop()


async def run(*words: str, within: float = 30.0) -> tuple[int, str]:
    """A foreign program's end and what it said."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
    )
    try:
        async with asyncio.timeout(within):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, said.decode(errors="replace")


async def test_sipp_registers_and_calls_with_digest(tmp_path: Path) -> None:
    async with board(SHORT) as switchboard:
        door = generator.Door(HOST, switchboard.port("udp"))
        phones = [generator.Phone(f"u{number}", f"u{number}", "secret") for number in range(20)]
        async with generator.answering(HOST, tmp_path) as contact:
            await generator.register(door, phones, tmp_path, contact=contact, rate=100)
            assert len(switchboard.bindings) == 20
            pairs = [(phones[number], phones[(number + 1) % 20]) for number in range(20)]
            await generator.call(door, pairs, tmp_path, rate=50)
        assert switchboard.calls == 20
        # what is left of them are timers; the agent's own clock is turned forward instead of waiting for it
        switchboard.agent.handle_timer(switchboard.node.clock() + 60)
        switchboard.agent.handle_timer(switchboard.node.clock() + 120)
        assert not switchboard.agent.users
        assert not switchboard.agent.servers
        assert not switchboard.agent.clients
        assert not switchboard.agent.sessions


async def test_sipsak_finds_it_alive() -> None:
    async with board() as switchboard:
        port = switchboard.port("udp")
        status, said = await run("sipsak", "-vv", "-s", f"sip:nobody@{HOST}:{port}")
        assert status == 0, said
        assert "200 OK" in said


async def test_sipsak_registers_with_digest() -> None:
    async with board() as switchboard:
        port = switchboard.port("udp")
        status, said = await run(
            "sipsak", "-U", "-C", "sip:u7@127.0.0.1:9", "-a", "secret", "-s", f"sip:u7@{HOST}:{port}"
        )
        assert status == 0, said
        assert "u7" in switchboard.bindings


async def test_sipsak_s_random_characters_break_nothing() -> None:
    async with board() as switchboard:
        port = switchboard.port("udp")
        await run("sipsak", "-R", "-t", "60", "-s", f"sip:nobody@{HOST}:{port}", within=90)
        status, said = await run("sipsak", "-s", f"sip:nobody@{HOST}:{port}")
        assert status == 0, said


async def test_noise_on_every_socket_leaves_it_alive() -> None:
    source = random.Random(7)
    async with board() as switchboard:
        loop = asyncio.get_running_loop()
        target = (HOST, switchboard.port("udp"))
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=target)
        for size in (0, 1, 2, 4, 19, 20, 28, 100, 1400, 8000):
            transport.sendto(source.randbytes(size))
            transport.sendto(b"\x00\x01" + source.randbytes(size))
            transport.sendto(b"INVITE " + source.randbytes(size) + b"\r\n\r\n")
        for _ in range(20):
            reader, writer = await asyncio.open_connection(HOST, switchboard.port("tcp"))
            writer.write(source.randbytes(70_000))
            async with asyncio.timeout(10):
                try:
                    await reader.read()
                except ConnectionResetError:
                    continue  # it was cut off while it still sent
                finally:
                    writer.close()
        reader, writer = await asyncio.open_connection(HOST, switchboard.port("tcp"))
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(10):
            assert await reader.readexactly(2) == b"\r\n", "the keep-alive is answered"
        writer.close()
        transport.close()


async def test_a_message_that_never_ends_is_cut_off() -> None:
    async with board() as switchboard:
        reader, writer = await asyncio.open_connection(HOST, switchboard.port("tcp"))
        writer.write(b"INVITE sip:x@y SIP/2.0\r\n" + b"X: " + b"y" * 70_000)
        async with asyncio.timeout(10):
            assert b"INVITE" not in await reader.read()
        writer.close()
