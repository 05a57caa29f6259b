"""The short way to read entries says what the library says, or leaves it to the library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sansldap import LDAPControl, LDAPServer, PartialAttribute, SearchResultEntry, SearchScope

from ringback.protocols.ldap.client import Client
from ringback.protocols.ldap.entries import FoundEntry, read_entry
from ringback.protocols.ldap.errors import LdapFormatError
from ringback.protocols.ldap.filters import equals
from ringback.protocols.ldap.search import LdapEntry

ATTRIBUTES = st.lists(
    st.builds(PartialAttribute, st.text(max_size=20), st.lists(st.binary(max_size=300), max_size=4)),
    max_size=6,
    unique_by=lambda one: one.name.lower(),
)


def searching(count: int = 1) -> Client:
    """A client whose searches have the numbers from 1 on."""
    client = Client()
    for _ in range(count):
        client.search_request("dc=x", SearchScope.SUBTREE, filter=equals("uid", "a"))
    return client


def message(name: str, attributes: list[PartialAttribute], controls: list[LDAPControl] | None = None) -> bytes:
    """An entry for the first search."""
    server = LDAPServer()
    server.receive(searching().data_to_send())
    server.search_result_entry(1, name, attributes, controls)
    return server.data_to_send()


def by_the_library(data: bytes) -> FoundEntry | None:
    """What the library reads; None where it is no entry."""
    found = searching().read(data)
    if not isinstance(found, SearchResultEntry):
        return None
    values = {one.name.lower(): tuple(one.values) for one in found.attributes}
    return FoundEntry(found.message_id, LdapEntry(found.object_name, values))


@given(st.text(max_size=60), ATTRIBUTES)
def test_both_read_the_same(name: str, attributes: list[PartialAttribute]) -> None:
    data = message(name, attributes)
    assert read_entry(data) == by_the_library(data)
    assert searching().take(data) == read_entry(data)


@given(st.data(), st.text(max_size=20), ATTRIBUTES)
def test_what_is_spoilt_is_left_to_the_library_or_read_alike(
    data: st.DataObject, name: str, attributes: list[PartialAttribute]
) -> None:
    octets = bytearray(message(name, attributes))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255))
    spoilt = bytes(octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets)
    found = read_entry(spoilt)
    if found is not None and found.message_id == 1:
        assert found == by_the_library(spoilt)


def test_controls_and_strangers_are_the_librarys() -> None:
    assert read_entry(message("dc=x", [], [LDAPControl("1.2.3", False, b"x")])) is None
    data = message("dc=x", [PartialAttribute("uid", [b"a"])])
    with pytest.raises(LdapFormatError):
        Client().take(data)  # nobody asked
    client = searching(2)
    client.abandon(1)
    assert isinstance(client.take(data), FoundEntry), "it may still come, and belongs to nobody"
