"""A second engine host, as on another computer of the enterprise, or one that trusts somebody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ringback.client.host.server import EngineHost
from ringback.client.host.settings import HostSettings
from ringback.rules.addresses import HostPort
from tests.support.lab import TOKEN, RunningLab


@contextmanager
def host_that_trusts(lab: RunningLab, authority: Path, data: Path) -> Iterator[EngineHost]:
    """The engine host, in a thread of its own, with the lab's names and another authority than the lab's."""
    address, _, port = lab.inside.rpartition(":")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="engine host")
    thread.start()
    host = EngineHost(
        HostSettings(
            data=data,
            port=0,
            token=TOKEN,
            name_server=HostPort(address, int(port)),
            ca_file=authority,
            cas_url="",
            use_keyring=False,
        )
    )
    try:
        asyncio.run_coroutine_threadsafe(host.start(), loop).result(10)
        yield host
    finally:
        asyncio.run_coroutine_threadsafe(host.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
