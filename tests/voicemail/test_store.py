"""Mailboxes and messages in a real database: SQLite in a file, PostgreSQL where the run has one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.protocols.vmrest.messages import MessageChange, Query, Sender
from ringback.storage.voicemail.errors import MailboxFullError, UnknownMailboxError
from ringback.storage.voicemail.records import Counts, Entry, MailboxRow, NewVoiceMessage
from ringback.storage.voicemail.store import VoicemailStore

_PEOPLE = (
    MailboxRow("Anita", "Anita Perez", "anita@example.com", "2001"),
    MailboxRow("bram", "Bram de Vries", "bram@example.com", "2002"),
    MailboxRow("chidi", "Chidi Okafor", "chidi@example.com", "2003", size_limit=300),
)
_SOUND = b"RIFF" + bytes(96)


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VoicemailStore]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/voicemail.sqlite"
    else:
        url = request.getfixturevalue("postgres").fresh_url()
    opened = await VoicemailStore.open(url)
    await opened.put_mailboxes(_PEOPLE, "test")
    yield opened
    await opened.put_mailboxes((), "test")
    await opened.close()


def _new(arrived: int = 1_000, **values: object) -> NewVoiceMessage:
    return replace(NewVoiceMessage(_SOUND, 5_000, arrived, Sender(number="+4912345")), **values)  # type: ignore[arg-type]


async def test_a_message_is_listed_heard_and_counted(store: VoicemailStore) -> None:
    [first] = await store.deliver(["anita"], _new())
    [urgent] = await store.deliver(["ANITA"], _new(2_000, priority="Urgent"))
    total, page = await store.page("Anita", "inbox", Query())
    assert (total, [one.message.id for one in page]) == (2, [urgent.message.id, first.message.id])
    assert page[0] == urgent
    assert await store.sound("anita", first.message.id) == _SOUND
    assert await store.counts("anita") == Counts(new=2, urgent_new=1)
    changed = await store.change("anita", urgent.message.id, MessageChange(read=True, subject="Important"))
    assert changed is not None
    assert (changed.message.read, changed.message.subject) == (True, "Important")
    assert await store.counts("anita") == Counts(new=1, old=1, urgent_old=1)


async def test_nobody_reads_or_changes_what_is_not_theirs(store: VoicemailStore) -> None:
    [kept] = await store.deliver(["anita"], _new())
    number = kept.message.id
    assert await store.message("bram", number) is None
    assert await store.sound("bram", number) is None
    assert await store.change("bram", number, MessageChange(read=True)) is None
    assert await store.remove("bram", [number]) == []
    assert await store.message("anita", number) == kept


async def test_questions_filter_sort_and_turn_pages(store: VoicemailStore) -> None:
    for number in range(5):
        await store.deliver(["anita"], _new(number, priority="Urgent" if number == 2 else "Normal"))
    total, page = await store.page("anita", "inbox", Query(by_priority=True, rows=2))
    assert (total, [one.message.arrived for one in page]) == (5, [2, 4])
    _, page = await store.page("anita", "inbox", Query(ascending=True, rows=2, page=3))
    assert [one.message.arrived for one in page] == [4]
    total, _ = await store.page("anita", "inbox", Query(read=True))
    assert total == 0
    assert (await store.page("anita", "inbox", Query(voice=False)))[0] == 0
    _, changes = await store.folder("anita", "inbox")
    [newest] = await store.deliver(["anita"], _new(9))
    total, page = await store.page("anita", "inbox", Query(newer_than=changes))
    assert [one.message.id for one in page] == [newest.message.id]


async def test_deleting_moves_then_removes_and_gives_room_back(store: VoicemailStore) -> None:
    kept = [(await store.deliver(["chidi"], _new(number)))[0] for number in range(3)]
    with pytest.raises(MailboxFullError):
        await store.deliver(["chidi"], _new())
    moved = await store.move("chidi", kept[0].message.id, "deleted", 77)
    assert moved is not None
    assert (moved.folder, moved.deleted_at) == ("deleted", 77)
    assert await store.used("chidi") == 300
    assert await store.deleted_before(78) == [("chidi", kept[0].message.id)]
    back = await store.move("chidi", kept[0].message.id, "inbox", 78)
    assert back is not None
    assert (back.folder, back.deleted_at) == ("inbox", 0)
    assert len(await store.remove("chidi", await store.ids("chidi", "inbox"))) == 3
    assert await store.used("chidi") == 0
    await store.deliver(["chidi"], _new())


async def test_a_message_to_several_is_all_or_none_and_kept_once(store: VoicemailStore) -> None:
    with pytest.raises(UnknownMailboxError):
        await store.deliver(["anita", "nobody"], _new())
    assert (await store.folder("anita", "inbox"))[0] == 0
    done = await store.deliver(["anita", "bram", "anita"], _new(), sent_by="chidi", names=["anita@example.com"])
    assert [(one.user, one.folder) for one in done] == [("anita", "inbox"), ("bram", "inbox"), ("chidi", "sent")]
    sent = await store.message("chidi", done[2].message.id)
    assert sent is not None
    assert (sent.message.read, sent.message.recipients) == (True, ("anita@example.com",))
    await store.remove("anita", [done[0].message.id])
    assert await store.sound("bram", done[1].message.id) == _SOUND


async def test_mailboxes_follow_the_deployment_and_keep_their_secrets(store: VoicemailStore) -> None:
    await store.set_secrets("anita", pin="a-hash")
    await store.put_mailboxes([replace(_PEOPLE[0], display_name="Anita P", extension="2999")], "test")
    found = await store.mailbox_of_number("2999")
    assert found is not None
    assert (found.display_name, found.pin) == ("Anita P", "a-hash")
    assert await store.mailbox("bram") is None
    assert not await store.set_limit("bram", 5)


@pytest.mark.parametrize("words", ["perez", "ANI", "2001", "anita@"])
async def test_people_are_found_by_what_their_data_begin_with(store: VoicemailStore, words: str) -> None:
    assert [row.user for row in await store.find(words, 10)] == ["anita"]
    assert await store.find("%", 10) == []


async def test_the_audit_log_is_newest_first(store: VoicemailStore) -> None:
    await store.note(Entry(1, "administrator", "pin reset", "anita"))
    await store.note(Entry(2, "anita", "pin changed", "anita"))
    assert [entry.what for entry in (await store.entries())[:2]] == ["pin changed", "pin reset"]
