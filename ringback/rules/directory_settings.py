"""The parameters of a company directory over LDAP (Cisco Directory Integration, CDI), typed and with their defaults.

What can't be read counts as absent, and says so in ``reasons``; nothing here raises. The meaning of each parameter is
told to administrators in docs/administrators/people-ldap.md. Sources: planning guide 12.5, chapter 6; parameters
reference guide (values, defaults); what is chosen is marked there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from ringback.rules.configuration_parameters import lookup
from ringback.rules.phone_masks import PhoneMask, read_masks
from ringback.rules.reasons import Reason

BASES = 5
_ATTRIBUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]{0,127}|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9-]{1,63}){0,4}\Z")
_LONGEST = 4096  # letters of a value: filters may be long, but not endless


class Mechanism(StrEnum):
    """A way to bind that the parameter ``LdapSupportedMechanisms`` can name. PLAIN is a simple bind, or none at all."""

    GSSAPI = "GSSAPI"
    EXTERNAL = "EXTERNAL"
    PLAIN = "PLAIN"


@dataclass(frozen=True, slots=True)
class NamedServer:
    """A directory server as configured; ``port`` 0: the usual one."""

    host: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class AttributeMap:
    """Which attribute of the directory holds what. ``dn`` means the entry's own distinguished name. ``department`` and
    ``manager`` have no parameter (chosen: the names of Active Directory, which others know as well)."""

    common_name: str = "cn"
    display_name: str = "displayName"
    first_name: str = "givenName"
    last_name: str = "sn"
    email: str = "mail"
    sip_uri: str = "mail"
    directory_uri: str = "mail"
    photo: str = "thumbnailPhoto"
    business_phone: str = "telephoneNumber"
    mobile_phone: str = "mobile"
    home_phone: str = "homePhone"
    other_phone: str = "otherTelephone"
    title: str = "title"
    company: str = "company"
    user_account: str = "sAMAccountName"
    domain_name: str = "dn"
    country: str = "co"
    location: str = "location"
    nickname: str = "displayName"
    postal_code: str = "postalCode"
    city: str = "l"
    state: str = "st"
    street_address: str = "streetAddress"
    department: str = "department"
    manager: str = "manager"

    @property
    def all(self) -> tuple[str, ...]:
        """What to ask the directory for, the picture left out: each name once."""
        names = (getattr(self, one.name) for one in fields(self) if one.name != "photo")
        return tuple(dict.fromkeys(name for name in names if name.lower() != "dn"))


ATTRIBUTE_PARAMETERS = {
    "CommonName": "common_name",
    "DisplayName": "display_name",
    "Firstname": "first_name",
    "Lastname": "last_name",
    "EmailAddress": "email",
    "SipUri": "sip_uri",
    "DirectoryUri": "directory_uri",
    "PhotoSource": "photo",
    "BusinessPhone": "business_phone",
    "MobilePhone": "mobile_phone",
    "HomePhone": "home_phone",
    "OtherPhone": "other_phone",
    "Title": "title",
    "CompanyName": "company",
    "UserAccountName": "user_account",
    "DomainName": "domain_name",
    "Country": "country",
    "Location": "location",
    "Nickname": "nickname",
    "PostalCode": "postal_code",
    "City": "city",
    "State": "state",
    "StreetAddress": "street_address",
}
"""The parameters that name attributes, and the field of ``AttributeMap`` that each sets."""


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """The typed settings. ``use_anr`` None: by the kind of server. ``seconds`` is for one search; empty filters and
    bases mean the server's usual ones. ``predictive`` names the attributes in which a typed text is looked for.
    ``photo_uri`` is the address of a picture, in which the name of the attribute ``photo_uri_from`` stands for its
    value. ``reasons`` say what of the parameters was not used and why."""

    server_type: str = ""
    presence_domain: str = ""
    servers: tuple[NamedServer, ...] = ()
    use_ssl: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    call_manager_credentials: bool = False
    user_domain: str = ""
    forest_domain: str = ""
    site: str = ""
    mechanisms: tuple[Mechanism, ...] = ()
    follow_referrals: bool = False
    use_anr: bool | None = None
    base_filter: str = ""
    group_base_filter: str = ""
    predictive: tuple[str, ...] = ()
    secondary_numbers: bool = True
    wildcards: bool = False
    seconds: float = 5.0
    minimum_characters: int = 3
    bases: tuple[str, ...] = ()
    recursive: bool = True
    group_bases: tuple[str, ...] = ()
    sip_uri_resolves: bool = False
    uri_prefix: str = ""
    directory_uri_prefix: str = ""
    photo_uri_from: str = ""
    photo_uri: str = ""
    masks: tuple[PhoneMask, ...] = ()
    words_of_first_name: int = 2
    words_of_last_name: int = 2
    attributes: AttributeMap = AttributeMap()
    reasons: tuple[Reason, ...] = ()


class _Reader:
    """Parameters by name, whatever the case; collects the reasons."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._found = {name.casefold(): value.strip() for name, value in parameters.items() if value.strip()}
        self.reasons: list[Reason] = []

    def has(self, name: str) -> bool:
        return name.casefold() in self._found

    def text(self, name: str) -> str:
        value = self._found.get(name.casefold(), "")
        if len(value) > _LONGEST or not value.isprintable():
            self.ignored("ldap.settings.unreadable", name, value)
            return ""
        return value

    def ignored(self, reason: str, name: str, value: str) -> None:
        self.reasons.append(Reason.of(reason, name=name, value=value[:80]))

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name).lower()
        read = {"true": True, "1": True, "false": False, "0": False}.get(value)
        if read is None and value:
            self.ignored("ldap.settings.unreadable", name, value)
        return default if read is None else read

    def number(self, name: str, default: int, least: int, greatest: int) -> int:
        value = self.text(name)
        known = lookup(name)
        if known is not None and known.default is not None and known.default.isdigit():
            default = int(known.default)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= greatest):
            self.ignored("ldap.settings.unreadable", name, value)
            return default
        return int(value)

    def attribute(self, name: str, default: str) -> str:
        value = self.text(name)
        if value and not is_attribute(value):
            self.ignored("ldap.settings.no_attribute", name, value)
            return default
        return value or default


def is_attribute(text: str) -> bool:
    """Whether a text can be the name of an attribute (RFC 4512 section 2.5, with options)."""
    return _ATTRIBUTE.match(text) is not None


def read_directory_settings(parameters: Mapping[str, str]) -> DirectorySettings:
    """The settings of parameters under their CDI names (``directory_conversion`` makes them of EDI's and BDI's)."""
    reader = _Reader(parameters)
    masks, broken = read_masks(reader.text("PhoneNumberMasks"))
    if broken:
        reader.ignored("ldap.settings.mask", "PhoneNumberMasks", broken)
    if reader.has("KerberosConfiguration"):
        reader.reasons.append(Reason.of("ldap.settings.kerberos"))
    photo_from, photo_uri = _photo(reader)
    use_anr = reader.flag("UseANR", default=True) if reader.has("UseANR") else None
    found = DirectorySettings(
        server_type=reader.text("DirectoryServerType").upper(),
        presence_domain=reader.text("PresenceDomain"),
        servers=_servers(reader),
        use_ssl=reader.flag("UseSSL", default=False),
        username=reader.text("ConnectionUsername"),
        password=reader.text("ConnectionPassword"),
        call_manager_credentials=_credentials_from(reader),
        user_domain=reader.text("LDAPUserDomain"),
        forest_domain=reader.text("LdapDNSForestDomain"),
        site=reader.text("LdapSiteName"),
        mechanisms=_mechanisms(reader),
        follow_referrals=reader.flag("UseLdapReferral", default=False),
        use_anr=use_anr,
        base_filter=reader.text("BaseFilter"),
        group_base_filter=reader.text("GroupBaseFilter"),
        predictive=_predictive(reader),
        secondary_numbers=not reader.flag("DisableSecondaryNumberLookups", default=False),
        wildcards=reader.flag("UseWildcards", default=False),
        seconds=float(reader.number("SearchTimeout", 5, 1, 600)),
        minimum_characters=reader.number("MinimumCharacterQuery", 3, 1, 100),
        bases=_several(reader, "SearchBase"),
        recursive=reader.flag("RecursiveSearch1", default=True),
        group_bases=_several(reader, "GroupSearchBase"),
        sip_uri_resolves=reader.flag("UseSIPURIToResolveContacts", default=False),
        uri_prefix=reader.text("UriPrefix"),
        directory_uri_prefix=reader.text("DirectoryUriPrefix"),
        photo_uri_from=photo_from,
        photo_uri=photo_uri,
        masks=masks,
        words_of_first_name=reader.number("MaxWordsOfFirstName", 2, 1, 10),
        words_of_last_name=reader.number("MaxWordsOfLastName", 2, 1, 10),
        attributes=_attributes(reader),
    )
    if bool(found.username) != bool(found.password):
        reader.reasons.append(Reason.of("ldap.settings.half_an_account"))
    return replace(found, reasons=tuple(reader.reasons))


def uses_ldap(parameters: Mapping[str, str]) -> bool:
    """Whether people are looked for over LDAP (inside; outside it is always the user data service).

    Said by ``DirectoryServerType``; where that is absent (chosen), by whether a server or a domain of one is named.
    """
    reader = _Reader(parameters)
    kind = reader.text("DirectoryServerType").upper()
    if kind:
        return kind != "UDS"
    return any(reader.has(name) for name in ("PrimaryServerName", "LdapDNSForestDomain", "LDAPUserDomain"))


def _servers(reader: _Reader) -> tuple[NamedServer, ...]:
    rows = (
        ("PrimaryServerName", "ServerPort1"),
        ("SecondaryServerName", "ServerPort2"),
        ("ThirdServerName", "ServerPort3"),
    )
    found = []
    for name, port in rows:
        host = reader.text(name)
        if host and not re.fullmatch(r"[\w.:\[\]-]{1,253}", host):
            reader.ignored("ldap.settings.no_server", name, host)
        elif host:
            found.append(NamedServer(host.strip("[]"), reader.number(port, 0, 1, 65535)))
    return tuple(dict.fromkeys(found))


def _mechanisms(reader: _Reader) -> tuple[Mechanism, ...]:
    found: list[Mechanism] = []
    for word in reader.text("LdapSupportedMechanisms").replace(",", " ").split():
        try:
            found.append(Mechanism(word.upper()))
        except ValueError:
            reader.ignored("ldap.settings.no_mechanism", "LdapSupportedMechanisms", word)
    return tuple(dict.fromkeys(found))


def _predictive(reader: _Reader) -> tuple[str, ...]:
    found: list[str] = []
    for word in reader.text("PredictiveSearchFilter").split(","):
        name = word.strip().strip("()").partition("=")[0].strip()
        if name and is_attribute(name):
            found.append(name)
        elif word.strip():
            reader.ignored("ldap.settings.no_attribute", "PredictiveSearchFilter", word.strip())
    return tuple(dict.fromkeys(found))


def _several(reader: _Reader, name: str) -> tuple[str, ...]:
    found = [reader.text(f"{name}{index}") for index in range(1, BASES + 1)]
    return tuple(dict.fromkeys(base for base in found if base))


def _credentials_from(reader: _Reader) -> bool:
    value = reader.text("LDAP_UseCredentialsFrom")
    if value and value.upper() != "CUCM":
        reader.ignored("ldap.settings.unreadable", "LDAP_UseCredentialsFrom", value)
    return value.upper() == "CUCM"


def _photo(reader: _Reader) -> tuple[str, str]:
    """The attribute whose value goes into addresses of pictures, and those addresses with the attribute's name."""
    if not reader.flag("PhotoUriSubstitutionEnabled", default=False):
        return "", ""
    token, template = reader.text("PhotoUriSubstitutionToken"), reader.text("PhotoUriWithToken")
    if not is_attribute(token) or token not in template or not template.lower().startswith(("http://", "https://")):
        reader.reasons.append(Reason.of("ldap.settings.photo_uri"))
        return "", ""
    return token, template


def _attributes(reader: _Reader) -> AttributeMap:
    usual = AttributeMap()
    return AttributeMap(
        **{name: reader.attribute(parameter, getattr(usual, name)) for parameter, name in ATTRIBUTE_PARAMETERS.items()}
    )
