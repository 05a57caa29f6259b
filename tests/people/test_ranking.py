"""The order of people found: a total order, the better fit and the nearer person first."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.client.contacts.facts import Facts
from ringback.client.contacts.index import PeopleIndex
from ringback.client.contacts.merge import merge
from ringback.client.contacts.ranking import STRANGER, Nearness, match, order
from ringback.client.contacts.sources.base import Kind, Phone, Query, Record
from tests.people.records import phones, records

ADA = Facts(
    id="ada@example.com", jid="ada@example.com", user="ada", name="Ada Lovelace", first="Ada", last="Lovelace",
    title="Engineer", department="Research", company="Analytical Engines", location="London",
    mails=("ada.lovelace@example.com",),
    phones=(Phone(Kind.WORK, "+49 30 5550100"), Phone(Kind.MOBILE, "+49 151 12345678")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "grade", "matched"),
    [
        ("Ada Lovelace", 0, "name"),
        ("lovelace ada", 0, "name"),
        ("ada lo", 1, "name"),
        ("ÁDA LÖV", 1, "name"),
        ("a love", 2, "name"),
        ("lovelace a", 1, "name"),
        ("ada.lovelace@", 4, "mail"),
        ("ada research", 5, "department"),
        ("engineer", 5, "title"),
        ("analytical ada", 5, "company"),
        ("ada london", 6, "elsewhere"),
        ("+49 (30) 5550-100", 0, "number"),
        ("030 5550 100", 0, "number"),
        ("0305550100", 0, "number"),
        ("50100", 2, "number"),
        ("4930", 3, "number"),
        ("030 5", 3, "number"),
        ("0305550", 3, "number"),
        ("0049 30 55", 3, "number"),
        ("0151", 3, "number"),
        ("555010", 4, "number"),
        ("1511234", 3, "number"),
        ("511234", 4, "number"),
    ],
)
def test_how_well_a_text_fits(text: str, grade: int, matched: str) -> None:
    found = match(Query.of(text), ADA, STRANGER, "DE")
    assert found is not None
    assert (found.grade, found.matched) == (grade, matched)


@pytest.mark.parametrize("text", ["", "   ", "bruno", "ada bruno", "999999", "7"])
def test_what_does_not_fit(text: str) -> None:
    assert match(Query.of(text), ADA, STRANGER, "DE") is None


def test_other_scripts_and_letters_that_are_no_accents() -> None:
    people = [Facts(id=name, name=name) for name in ("Søren Łukasz", "李娜", "Ἀθηνᾶ", "Зоя", "Zoë Ångström")]
    for typed, name in [("soren lukasz", 0), ("李", 1), ("αθηνα", 2), ("зоя", 3), ("ZOE ANGSTROM", 4)]:
        assert match(Query.of(typed), people[name]) is not None, typed


def test_a_nickname_finds_and_says_so() -> None:
    found = match(Query.of("countess"), ADA, Nearness(nickname="Countess"))
    assert found is not None
    assert (found.grade, found.matched) == (0, "nickname")


def test_nearer_people_stand_before_strangers_of_the_same_fit() -> None:
    found = match(Query.of("ada"), ADA)
    assert found is not None
    favourite, contact = Nearness(favourite=True, contact=True), Nearness(contact=True)
    talked, away = Nearness(contact=True, last=5.0), Nearness(contact=True, last=5.0, available=True)
    rows = [order(found, ADA, near) for near in (favourite, away, talked, contact, STRANGER)]
    assert rows == sorted(rows)


near = st.builds(Nearness, st.sampled_from(("", "Ada")), st.booleans(), st.booleans(), st.booleans(), st.floats(0, 9))


@settings(max_examples=80)
@given(st.lists(records, max_size=8), st.text(max_size=6), st.lists(near, min_size=8, max_size=8))
def test_the_order_is_total(rows: list[Record], text: str, nearness: list[Nearness]) -> None:
    keys = []
    for facts, one in zip(merge(rows), nearness, strict=False):
        found = match(Query.of(text), facts, one)
        if found is not None:
            keys.append(order(found, facts, one))
    assert len(set(keys)) == len(keys)


@settings(max_examples=80)
@given(st.lists(records, max_size=10), st.sampled_from(("ada", "zoe a", "李", "20", "0305550", "team@mail", "e")))
def test_the_index_finds_everybody_who_fits(rows: list[Record], text: str) -> None:
    people, query = merge(rows, region="DE"), Query.of(text)
    fitting = {facts.id for facts in people if match(query, facts, region="DE") is not None}
    grown = PeopleIndex(region="DE")
    for facts in people:
        grown.put(facts)
    for index in (PeopleIndex(people, "DE"), grown):
        assert fitting <= {facts.id for facts in index.search(query)}
    for facts in people:
        grown.remove(facts.id)
    assert not grown.search(query)


def test_a_number_is_found_in_any_notation() -> None:
    index = PeopleIndex(merge([Record(source="uds", key="1", at=0.0, phones=phones("+49 30 5550100"))]), "DE")
    for text in ("+49305550100", "030/5550-100", "(030) 5550100", "5550100", "00493055501"):
        assert len(index.search(Query.of(text))) == 1, text
