"""Linphone as a foreign phone: Debian's daemon, told what to do over its socket.

Its sound card is a PulseAudio of its own without hardware: a sine source for a microphone, a null sink whose monitor
is recorded, so that a test can measure sound both ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.tones import Heard, heard

_SECONDS = 15.0
_RATE = 48000


@dataclass(frozen=True, slots=True)
class LinphoneAccount:
    """Who the phone is; ``encryption``: none, srtp or dtls; ``codec`` (``PCMU/8000/1``) is the only one that it offers,
    empty: all; ``proxy`` is where it connects to, empty: the registrar."""

    number: str
    registrar: str
    user: str
    password: str
    transport: str = "udp"
    encryption: str = "none"
    codec: str = ""
    ca: Path | None = None
    proxy: str = ""


class Linphone:
    """A running phone. ``say`` gives the fields of an answer."""

    def __init__(self, folder: Path, socket: str) -> None:
        self.folder = folder
        self._socket = socket
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def say(self, command: str) -> dict[str, str]:
        """A command's answer as fields. Raises RuntimeError where the phone refuses, TimeoutError, OSError."""
        async with asyncio.timeout(_SECONDS):
            if self._streams is None:  # the daemon takes one client in its life
                self._streams = await asyncio.open_unix_connection(self._socket)
            reader, writer = self._streams
            writer.write(command.encode() + b"\n")
            text = (await reader.read(65536)).decode(errors="replace")
        fields = dict(re.findall(r"^([\w. -]+): (.*)$", text, re.M))
        if fields.get("Status") != "Ok":
            raise RuntimeError(f"linphone: {command!r}: {text.strip()}")
        return fields

    async def wait(self, command: str, field: str, wanted: str, *, seconds: float = _SECONDS) -> dict[str, str]:
        """Ask until a field has a value. Raises TimeoutError with what it had."""
        last: object = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        fields = await self.say(command)
                        last = fields
                        if fields.get(field) == wanted:
                            return fields
                    except (RuntimeError, OSError) as error:
                        last = error
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise TimeoutError(f"linphone: {field} of {command!r} never was {wanted!r}, but {last}") from error

    async def hears(self, frequency: float, *, seconds: float = _SECONDS) -> Heard:
        """Wait until the last half second was this tone. Raises TimeoutError with what was heard instead."""
        return await self.until(
            lambda last: abs(last.frequency - frequency) < 12 and last.share > 0.8 and last.level > -40, seconds=seconds
        )

    async def until(self, wanted: Callable[[Heard], bool], *, seconds: float = _SECONDS) -> Heard:
        """Wait until the last half second was as wanted. Raises TimeoutError with what was heard instead."""
        last: Heard | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    last = self._heard(0.5)
                    if wanted(last):
                        return last
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise TimeoutError(f"It was not heard, but {last}") from error

    def close(self) -> None:
        """Let go of the daemon's socket."""
        if self._streams is not None:
            self._streams[1].close()

    def _heard(self, window: float) -> Heard:
        raw = (self.folder / "heard.raw").read_bytes()[-int(window * _RATE) * 2 :]
        return heard(np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(np.float64) / 32768, _RATE)


@contextlib.asynccontextmanager
async def running_linphone(folder: Path, account: LinphoneAccount, *, tone: int = 660) -> AsyncIterator[Linphone]:
    """The phone, registered; ended with the block."""
    environment = _configure(folder, account)
    name = f"ring{secrets.token_hex(4)}"
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_running("pulseaudio", _pulse(folder, tone), folder, environment))
        await _wait_for(folder / "run" / "pulse.sock")
        words = ["-d", "heard.monitor", f"--rate={_RATE}", "--channels=1", "--format=s16le"]
        await stack.enter_async_context(_running("parec", words, folder, environment, output="heard.raw"))
        words = ["--pipe", name, "--config", str(folder / "linphonerc"), "--disable-stats-events"]
        await stack.enter_async_context(_running("linphone-daemon", words, folder, environment))
        phone = Linphone(folder, f"/tmp/{name}")
        stack.callback(phone.close)
        await phone.wait("version", "Status", "Ok")
        if account.codec:
            await phone.say("audio-codec-disable ALL")
            await phone.say(f"audio-codec-enable {account.codec}")
        proxy = f"sip:{account.proxy or account.registrar};transport={account.transport}"
        identity = f"sip:{account.number}@{account.registrar}"
        await phone.say(f"register {identity} {proxy} {account.password} {account.user}")
        await phone.wait("register-status 1", "State", "LinphoneRegistrationOk")
        yield phone


@contextlib.asynccontextmanager
async def _running(
    program: str, words: list[str], folder: Path, environment: dict[str, str], output: str = ""
) -> AsyncIterator[Process]:
    with (folder / (output or f"{program}.txt")).open("wb") as out, (folder / f"{program}.err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            program, *words, cwd=folder, env=environment, stdin=asyncio.subprocess.PIPE, stdout=out, stderr=err
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _wait_for(path: Path) -> None:
    """Until somebody listens on a socket. Raises TimeoutError."""
    async with asyncio.timeout(_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(path)
                writer.close()
                return
            await asyncio.sleep(0.02)


def _pulse(folder: Path, tone: int) -> list[str]:
    socket = folder / "run" / "pulse.sock"
    return [
        "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes",
        "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        "-L", f"module-null-sink sink_name=heard rate={_RATE} channels=1",
        "-L", f"module-sine-source source_name=microphone rate={_RATE} frequency={tone}",
    ]  # fmt: skip


def _configure(folder: Path, account: LinphoneAccount) -> dict[str, str]:
    (folder / ".local" / "share" / "linphone").mkdir(parents=True, exist_ok=True)
    (folder / "run").mkdir(mode=0o700, exist_ok=True)
    ports = "".join(
        f"sip_{prefix}port={-1 if account.transport == kind else 0}\n"
        for kind, prefix in (("udp", ""), ("tcp", "tcp_"), ("tls", "tls_"))
    )
    # It knows no certificates for addresses, only for names: the authority is checked, the name is not.
    ca = f"root_ca={account.ca}\nverify_server_certs=1\nverify_server_cn=0\n" if account.ca else ""
    (folder / "linphonerc").write_text(
        f"[sip]\n{ports}media_encryption={account.encryption}\nbind_address=127.0.0.1\nuse_ipv6=0\nguess_hostname=0\n"
        f"contact=sip:{account.number}@127.0.0.1\n{ca}[rtp]\naudio_rtp_port=-1\n[sound]\nechocancellation=0\nagc=0\n"
    )
    home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run"), "PATH": os.environ.get("PATH", "")}
    return {**home, "PULSE_SERVER": f"unix:{folder}/run/pulse.sock"}
