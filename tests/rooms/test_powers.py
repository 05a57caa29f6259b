"""Every affiliation against every action: what XEP-0045 allows, written out."""

from __future__ import annotations

import itertools

import pytest

from ringback.services.presence.rooms.model import Affiliation, Role, RoomConfiguration
from ringback.services.presence.rooms.powers import (
    affiliation_change_refusal,
    default_role,
    list_refusal,
    role_change_refusal,
)

OUTCAST, NONE, MEMBER, ADMIN, OWNER = Affiliation
OPEN, CLOSED = RoomConfiguration(), RoomConfiguration(members_only=True)
MODERATED = RoomConfiguration(moderated=True)
BOTH = RoomConfiguration(members_only=True, moderated=True)


@pytest.mark.parametrize(
    ("affiliation", "opened", "closed", "moderated", "both"),
    [
        (OUTCAST, Role.NONE, Role.NONE, Role.NONE, Role.NONE),
        (NONE, Role.PARTICIPANT, Role.NONE, Role.VISITOR, Role.NONE),
        (MEMBER, Role.PARTICIPANT, Role.PARTICIPANT, Role.PARTICIPANT, Role.PARTICIPANT),
        (ADMIN, Role.MODERATOR, Role.MODERATOR, Role.MODERATOR, Role.MODERATOR),
        (OWNER, Role.MODERATOR, Role.MODERATOR, Role.MODERATOR, Role.MODERATOR),
    ],
)
def test_roles_at_the_door(affiliation: Affiliation, opened: Role, closed: Role, moderated: Role, both: Role) -> None:
    found = [default_role(affiliation, settings) for settings in (OPEN, CLOSED, MODERATED, BOTH)]
    assert found == [opened, closed, moderated, both]


# Rows: who acts. Columns: what the other one is, OUTCAST to OWNER. "": allowed, f: forbidden, a: not-allowed.
_LETTERS = {"f": "forbidden", "a": "not-allowed", "c": "conflict", ".": ""}
_CHANGES = {
    # wanted: {actor: refusals for targets none, member, admin, owner}
    OUTCAST: {NONE: "ffff", MEMBER: "ffff", ADMIN: "..aa", OWNER: "...."},
    NONE: {NONE: "ffff", MEMBER: "ffff", ADMIN: "..aa", OWNER: "...."},
    MEMBER: {NONE: "ffff", MEMBER: "ffff", ADMIN: "..aa", OWNER: "...."},
    ADMIN: {NONE: "ffff", MEMBER: "ffff", ADMIN: "ff.f", OWNER: "...."},
    OWNER: {NONE: "ffff", MEMBER: "ffff", ADMIN: "fffa", OWNER: "...."},
}


@pytest.mark.parametrize(
    ("wanted", "actor", "target"), list(itertools.product(_CHANGES, (NONE, MEMBER, ADMIN, OWNER), range(4)))
)
def test_affiliation_changes_of_others(wanted: Affiliation, actor: Affiliation, target: int) -> None:
    expected = _LETTERS[_CHANGES[wanted][actor][target]]
    other = (NONE, MEMBER, ADMIN, OWNER)[target]
    assert affiliation_change_refusal(actor, other, wanted, on_self=False, last_owner=False) == expected


@pytest.mark.parametrize(
    ("actor", "wanted", "last", "expected"),
    [
        (OWNER, OUTCAST, False, "conflict"),
        (ADMIN, OUTCAST, False, "conflict"),
        (MEMBER, OUTCAST, False, "forbidden"),
        (OWNER, ADMIN, True, "conflict"),
        (OWNER, NONE, True, "conflict"),
        (OWNER, OWNER, True, ""),
        (OWNER, MEMBER, False, ""),
        (ADMIN, MEMBER, False, ""),
        (ADMIN, NONE, False, ""),
        (ADMIN, OWNER, False, "forbidden"),
    ],
)
def test_affiliation_changes_of_oneself(actor: Affiliation, wanted: Affiliation, last: bool, expected: str) -> None:
    assert affiliation_change_refusal(actor, actor, wanted, on_self=True, last_owner=last) == expected


_KICKS = {NONE: ".aaa", MEMBER: "..aa", ADMIN: "...a", OWNER: "...."}
_MUTES = {NONE: ".aaa", MEMBER: ".aaa", ADMIN: "..aa", OWNER: "..aa"}


@pytest.mark.parametrize(("actor", "target"), list(itertools.product(_KICKS, range(4))))
def test_moderators_kick_and_mute_those_below_them(actor: Affiliation, target: int) -> None:
    other = (NONE, MEMBER, ADMIN, OWNER)[target]
    for wanted, table in ((Role.NONE, _KICKS), (Role.VISITOR, _MUTES)):
        found = role_change_refusal(actor, Role.MODERATOR, other, Role.PARTICIPANT, wanted)
        assert found == _LETTERS[table[actor][target]], (wanted, actor, other)


@pytest.mark.parametrize(("actor", "wanted"), list(itertools.product(Affiliation, Role)))
def test_nobody_but_a_moderator_changes_roles(actor: Affiliation, wanted: Role) -> None:
    for role in (Role.NONE, Role.VISITOR, Role.PARTICIPANT):
        assert role_change_refusal(actor, role, NONE, Role.VISITOR, wanted) == "forbidden"


@pytest.mark.parametrize(
    ("actor", "target", "before", "wanted", "expected"),
    [
        (NONE, NONE, Role.VISITOR, Role.PARTICIPANT, ""),
        (NONE, NONE, Role.PARTICIPANT, Role.MODERATOR, "forbidden"),
        (MEMBER, NONE, Role.PARTICIPANT, Role.MODERATOR, "forbidden"),
        (ADMIN, NONE, Role.PARTICIPANT, Role.MODERATOR, ""),
        (OWNER, MEMBER, Role.PARTICIPANT, Role.MODERATOR, ""),
        (NONE, NONE, Role.MODERATOR, Role.PARTICIPANT, "forbidden"),
        (ADMIN, NONE, Role.MODERATOR, Role.PARTICIPANT, ""),
        (ADMIN, ADMIN, Role.MODERATOR, Role.PARTICIPANT, "not-allowed"),
        (OWNER, ADMIN, Role.MODERATOR, Role.VISITOR, "not-allowed"),
        (OWNER, OWNER, Role.MODERATOR, Role.PARTICIPANT, "not-allowed"),
    ],
)
def test_moderator_status(actor: Affiliation, target: Affiliation, before: Role, wanted: Role, expected: str) -> None:
    assert role_change_refusal(actor, Role.MODERATOR, target, before, wanted) == expected


@pytest.mark.parametrize(("actor", "wanted"), list(itertools.product(Affiliation, Affiliation)))
def test_who_reads_the_lists(actor: Affiliation, wanted: Affiliation) -> None:
    known = RoomConfiguration(members_only=True, real_addresses=True)
    for settings in (OPEN, CLOSED, RoomConfiguration(real_addresses=True)):
        assert list_refusal(actor, wanted, settings) == ("" if actor >= ADMIN else "forbidden")
    allowed = actor >= ADMIN or (actor is MEMBER and wanted >= MEMBER)
    assert list_refusal(actor, wanted, known) == ("" if allowed else "forbidden")
