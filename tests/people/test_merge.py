"""Which records are one person: by JID, else mail, else number; whatever the order in which they come."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.client.contacts.merge import merge
from ringback.client.contacts.sources.base import Kind, Phone, Record
from tests.people.records import phones, record, records

JID = "ada@example.com"


@settings(max_examples=150)
@given(st.lists(records, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_records_changes_nothing(rows: list[Record], pick: random.Random) -> None:
    turned = list(rows)
    pick.shuffle(turned)
    assert merge(rows, ("ldap", "uds"), "DE") == merge(turned, ("ldap", "uds"), "DE")


@settings(max_examples=100)
@given(st.lists(records, max_size=8))
def test_every_record_is_in_exactly_one_person_and_no_jid_in_two(rows: list[Record]) -> None:
    people = merge(rows, region="DE")
    places = [place for facts in people for place in facts.places]
    assert sorted(places) == sorted({(row.source, row.key) for row in rows})
    assert len({facts.id for facts in people}) == len(people)
    jids = [facts.jid for facts in people if facts.jid]
    assert len(jids) == len(set(jids))


@settings(max_examples=50)
@given(st.lists(records, max_size=6))
def test_merging_what_was_merged_changes_nothing(rows: list[Record]) -> None:
    once = [facts.as_record("merged", facts.id) for facts in merge(rows, region="DE")]
    again = merge(once, region="DE")
    assert sorted(facts.jid for facts in again if facts.jid) == sorted(row.jid for row in once if row.jid)


def test_the_same_jid_is_the_same_person_whatever_else_differs() -> None:
    one = record("1", "ldap", jid=JID, mails=("ada@one.example",), phones=phones("2001"))
    two = record("2", "uds", jid=JID, mails=("ada@two.example",), phones=phones("2002"))
    (person,) = merge([one, two], ("ldap", "uds"))
    assert (person.id, person.mails) == (JID, ("ada@one.example", "ada@two.example"))
    assert [reason.id for reason in person.merged] == ["contacts.merged.jid"]


def test_two_jids_are_two_people_though_mail_and_number_are_the_same() -> None:
    one = record("1", jid=JID, mails=("team@x.example",), phones=phones("2001"))
    two = record("2", jid="bruno@example.com", mails=("team@x.example",), phones=phones("2001"))
    assert [person.id for person in merge([one, two])] == [JID, "bruno@example.com"]


def test_mail_counts_where_a_jid_is_missing_and_number_where_a_mail_is() -> None:
    colleague = record("1", "uds", jid=JID, mails=("ada@x.example",))
    card = record("2", "local:book", mails=("ADA@x.example",), phones=phones("+49 30 5550100"))
    number = record("3", "cloud", phones=phones("030 5550-100", kind=Kind.OTHER), title="Countess")
    (person,) = merge([number, card, colleague], ("uds",), "DE")
    assert (person.id, person.title) == (JID, "Countess")
    assert [phone.value for phone in person.phones] == ["+49 30 5550100"]
    assert {reason.id for reason in person.merged} == {"contacts.merged.mail", "contacts.merged.number"}


def test_numbers_are_not_compared_where_both_have_mail() -> None:
    one = record("1", mails=("ada@x.example",), phones=phones("2001"))
    two = record("2", mails=("bruno@x.example",), phones=phones("2001"))
    assert len(merge([one, two])) == 2


def test_the_number_of_a_reception_joins_nobody() -> None:
    ada = record("1", jid=JID, phones=phones("+49 30 5550 0"))
    bruno = record("2", jid="bruno@example.com", phones=phones("+49 30 5550 0"))
    hall = record("3", "local:book", name="Reception", phones=phones("+49 30 5550 0"))
    assert len(merge([ada, bruno, hall])) == 3


def test_fields_come_from_who_counts_first_and_say_so() -> None:
    ldap = record("1", "ldap", jid=JID, name="Ada King", phones=phones("2001", kind=Kind.OTHER))
    uds = record("2", "uds", jid=JID, name="Ada Lovelace", title="Engineer", phones=phones("2001"))
    (person,) = merge([uds, ldap], ("ldap", "uds"))
    assert (person.name, person.title) == ("Ada King", "Engineer")
    assert (person.origins["name"], person.origins["title"]) == ("ldap", "uds")
    assert person.phones == (Phone(Kind.WORK, "2001"),)
    assert person.sources == ("ldap", "uds")


def test_a_newer_record_of_the_same_place_replaces_the_older() -> None:
    old = record("1", jid=JID, name="Ada Byron", at=1.0)
    new = record("1", jid=JID, name="Ada King", at=2.0)
    assert [person.name for person in merge([new, old])] == ["Ada King"]


def test_people_without_an_address_have_ids_that_last() -> None:
    by_mail, by_number = record("1", mails=("Ada@x.example",)), record("2", phones=phones("+49 30 5550100"))
    assert [person.id for person in merge([by_mail, by_number])] == ["~mail:ada@x.example", "~tel:49305550100"]
