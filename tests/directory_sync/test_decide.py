"""What a run decides, without any directory: who is new, changed, gone, back, removed, left out, and why."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.net.ldap.connection import LdapServer
from ringback.rules.catalogue import render
from ringback.services.callmanager.synchronisation.agreement import Agreement, DirectoryAccess, FeatureGroup
from ringback.services.callmanager.synchronisation.decide import Change, Difference, Entry, Kind, plan
from ringback.services.callmanager.synchronisation.numbering import masked
from ringback.storage.callmanager.synced import CurrentRows

ACCESS = DirectoryAccess((LdapServer("ldap.example.com", 636, secure=True),))
AGREEMENT = Agreement("Office", ACCESS, "ou=people,dc=example,dc=com", "example.com", "head")
NOBODY = CurrentRows(0, {}, {}, frozenset())
DAY = 86_400.0


def entry(user: str, last: str = "Berg", *, unique: str = "", phone: str = "", **more: str) -> Entry:
    values = {"uid": (user,), "sn": (last,), **({"telephonenumber": (phone,)} if phone else {})}
    values |= {name.lower(): (value,) for name, value in more.items()}
    return Entry(f"uid={user},ou=people,dc=example,dc=com", unique or f"id of {user}", values)


def after(current: CurrentRows, found: Difference) -> CurrentRows:
    """What the store has when the difference was written."""
    mine = {user: one for user, one in current.mine.items() if user not in found.writes.removed}
    mine |= {one.row.user: one for one in found.writes.people}
    numbers = current.numbers | {row.number for row in found.writes.numbers}
    return replace(current, mine=mine, numbers=numbers)


def kinds(found: Difference) -> dict[str, Kind]:
    return {change.user: change.kind for change in found.changes}


def only(found: Difference) -> Change:
    (change,) = found.changes
    return change


def said(change: Change) -> str:
    return " ".join(render(reason) for reason in change.reasons)


def run(current: CurrentRows, *entries: Entry, agreement: Agreement = AGREEMENT, now: float = 0.0) -> Difference:
    return plan(current, entries, agreement, now)


def test_somebody_new_gets_what_the_feature_group_says() -> None:
    group = FeatureGroup("Staff", presence_servers=("im1",), devices=("CSF", "TAB"), service_profile="Full")
    found = run(NOBODY, entry("Anita", phone="+41 44 555 20 01"), agreement=replace(AGREEMENT, feature_group=group))
    person = found.writes.people[0].person
    assert (person.user_name, person.home, person.imp_servers) == ("Anita", True, ("im1",))
    assert person.service_profile == "Full"
    assert person.directory_uri == "Anita@example.com"
    assert [device.name for device in found.writes.devices] == ["CSFANITA", "TABANITA"]
    assert {line.number for device in found.writes.devices for line in device.lines} == {"2001"}
    assert only(found).number == "2001"
    assert "Features: Staff" in said(only(found))


def test_the_same_again_changes_nothing() -> None:
    entries = [entry(f"user{number}", phone=f"+4144555{number:04}") for number in range(20)]
    found = run(NOBODY, *entries)
    again = run(after(NOBODY, found), *entries, now=5.0)
    assert not again.changes
    assert again.unchanged == 20
    assert not again.writes


def test_values_follow_the_directory_and_features_do_not() -> None:
    first = run(NOBODY, entry("anita", title="Engineer"))
    other = replace(AGREEMENT, feature_group=FeatureGroup("Other", service_profile="Other"))
    second = run(after(NOBODY, first), entry("anita", title="Head"), agreement=other)
    change = only(second)
    assert [(one.name, one.before, one.after) for one in change.fields] == [("title", "Engineer", "Head")]
    assert second.writes.people[0].person.service_profile == ""
    assert not second.writes.devices


def test_who_left_is_inactive_and_removed_a_day_later_and_may_come_back() -> None:
    there = after(NOBODY, run(NOBODY, entry("anita"), entry("bruno")))
    gone = run(there, entry("bruno"), now=1000.0)
    assert kinds(gone) == {"anita": Kind.GONE}
    assert gone.writes.people[0].person.active is False
    assert gone.writes.ended == ("anita",)
    left = after(there, gone)
    assert not run(left, entry("bruno"), now=1000.0 + DAY - 1).changes
    back = run(left, entry("anita"), entry("bruno"), now=2000.0)
    assert kinds(back) == {"anita": Kind.RETURN}
    assert back.writes.people[0].person.active is True
    removed = run(left, entry("bruno"), now=1000.0 + DAY)
    assert kinds(removed) == {"anita": Kind.REMOVE}
    assert removed.writes.removed == ("anita",)
    assert "24 hours" in said(only(removed))


def test_a_rename_says_what_it_is() -> None:
    there = after(NOBODY, run(NOBODY, entry("anita", unique="one"), entry("bruno")))
    found = run(there, entry("aberg", unique="one"), entry("bruno"))
    assert kinds(found) == {"aberg": Kind.ADD, "anita": Kind.GONE}
    words = " ".join(said(change) for change in found.changes)
    assert "was anita before" in words
    assert "is called aberg now" in words


def test_a_moved_entry_is_the_same_person() -> None:
    there = after(NOBODY, run(NOBODY, entry("anita")))
    moved = replace(entry("anita"), name="uid=anita,ou=abroad,dc=example,dc=com")
    assert kinds(run(there, moved)) == {"anita": Kind.CHANGE}


def test_who_cannot_be_a_person_is_left_out_with_the_reason() -> None:
    current = replace(NOBODY, others={"fromfile": "", "fromother": "Branch"})
    found = run(
        current, entry(""), entry("nolast", ""), entry("with space"), entry("a@b"), entry("fromfile"),
        entry("fromother"), entry("twice"), replace(entry("TWICE"), name="uid=twice2"),
    )  # fmt: skip
    words = {change.user: said(change) for change in found.changes if change.kind is Kind.SKIP}
    assert "no user name (uid)" in words[""]
    assert "no last name (sn)" in words["nolast"]
    assert "can't be a user name" in words["with space"]
    assert "can't be a user name" in words["a@b"]
    assert "deployment file" in words["fromfile"]
    assert "comes from Branch already" in words["fromother"]
    assert len(words) == 7
    assert [one.row.user for one in found.writes.people] == ["twice"]


def test_a_search_that_finds_next_to_nobody_is_refused() -> None:
    there = after(NOBODY, run(NOBODY, *(entry(f"user{number}") for number in range(40))))
    few = [entry(f"user{number}") for number in range(15)]
    refused = run(there, *few)
    assert refused.refused is not None
    assert "25 of 40 people would become inactive" in render(refused.refused)
    assert plan(there, few, AGREEMENT, 0.0, any_loss=True).refused is None
    assert run(there, *(entry(f"user{number}") for number in range(25))).refused is None
    assert run(after(NOBODY, run(NOBODY, entry("one")))).refused is not None, "an empty directory is no directory"


def test_numbers_are_given_once() -> None:
    group = FeatureGroup("Pool", mask="8XXX", pool=("2500", "2501"))
    agreement = replace(AGREEMENT, feature_group=group)
    current = replace(NOBODY, numbers=frozenset({"8001", "2500"}))
    entries = (entry("a", phone="+1 5001"), entry("b", phone="+1 5002"), entry("c"), entry("d"))
    found = run(current, *entries, agreement=agreement)
    assert {change.user: change.number for change in found.changes} == {"a": "2501", "b": "8002", "c": "", "d": ""}
    words = {change.user: said(change) for change in found.changes}
    assert "next free one of the pool" in words["a"]
    assert "no telephone number" in words["c"]
    assert (masked("+41 44 555 20 01", "8XXX"), masked("12", "XXX"), masked("2001", "")) == ("8001", "", "")


def test_people_of_another_cluster_are_known_for_look_ups() -> None:
    found = run(NOBODY, entry("anita", phone="+41 44 555 20 01"), agreement=replace(AGREEMENT, here=False))
    one = found.writes.people[0]
    assert (one.person.home, one.row.extension, found.writes.devices) == (False, "2001", ())


def test_managers_become_user_names() -> None:
    boss = entry("dolores", "Vega")
    found = run(NOBODY, entry("anita", manager=boss.name), boss, entry("x", manager="cn=Old\\, Boss,dc=example"))
    managers = {one.row.user: one.person.manager for one in found.writes.people}
    assert managers == {"anita": "dolores", "dolores": "", "x": "Old, Boss"}


_TEXT = st.text(max_size=20)
_ENTRIES = st.lists(
    st.builds(
        Entry,
        _TEXT,
        _TEXT,
        st.dictionaries(
            st.sampled_from(["uid", "sn", "givenname", "telephonenumber", "manager", "mail"]),
            st.lists(_TEXT, max_size=2).map(tuple),
        ),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(_ENTRIES, _ENTRIES, st.integers(0, 5))
def test_any_directory_gives_a_difference_that_settles(
    before: Iterable[Entry], now: Iterable[Entry], seed: int
) -> None:
    """Whatever the entries hold, in whatever order: the same people, no number twice, and nothing left to do after."""
    first = after(NOBODY, run(NOBODY, *before))
    shuffled = list(now)
    random.Random(seed).shuffle(shuffled)
    one, other = (
        plan(first, list(now), AGREEMENT, 9.0, any_loss=True),
        plan(first, shuffled, AGREEMENT, 9.0, any_loss=True),
    )
    if len({each.name for each in shuffled}) == len(shuffled):
        assert one == other
    given_out = [row.number for row in one.writes.numbers]
    assert len(given_out) == len(set(given_out))
    assert not [
        change
        for change in plan(after(first, one), list(now), AGREEMENT, 9.0, any_loss=True).changes
        if change.kind is not Kind.SKIP
    ]
