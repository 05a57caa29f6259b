"""How addresses are made and followed, and which directories are asked: pure decisions with reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.address_scheme import AddressScheme, Known, OwnEvidence, SchemeKind, decide_scheme, moved
from ringback.rules.addresses import Jid
from ringback.rules.contact_sources import SourceEvidence, choose_sources

OWN = Jid.parse("aperez@example.com")
URI = Jid.parse("anita.perez@domain.com")


@pytest.mark.parametrize(
    ("evidence", "kind", "why"),
    [
        (OwnEvidence(OWN, "aperez"), SchemeKind.USER_ID, "user_id"),
        (OwnEvidence(OWN, "APerez", ("Anita.Perez@domain.com",)), SchemeKind.USER_ID, "user_id"),
        (OwnEvidence(URI, "aperez", ("", "Anita.Perez@domain.com")), SchemeKind.DIRECTORY_URI, "uri"),
        (OwnEvidence(OWN, "anita", ("anita@other.example",)), SchemeKind.USER_ID, "unknown"),
        (OwnEvidence(OWN), SchemeKind.USER_ID, "unknown"),
    ],
)
def test_the_scheme_is_seen_on_the_own_address(evidence: OwnEvidence, kind: SchemeKind, why: str) -> None:
    scheme = decide_scheme(evidence)
    assert (scheme.kind, [reason.id for reason in scheme.reasons]) == (kind, [f"contacts.scheme.{why}"])


def test_addresses_of_others() -> None:
    by_user = AddressScheme(SchemeKind.USER_ID, "example.com")
    by_uri = AddressScheme(SchemeKind.DIRECTORY_URI, "example.com")
    assert by_user.jid("APerez", ("Anita.Perez@domain.com",)) == "aperez@example.com"
    assert by_uri.jid("aperez", ("", "sip:Anita.Perez@Domain.com")) == "anita.perez@domain.com"
    assert by_uri.jid("aperez", ("no address",)) == "aperez@example.com"
    assert by_user.jid("", ("anita@domain.com",)) == ""
    assert by_user.jid("not/a user") == ""


BRUNO = Known("bruno.keller@new.example", "bruno", ("bruno.keller@new.example", "bruno@example.com"))
CHIARA = Known("chiara@new.example", "chiara")


@pytest.mark.parametrize(
    ("contact", "before", "new", "why"),
    [
        ("bruno@example.com", "", "bruno.keller@new.example", "uri"),
        ("chiara@old.example", "old.example", "chiara@new.example", "domain"),
        ("bruno@new.example", "", "bruno.keller@new.example", "scheme"),
        ("chiara@old.example", "", "", ""),  # anybody of the world may be named so
        ("chiara@new.example", "old.example", "", ""),
        ("dolores@old.example", "old.example", "", ""),
    ],
)
def test_contacts_are_followed_only_without_doubt(contact: str, before: str, new: str, why: str) -> None:
    found = moved([contact], [BRUNO, CHIARA], "new.example", before)
    assert [(move.new, move.reason.id) for move in found] == ([(new, f"contacts.moved.{why}")] if new else [])


def test_two_people_of_a_name_are_not_followed() -> None:
    twin = Known("chiara.b@new.example", "chiara")
    assert moved(["chiara@old.example"], [CHIARA, twin], "new.example", "old.example") == ()


@given(st.lists(st.text(max_size=8)), st.text(max_size=8), st.text(max_size=8))
def test_any_address_is_followed_or_not_without_an_error(contacts: list[str], domain: str, before: str) -> None:
    assert all(move.old in contacts for move in moved(contacts, [BRUNO, CHIARA], domain, before))


@pytest.mark.parametrize(
    ("evidence", "company", "why"),
    [
        (SourceEvidence(True), ("uds",), ["default"]),
        (SourceEvidence(True, uds_set=True), ("uds",), ["uds"]),
        (SourceEvidence(True, ldap=True), ("ldap",), ["ldap"]),
        (SourceEvidence(True, ldap=True, ldap_fails=True), ("ldap", "uds"), ["ldap", "instead"]),
        (SourceEvidence(True, ldap=True, outside=True), ("uds",), ["outside"]),
        (SourceEvidence(False, ldap=True, ldap_fails=True), ("ldap",), ["ldap"]),
        (SourceEvidence(False), (), ["none"]),
        (SourceEvidence(False, outside=True), (), ["outside", "none"]),
        (SourceEvidence(True, local_allowed=False), ("uds",), ["default", "no_local"]),
    ],
)
def test_which_directories_are_asked(evidence: SourceEvidence, company: tuple[str, ...], why: list[str]) -> None:
    choice = choose_sources(evidence)
    assert (choice.company, choice.local) == (company, evidence.local_allowed)
    assert [reason.id for reason in choice.reasons] == [f"contacts.choice.{word}" for word in why]


@given(st.builds(SourceEvidence, *[st.booleans()] * 6))
def test_outside_nobody_but_the_user_data_service_is_asked(evidence: SourceEvidence) -> None:
    choice = choose_sources(evidence)
    if evidence.outside:
        assert set(choice.company) <= {"uds"}
    assert bool(choice.company) == (evidence.call_manager or (evidence.ldap and not evidence.outside))
