"""Filters: what a person types can't become one; and what is asked for names, numbers and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sansldap import (
    FilterAnd,
    FilterEquality,
    FilterNot,
    FilterOptions,
    FilterOr,
    FilterPresent,
    FilterSubstrings,
    LDAPFilter,
)
from sansldap.asn1 import ASN1Reader, ASN1Writer

from ringback.protocols.ldap import filters, names
from ringback.protocols.ldap.errors import LdapFormatError
from ringback.protocols.ldap.numbers import beginnings, notations
from ringback.protocols.ldap.persons import read_person, wanted_attributes
from ringback.protocols.ldap.questions import PeopleQuestions
from ringback.protocols.ldap.search import LdapEntry, RootDse
from ringback.protocols.ldap.urls import LdapUrl
from ringback.rules.directory_settings import AttributeMap, DirectorySettings
from ringback.rules.phone_masks import read_masks

OTHER = DirectorySettings(attributes=replace(AttributeMap(), user_account="uid"))
TYPED = st.text(max_size=40) | st.text(alphabet="*()\\&|!=<>~ \0aé+1", max_size=40)


def leaves(tree: LDAPFilter) -> Iterator[LDAPFilter]:
    """The conditions of a filter."""
    if isinstance(tree, FilterAnd | FilterOr):
        for one in tree.filters:
            yield from leaves(one)
    elif isinstance(tree, FilterNot):
        yield from leaves(tree.filter)
    else:
        yield tree


def packed(tree: LDAPFilter) -> bytes:
    writer = ASN1Writer()
    tree.pack(writer, FilterOptions())
    return bytes(writer.get_data())


def shape(tree: LDAPFilter) -> object:
    """The filter without its values."""
    if isinstance(tree, FilterAnd | FilterOr):
        return type(tree).__name__, tuple(shape(one) for one in tree.filters)
    if isinstance(tree, FilterSubstrings):
        return type(tree).__name__, tree.attribute
    assert isinstance(tree, FilterEquality | FilterPresent)
    return type(tree).__name__, tree.attribute


# Nothing typed becomes a filter


@given(TYPED, st.booleans(), st.booleans())
def test_whatever_is_typed_is_a_value(text: str, active: bool, wildcards: bool) -> None:
    questions = PeopleQuestions(replace(OTHER, wildcards=wildcards), active, "example.com", "DE")
    known = {*OTHER.attributes.all, "anr", "proxyAddresses", "objectClass", "objectCategory"}
    asked = [
        questions.typed(text), questions.typed_number(text), questions.numbered(text), questions.group_typed(text),
        questions.of_jid(text), questions.of_mail(text), questions.of_uri(text), questions.of_user(text),
    ]  # fmt: skip
    for tree in asked:
        if tree is None:
            continue
        assert isinstance(tree, FilterAnd), "the base filter always holds"
        assert {leaf.attribute for leaf in leaves(tree) if hasattr(leaf, "attribute")} <= known
        reader = ASN1Reader(packed(tree))
        assert LDAPFilter.unpack(reader, FilterOptions()) == tree, "the directory reads what was meant"
        assert not reader


@given(TYPED)
def test_the_shape_of_a_question_does_not_depend_on_signs(text: str) -> None:
    questions = PeopleQuestions(OTHER, active_directory=False)
    harmless = "".join(sign if sign.isspace() else "x" for sign in text)
    for ask in (questions.of_user, questions.of_mail, questions.of_uri):
        assert shape(ask(text)) == shape(ask(harmless))


def test_an_injection() -> None:
    tree = PeopleQuestions(OTHER, active_directory=False).of_user("*)(uid=*))(|(uid=*")
    assert FilterEquality("uid", b"*)(uid=*))(|(uid=*") in list(leaves(tree))


# What is asked


def asked(text: str, settings: DirectorySettings = OTHER, *, active: bool = False) -> set[str]:
    tree = PeopleQuestions(settings, active).typed(text)
    assert tree is not None
    found = set()
    for leaf in leaves(tree):
        if isinstance(leaf, FilterSubstrings):
            found.add(f"{leaf.attribute}={(leaf.initial or b'').decode()}*")
        elif isinstance(leaf, FilterEquality):
            found.add(f"{leaf.attribute}={leaf.value.decode()}")
    return found


def test_one_word() -> None:
    assert asked("Zoë") == {
        "objectClass=person",
        *(f"{name}={text}*" for name in ("displayName", "cn", "sn", "givenName", "mail", "uid")
          for text in ("Zoë", "zoe")),
    }  # fmt: skip


def test_first_and_last_name_in_both_orders() -> None:
    found = PeopleQuestions(OTHER, active_directory=False).typed("Anna Smi")
    assert found is not None
    pairs = list(leaves_of_pairs(found))
    assert (b"Anna", b"Smi") in pairs
    assert (b"Smi", b"Anna") in pairs
    three = list(leaves_of_pairs(PeopleQuestions(OTHER, active_directory=False).typed("Anna de Souza")))
    assert {(b"Anna", b"de Souza"), (b"Anna de", b"Souza"), (b"de Souza", b"Anna")} <= set(three)
    narrow = replace(OTHER, words_of_first_name=1, words_of_last_name=1)
    assert list(leaves_of_pairs(PeopleQuestions(narrow, active_directory=False).typed("Anna de Souza"))) == []


def leaves_of_pairs(tree: LDAPFilter | None) -> Iterator[tuple[bytes | None, bytes | None]]:
    """(first, last) of the parts that compare both."""
    if isinstance(tree, FilterAnd) and all(isinstance(one, FilterSubstrings) for one in tree.filters):
        values = {one.attribute: one.initial for one in tree.filters if isinstance(one, FilterSubstrings)}
        yield values["givenName"], values["sn"]
    elif isinstance(tree, FilterAnd | FilterOr):
        for one in tree.filters:
            yield from leaves_of_pairs(one)


def test_ambiguous_names_are_for_active_directory() -> None:
    assert asked("Anna", active=True) == {"objectCategory=person", "objectClass=user", "anr=Anna"}
    assert "anr=Anna" not in asked("Anna", replace(OTHER, use_anr=False), active=True)
    wants = replace(OTHER, use_anr=True)
    assert "displayName=Anna*" in asked("Anna", wants)
    assert [one.id for one in PeopleQuestions(wants, active_directory=False).reasons] == ["ldap.settings.anr"]


def test_predictive_filters_and_base_filter() -> None:
    settings = replace(OTHER, predictive=("uid", "anr"), base_filter="(&(objectClass=inetOrgPerson)(l=Berlin)")
    assert asked("Anna", settings) == {"objectClass=inetOrgPerson", "l=Berlin", "uid=Anna*"}
    assert asked("Anna", settings, active=True) >= {"uid=Anna*", "anr=Anna"}
    broken = PeopleQuestions(replace(OTHER, base_filter="(a=b))("), active_directory=False)
    assert [one.id for one in broken.reasons] == ["ldap.settings.filter"]


def test_too_short_is_not_asked() -> None:
    questions = PeopleQuestions(OTHER, active_directory=False)
    assert questions.typed("an") is None
    assert questions.typed("  an  ") is None
    assert questions.typed("ann") is not None
    for nothing in ("\x00\x01\x02", "\u200b" * 5, "\u00ad\ufeff\ufffc", "an\u200b", "\ufe0f\x1b \u2060"):
        assert questions.typed(nothing) is None, "directories compare it as nothing, and everybody begins so"


def test_numbers_in_every_notation() -> None:
    ways = notations("+14085550100", "", read_masks("+1408|+(#) ### ### ####")[0])
    assert {("+(1) 408 555 0100",), ("+14085550100",), ("14085550100",), ("+1 408-555-0100",), ("(408) 555-0100",)} <= {
        *ways
    }
    assert ("030 5550100",) in notations("+49305550100", "DE", ())
    assert ("+49305550100",) in notations("030 555 01 00", "DE", ())
    assert notations("1234", "DE", ()) == (("1234",),), "an inner number has no country"
    assert {"030555", "+4930555", "+49 30 555"} & {*beginnings("030555", "DE")}
    assert "+49 30 555" in beginnings("+4930555", "")
    one = PeopleQuestions(replace(OTHER, secondary_numbers=False), active_directory=False).numbered("1234")
    assert {leaf.attribute for leaf in leaves(one or filters.present("x")) if isinstance(leaf, FilterEquality)} == {
        "objectClass", "telephoneNumber",
    }  # fmt: skip


def test_addresses() -> None:
    settings = replace(OTHER, sip_uri_resolves=True, uri_prefix="sip:")
    mine = PeopleQuestions(OTHER, False, "example.com").of_jid("anna@example.com")
    assert FilterEquality("uid", b"anna") in list(leaves(mine))
    by_uri = PeopleQuestions(settings, False, "example.com").of_jid("anna@example.com")
    assert FilterEquality("mail", b"sip:anna@example.com") in list(leaves(by_uri))
    other = PeopleQuestions(OTHER, False, "example.com").of_jid("anna@elsewhere.example")
    assert FilterEquality("uid", b"anna") not in list(leaves(other))


# Administrators' filters, addresses and names


@given(st.text(max_size=60) | st.text(alphabet="()&|!=*\\a1 ", max_size=60), st.booleans())
def test_filters_give_a_result_or_their_error(text: str, lenient: bool) -> None:
    try:
        parsed = filters.parse_filter(text, lenient=lenient)
    except LdapFormatError:
        return
    if parsed is not None:
        packed(parsed)


def test_lenient_filters() -> None:
    assert filters.parse_filter("(&(objectCategory=person)(objectClass=user)", lenient=True) == filters.all_of(
        filters.equals("objectCategory", "person"), filters.equals("objectClass", "user")
    )
    assert filters.parse_filter("contact", lenient=True) == filters.equals("objectClass", "contact")
    with pytest.raises(LdapFormatError):
        filters.parse_filter("(&(objectCategory=person)(objectClass=user)")
    with pytest.raises(LdapFormatError):
        filters.parse_filter("(" * 40 + "a=b" + ")" * 40)


@given(st.text(max_size=80) | st.text(alphabet="ldaps:/?%2c=.,[]@!0", max_size=80).map(lambda text: f"ldap://{text}"))
def test_addresses_give_a_result_or_their_error(text: str) -> None:
    try:
        url = LdapUrl.parse(text)
    except LdapFormatError:
        return
    assert 0 < url.port < 65536


def test_addresses_of_other_directories() -> None:
    assert LdapUrl.parse("ldap://b.example.com/ou=x%2Cy,dc=e?cn?sub?(a=%2a)") == LdapUrl(
        "b.example.com", 389, False, "ou=x,y,dc=e", "tree", "(a=*)"
    )
    assert LdapUrl.parse("ldaps://b") == LdapUrl("b", 636, True)
    for wrong in (
        "http://b",
        "ldap://u:p@b",
        "ldap://b/??what",
        "ldap://b/???x?!unknown",
        "ldap://b:99999",
        "ldap:///",
    ):
        if wrong == "ldap:///":
            assert LdapUrl.parse(wrong).host == ""
            continue
        with pytest.raises(LdapFormatError):
            LdapUrl.parse(wrong)


@given(st.text(max_size=30))
def test_names_hold_any_value(value: str) -> None:
    assert names.parse(f"cn={names.escape(value)},dc=x")[0] == (("cn", value),)
    assert names.is_below(f"uid=a,cn={names.escape(value)},dc=x", f"CN = {names.escape(value)}, DC=X")


@given(st.text(max_size=60))
def test_any_text_has_a_form_to_compare(text: str) -> None:
    assert names.is_below(text, text)
    assert names.is_below(text, "")


def test_names_that_say_the_same() -> None:
    assert names.normal("CN=Anna  Smith+OU=a, DC=Example") == names.normal('ou=A + cn="anna smith",dc=example')
    assert names.normal(r"cn=a\,b") == names.normal(r"cn=a\2cb") != names.normal("cn=a,cn=b")
    assert not names.is_below("uid=a,dc=xx", "dc=x")


# Reading


def test_an_entry_becomes_a_person() -> None:
    settings = replace(
        OTHER, uri_prefix="sip:", photo_uri_from="uid", photo_uri="https://photos.example.com/uid.jpg",
        attributes=replace(OTHER.attributes, sip_uri="sipAddress", domain_name="dn"),
    )  # fmt: skip
    entry = LdapEntry("uid=p1,dc=x", {
        "uid": (b"p1",), "cn": (b"Anna",), "displayname": (b"Anna S.",), "mail": (b"a@x", b"b@x", b"\xff"),
        "sipaddress": (b"sip:anna@x",), "telephonenumber": (b"1", b" 2 "), "title": (b"\xff\xfe",), "l": (b"Berlin",),
    })  # fmt: skip
    found = read_person(settings, entry)
    assert (found.dn, found.user, found.display_name, found.mails) == ("uid=p1,dc=x", "p1", "Anna S.", ("a@x", "b@x"))
    assert (found.sip_uri, found.business_phones, found.title, found.nickname) == ("anna@x", ("1", "2"), "", "")
    assert (found.city, found.domain_name) == ("Berlin", "uid=p1,dc=x")
    assert found.photo_uri == "https://photos.example.com/p1.jpg"
    elsewhere = LdapEntry("x", {"uid": (b"../../secret",)})
    assert read_person(settings, elsewhere).photo_uri == ""
    assert {"uid", "sipAddress"} <= {*wanted_attributes(settings)}


@given(
    st.dictionaries(st.sampled_from(["uid", "cn", "mail", "telephonenumber", "sn"]), st.lists(st.binary(max_size=9)))
)
def test_any_entry_can_be_read(attributes: dict[str, list[bytes]]) -> None:
    entry = LdapEntry("x", {name: tuple(values) for name, values in attributes.items()})
    read_person(OTHER, entry)
    RootDse.of(entry)
