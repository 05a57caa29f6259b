"""What a start of the client costs: the first one, with its address and password, and every later one.

The lab is a process of its own; the figures are CPU time of the client's process, from the first word to all services
being up (contact list and archive read). Waiting for servers costs no CPU, so the figure is what a slow computer feels.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.report import Result
from ringback.cli.log import set_up_log
from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.rules.addresses import HostPort
from tests.support.lab import RunningLab, running_lab

_MEASURE = "CPU ms until ready"
_ADDRESS, _PASSWORD = "anita@example.com", "ringback"


def results(folder: Path, rounds: int, *, short: bool) -> list[Result]:
    """The rows of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    set_up_log("warning")
    first = Result("client, first start", "start", "ringback", "address and password", None, measure=_MEASURE)
    later = Result("client, later start", "start", "ringback", "token and plan kept", 300.0, measure=_MEASURE)
    with running_lab(folder / "lab") as lab:
        for number in range(rounds):
            begun, again = asyncio.run(_starts(lab, folder / f"client-{number}", 2 if short else 5))
            first.values.append(begun * 1000)
            later.values.append(again * 1000)
    return [first, later]


async def _starts(lab: RunningLab, data: Path, count: int) -> tuple[float, float]:
    """CPU seconds of a first start, and the mean of later ones."""
    settings = EngineSettings(
        data=data, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )
    async with Engine(settings) as engine:
        began = time.process_time()
        await engine.sign_in(_ADDRESS, _PASSWORD, remember=True)
        await engine.signed_in().up.wait()
        first = time.process_time() - began
    began, later = 0.0, 0.0
    for _ in range(count):
        async with Engine(settings) as engine:
            began = time.process_time()
            await engine.use_known(_ADDRESS)
            await engine.until_ready()
            await engine.signed_in().up.wait()
            later += time.process_time() - began
    return first, later / count
