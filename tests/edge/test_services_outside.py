"""What there is outside and what not: the published table, and what one person misses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ringback.rules.catalogue import catalogue, render
from ringback.rules.certificates import IdentityEvidence, PresentedNames, Purpose, match_identity
from ringback.rules.services_outside import SERVICES, OutsideEvidence, Support, missing_outside

EVERYTHING = OutsideEvidence(calls=True, ldap=True)


def test_every_row_has_its_sentence_and_the_newest_edition_counts() -> None:
    assert len({row.id for row in SERVICES}) == len(SERVICES)
    for row in SERVICES:
        assert render(row.reason).endswith(".")
        assert not row.note or row.note in catalogue()
        if row.newest is not None:
            assert (row.support in (Support.YES, Support.LISTED)) is row.newest or row.support is Support.HERE
        assert bool(row.note) or row.support is not Support.HERE
    assert {row.id for row in SERVICES if row.differs} == {"federation", "custom_tabs"}


def test_somebody_misses_what_they_have_inside() -> None:
    ids = [row.id for row in missing_outside(EVERYTHING)]
    assert {"directory", "desk_phone", "file_transfer", "self_care", "reports"} <= set(ids)
    assert "early_media" not in ids
    assert "directory" not in [row.id for row in missing_outside(replace(EVERYTHING, ldap=False))]
    assert "file_transfer" not in [row.id for row in missing_outside(replace(EVERYTHING, messages=False))]


@pytest.mark.parametrize(
    ("access", "sip", "why"),
    [
        ("messaging", False, "edge.access.messaging"),
        ("all", False, "outside.no_calls"),
        ("", False, "outside.no_calls"),
    ],
)
def test_calls_that_are_withheld_come_first(access: str, sip: bool, why: str) -> None:
    rows = missing_outside(replace(EVERYTHING, access=access, sip=sip))
    assert (rows[0].id, rows[0].reason.id) == ("calls", why)
    assert "desk_phone" not in [row.id for row in rows]  # whoever has no calls at all misses no way of making them


@pytest.mark.parametrize(
    ("names", "good"),
    [
        (PresentedNames(dns=("edge.example.com", "example.com")), True),
        (PresentedNames(dns=("collab-edge.example.com",)), True),
        (PresentedNames(services=("_collab-edge.example.com",)), True),
        (PresentedNames(dns=("edge.example.com",)), False),  # what the record says, which anybody could have forged
        (PresentedNames(dns=("*.example.com",)), False),
        (PresentedNames(services=("_xmpp-client.example.com",)), False),
        (PresentedNames(dns=("edge.evil.example",), common=("example.com",)), False),
    ],
)
def test_an_edge_proves_the_domain(names: PresentedNames, good: bool) -> None:
    evidence = IdentityEvidence(Purpose.EDGE, "edge.example.com", names, "example.com", "collab-edge")
    assert match_identity(evidence).matches is good
