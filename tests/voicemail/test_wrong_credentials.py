"""Guessing at mailboxes: over the interface and by telephone. With a service of its own, since it slows people down."""

from __future__ import annotations

import asyncio

import pytest

from ringback.services.voicemail.door import hash_secret
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.telephone.desk import Desk
from tests.voicemail.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_wrong_credentials_are_refused_and_slowed_down(running: Running) -> None:
    async with running.session.get(running.url("/vmrest/mailbox")) as response:
        assert response.status == 401
        asked = response.headers.getall("WWW-Authenticate")
        assert [one.split()[0] for one in asked] == ["Bearer", "Basic"]
    answers = [(await running.ask("GET", "/vmrest/mailbox", password="wrong"))[0] for _ in range(10)]
    assert answers == [401] * 8 + [429] * 2
    assert (await running.ask("GET", "/vmrest/mailbox", "bram"))[0] == 200


async def test_guessing_at_a_pin_closes_the_mailbox_to_telephones_and_tells_the_owner(running: Running) -> None:
    """Five wrong ones, from however many calls; the right one is no use then. The owner gets an urgent message."""
    store = running.store
    await store.set_secrets("bram", pin=await asyncio.to_thread(hash_secret, "82640"))
    told: list[str] = []
    moments = [1_800_000_000.0]
    mailroom = Mailroom(running.settings, store, lambda: moments[0])
    mailroom.listen(lambda event: told.extend(map(str, event.kinds)))
    desk = Desk(running.settings, store, mailroom)
    assert (await desk.check_pin("bram", "82640")).right
    answers = [await desk.check_pin("bram", "00001") for _ in range(4)]
    assert not any(answer.right or answer.wait for answer in answers)
    assert (await desk.check_pin("bram", "00001")).wait == 1800
    other = Desk(running.settings, store, mailroom)  # another node, or this one started anew
    refused = await other.check_pin("bram", "82640")
    assert (refused.right, 1700 < refused.wait <= 1801) == (False, True)
    assert told == ["NEW_MESSAGE"]
    message = (await running.json("/vmrest/messages", "bram"))["Message"]
    assert (message["Subject"], message["Priority"]) == ("Wrong PINs were entered for your mailbox", "Urgent")
    assert int(message["Duration"]) > 4000
    assert [entry.what for entry in await store.entries(user="bram")] == ["closed after wrong PINs"]
    moments[0] += 1801
    assert (await desk.check_pin("bram", "82640")).right


async def test_a_number_that_nobody_has_closes_in_the_same_way(running: Running) -> None:
    """So nobody learns by PINs who has a mailbox."""
    desk = Desk(running.settings, running.store, Mailroom(running.settings, running.store))
    answers = [await desk.check_pin("", "00001", "9999") for _ in range(5)]
    assert [bool(answer.wait) for answer in answers] == [False] * 4 + [True]
    assert not any(answer.right for answer in answers)


async def test_a_pin_that_was_reset_has_to_be_changed(running: Running) -> None:
    desk = Desk(running.settings, running.store, Mailroom(running.settings, running.store))
    await running.store.set_secrets("anita", pin=await asyncio.to_thread(hash_secret, "73519"), expired=True)
    assert (await desk.check_pin("anita", "73519")).expired
    assert (await desk.set_pin("anita", "73519")).why == "pin-same"
    assert (await desk.set_pin("anita", "40862")).done
    assert not (await desk.check_pin("anita", "40862")).expired
