"""What calls need of the store, on SQLite and PostgreSQL: lines, phones, what is set on them, and who is told."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ringback.rules.call_forwarding import Destination, Forwarding, Quiet
from ringback.services.callmanager.device_credentials import derive_secret, deriver, hashes
from ringback.services.callmanager.line_book import Changed, LineBook
from ringback.services.callmanager.settings import CallSettings
from ringback.storage.callmanager.call_rows import DigestHashes, MessageCounts, NumberRow, Phone
from ringback.storage.callmanager.calls import CallStore
from ringback.storage.callmanager.credentials import Cost
from ringback.storage.callmanager.records import DeviceRow, LineRow, PersonRow
from ringback.storage.callmanager.seed import Seed, sow
from ringback.storage.callmanager.store import Store

CHEAP = Cost(time_cost=1, memory=8 * 1024, parallelism=1, scram_iterations=4096)
SHARED = LineRow("2001", display_name="Anita")
SEED = Seed(
    people=(PersonRow("anita", display_name="Anita Berg", directory_uri="anita@example.com"), PersonRow("bruno")),
    devices=(
        DeviceRow("CSFANITA", "anita", lines=(SHARED, LineRow("2000"))),
        DeviceRow("TABANITA", "anita", lines=(SHARED,)),
        DeviceRow("SEP01", "", sip_user="reception", lines=(LineRow("2000", "Desk"), SHARED)),
    ),
    numbers=(
        NumberRow("2001", "ops", 12.0, Forwarding(busy_internal=Destination(voicemail=True))),
        NumberRow("2000", "ops"),
    ),
    digests=(hashes("reception", "example.com", "a word"),),
)
TO_BRUNO = Forwarding(all=Destination(number="2002"), no_answer_external=Destination(voicemail=True))


def nothing(_phone: Phone) -> DigestHashes | None:
    """No phone has a derived secret."""
    return None


@pytest.fixture
async def book(store: Store, threads: ThreadPoolExecutor) -> LineBook:
    """The lines and phones of the seed, loaded once; it looks for changes only when told to."""
    await sow(store, SEED, CHEAP, threads)
    book = LineBook(CallStore(store.engine), nothing)
    await book.refresh()
    return book


async def test_lines_and_phones_are_found_by_all_their_names(book: LineBook) -> None:
    line = book.line("2001")
    assert line is not None
    assert (line.name, line.uri, line.owner, line.ring_seconds) == ("Anita", "anita@example.com", "anita", 12.0)
    assert line.phones == ("CSFANITA", "TABANITA", "SEP01")  # an owner's first lines come first
    assert line.forwarding.busy_internal == Destination(voicemail=True)
    assert book.line_of_contact(line.contact.upper()) == line
    assert [phone.name for phone in book.phones_of("2000")] == ["CSFANITA", "SEP01"]
    assert book.phone("csfanita") == book.phone("CSFANITA")
    assert book.pickup_group("ops") == {"2000", "2001"}
    assert {phone.name for phone in book.phones_of_person("Anita")} == {"CSFANITA", "TABANITA"}
    reception = book.phone_of_user("reception")
    assert reception is not None
    assert [line.number for line in reception.lines] == ["2000", "2001"]
    assert book.phone_of_user("SEP01") is None


async def test_a_change_is_kept_and_told_on_every_node(store: Store, book: LineBook) -> None:
    other = LineBook(CallStore(store.engine), nothing)
    await other.refresh()
    told: list[Changed] = []

    def mistaken(_: Changed) -> None:
        raise ValueError("one watcher's mistake")

    other.watch(mistaken)
    other.watch(told.append)

    assert await book.set_forwarding("2001", TO_BRUNO)
    assert await book.set_quiet("TABANITA", Quiet.REJECT)
    assert await book.set_messages("2000", MessageCounts(new=2, old=1))
    await other.refresh()

    assert told == [Changed(frozenset({"2001"}), frozenset({"2000"}), frozenset({"TABANITA"}))]
    for each in (book, other):
        line, desk, tablet = each.line("2001"), each.line("2000"), each.phone("TABANITA")
        assert line is not None
        assert desk is not None
        assert tablet is not None
        assert line.forwarding == TO_BRUNO
        assert desk.messages == MessageCounts(2, 1)
        assert desk.messages.waiting
        assert tablet.quiet is Quiet.REJECT
    await other.refresh()
    assert len(told) == 1


async def test_what_people_set_outlives_a_new_start(store: Store, book: LineBook, threads: ThreadPoolExecutor) -> None:
    await book.set_forwarding("2001", TO_BRUNO)
    await book.set_quiet("TABANITA", Quiet.SILENT)
    await sow(store, replace(SEED, people=(*SEED.people, PersonRow("carla"))), CHEAP, threads)
    await book.refresh()
    line, tablet = book.line("2001"), book.phone("TABANITA")
    assert line is not None
    assert tablet is not None
    assert line.forwarding == TO_BRUNO
    assert tablet.quiet is Quiet.SILENT


async def test_the_same_deployment_again_disturbs_nobody(
    store: Store, book: LineBook, threads: ThreadPoolExecutor
) -> None:
    told: list[Changed] = []
    book.watch(told.append)
    before = book.lines
    assert await sow(store, SEED, CHEAP, threads) == 0
    await book.refresh()
    assert book.lines is before
    other = replace(SEED, digests=(hashes("reception", "example.com", "another word"),))
    await sow(store, other, CHEAP, threads)
    await book.refresh()
    assert book.digest("reception") == other.digests[0]
    assert told == []


async def test_what_left_the_deployment_leaves_nothing_behind(
    store: Store, book: LineBook, threads: ThreadPoolExecutor
) -> None:
    await book.set_forwarding("2000", TO_BRUNO)
    await book.set_messages("2000", MessageCounts(new=1))
    await book.set_quiet("SEP01", Quiet.SILENT)
    gone = replace(SEED, devices=SEED.devices[1:2], numbers=SEED.numbers[:1], digests=())
    await sow(store, gone, CHEAP, threads)
    await book.refresh()
    assert book.line("2000") is None
    assert book.phone("SEP01") is None
    assert book.digest("reception") is None
    await sow(store, SEED, CHEAP, threads)
    await book.refresh()
    line, phone = book.line("2000"), book.phone("SEP01")
    assert line is not None
    assert phone is not None
    assert line.forwarding == Forwarding()
    assert not line.messages.waiting
    assert phone.quiet is Quiet.OFF


async def test_settings_of_nobody_are_refused(book: LineBook) -> None:
    assert not await book.set_forwarding("4711", TO_BRUNO)
    assert not await book.set_quiet("NOPHONE", Quiet.REJECT)
    assert not await book.set_messages("4711", MessageCounts(1))


async def test_two_nodes_that_write_at_once_lose_nothing(store: Store, book: LineBook) -> None:
    nodes = [CallStore(store.engine) for _ in range(2)]
    numbers = [str(number) for number in range(3000, 3020)]
    await asyncio.gather(
        *(
            node.set_forwarding("2001" if index else "2000", Forwarding(all=Destination(number=number)))
            for number in numbers
            for index, node in enumerate(nodes)
        ),
        *(nodes[0].set_messages("2001", MessageCounts(new=count)) for count in range(20)),
    )
    await book.refresh()
    for number in ("2000", "2001"):
        line = book.line(number)
        assert line is not None
        assert line.forwarding.all.number in numbers


async def test_the_book_notices_changes_of_other_nodes_by_itself(store: Store, book: LineBook) -> None:
    watching = await LineBook.open(CallStore(store.engine), nothing)
    try:
        seen = asyncio.Event()
        watching.watch(lambda _changed: seen.set())
        await CallStore(store.engine).set_quiet("SEP01", Quiet.REJECT)
        async with asyncio.timeout(10):
            await seen.wait()
        phone = watching.phone("SEP01")
        assert phone is not None
        assert phone.quiet is Quiet.REJECT
    finally:
        await watching.close()


async def test_softphones_have_a_derived_secret_and_plain_phones_a_stored_one(store: Store, book: LineBook) -> None:
    calls = CallSettings(domain="example.com", credential_key=b"key of the cluster")
    book = LineBook(CallStore(store.engine), deriver(calls))
    await book.refresh()
    secret = derive_secret(b"key of the cluster", "CSFANITA")
    assert secret != derive_secret(b"another key", "CSFANITA")
    assert book.digest("CSFANITA") == hashes("CSFANITA", "example.com", secret)
    assert book.digest("reception") == hashes("reception", "example.com", "a word")
    assert book.digest("SEP01") is None
    assert book.digest("nobody") is None
    digest = book.digest("CSFANITA")
    assert digest is not None
    assert digest.ha1("sha-256") == digest.sha256
    assert digest.ha1("SHA-1") is None
    assert digest.sha256 not in repr(digest)


def test_the_hashes_are_those_of_the_standard() -> None:
    """RFC 7616 section 3.9.1: the user Mufasa."""
    made = hashes("Mufasa", "http-auth@example.org", "Circle of Life")
    assert made.md5 == "3d78807defe7de2157e2b0b6573a855f"
    assert made.sha256 == "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
