"""Records of calls: written to files and store, tried again, and owed by a node that was killed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy.exc import OperationalError

from ringback.protocols.call_records import parse
from ringback.services.callmanager.call_keeper import CallKeeper, SharedRegistrations
from ringback.services.callmanager.calls.facts import CallFacts, Cause, QualityFacts, Registered, SideFacts
from ringback.services.callmanager.settings import CallSettings
from ringback.storage.callmanager.record_files import RecordFiles
from ringback.storage.callmanager.record_store import Batch, RecordStore
from ringback.storage.callmanager.store import Store

NOW = 1_750_000_000.0
FACTS = CallFacts(
    call=16777217,
    began=NOW,
    ended=NOW + 75.4,
    connected=NOW + 5.2,
    caller=SideFacts(
        leg=31, number="2001", uri="anita@example.com", user="anita", device="CSFANITA",
        signalling="10.248.64.14:50612", media="10.248.64.14", media_port=22018, codec="PCMU",
        cause=Cause.NORMAL_CLEARING,
    ),
    called=SideFacts(leg=32, number="2002", device="SEP01", media="10.248.64.17", media_port=31598, codec="opus"),
    original_called="2002",
    final_called="2002",
    secured=2,
)  # fmt: skip
QUALITY = QualityFacts(
    call=16777217, leg=31, at=NOW + 76, number="2001", device="CSFANITA", seconds=70, packets_sent=3500,
    packets_received=3490, packets_lost=10, jitter=4, latency=21, metrics="CS=0;SCS=0",
)  # fmt: skip


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW + 100

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def calls(tmp_path: Path) -> CallSettings:
    """A second node of a cluster that keeps files."""
    return CallSettings(node_number=2, records_folder=tmp_path / "records", records_seconds=60.0)


def records_in(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """The records of all files of a kind, each of which must be whole."""
    return [record for path in sorted(folder.glob(pattern)) for record in parse(path.read_text())[1]]


async def test_a_call_becomes_a_record_in_files_and_store(calls: CallSettings, store: Store, tmp_path: Path) -> None:
    records = RecordStore(store.engine)
    keeper = await CallKeeper.open(calls, "head office", records, Clock())
    keeper.call_ended(FACTS)
    keeper.quality_reported(QUALITY)
    await keeper.close()

    (cdr,) = records_in(tmp_path / "records", "cdr_head-office_02_202506151508_*")
    assert {
        "globalCallID_callManagerId": 2, "globalCallID_callId": 16777217, "globalCallId_ClusterID": "head office",
        "dateTimeOrigination": 1750000000, "dateTimeConnect": 1750000005, "dateTimeDisconnect": 1750000075,
        "duration": 70, "callingPartyNumber": "2001", "finalCalledPartyNumber": "2002", "origDeviceName": "CSFANITA",
        "origIpAddr": 239138826, "origIpv4v6Addr": "10.248.64.14", "origMediaTransportAddress_IP": 239138826,
        "origMediaTransportAddress_Port": 22018, "origMediaCap_payloadCapability": 4,
        "destMediaCap_payloadCapability": 90, "origCause_value": 16, "destCause_value": 0, "callSecuredStatus": 2,
        "callingPartyUnicodeLoginUserID": "anita", "callingPartyNumber_uri": "anita@example.com",
    }.items() <= cdr.items()  # fmt: skip
    (cmr,) = records_in(tmp_path / "records", "cmr_head-office_02_202506151508_*")
    assert {
        "globalCallID_callId": 16777217, "callIdentifier": 31, "numberPacketsSent": 3500, "numberPacketsLost": 10,
        "jitter": 4, "latency": 21, "duration": 70, "varVQMetrics": "CS=0;SCS=0", "numberVideoPacketsSent": None,
    }.items() <= cmr.items()  # fmt: skip
    (kept,) = await records.details()
    assert {name: value for name, value in cdr.items() if value}.items() <= kept.items()
    (kept_quality,) = await records.managements()
    assert {name: value for name, value in cmr.items() if value}.items() <= kept_quality.items()


async def test_a_killed_node_writes_the_records_that_it_owes(calls: CallSettings, store: Store, tmp_path: Path) -> None:
    clock, records = Clock(), RecordStore(store.engine)
    killed = CallKeeper(records, None, 2, "head office", clock)
    killed.call_began(structs.replace(FACTS, ended=0.0))
    killed.call_began(structs.replace(FACTS, call=16777218, ended=0.0))
    assert await killed.write()
    killed.call_ended(structs.replace(FACTS, call=16777218))
    assert await killed.write()
    clock.now = NOW + 40
    await records.seen(2, clock.now)
    clock.now = NOW + 100_000

    other = await CallKeeper.open(replace(calls, node_number=1, records_folder=None), "head office", records, clock)
    await other.close()
    assert len(await records.details()) == 1

    again = await CallKeeper.open(calls, "head office", records, clock)
    await again.close()
    assert again.last_number == 16777218
    owed = next(record for record in await records.details() if record["globalCallID_callId"] == 16777217)
    assert (owed["dateTimeDisconnect"], owed["duration"]) == (int(NOW) + 40, 35)
    assert (owed["origCause_value"], owed["destCause_value"], owed["comment"]) == (41, 41, "NodeEnded")
    assert [record["globalCallID_callId"] for record in records_in(tmp_path / "records", "cdr_*")] == [16777217]
    third = await CallKeeper.open(calls, "head office", records, clock)
    await third.close()
    assert len(await records.details()) == 2


async def test_a_call_that_is_over_before_the_next_batch_leaves_no_note(calls: CallSettings, store: Store) -> None:
    records = RecordStore(store.engine)
    keeper = CallKeeper(records, None, 2, "head office", Clock())
    keeper.call_began(FACTS)
    keeper.call_ended(FACTS)
    assert await keeper.write()
    assert await records.open_calls(2) == []
    assert len(await records.details()) == 1


class Refusing(RecordStore):
    """A store whose disk is full for a while."""

    refuse = True

    async def write(self, batch: Batch) -> None:
        if self.refuse:
            raise OperationalError("INSERT", {}, OSError("disk full"))
        await super().write(batch)


async def test_what_the_store_refuses_is_written_later(calls: CallSettings, store: Store, tmp_path: Path) -> None:
    records = Refusing(store.engine)
    files = RecordFiles(tmp_path / "records", "hq", 2, seconds=60, octets=1_000_000)
    keeper = CallKeeper(records, files, 2, "hq", Clock())
    keeper.call_ended(FACTS)
    assert not await keeper.write()
    keeper.quality_reported(QUALITY)
    keeper.call_began(structs.replace(FACTS, call=5))
    assert not await keeper.write()
    records.refuse = False
    assert await keeper.write()
    assert len(await records.details()) == 1
    assert len(await records.managements()) == 1
    assert [call.call for call in await records.open_calls(2)] == [5]
    files.close()
    assert len(records_in(tmp_path / "records", "cdr_*")) == 1


async def test_a_full_disk_keeps_records_waiting_up_to_a_limit_and_then_the_store_has_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.services.callmanager.call_keeper._HELD", 2)
    records, folder = RecordStore(store.engine), tmp_path / "records"
    keeper = CallKeeper(records, RecordFiles(folder, "hq", 2, seconds=60, octets=1_000_000), 2, "hq", Clock())
    folder.rmdir()
    for number in range(3):
        assert not await records.details()
        keeper.call_ended(structs.replace(FACTS, call=number))
        assert not await keeper.write()
    assert {record["globalCallID_callId"] for record in await records.details()} == {0, 1, 2}
    assert await keeper.write()


async def test_thousands_of_calls_at_once_are_all_kept(calls: CallSettings, store: Store, tmp_path: Path) -> None:
    records = RecordStore(store.engine)
    keeper = await CallKeeper.open(replace(calls, records_octets=200_000), "hq", records, Clock())
    for number in range(3000):
        keeper.call_ended(structs.replace(FACTS, call=number))
        if number % 500 == 0:
            await asyncio.sleep(0)
    await keeper.close()
    assert {record["globalCallID_callId"] for record in await records.details(limit=5000)} == set(range(3000))
    files = list((tmp_path / "records").iterdir())
    assert len(records_in(tmp_path / "records", "cdr_*")) == 3000
    assert not [path for path in files if path.suffix == ".part"]


def test_files_are_complete_by_age_and_size(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path, "hq", 1, seconds=60, octets=8_000)
    files.append("cdr", [{"globalCallID_callId": 1}], NOW)
    files.rotate(NOW + 59)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    files.rotate(NOW + 60)
    assert [path.name for path in tmp_path.iterdir()] == ["cdr_hq_01_202506151506_1"]
    files.append("cdr", [{"globalCallID_callId": number} for number in range(2, 30)], NOW + 61)
    assert not list(tmp_path.glob("*.part"))
    assert len(records_in(tmp_path, "cdr_*")) == 29
    files.close()


def test_a_file_that_was_cut_is_completed_without_its_last_line(tmp_path: Path) -> None:
    killed = RecordFiles(tmp_path, "hq", 1, seconds=60, octets=1_000_000)
    killed.append("cdr", [{"globalCallID_callId": 1}], NOW)
    (left,) = tmp_path.glob("*.part")
    with left.open("ab") as file:
        file.write(b'1,1,2,3,"cut')
    files = RecordFiles(tmp_path, "hq", 1, seconds=60, octets=1_000_000)
    assert [record["globalCallID_callId"] for record in records_in(tmp_path, "cdr_*")] == [1]
    files.append("cdr", [{"globalCallID_callId": 2}], NOW)
    files.close()
    assert len(list(tmp_path.iterdir())) == 2


REGISTERED = Registered(
    device="CSFANITA", contact="sip:a@10.0.0.9:5070;transport=tls", lines=("2001", "2000"), node="cm1.example.com",
    expires=NOW + 220, transport="tls", received="10.0.0.9:5070", instance="<urn:uuid:1>", user_agent="Ringback",
    since=NOW,
)  # fmt: skip


async def test_nodes_share_who_is_registered_where(store: Store) -> None:
    clock = Clock()
    one, other = (SharedRegistrations(RecordStore(store.engine), clock) for _ in range(2))
    moved = replace(REGISTERED, node="cm2.example.com", expires=NOW + 400)
    desk = replace(REGISTERED, device="SEP01", expires=NOW + 110)
    await one.save([REGISTERED, desk], [])
    assert set(await other.load()) == {REGISTERED, desk}
    await other.save([moved], [])
    assert set(await one.load()) == {moved, desk}
    clock.now = NOW + 150
    assert set(await one.load()) == {moved}
    await one.save([], [("CSFANITA", REGISTERED.contact)])
    assert await other.load() == []


async def test_what_ended_long_ago_is_forgotten(store: Store) -> None:
    clock, records = Clock(), RecordStore(store.engine)
    one, other = (SharedRegistrations(records, clock) for _ in range(2))
    gone = replace(REGISTERED, device="SEP01", expires=NOW + 10_000)
    await one.save([gone, replace(REGISTERED, device="SEP02", expires=NOW + 101)], [])
    await other.load()
    await one.save([], [("SEP01", gone.contact)])
    assert [each.device for each in await other.load()] == ["SEP02"]
    clock.now = NOW + 10_000
    for _ in range(520):
        await one.save([replace(REGISTERED, expires=NOW + 20_000)], [])
    assert [row["device"] for row in await records.registrations()] == ["CSFANITA"]
    assert [each.device for each in await other.load()] == ["CSFANITA"]
