"""sipp leaves 50 messages at once: each is in its mailbox, with the sound that was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.signalling.generator import Door, Phone, run
from ringback.media.players.sound import parse_sound
from ringback.protocols.vmrest.messages import Query
from ringback.storage.voicemail.store import VoicemailStore
from tests.support.foreign import free_ports
from tests.support.tones import heard
from tests.support.voice_callers import tone
from tests.support.voicemail_alone import FIRST
from tests.support.waiting import until
from tests.voicemail.test_kills import service

pytestmark = pytest.mark.peer

_COUNT, _MAILBOXES = 50, 5


async def test_fifty_messages_at_once(tmp_path: Path) -> None:
    """The History-Info (RFC 7044) names whose mailbox it is."""
    (tmp_path / "tone.ulaw").write_bytes(b"".join(tone(600)))
    async with service(tmp_path, mailboxes=_MAILBOXES) as (_, ports):
        pairs = [(Phone(str(8000 + n), "", ""), Phone(str(FIRST + n % _MAILBOXES), "", "")) for n in range(_COUNT)]
        more = ("-mi", "127.0.0.1", "-mp", str(free_ports(1)[0] // 2 * 2))
        scenario = Path(__file__).with_name("leave.xml")
        await run(Door("127.0.0.1", ports["sip"]), scenario, pairs, tmp_path, *more, rate=_COUNT)
        store = await VoicemailStore.open(f"sqlite+aiosqlite:///{tmp_path}/voicemail.db")
        try:

            async def all_delivered() -> bool:
                return sum([(await store.counts(f"u{n}")).new for n in range(_MAILBOXES)]) >= _COUNT

            await until(all_delivered, pause=0.05)  # another process delivers
            for n in range(_MAILBOXES):
                total, rows = await store.page(f"u{n}", "inbox", Query(rows=100))
                assert total == _COUNT // _MAILBOXES
                for row in rows:
                    assert 1000 <= row.message.duration <= 6500
                wav = await store.sound(f"u{n}", rows[0].message.id)
                assert wav is not None
                sound = parse_sound(wav)
                voice = heard(sound.pcm[sound.rate // 2 : sound.rate] / 32768, sound.rate)
                assert abs(voice.frequency - 600) < 12
                assert voice.share > 0.9
        finally:
            await store.close()
