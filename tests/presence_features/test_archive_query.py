"""Queries of an archive: what is understood, what is refused, which page comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import parse_element
from ringback.services.presence.archive_query import (
    FORM,
    LARGEST_PAGE,
    MAM,
    ArchiveClock,
    Query,
    answer,
    metadata,
    namespaced,
    read_query,
    stamp,
)
from ringback.storage.presence import archive
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.migrate import upgrade
from ringback.storage.presence.tables import IDS_PER_MICROSECOND

_NS = {"m": MAM, "r": "http://jabber.org/protocol/rsm", "f": "urn:xmpp:forward:0", "c": "jabber:client"}


def query(
    paging: str = "", extra: str = "", more: Mapping[str, str | list[str]] | None = None, **fields: object
) -> Query:
    fields.update(more or {})
    inside = "".join(
        f"<field var='{name.replace('_', '-')}'>"
        + "".join(f"<value>{value}</value>" for value in (values if isinstance(values, list) else [values]))
        + "</field>"
        for name, values in fields.items()
    )
    hidden = f"<field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>"
    form = f"<x xmlns='jabber:x:data' type='submit'>{hidden}{inside}</x>" if fields else ""
    rsm = f"<set xmlns='http://jabber.org/protocol/rsm'>{paging}</set>" if paging else ""
    return read_query(parse_element(f"<query xmlns='{MAM}' queryid='q'>{form}{rsm}{extra}</query>".encode()))


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    opened = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", prepare=upgrade)
    for number in range(1, 11):
        peer = "b@x" if number % 2 else "c@x"
        sides = [opened.addresses.number(address) for address in ("a@x", peer)]
        stanza = b"<message xmlns='jabber:client'><body>%d</body></message>" % number
        row = (number * IDS_PER_MICROSECOND, *sides, True, True, "", "r", stanza)
        opened.write(archive.APPEND, row)
    yield opened
    await opened.close()


async def page(storage: Storage, asked: Query) -> tuple[list[int], bool, list[str]]:
    """Bodies, whether complete, and first and last id of the page."""
    sent: list[bytes] = []
    fin = parse_element(await answer(storage, "a@x", asked, sent.append, b"a@x/desk"))
    bodies = []
    for raw in sent:
        message = parse_element(raw)
        assert message.get("to") == "a@x/desk"
        result = message.find("m:result", _NS)
        assert result is not None
        assert result.get("queryid") == "q"
        body = result.findtext("f:forwarded/c:message/c:body", namespaces=_NS)
        assert int(result.get("id", "0")) == int(body or "0") * IDS_PER_MICROSECOND
        bodies.append(int(body or "0"))
    ends = [fin.findtext(f"r:set/r:{name}", default="", namespaces=_NS) for name in ("first", "last")]
    return bodies, fin.get("complete") == "true", ends


UNIT = IDS_PER_MICROSECOND


@pytest.mark.parametrize(
    ("asked", "bodies", "complete"),
    [
        (query(), list(range(1, 11)), True),
        (query("<max>3</max>"), [1, 2, 3], False),
        (query(f"<max>3</max><after>{8 * UNIT}</after>"), [9, 10], True),
        (query(f"<max>2</max><after>{8 * UNIT}</after>"), [9, 10], True),
        (query("<max>3</max><before/>"), [8, 9, 10], False),
        (query(f"<max>3</max><before>{3 * UNIT}</before>"), [1, 2], True),
        (query("<max>10</max><before/>"), list(range(1, 11)), True),
        (query("<max>3</max><before/>", "<flip-page/>"), [10, 9, 8], False),
        (query(more={"with": "b@x"}), [1, 3, 5, 7, 9], True),
        (query(more={"with": "b@x/r"}), [1, 3, 5, 7, 9], True),
        (query(more={"with": "b@x/other"}), [], True),
        (query(start="1970-01-01T00:00:00.000004Z", end="1970-01-01T01:00:00.000006+01:00"), [4, 5, 6], True),
        (query(after_id=str(2 * UNIT), before_id=str(6 * UNIT)), [3, 4, 5], True),
        (query(f"<after>{3 * UNIT}</after>", after_id=str(2 * UNIT)), list(range(4, 11)), True),
        (query(ids=[str(2 * UNIT), str(7 * UNIT)]), [2, 7], True),
        (query(end="1900-01-01T00:00:00Z"), [], True),
        (query(start="9999-12-31T23:59:59Z"), [], True),
    ],
)
async def test_pages(storage: Storage, asked: Query, bodies: list[int], complete: bool) -> None:
    found, done, ends = await page(storage, asked)
    assert (found, done) == (bodies, complete)
    assert ends == ([str(min(bodies) * UNIT), str(max(bodies) * UNIT)] if bodies else ["", ""])


async def test_paging_through_meets_every_message_once(storage: Storage) -> None:
    for backwards in (False, True):
        seen: list[int] = []
        place = "<before/>" if backwards else ""
        while True:
            bodies, complete, ends = await page(storage, query(f"<max>4</max>{place}"))
            seen = bodies + seen if backwards else seen + bodies
            if complete:
                break
            place = f"<before>{ends[0]}</before>" if backwards else f"<after>{ends[1]}</after>"
        assert seen == list(range(1, 11))


async def test_counting_without_a_page(storage: Storage) -> None:
    fin = parse_element(await answer(storage, "a@x", query("<max>0</max>"), lambda raw: None, b"a@x/desk"))
    assert fin.findtext("r:set/r:count", namespaces=_NS) == "10"


@pytest.mark.parametrize(
    "asked",
    [
        query("<after>77</after>"),
        query("<before>77</before>"),
        query(ids=[str(UNIT), "77"]),
        query(before_id="77"),
    ],
)
async def test_ids_that_are_not_there(storage: Storage, asked: Query) -> None:
    with pytest.raises(StanzaError) as refused:
        await page(storage, asked)
    assert refused.value.condition == "item-not-found"


@pytest.mark.parametrize(
    ("condition", "paging", "fields"),
    [
        ("item-not-found", "<after>not-a-number</after>", {}),
        ("item-not-found", "<after>99999999999999999999</after>", {}),
        ("bad-request", "<max>-1</max>", {}),
        ("bad-request", "<max>many</max>", {}),
        ("feature-not-implemented", "<index>3</index>", {}),
        ("feature-not-implemented", "", {"full-text": "hello"}),
        ("bad-request", "", {"start": "yesterday"}),
        ("bad-request", "", {"start": "2020-01-01T00:00:00"}),
        ("jid-malformed", "", {"with": "@"}),
        ("policy-violation", "", {"ids": ["1"] * (LARGEST_PAGE + 1)}),
    ],
)
def test_refusals(condition: str, paging: str, fields: dict[str, str | list[str]]) -> None:
    with pytest.raises(StanzaError) as refused:
        query(paging, more=fields)
    assert refused.value.condition == condition


def test_a_page_is_never_greater_than_allowed() -> None:
    assert query("<max>100000</max>").limit == LARGEST_PAGE


async def test_the_ends_of_an_archive(storage: Storage) -> None:
    found = parse_element(await metadata(storage, "a@x"))
    assert [(end.get("id"), end.get("timestamp")) for end in found] == [
        (str(UNIT), "1970-01-01T00:00:00.000001Z"),
        (str(10 * UNIT), "1970-01-01T00:00:00.000010Z"),
    ]
    assert len(parse_element(await metadata(storage, "nobody@x"))) == 0


@given(times=st.lists(st.floats(0, 4e9), max_size=50))
def test_ids_grow_whatever_the_clock_does(times: list[float]) -> None:
    clocks = [ArchiveClock(), ArchiveClock(lane=1)]
    ids = [[clock.next(now) for now in times] for clock in clocks]
    assert [sorted(set(given)) for given in ids] == ids
    assert not set(ids[0]) & set(ids[1])
    newest = max((*ids[0], *ids[1], 7))
    for clock in clocks:
        clock.passed(newest)
        assert clock.next(0.0) > newest
    assert clocks[0].next(0.0) != clocks[1].next(0.0)


@given(microseconds=st.integers(0, 4_000_000_000_000_000))
def test_a_shown_time_asks_for_exactly_that_moment(microseconds: int) -> None:
    text = stamp(microseconds).decode()
    assert query(start=text, end=text).window.start == query(start=text, end=text).window.end == microseconds


@pytest.mark.parametrize(
    "raw",
    [
        b"<message to='a'><body xmlns='x'/></message>",
        b"<message xmlns='jabber:client' to='a'><body/></message>",
        b"<message id='xmlns=' to=\"a>b\"/>",
        b"<message/>",
        b"<message\n xmlns = 'jabber:client'><body/></message>",
    ],
)
def test_a_stanza_inside_another_says_its_namespace(raw: bytes) -> None:
    wrapped = parse_element(b"<forwarded xmlns='urn:xmpp:forward:0'>%b</forwarded>" % namespaced(raw))
    assert wrapped[0].tag == "{jabber:client}message"
    assert namespaced(namespaced(raw)) == namespaced(raw)


def test_the_form_names_the_filters() -> None:
    names = {field.get("var") for field in parse_element(FORM).iter("{jabber:x:data}field")}
    assert names == {"FORM_TYPE", "with", "start", "end", "before-id", "after-id", "ids"}
