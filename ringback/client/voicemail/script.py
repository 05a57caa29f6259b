"""Voicemail for scripts: wait until it is in step, list, keep sounds in files, send a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ringback.client.engine.engine import Engine
from ringback.client.events import EventsLostError
from ringback.client.host.wire_voicemail import VoiceFolder, VoiceMessage
from ringback.client.voicemail.errors import VoicemailError
from ringback.client.voicemail.service import Parcel, Voicemail
from ringback.client.voicemail.sounds import for_sending, playable
from ringback.rules.reasons import Reason

READY_SECONDS = 30.0


class VoicemailScript:
    """The voicemail of a signed-in person. Methods raise VoicemailError with a reason."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def voicemail(self) -> Voicemail:
        """What the page uses: everything else."""
        return self._engine.signed_in().voicemail

    async def ready(self, seconds: float = READY_SECONDS) -> Voicemail:
        """Wait until the service answered. Raises VoicemailError with what stands in the way."""
        events = self._engine.subscribe()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    now = self.voicemail.mailbox
                    if now.state == "up":
                        return self.voicemail
                    if now.state in ("failed", "waiting") or (now.state == "off" and now.text is not None):
                        raise VoicemailError(now.text or Reason.of("voicemail.no_server"))
                    await events.next()
        except (TimeoutError, EventsLostError) as error:
            now = self.voicemail.mailbox
            raise VoicemailError(now.text or Reason.of("voicemail.no_answer", server=now.server, why=error)) from error
        finally:
            events.close()

    async def list(self, folder: VoiceFolder = "inbox", limit: int = 50) -> list[VoiceMessage]:
        """The newest messages of a folder."""
        return (await (await self.ready()).page(folder, limit=limit))[0]

    async def save(self, message: str, file: Path, *, heard: bool = True) -> None:
        """Write the sound of a message to a WAV file, and with ``heard`` mark it so. Raises OSError as well."""
        voicemail = await self.ready()
        sound = await voicemail.sound(message)
        await asyncio.to_thread(lambda: file.write_bytes(playable(sound)))
        if heard:
            await voicemail.mark(message, new=False)

    async def send(self, to: Sequence[str], file: Path, *, subject: str = "", urgent: bool = False) -> None:
        """Send a WAV file to people: addresses or extensions. Raises OSError as well."""
        voicemail = await self.ready()
        wav = await asyncio.to_thread(lambda: for_sending(file.read_bytes()))
        await voicemail.send(Parcel(to=to, subject=subject, urgent=urgent), wav)
