"""The parameters of a directory: defaults, what can't be read, and those of older integrations."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.ldap.profile import directory_parameters
from ringback.protocols.service_profile import DirectoryOptions, ServiceAddress, ServiceProfile, ServiceServers
from ringback.rules.configuration_table import SECTIONS
from ringback.rules.directory_conversion import GONE, TABLE, convert
from ringback.rules.directory_settings import (
    ATTRIBUTE_PARAMETERS,
    AttributeMap,
    DirectorySettings,
    Mechanism,
    NamedServer,
    read_directory_settings,
    uses_ldap,
)
from ringback.rules.phone_masks import PhoneMask, masked, read_masks

_NAMES = sorted({name for row in TABLE for name in row if name})


def test_the_defaults_are_the_documented_ones() -> None:
    assert read_directory_settings({}) == DirectorySettings()
    defaults = {line.split()[0]: line.split()[2] for line in SECTIONS["Directory"].strip().splitlines()}
    for parameter, name in ATTRIBUTE_PARAMETERS.items():
        documented = defaults[parameter]
        assert getattr(AttributeMap(), name) == ("thumbnailPhoto" if documented == "-" else documented)
    assert (DirectorySettings().seconds, DirectorySettings().minimum_characters) == (5.0, 3)


def test_every_parameter_has_its_effect() -> None:
    given = {
        "DirectoryServerType": "CDI", "PresenceDomain": "im.example.com", "UseSIPURIToResolveContacts": "true",
        "UriPrefix": "sip:", "DirectoryUriPrefix": "sip:", "MaxWordsOfFirstName": "3", "MaxWordsOfLastName": "1",
        "PrimaryServerName": "a.example.com", "SecondaryServerName": "b.example.com", "ServerPort1": "3268",
        "ServerPort2": "636", "ConnectionUsername": "cn=x", "ConnectionPassword": "y", "UseSSL": "1",
        "UseANR": "false", "BaseFilter": "(a=b)", "GroupBaseFilter": "(c=d)", "PredictiveSearchFilter": "uid, mail=*",
        "DisableSecondaryNumberLookups": "1", "SearchTimeout": "9", "UseWildcards": "1", "MinimumCharacterQuery": "2",
        "SearchBase1": "ou=a", "SearchBase5": "ou=e", "GroupSearchBase2": "ou=g", "PhotoUriSubstitutionEnabled": "true",
        "PhotoUriSubstitutionToken": "uid", "PhotoUriWithToken": "https://x/uid.jpg", "PhotoSource": "jpegPhoto",
        "PhoneNumberMasks": "+1408|+(#) ### ### ####", "LDAP_UseCredentialsFrom": "CUCM", "LDAPUserDomain": "corp",
        "LdapDNSForestDomain": "forest", "LdapSupportedMechanisms": "GSSAPI EXTERNAL PLAIN", "UseLdapReferral": "1",
        "UserAccountName": "uid", "LdapSiteName": "Berlin", "ThirdServerName": "c.example.com",
        "RecursiveSearch1": "false",
    }  # fmt: skip
    found = read_directory_settings(given)
    assert found.reasons == ()
    assert found.servers == (
        NamedServer("a.example.com", 3268), NamedServer("b.example.com", 636), NamedServer("c.example.com", 0),
    )  # fmt: skip
    assert found.mechanisms == (Mechanism.GSSAPI, Mechanism.EXTERNAL, Mechanism.PLAIN)
    assert (found.predictive, found.bases, found.group_bases) == (("uid", "mail"), ("ou=a", "ou=e"), ("ou=g",))
    assert found.masks == (PhoneMask("+1408", "+(#) ### ### ####"),)
    usual = DirectorySettings()
    same = [one.name for one in fields(usual) if getattr(found, one.name) == getattr(usual, one.name)]
    assert same == ["reasons"], "a parameter without effect"
    assert "'y'" not in repr(found)


def test_every_parameter_is_told_to_administrators() -> None:
    text = (Path(__file__).parents[2] / "docs" / "administrators" / "people-ldap.md").read_text()
    listed = {name.casefold() for name in re.findall(r"`([A-Za-z_]+?)\d*`", text)}
    known = [line.split()[0] for line in SECTIONS["Directory"].strip().splitlines()]
    assert [name for name in known if name.rstrip("12345").casefold() not in listed] == []
    assert [old for _, edi, bdi in TABLE for old in (edi, bdi) if not _told(old, listed)] == []


def _told(old: str, listed: set[str]) -> bool:
    """Whether an old name is told: by itself, or as one with the prefix that is explained once for all."""
    return not old or old.rstrip("12345").removeprefix("BDI").casefold() in listed or old.casefold() in listed


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SearchTimeout", "0", "unreadable"),
        ("SearchTimeout", "soon", "unreadable"),
        ("UseANR", "perhaps", "unreadable"),
        ("ServerPort1", "70000", ""),
        ("PrimaryServerName", "a b", "no_server"),
        ("LdapSupportedMechanisms", "DIGEST-MD5", "no_mechanism"),
        ("PredictiveSearchFilter", "a b", "no_attribute"),
        ("UserAccountName", "uid)(x=*", "no_attribute"),
        ("PhoneNumberMasks", "+1408", "mask"),
        ("PhotoUriSubstitutionEnabled", "true", "photo_uri"),
        ("ConnectionUsername", "cn=x", "half_an_account"),
        ("KerberosConfiguration", "x", "kerberos"),
        ("BaseFilter", "(" * 5000, "unreadable"),
        ("SearchBase1", "ou=a\0", "unreadable"),
    ],
)
def test_what_can_not_be_read_is_told(name: str, value: str, reason: str) -> None:
    found = read_directory_settings({name: value})
    assert [one.id for one in found.reasons] == ([f"ldap.settings.{reason}"] if reason else [])


@given(st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=20), st.text(max_size=40), max_size=12))
def test_no_parameters_make_it_fail(parameters: dict[str, str]) -> None:
    read_directory_settings(convert(parameters).parameters)
    uses_ldap(parameters)
    directory_parameters(parameters, ServiceProfile())


def test_when_people_are_looked_for_over_ldap() -> None:
    assert not uses_ldap({})
    assert not uses_ldap({"DirectoryServerType": "uds", "PrimaryServerName": "a"})
    assert uses_ldap({"directoryservertype": "EDI"})
    assert uses_ldap({"PrimaryServerName": "a"})


# Conversion


@pytest.mark.parametrize(("today", "edi", "bdi"), TABLE)
def test_each_row_of_the_table(today: str, edi: str, bdi: str) -> None:
    for old in (edi, bdi):
        if not old:
            continue
        value = "EDI" if old == "DirectoryServerType" else "x"
        done = convert({old: value})
        if today:
            assert list(done.parameters) == [today]
            assert bool(done.report) == (old != today or value == "EDI")
        else:
            assert done.parameters == {}
            assert [one.id for one in done.report] == [GONE[old.lower()]]


@given(st.dictionaries(st.sampled_from(_NAMES), st.text(max_size=10)))
def test_nothing_is_lost_without_a_word(parameters: dict[str, str]) -> None:
    done = convert(parameters)
    told = {one.values.get("name") for one in done.report}
    for name, value in parameters.items():
        if not value.strip():
            continue  # counts as absent
        assert name in told or (name in done.parameters and done.parameters[name] in (value, "CDI"))
    assert not any(name.startswith("BDI") for name in done.parameters)
    assert convert(done.parameters).parameters == done.parameters, "done twice it is the same"


def test_a_blank_value_covers_nothing() -> None:
    for blank in ({"BDIBaseFilter": "(a=b)", "BaseFilter": " "}, {"BaseFilter": " ", "BDIBaseFilter": "(a=b)"}):
        assert convert(blank).parameters["BaseFilter"] == "(a=b)"


def test_todays_name_counts_before_the_old_one() -> None:
    for order in (("BDIEnableTLS", "UseSSL"), ("UseSSL", "BDIEnableTLS")):
        done = convert({name: "true" if name == "UseSSL" else "false" for name in order})
        assert done.parameters == {"UseSSL": "true"}
        assert [one.id for one in done.report] == ["ldap.convert.both"]


def test_the_profile_counts_before_the_files() -> None:
    profile = ServiceProfile(
        directory=ServiceServers(ServiceAddress("p", 636, "TLS"), ServiceAddress("q"), ServiceAddress("r", 3268)),
        directory_options=DirectoryOptions(
            dn="cn=x", password="y", search_context1="ou=p", search_timeout=7, recursive_search1=False,
        ),
    )  # fmt: skip
    files = {"primaryservername": "f", "ServerPort2": "1", "SearchBase1": "ou=f", "SearchBase2": "ou=g", "Other": "1"}
    found, reasons = directory_parameters(files, profile)
    settings = read_directory_settings(found)
    assert settings.servers == (NamedServer("p", 636), NamedServer("q", 0), NamedServer("r", 3268))
    assert (settings.bases, settings.seconds, settings.use_ssl) == (("ou=p", "ou=g"), 7.0, True)
    assert (settings.username, settings.password, settings.call_manager_credentials) == ("cn=x", "y", False)
    assert not settings.recursive
    assert found["Other"] == "1"
    assert {one.values["name"] for one in reasons} == {"PrimaryServerName", "ServerPort2", "SearchBase1"}
    assert directory_parameters(files, None)[0] == files


def test_servers_and_accounts_are_taken_whole() -> None:
    """Never a port or a password of another source."""
    files = {
        "PrimaryServerName": "f", "ServerPort1": "1", "SecondaryServerName": "g", "ServerPort2": "2",
        "ConnectionUsername": "theirs", "ConnectionPassword": "their password",
    }  # fmt: skip
    one = ServiceProfile(directory=ServiceServers(ServiceAddress("p")), directory_options=DirectoryOptions(dn="cn=x"))
    settings = read_directory_settings(directory_parameters(files, one)[0])
    assert settings.servers == (NamedServer("p", 0),)
    assert (settings.username, settings.password) == ("theirs", "their password")
    own = ServiceProfile(directory_options=DirectoryOptions(dn="cn=x", password="y", use_user_credential=True))
    found, _ = directory_parameters({}, own)
    assert found == {"LDAP_UseCredentialsFrom": "CUCM"}


# Masks


@pytest.mark.parametrize(
    ("masks", "number", "written"),
    [
        ("+1408|+(#) ### ### ####", "+14085550100", [("+(1) 408 555 0100",)]),
        ("+1408|+(#) ### ### ####|+34|+(##) ### ####", "+345550100", [("+(34) 555 0100",)]),
        ("+3498|+34*98*##*#####", "+34985550199", [("+34", "98", "55", "50199")]),
        ("+3498|R+34 (98) 559 ####", "+34985590199", [("+34 (98) 559 0199",)]),
        ("+1408|+(#) ### ### ####", "+1408555010", []),
        ("+1408|+(#) ### ### ####", "+140855501000", []),
        ("+1|+# ### ### ####|+1408|+#.##########", "+14085550100", [("+1.4085550100",), ("+1 408 555 0100",)]),
        ("|", "+1", []),
    ],
)
def test_masks(masks: str, number: str, written: list[tuple[str, ...]]) -> None:
    assert list(masked(number, read_masks(masks)[0])) == written


@given(st.text(alphabet="+0123456789#*R| ()-a", max_size=40), st.text(alphabet="+0123456789", max_size=20))
def test_no_mask_makes_it_fail(masks: str, number: str) -> None:
    read, _ = read_masks(masks)
    for parts in masked(number, read):
        assert "#" not in "".join(parts)
