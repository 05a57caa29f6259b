"""What happens at the limits: a full disk, a database that is gone, damaged sound, two hours, ten thousand messages."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sqlalchemy import make_url, text

from ringback.media.players.recorder import wav
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.vmrest.messages import Query, Sender
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.telephone.desk import Desk
from ringback.services.voicemail.telephone.tape import Taken, Tape
from ringback.storage.engine import create_engine
from ringback.storage.voicemail.records import MailboxRow, NewVoiceMessage
from ringback.storage.voicemail.store import VoicemailStore
from tests.support.postgres import running_postgres
from tests.support.voicemail_alone import fill
from tests.voicemail.conftest import Running, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def full_disk() -> Iterator[object]:
    """No file of this process can grow beyond a megabyte while it is called."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(*, full: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]) if full else before)

    yield fill_up
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_told_and_nothing_is_half_there(running: Running, full_disk: object) -> None:
    assert callable(full_disk)
    desk = Desk(running.settings, running.store, Mailroom(running.settings, running.store))
    taken = Taken(recorded(2.0), 2.0)
    full_disk(full=True)
    try:
        status, answer = await running.send("anita", ["bram@example.com"], recorded(2.0))
        by_telephone = await desk.deliver("bram", taken, Sender(), "Normal", "Normal")
        in_between = await running.ask("GET", "/vmrest/messages", "bram")
    finally:
        full_disk(full=False)
    assert (status, msgspec.json.decode(answer)["errors"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert (by_telephone.done, by_telephone.why) == (False, "not-saved")
    assert in_between[0] == 200
    assert await running.count("bram") == 0
    assert await running.count("anita", "sent") == 0
    assert (await running.send("anita", ["bram@example.com"], recorded(2.0)))[0] == 201
    assert await running.count("bram") == 1


async def _allow(url: str, *, allowed: bool) -> None:
    """Whether anybody may be connected with a database; who is, is thrown out."""
    place = make_url(url)
    name = place.database
    engine = create_engine(place.set(database="postgres").render_as_string(hide_password=False))
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(allowed).lower()}"))
            out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            await connection.execute(text(out), {"name": name})
    finally:
        await engine.dispose()


async def test_a_database_that_is_gone_is_told_and_used_again(running: Running) -> None:
    with running_postgres() as server:
        url = server.fresh_url()
        store = await VoicemailStore.open(url)
        try:
            await store.put_mailboxes([MailboxRow("bram", extension="2002")], "test")
            desk = Desk(running.settings, store, Mailroom(running.settings, store))
            taken = Taken(recorded(1.0), 1.0)
            assert (await desk.deliver("bram", taken, Sender(), "Normal", "Normal")).done
            await _allow(url, allowed=False)
            gone = await desk.deliver("bram", taken, Sender(), "Normal", "Normal")
            assert (gone.done, gone.why) == (False, "not-saved")
            await _allow(url, allowed=True)
            assert (await desk.deliver("bram", taken, Sender(), "Normal", "Normal")).done
            assert (await store.counts("bram")).new == 2
        finally:
            await store.close()


async def test_damaged_sound_is_given_as_it_is_and_never_ends_a_call(running: Running) -> None:
    damaged = b"RIFF\x00\x00\x00\x00WAVEfmt nonsense"
    [kept] = await running.store.deliver(["bram"], NewVoiceMessage(damaged, 1000, 1))
    desk = Desk(running.settings, running.store, Mailroom(running.settings, running.store))
    assert await desk.sound("bram", kept.message.id) is None
    place = f"/vmrest/messages/{kept.message.wire_id}/attachments/0"
    assert (await running.ask("GET", place, "bram"))[2] == damaged
    status, _, _ = await running.ask("GET", place, "bram", headers={"Accept": "audio/wav; codec=1"})
    assert status == 422


async def test_two_hours_are_too_long_to_be_sent(running: Running) -> None:
    """The limit can be asked for before, and is in the refusal."""
    assert (await running.json("/vmrest/user/cos"))["MaxMsgLen"] == "10"
    two_hours = wav(np.zeros(2 * 3600 * 8000, np.int16), 8000, law="mu")
    status, answer = await running.send("anita", ["bram@example.com"], two_hours)
    assert status == 413
    assert msgspec.json.decode(answer)["errors"]["message"] == "A message may last 10 seconds at most"


async def test_two_hours_by_telephone_end_at_the_limit() -> None:
    tape = Tape(300.0)
    speech = bytes(range(0x80, 0x80 + 160 // 2)) * 2
    for number in range(2 * 3600 * 50):
        if tape.full:
            break
        tape.push(RtpPacket(0, number & 0xFFFF, number * 160, 1, speech, False), "mu", number / 50)
    assert tape.full
    assert tape.length == 300.0
    assert tape.taken("mu").seconds == 300.0


@pytest.mark.parametrize("law", ["mu", "A", None])
async def test_a_tape_keeps_what_came_where_it_belongs(law: str | None) -> None:
    """Lost, late, doubled and turned packets, a pause, and a timestamp that goes round."""
    tape = Tape(60.0)
    start = 2**32 - 5 * 160
    loud = np.repeat(np.array([0x90], np.uint8), 160).tobytes()
    for number in (0, 1, 2, 4, 3, 3, 7, 8, 60, 61):
        tape.push(RtpPacket(0, number, (start + number * 160) % 2**32, 9, loud, False), "mu", number / 50)
    assert tape.length == 62 * 0.02
    pcm = tape.pcm()
    frames = [bool(abs(pcm[at : at + 160].astype(int)).max() > 1000) for at in range(0, len(pcm), 160)]
    assert frames[:9] == [True] * 9  # the two lost ones are filled with what came before
    assert not any(frames[9:60])
    assert frames[60:] == [True, True]
    assert tape.look(61 / 50) == 0.0
    assert 2.9 < tape.look(61 / 50 + 3.1) < 3.1  # nothing comes any more
    tape.push(RtpPacket(0, 5, 77, 10, loud, False), "mu", 5.0)  # another source goes on where the first one ended
    assert tape.length == 63 * 0.02
    tape.push(RtpPacket(8, 6, 237, 10, loud, False), "A", 5.02)
    assert tape.taken(law).seconds == 64 * 0.02  # type: ignore[arg-type]


async def test_ten_thousand_messages(tmp_path: Path) -> None:
    """Listed from both ends, one changed, all deleted."""
    store = await VoicemailStore.open(f"sqlite+aiosqlite:///{tmp_path}/voicemail.db")
    try:
        await store.put_mailboxes([MailboxRow("bram")], "test")
        await fill(store, "bram", 10_000)
        total, rows = await store.page("bram", "inbox", Query(rows=25))
        assert (total, rows[0].message.arrived) == (10_000, 9_999)
        total, rows = await store.page("bram", "inbox", Query(rows=500, page=20))
        assert [row.message.arrived for row in rows] == list(range(499, -1, -1))
        assert (await store.counts("bram")).new == 10_000
        assert len(await store.remove("bram", await store.ids("bram", "inbox"))) == 10_000
        assert await store.used("bram") == 0
    finally:
        await store.close()
