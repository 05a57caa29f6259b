"""What directories said is kept for a day, merged as it comes; who is shown is kept longer, nobody too many."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.client.contacts.cache import LIFE, PeopleCache
from ringback.client.contacts.merge import merge
from ringback.client.contacts.sources.base import By, Query, Record, Wanted
from tests.people.records import phones, record, records

JID = "ada@example.com"


def test_a_day_later_only_who_is_shown_is_known() -> None:
    cache = PeopleCache()
    cache.take([record("1", jid=JID), record("2", jid="bruno@example.com"), record("3", "custom", name="Plumber")])
    shown = {"bruno@example.com"}
    assert cache.prune(1000.0 + LIFE - 1, shown).gone == ()
    assert cache.prune(1000.0 + LIFE, shown).gone == (JID,)
    assert cache.get(JID) is None
    assert cache.due("bruno@example.com", 1000.0 + LIFE)
    assert not cache.due("bruno@example.com", 1000.0 + LIFE - 1)
    assert {facts.name for facts in cache.everybody()} == {"bruno@example.com", "Plumber"}


def test_the_fresh_half_of_somebody_stays() -> None:
    cache = PeopleCache()
    cache.take([record("1", "ldap", jid=JID, title="Engineer"), record("2", "uds", jid=JID, name="Ada", at=5000.0)])
    change = cache.prune(1000.0 + LIFE, ())
    assert [(facts.name, facts.title) for facts in change.put] == [("Ada", "")]
    assert change.gone == ()


def test_the_oldest_go_where_there_are_too_many() -> None:
    cache = PeopleCache(most=3)
    cache.take([record(str(n), jid=f"p{n}@example.com", at=float(n)) for n in range(5)])
    assert set(cache.prune(10.0, {"p0@example.com"}).gone) == {"p1@example.com", "p2@example.com"}
    assert len(cache) == 3


def test_somebody_who_gets_an_address_changes_the_id() -> None:
    cache = PeopleCache()
    first = cache.take([record("1", "local:book", name="Ada", mails=("ada@x.example",))])
    assert [facts.id for facts in first.put] == ["~mail:ada@x.example"]
    second = cache.take([record("2", "uds", jid=JID, mails=("ada@x.example",))])
    assert [facts.id for facts in second.put] == [JID]
    assert second.gone == ("~mail:ada@x.example",)
    assert {row.key for row in cache.records(JID)} == {"1", "2"}


def test_resolving_by_everything() -> None:
    cache = PeopleCache(region="DE")
    number, uri = phones("+49 30 5550100"), "ada@sip.example.com"
    cache.take([record("1", jid=JID, user="ada", mails=("Ada@x.example",), phones=number, sip_uri=uri)])
    for by, value in [
        (By.JID, "ADA@example.com"), (By.USER, "Ada"), (By.MAIL, "ada@X.example"), (By.NUMBER, "030 5550-100"),
        (By.URI, "ada@sip.example.com"), (By.URI, JID),
    ]:  # fmt: skip
        assert [facts.id for facts in cache.resolve(Wanted(by, value))] == [JID], by
    assert cache.resolve(Wanted(By.NUMBER, "5550100")) == []
    cache.forget("uds", "1")
    assert not cache.everybody()
    assert cache.resolve(Wanted(By.JID, JID)) == []


@settings(max_examples=80)
@given(st.lists(records, max_size=10), st.randoms(use_true_random=False))
def test_taking_piece_by_piece_is_taking_all_at_once(rows: list[Record], pick: random.Random) -> None:
    newest = {(row.source, row.key): row for row in rows}  # what comes later replaces
    pieces = list(newest.values())
    pick.shuffle(pieces)
    cache = PeopleCache(("ldap", "uds"), "DE")
    kept: dict[str, object] = {}
    for piece in pieces:
        change = cache.take([piece])
        for name in change.gone:
            kept.pop(name, None)
        kept.update({facts.id: facts for facts in change.put})
    wanted = {facts.id: facts for facts in merge(pieces, ("custom", "ldap", "uds"), "DE")}
    assert {facts.id: facts for facts in cache.everybody()} == wanted
    assert kept == wanted  # what was told of changes adds up to what is there
    loaded = PeopleCache(("ldap", "uds"), "DE")
    loaded.load(row for facts in cache.everybody() for row in cache.records(facts.id))
    assert {facts.id: facts for facts in loaded.everybody()} == wanted


def test_another_country_reads_numbers_anew() -> None:
    cache = PeopleCache()
    cache.take([record("1", jid=JID, phones=phones("030 5550100"))])
    assert cache.resolve(Wanted(By.NUMBER, "+49 30 5550100")) == []
    cache.configure(("uds",), "DE")
    assert [facts.id for facts in cache.resolve(Wanted(By.NUMBER, "+49 30 5550100"))] == [JID]
    assert [facts.id for facts in cache.search(Query.of("5550100"))] == [JID]
