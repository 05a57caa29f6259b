"""A person's client beside a real voicemail service: told at once, in step, and whatever may go wrong on the way."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from ringback.client.events import Subscription
from ringback.client.host.wire_voicemail import VoiceMessagesChanged
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.keeper import TokenKeeper, Tokens
from ringback.client.voicemail.errors import NotThereError, ServiceRefusedError, VoicemailError
from ringback.client.voicemail.service import Parcel
from ringback.deployment.authority import Authority
from ringback.net.tls import server_context
from ringback.rules.addresses import HostPort
from ringback.services.voicemail.service import VoicemailService
from tests.support.foreign import free_ports
from tests.voicemail.conftest import OWN_PASSWORD, PASSWORDS, Running, recorded
from tests.voicemail_client.conftest import beside, client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def send(running: Running, to: str = "anita", sender: str = "bram", subject: str = "", **marks: object) -> None:
    """Somebody leaves a message."""
    status, body = await running.send(sender, [f"{to}@example.com"], recorded(0.3), subject, **marks)
    assert status == 201, body


def arrived(events: Subscription) -> list[str]:
    """The ids of messages that were worth a notification, of what came until now."""
    found: list[str] = []
    while not events._queue.empty():
        event = events._queue.get_nowait()
        if isinstance(event, VoiceMessagesChanged):
            found.extend(event.arrived)
    return found


async def test_a_new_message_is_there_within_a_second_at_every_client(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with (
        beside(running, tmp_path / "one", authority) as first,
        beside(running, tmp_path / "two", authority) as second,
    ):
        await first.up()
        await second.up()
        events = first.session.events.subscribe()
        begin = time.monotonic()
        await send(running, subject="Two o'clock", Priority="Urgent")
        for one in (first, second):
            await one.until(lambda one=one: one.mailbox.new == 1)  # type: ignore[misc]
        assert time.monotonic() - begin < 1.0
        message = first.voicemail.newest()[0]
        assert (message.party.name, message.urgent, message.new, message.subject) == (
            "Bram de Vries", True, True, "Two o'clock",
        )  # fmt: skip
        assert arrived(events) == [message.id]

        await first.voicemail.mark(message.id, new=False)
        await second.until(lambda: second.mailbox.new == 0)
        assert not second.voicemail.message(message.id).new
        await second.voicemail.delete(message.id)
        await first.until(lambda: not first.voicemail.newest())
        await first.voicemail.restore(message.id)
        await second.until(lambda: bool(second.voicemail.newest()))
        await second.voicemail.delete(message.id, hard=True)
        await first.until(lambda: not first.voicemail.newest())
        with pytest.raises(NotThereError):
            await first.voicemail.sound(message.id)


async def test_messages_are_heard_kept_answered_passed_on_and_listed_page_by_page(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    async with beside(running, tmp_path, authority) as anita, beside(running, tmp_path, authority, "bram") as bram:
        await anita.up()
        await bram.up()
        for number in range(5):
            await send(running, subject=f"number {number}")
        await anita.until(lambda: anita.mailbox.new == 5)
        rows, complete = await anita.voicemail.page("inbox", limit=2)
        assert [row.subject for row in rows] == ["number 4", "number 3"]
        assert not complete
        rows, complete = await anita.voicemail.page("inbox", rows[-1].id, limit=3)
        assert ([row.subject for row in rows], complete) == (["number 2", "number 1", "number 0"], True)

        message = rows[0].id
        shape = await anita.voicemail.shape(message)
        assert shape.seconds == pytest.approx(0.3)
        assert max(shape.peaks) == 100
        assert anita.voicemail.message(message).kept
        sound = anita.voicemail.recordings.put(recorded(0.5))
        await anita.voicemail.send(Parcel(about=message, how="reply"), anita.voicemail.recordings.get(sound))
        await bram.until(lambda: bram.mailbox.new == 1)
        assert bram.voicemail.newest()[0].subject == "Re: number 2"
        await anita.voicemail.send(Parcel(to=["2003"], about=message, how="forward"), None)
        rows, _ = await anita.voicemail.page("sent")
        assert [row.subject for row in rows] == ["Fwd: number 2", "Re: number 2"]
        assert [one.name for one in await anita.voicemail.addresses("Bra")] == ["Bram de Vries"]

        await anita.voicemail.delete(message)
        assert [row.id for row in (await anita.voicemail.page("deleted"))[0]] == [message]
        await anita.voicemail.empty()
        assert (await anita.voicemail.page("deleted"))[0] == []


async def test_what_cannot_be_sent_is_refused_with_its_reason(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    async with beside(running, tmp_path, authority) as anita:
        await anita.up()
        wav = recorded(0.2)
        for parcel, reason in (
            (Parcel(to=["nobody@example.com"]), "voicemail.refused"),
            (Parcel(to=["nobody at all"]), "voicemail.no_recipient"),
            (Parcel(), "voicemail.nobody"),
        ):
            with pytest.raises(VoicemailError) as caught:
                await anita.voicemail.send(parcel, wav)
            assert caught.value.reason.id == reason
        with pytest.raises(ServiceRefusedError) as refused:
            await anita.voicemail.send(Parcel(to=["2002"]), recorded(11.0))
        assert refused.value.reason.id == "voicemail.refused.long"


async def test_greetings_are_recorded_switched_and_heard(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    async with beside(running, tmp_path, authority) as anita:
        await anita.up()
        await anita.voicemail.record_greeting("alternate", recorded(0.5))
        found = {one.kind: one for one in await anita.voicemail.greetings()}
        assert (found["alternate"].on, found["alternate"].recorded) == (True, True)
        assert (found["standard"].on, found["busy"].on) == (True, False)
        assert len(await anita.voicemail.greeting_sound("alternate")) > 1000
        end = "2031-05-04T10:00:00+00:00"
        await anita.voicemail.set_greeting("alternate", on=None, recorded=False, until=end)
        found = {one.kind: one for one in await anita.voicemail.greetings()}
        assert (found["alternate"].recorded, found["alternate"].until) == (False, end)


async def test_what_is_known_is_there_without_the_service_and_what_was_heard_meanwhile_is_told_later(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    await send(running, subject="kept")
    async with beside(running, tmp_path, authority) as anita:
        await anita.up()
        message = anita.voicemail.newest()[0].id
        heard = await anita.voicemail.sound(message)
    nowhere = [HostPort("127.0.0.1", free_ports(1)[0])]
    async with client(tmp_path, authority, "anita", 0, 0, servers=nowhere) as alone:
        assert [row.subject for row in alone.voicemail.newest()] == ["kept"]
        await alone.until(lambda: alone.mailbox.state == "waiting")
        assert alone.mailbox.reasons[0].id == "voicemail.no_answer"
        assert await alone.voicemail.sound(message) == heard
        assert (await alone.voicemail.page("inbox"))[0][0].id == message
        await alone.voicemail.mark(message, new=False)
        assert alone.mailbox.new == 0
    async with beside(running, tmp_path, authority) as anita:
        await anita.up()
        assert anita.mailbox.new == 0
        assert (await running.json(f"/vmrest/messages/0:{message}"))["Read"] == "true"


async def test_a_password_that_is_refused_makes_the_voicemail_ask_for_its_own_account(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    async with beside(running, tmp_path, authority, "chidi") as chidi:
        await chidi.until(lambda: chidi.mailbox.asks)
        assert (chidi.mailbox.state, chidi.mailbox.user) == ("failed", "chidi")
        assert chidi.mailbox.text is not None
        assert chidi.mailbox.text.id == "voicemail.proof.ask.refused"
        await chidi.voicemail.sign_in("chidi", "a wrong one")
        await chidi.until(lambda: chidi.mailbox.asks)
        await chidi.voicemail.sign_in("chidi", OWN_PASSWORD)
        await chidi.up()
        assert not chidi.mailbox.asks
    async with beside(running, tmp_path, authority, "chidi") as chidi:  # the account was kept
        await chidi.up()
        await chidi.voicemail.forget_account()
    kept = await asyncio.to_thread(lambda: b"".join(file.read_bytes() for file in tmp_path.glob("chidi.db*")))
    assert kept
    assert OWN_PASSWORD.encode() not in kept


async def test_a_token_that_is_over_leads_to_the_question_and_never_to_a_loop(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    credentials = Credentials("anita", "", TokenKeeper(lambda: 0.5))
    now = time.time()
    credentials.take(Tokens(access="not.a.token", refresh="r", received=now - 10, expires=now + 3600, user="anita"))
    ports = running.port("vmrest"), running.port("notify-tls")
    async with client(tmp_path, authority, "anita", *ports, credentials=credentials) as anita:
        credentials.clear()  # as when the sign-in ended
        await anita.until(lambda: anita.mailbox.state in ("failed", "waiting"))
        await anita.voicemail.sign_in("anita", PASSWORDS["anita"])
        await anita.up()


Handler = Callable[[web.Request], Awaitable[web.Response]]


async def _serving(authority: Authority, handler: Handler) -> tuple[web.AppRunner, int]:
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    identity = authority.issue("vm9.example.com", ["vm9.example.com"], ["127.0.0.1"])
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(identity))
    await site.start()
    return runner, int(runner.addresses[0][1])


GARBAGE: list[tuple[int, str, bytes]] = [
    (200, "application/json", b'{"@total":"x","Message":7}'),
    (200, "application/xml", b"<html><body>HTTP Status 401"),
    (200, "text/plain", b"\xff\xfe\x00"),
    (500, "text/html", b"oops"),
    (302, "text/html", b""),
    (200, "application/json", b"[" * 10_000),
]


@pytest.mark.parametrize("answer", GARBAGE)
async def test_garbage_in_place_of_a_service_is_told_and_nothing_more(
    authority: Authority, tmp_path: Path, answer: tuple[int, str, bytes]
) -> None:
    status, kind, body = answer

    async def garble(_: web.Request) -> web.Response:
        return web.Response(status=status, content_type=kind, body=body)

    runner, port = await _serving(authority, garble)
    try:
        async with client(tmp_path, authority, "anita", port, port) as anita:
            await anita.until(lambda: anita.mailbox.state == "waiting")
            assert anita.mailbox.reasons[0].id in ("voicemail.no_answer", "voicemail.refused")
            assert anita.mailbox.next_try is not None
    finally:
        await runner.cleanup()


async def test_without_notifications_the_mailbox_is_looked_at_and_that_is_said(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    closed = free_ports(1)[0]
    async with client(tmp_path, authority, "anita", running.port("vmrest"), closed) as anita:
        await anita.until(lambda: anita.mailbox.state == "up")
        assert not anita.mailbox.told
        assert anita.mailbox.reasons[0].id == "voicemail.not_told"
        await send(running)
        anita.session.calling._card.set(messages=1)  # the phone's message-waiting, as its SIP tells it
        await anita.until(lambda: anita.mailbox.new == 1)


async def test_without_a_voicemail_server_the_phone_still_says_how_many_messages_wait(
    authority: Authority, tmp_path: Path
) -> None:
    async with client(tmp_path, authority, "anita", 0, 0, servers=[]) as anita:
        await anita.until(lambda: anita.mailbox.text is not None)
        anita.session.calling._card.set(messages=3, voicemail="2999")
        await anita.until(lambda: anita.mailbox.new == 3)
        assert (anita.mailbox.state, anita.mailbox.dial) == ("off", "2999")
        with pytest.raises(VoicemailError):
            await anita.voicemail.addresses("x")


async def test_who_has_no_mailbox_is_told_so_and_shown_nothing(authority: Authority, tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:  # as the service answers to people without one
        return web.json_response({"errors": {"code": "RESOURCE_NOT_FOUND"}}, status=404)

    runner, port = await _serving(authority, refuse)
    try:
        async with client(tmp_path, authority, "anita", port, port) as anita:
            anita.session.calling._card.set(voicemail="2999")
            await anita.until(lambda: anita.mailbox.text is not None)
            assert anita.mailbox.text is not None
            assert (anita.mailbox.state, anita.mailbox.text.id) == ("off", "voicemail.no_mailbox")
            assert (anita.mailbox.dial, anita.mailbox.new) == ("", 0)
    finally:
        await runner.cleanup()


async def test_several_at_once_are_taken_over_together(running: Running, authority: Authority, tmp_path: Path) -> None:
    async with beside(running, tmp_path, authority) as anita:
        await anita.up()
        await asyncio.gather(*(send(running, subject=str(number)) for number in range(4)))
        await anita.until(lambda: anita.mailbox.new == 4 and len(anita.voicemail.newest()) == 4)


async def test_after_a_restart_of_the_service_nothing_is_missed(
    running: Running, authority: Authority, tmp_path: Path
) -> None:
    rest, notify = running.port("vmrest"), running.port("notify-tls")
    async with beside(running, tmp_path, authority) as anita:
        await anita.up()
        events = anita.session.events.subscribe()
        await running.service.stop()
        await anita.until(lambda: anita.mailbox.state == "waiting")
        settings = dataclasses.replace(running.settings, rest_port=rest, notify_tls_port=notify)
        again = VoicemailService(settings)
        await again.start()
        try:
            running.service = again
            await send(running, subject="while you were away")
            anita.voicemail.try_now()
            await anita.until(lambda: anita.mailbox.new == 1)
            await anita.up()
            assert arrived(events) == [anita.voicemail.newest()[0].id]
            await send(running, subject="and now")
            await anita.until(lambda: anita.mailbox.new == 2)
        finally:
            await again.stop()
