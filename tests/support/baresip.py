"""baresip as a foreign phone: Debian's package with a configuration of its own, told what to do over its control port.

It sends a tone of its own and records what it hears, so that a test can measure sound both ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.rules.addresses import HostPort
from tests.support.foreign import free_ports
from tests.support.tones import Heard, Samples, heard, read_wave

_SECONDS = 15.0
_MODULES = "g711 g722 opus ausine aubridge sndfile srtp dtls_srtp uuid"


@dataclass(frozen=True, slots=True)
class Account:
    """Who the phone is: its number at a registrar, with digest; ``encryption``: none, srtp-mand, srtp, dtls_srtp;
    ``address``: its own, the only one that it uses."""

    number: str
    registrar: str
    user: str
    password: str
    transport: str = "udp"
    encryption: str = ""
    codecs: str = "PCMU/8000/1"
    answer: str = "manual"
    proxy: str = ""
    ca: Path | None = None
    address: str = "127.0.0.1"


class Baresip:
    """A running phone. ``events`` of its control port come in order; ``expect`` waits for one."""

    def __init__(self, folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.folder = folder
        self._reader = reader
        self._writer = writer
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1000)
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue(100)
        self.seen: list[str] = []
        self._scanned = 0

    async def command(self, name: str, parameters: str = "") -> str:
        """Do something (dial, accept, hangup, hold, resume, sndcode, transfer); gives its answer's text."""
        body = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        async with asyncio.timeout(_SECONDS):
            answer = await self._answers.get()
        return str(answer.get("data", ""))

    async def expect(self, *kinds: str, seconds: float = _SECONDS) -> dict[str, Any]:
        """The next event of one of these types (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED, REGISTER_OK, ...).
        Raises TimeoutError with what came instead."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = await self._events.get()
                    self.seen.append(event["type"])
                    if event["type"] in kinds:
                        return event
        except TimeoutError as error:
            raise TimeoutError(f"baresip: none of {kinds} came, but {self.seen[-12:]}; {self.output()}") from error

    def output(self) -> str:
        """The end of what it printed."""
        return (self.folder / "output.txt").read_text(errors="replace")[-1500:]

    def recorded(self) -> tuple[Samples, int]:
        """What it has heard in its last call so far."""
        files = sorted(self.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)
        return read_wave(files[-1])

    async def beeped(self, frequency: float = 1000.0, *, seconds: float = 2 * _SECONDS) -> None:
        """Wait for a short tone, wherever it is in what was heard since the last one: nobody has to look in time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(IndexError, EOFError):
                        samples, rate = self.recorded()
                        step, window = rate // 50, rate * 3 // 20
                        if len(samples) < self._scanned:  # another call, another file
                            self._scanned = 0
                        while self._scanned + window <= len(samples):
                            part = heard(samples[self._scanned : self._scanned + window], rate)
                            self._scanned += step
                            if abs(part.frequency - frequency) < 12 and part.share > 0.8 and part.level > -40:
                                self._scanned += window
                                return
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise TimeoutError(f"no tone of {frequency:g} Hz came; {self.output()}") from error

    async def speaks(self, seconds: float) -> None:
        """Wait until it has sent so many seconds of sound more in its last call."""
        before: float | None = None
        async with asyncio.timeout(seconds + _SECONDS):
            while True:
                files = sorted(self.folder.glob("dump-*-enc.wav"), key=lambda path: path.stat().st_mtime)
                with contextlib.suppress(IndexError, EOFError):
                    samples, rate = read_wave(files[-1])
                    sent = len(samples) / rate
                    before = sent if before is None else before
                    if sent >= before + seconds:
                        return
                await asyncio.sleep(0.05)

    async def lamp(self, *, lit: bool) -> str:
        """Wait until it was told that messages wait, or that none do; the counts."""
        while True:
            told = str((await self.expect("MWI_NOTIFY", "NOTIFY", "MWI")).get("param", ""))
            if f"Messages-Waiting: {'yes' if lit else 'no'}".lower() in told.lower():
                return told

    async def hears(self, frequency: float, *, seconds: float = _SECONDS, window: float = 0.5) -> Heard:
        """Wait until the last half second was this tone. Raises TimeoutError with what was heard instead."""
        last: Heard | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(IndexError, EOFError):
                        samples, rate = self.recorded()
                        last = heard(samples[-int(rate * window) :], rate)
                        if abs(last.frequency - frequency) < 12 and last.share > 0.8 and last.level > -40:
                            return last
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise TimeoutError(f"{frequency:g} Hz was not heard, but {last}; {self.output()}") from error

    async def read(self) -> None:
        """Take in netstrings of the control port until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int((await self._reader.readuntil(b":"))[:-1])
                body = json.loads((await self._reader.readexactly(size + 1))[:-1])
                queue = self._answers if body.get("response") else self._events
                queue.put_nowait(body)


@contextlib.asynccontextmanager
async def running_baresip(folder: Path, account: Account, *, tone: int = 440) -> AsyncIterator[Baresip]:
    """The phone, registered where its account names a registrar; ended with the block. Raises PermissionError where it
    is refused there."""
    port, (control,) = _free_pair(), free_ports(1)
    _configure(folder, account, port, control, tone)
    output = (folder / "output.txt").open("wb")
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(folder), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
    )
    output.close()
    tasks: list[asyncio.Task[None]] = []
    try:
        reader, writer = await _connect(control, process, folder)
        phone = Baresip(folder, reader, writer)
        tasks.append(asyncio.create_task(phone.read(), name="baresip events"))
        if account.registrar:
            await phone.command("uanew", _line(account))
            told = await phone.expect("REGISTER_OK", "REGISTER_FAIL")
            if told["type"] == "REGISTER_FAIL":
                raise PermissionError(f"baresip was not registered: {told.get('param')}")
        yield phone
        writer.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _free_pair() -> int:
    """A port that is free together with the next one, which the phone takes for TLS."""
    for (port,) in (free_ports(1) for _ in range(100)):
        with contextlib.suppress(OSError), socket.socket() as next_one:
            next_one.bind(("127.0.0.1", port + 1))
            return port
    raise RuntimeError("No two free ports in a row were found")


async def _connect(
    port: int, process: asyncio.subprocess.Process, folder: Path
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_SECONDS):
        while process.returncode is None:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
    raise RuntimeError(f"baresip ended: {(folder / 'output.txt').read_text()}")


def _line(account: Account) -> str:
    host = account.registrar
    parts = [
        f"<sip:{account.number}@{host};transport={account.transport}>",
        f"auth_user={account.user}",
        f"auth_pass={account.password}",
        f"audio_codecs={account.codecs}",
        f"answermode={account.answer}",
        "regint=600",
        "ptime=20",
    ]
    if account.encryption:
        parts.append(f"mediaenc={account.encryption}")
    if account.proxy:
        parts.append(f'outbound="{account.proxy}"')
    return ";".join(parts)


def _configure(folder: Path, account: Account, port: int, control: int, tone: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "poll_method epoll",
        f"sip_listen {HostPort(account.address, port)}",
        f"net_interface {account.address}",
        "call_max_calls 6",
        "call_local_timeout 60",
        f"audio_source ausine,{tone}",
        "audio_player aubridge,heard",
        "audio_alert aubridge,alert",
        "ausrc_srate 48000",
        "ausrc_channels 2",
        "auplay_srate 48000",
        "rtp_timeout 0",
        "module_path /usr/lib/baresip/modules",
        *(f"module {name}.so" for name in _MODULES.split()),
        "module_tmp account.so",
        "module_app menu.so",
        "module_app mwi.so",
        "module_app ctrl_tcp.so",
        f"ctrl_tcp_listen 127.0.0.1:{control}",
        f"snd_path {folder}",
        "sip_autoanswer_beep no",
    ]
    if account.ca is not None:
        lines.append(f"sip_cafile {account.ca}")
    (folder / "config").write_text("\n".join(lines) + "\n")
    (folder / "accounts").write_text("\n" if account.registrar else f"<sip:{account.number}@127.0.0.1>;regint=0\n")
    (folder / "contacts").write_text("\n")
