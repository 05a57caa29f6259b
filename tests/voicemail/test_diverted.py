"""Whose mailbox a call is for and why, from the headers of the diversion; what follows for greeting and language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringback.protocols.sip.message import Request
from ringback.protocols.vmrest.messages import MessageChange
from ringback.services.voicemail.events import Happened
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.telephone.desk import Desk
from ringback.services.voicemail.telephone.diverted import Diverted, diverted
from ringback.storage.voicemail.greetings import GreetingStore
from ringback.storage.voicemail.records import MailboxRow, NewVoiceMessage
from tests.voicemail.conftest import Running, recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ((), Diverted()),
        ((("Diversion", "<sip:2002@cm>;reason=no-answer"),), Diverted("2002", "no-answer")),
        # The last one is who was called first: 2002 was busy and sent the call to 2003, who did not answer.
        (
            (("Diversion", "<sip:2003@cm>;reason=no-answer"), ("Diversion", '"B" <sip:2002@cm>;reason="user-busy"')),
            Diverted("2002", "user-busy"),
        ),
        (
            (("Diversion", "<sip:2003@cm>;reason=no-answer, <sip:2002@cm>;reason=user-busy"),),
            Diverted("2002", "user-busy"),
        ),
        (
            (("History-Info", "<sip:2002@cm?Reason=SIP%3Bcause%3D408>;index=1, <sip:vm@x;cause=408>;index=1.1"),),
            Diverted("2002", "no-answer"),
        ),
        (
            (("History-Info", "<sip:vm@x;cause=486>;index=1.1"), ("History-Info", "<sip:2002@cm>;index=1")),
            Diverted("2002", "user-busy"),
        ),
        ((("History-Info", "<sip:2999@cm>;index=1"),), Diverted()),  # nobody sent it on
        (
            (("History-Info", "<sip:2002@cm>;index=x, <sip:2003@cm>;index=1, <sip:v@x>;index=1.1"),),
            Diverted("2003", "unknown"),
        ),
        (
            (("History-Info", "<sip:1@x>;index=1, <sip:2@x>;index=1.1"), ("Diversion", "<sip:2002@cm>;reason=away")),
            Diverted("2002", "away"),
        ),
    ],
)
async def test_the_first_called_number_and_the_reason(headers: tuple[tuple[str, str], ...], found: Diverted) -> None:
    assert diverted(Request("INVITE", "sip:2999@vm", headers)) == found


async def test_the_greeting_follows_the_reason_and_the_words_the_language(running: Running) -> None:
    desk = Desk(running.settings, running.store, Mailroom(running.settings, running.store))
    greetings = GreetingStore(running.store.engine)
    await greetings.record("bram", "Busy", recorded(1.0), language=1033)
    await greetings.switch("bram", "Busy", enabled=True)

    async def heard(number: str, reason: str) -> str | None:
        to = (await desk.arrival("0791234567", "", Diverted(number, reason))).to
        return "no mailbox" if to is None else to.greeting

    assert await heard("2002", "user-busy") == "Busy"
    assert await heard("2002", "no-answer") is None
    await greetings.switch("bram", "Busy", spoken=False)  # the standard words of a busy person
    assert await heard("2002", "user-busy") is None
    assert await heard("2999", "no-answer") == "no mailbox"


async def test_callers_of_the_house_hear_their_own_language(running: Running) -> None:
    store = running.store
    rows = [MailboxRow("dora", "Dora", "dora@example.com", "2004", "de_DE"), MailboxRow("erik", extension="2005")]
    await store.put_mailboxes(rows, "languages")
    try:
        desk = Desk(running.settings, store, Mailroom(running.settings, store))

        async def locale(caller: str, called: str) -> str:
            return (await desk.arrival(caller, "", Diverted(called, "no-answer"))).locale

        assert await locale("2004", "2005") == "de_DE"
        assert await locale("2005", "2004") == "de_DE"
        assert await locale("0791234567", "2005") == ""
        found = await desk.arrival("2004", "", Diverted("2005", ""))
        assert (found.sender.user, found.sender.smtp) == ("dora", "dora@example.com")
    finally:
        await store.put_mailboxes([], "languages")


async def test_what_was_heard_and_deleted_goes_after_its_time(running: Running) -> None:
    """Heard messages are deleted after a day, deleted ones are gone after another; unheard ones stay."""
    day = 86_400.0
    moment = [1_800_000_000.0]
    settings = replace(running.settings, heard_seconds=day, kept_seconds=day)
    mailroom = Mailroom(settings, running.store, lambda: moment[0])
    told: list[Happened] = []
    mailroom.listen(told.append)
    for read in (True, False):
        [kept] = (await mailroom.deliver(["bram"], NewVoiceMessage(recorded(0.2), 200, mailroom.now))).kept
        if read:
            await mailroom.change("bram", kept.message.id, MessageChange(read=True))
    counts = []
    for _ in range(3):
        await mailroom.sweep()
        counts.append((await running.count("bram"), await running.count("bram", "deleted")))
        moment[0] += day + 1
    assert counts == [(2, 0), (1, 1), (1, 0)]
    assert [str(kind) for event in told[-2:] for kind in event.kinds] == [
        "DELETED_MESSAGE",
        "DELETED_MESSAGE_CREATE",
        "DELETED_MESSAGE_DELETE",
    ]
    lines = [entry.what for entry in await running.store.entries() if entry.who == "voicemail service"]
    assert lines[:2] == ["deleted for good", "deleted"]
