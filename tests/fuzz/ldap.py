"""LDAP: what a directory sends, where it points to, and the filters of an administrator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from sansldap import LDAPServer, PartialAttribute, SearchResultEntry, SearchScope

from ringback.protocols.ldap import names
from ringback.protocols.ldap.client import Client, body_length, head_length
from ringback.protocols.ldap.entries import read_entry
from ringback.protocols.ldap.errors import LdapFormatError
from ringback.protocols.ldap.filters import equals, parse_filter
from ringback.protocols.ldap.persons import read_person
from ringback.protocols.ldap.search import LdapEntry, RootDse
from ringback.protocols.ldap.urls import LdapUrl
from ringback.rules.directory_settings import DirectorySettings, read_directory_settings

_SETTINGS = DirectorySettings()


def _searching() -> Client:
    """A client that has asked, and given one question up."""
    client = Client()
    client.search_request("dc=x", SearchScope.SUBTREE, filter=equals("uid", "a"))
    client.search_request("dc=x", SearchScope.SUBTREE, filter=equals("uid", "b"))
    client.abandon(2)
    client.data_to_send()
    return client


def _answers() -> bytes:
    server = LDAPServer()
    server.receive(_question())
    server.search_result_entry(1, "uid=p1,dc=x", [PartialAttribute("uid", [b"p1"]), PartialAttribute("cn", [b"A"])])
    return server.data_to_send()


def _end() -> bytes:
    server = LDAPServer()
    server.receive(_question())
    server.search_result_reference(1, ["ldap://b.example.com/dc=y??sub"])
    server.search_result_done(1)
    return server.data_to_send()


def _question() -> bytes:
    client = Client()
    client.search_request("dc=x", SearchScope.SUBTREE, filter=equals("uid", "a"))
    return client.data_to_send()


def _messages(data: bytes) -> None:
    client, place = _searching(), 0
    with contextlib.suppress(LdapFormatError):
        while len(data) - place >= 2:
            head = data[place : place + 2]
            head = data[place : place + 2 + head_length(head)]
            length = body_length(head)
            whole = head + data[place + len(head) : place + len(head) + length]
            short = read_entry(whole)
            message = client.read(whole)
            if short is not None and not isinstance(message, SearchResultEntry):
                raise RuntimeError("the short way reads what the library takes for something else")
            if isinstance(message, SearchResultEntry):
                values = {one.name.lower(): tuple(one.values) for one in message.attributes}
                entry = LdapEntry(message.object_name, values)
                if short is not None and short != (message.message_id, entry):
                    raise RuntimeError("the short way reads another entry than the library")
                read_person(_SETTINGS, entry)
                RootDse.of(entry)
            place += len(head) + length


def _texts(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    names.normal(text)
    for parse in (names.parse, LdapUrl.parse, parse_filter, lambda one: parse_filter(one, lenient=True)):
        with contextlib.suppress(LdapFormatError):
            parse(text)
    lines = [line.partition("=") for line in text.splitlines()]
    read_directory_settings({name: value for name, _, value in lines})


LDAP: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "ldap-messages": (_messages, (_answers(), _end())),
    "ldap-texts": (
        _texts,
        (
            b"ldap://b.example.com:389/ou=x,dc=y?cn?sub?(a=b)",
            b"(&(objectClass=person)(|(cn=a*b)(!(sn=\\2a))))",
            b'CN=Anna+OU="a,b",DC=x\\2cy',
            b"SearchBase1=ou=x\nPhoneNumberMasks=+1408|+(#) ### ### ####\nPredictiveSearchFilter=uid,anr",
        ),
    ),
}
