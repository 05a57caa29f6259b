"""Files written for the older directory integrations, EDI and BDI, read as today's CDI, with a report.

The table is the planning guide's (12.5, chapter 6, "Directory Parameters"), row for row. Where a file holds both, the
parameters of EDI, which are CDI's own names, count for the connection, and so for all others (scenario 4 there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ringback.rules.reasons import Reason

TABLE: tuple[tuple[str, str, str], ...] = (
    ("DirectoryServerType", "DirectoryServerType", ""),
    ("", "ConnectionType", ""),
    ("", "", "BDILDAPServerType"),
    ("PresenceDomain", "PresenceDomain", "BDIPresenceDomain"),
    ("PrimaryServerName", "PrimaryServerName", "BDIPrimaryServerName"),
    ("SecondaryServerName", "SecondaryServerName", ""),
    ("ServerPort1", "ServerPort1", "BDIServerPort1"),
    ("ServerPort2", "ServerPort2", ""),
    ("", "UseWindowCredentials", ""),
    ("", "", "BDIUseJabberCredentials"),
    ("ConnectionUsername", "ConnectionUsername", "BDIConnectionUsername"),
    ("ConnectionPassword", "ConnectionPassword", "BDIConnectionPassword"),
    ("UseSSL", "UseSSL", "BDIEnableTLS"),
    ("", "UseSecureConnection", ""),
    ("UseANR", "UseANR", "BDIUseANR"),
    ("BaseFilter", "BaseFilter", "BDIBaseFilter"),
    ("GroupBaseFilter", "GroupBaseFilter", "BDIGroupBaseFilter"),
    ("PredictiveSearchFilter", "PredictiveSearchFilter", "BDIPredictiveSearchFilter"),
    ("DisableSecondaryNumberLookups", "DisableSecondaryNumberLookups", ""),
    ("SearchTimeout", "SearchTimeout", ""),
    ("UseWildcards", "UseWildcards", ""),
    ("MinimumCharacterQuery", "MinimumCharacterQuery", ""),
    ("SearchBase1", "SearchBase1", "BDISearchBase1"),
    ("SearchBase2", "SearchBase2", ""),
    ("SearchBase3", "SearchBase3", ""),
    ("SearchBase4", "SearchBase4", ""),
    ("SearchBase5", "SearchBase5", ""),
    ("GroupSearchBase1", "GroupSearchBase1", "BDIGroupSearchBase1"),
    ("GroupSearchBase2", "GroupSearchBase2", ""),
    ("GroupSearchBase3", "GroupSearchBase3", ""),
    ("GroupSearchBase4", "GroupSearchBase4", ""),
    ("GroupSearchBase5", "GroupSearchBase5", ""),
    ("UseSipUriToResolveContacts", "UseSipUriToResolveContacts", "BDIUseSipUriToResolveContacts"),
    ("UriPrefix", "UriPrefix", "BDIUriPrefix"),
    ("SipUri", "SipUri", "BDISipUri"),
    ("PhotoUriSubstitutionEnabled", "PhotoUriSubstitutionEnabled", "BDIPhotoUriSubstitutionEnabled"),
    ("PhotoUriSubstitutionToken", "PhotoUriSubstitutionToken", "BDIPhotoUriSubstitutionToken"),
    ("PhotoUriWithToken", "PhotoUriWithToken", "BDIPhotoUriWithToken"),
    ("PhotoSource", "PhotoSource", "BDIPhotoSource"),
    ("LDAP_UseCredentialsFrom", "LDAP_UseCredentialsFrom", "LDAP_UseCredentialsFrom"),
    ("LDAPUserDomain", "LDAPUserDomain", "LDAPUserDomain"),
    ("LdapSupportedMechanisms", "", ""),
    ("CommonName", "CommonName", "BDICommonName"),
    ("DisplayName", "DisplayName", "BDIDisplayName"),
    ("Firstname", "Firstname", "BDIFirstname"),
    ("Lastname", "Lastname", "BDILastname"),
    ("EmailAddress", "EmailAddress", "BDIEmailAddress"),
    ("BusinessPhone", "BusinessPhone", "BDIBusinessPhone"),
    ("MobilePhone", "MobilePhone", "BDIMobilePhone"),
    ("HomePhone", "HomePhone", "BDIHomePhone"),
    ("OtherPhone", "OtherPhone", "BDIOtherPhone"),
    ("DirectoryUri", "DirectoryUri", "BDIDirectoryUri"),
    ("Title", "Title", "BDITitle"),
    ("CompanyName", "CompanyName", "BDICompanyName"),
    ("UserAccountName", "UserAccountName", "BDIUserAccountName"),
    ("DomainName", "DomainName", "BDIDomainName"),
    ("Country", "Country", "BDICountry"),
    ("Location", "Location", "BDILocation"),
    ("Nickname", "Nickname", "BDINickname"),
    ("PostalCode", "PostalCode", "BDIPostalCode"),
    ("City", "City", "BDICity"),
    ("State", "State", "BDIState"),
    ("StreetAddress", "StreetAddress", "BDIStreetAddress"),
)
"""Each parameter today (empty: it is gone), and what it was called in EDI and in BDI (empty: there was none)."""

GONE = MappingProxyType(
    {
        "connectiontype": "ldap.convert.connection_type",
        "bdildapservertype": "ldap.convert.server_type",
        "usewindowcredentials": "ldap.convert.own_credentials",
        "usewindowscredentials": "ldap.convert.own_credentials",
        "bdiusejabbercredentials": "ldap.convert.own_credentials",
        "usejabbercredentials": "ldap.convert.own_credentials",
        "usesecureconnection": "ldap.convert.secure",
    }
)
"""What took the place of a parameter that is gone, as a reason, by its name in lower case (the guide writes
``UseWindowCredentials``, earlier ones ``UseWindowsCredentials``)."""

_BDI = MappingProxyType({bdi.casefold(): cdi for cdi, _, bdi in TABLE if cdi and bdi and bdi != cdi})
_OLD_TYPES = frozenset({"EDI", "BDI"})


@dataclass(frozen=True, slots=True)
class Conversion:
    """``parameters`` under today's names, all others as they were; ``report``: what became what, what is gone, why."""

    parameters: dict[str, str]
    report: tuple[Reason, ...] = ()


def convert(parameters: Mapping[str, str]) -> Conversion:
    """Read parameters (name and value, in the order of the file) as today's."""
    found: dict[str, str] = {}
    report: list[Reason] = []
    present = {name.casefold() for name, value in parameters.items() if value.strip()}
    for name, value in parameters.items():
        folded = name.casefold()
        today = _BDI.get(folded)
        if folded in GONE:
            report.append(Reason.of(GONE[folded], name=name, value=value.strip()[:80]))
        elif not value.strip() and (today or name) in found:
            continue  # a blank value counts as absent
        elif today is None:
            found[name] = _today_type(name, value, report)
        elif today.casefold() in present:
            report.append(Reason.of("ldap.convert.both", name=name, instead=today))
        else:
            found[today] = value
            report.append(Reason.of("ldap.convert.renamed", name=name, instead=today))
    return Conversion(found, tuple(report))


def _today_type(name: str, value: str, report: list[Reason]) -> str:
    if name.casefold() == "directoryservertype" and value.strip().upper() in _OLD_TYPES:
        report.append(Reason.of("ldap.convert.type", value=value.strip()))
        return "CDI"
    return value
