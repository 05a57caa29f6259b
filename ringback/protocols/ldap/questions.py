"""What a directory is asked about people: a typed text, an address or a number becomes a filter.

Active Directory resolves ambiguous names itself (``anr``, MS-ADTS 3.1.1.3.1.3.3); others are asked for the beginnings
of names, in both orders of first and last name.
"""

from __future__ import annotations

import stringprep
from collections.abc import Sequence
from dataclasses import dataclass, field
from unicodedata import category

from sansldap import LDAPFilter

from ringback.protocols.ldap.errors import LdapFormatError
from ringback.protocols.ldap.filters import all_of, any_of, equals, parse_filter, spread, starts
from ringback.protocols.ldap.numbers import any_notation, beginnings, notations
from ringback.rules.directory_settings import DirectorySettings
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason

_PEOPLE_OF_ACTIVE_DIRECTORY = all_of(equals("objectCategory", "person"), equals("objectClass", "user"))
_PEOPLE = equals("objectClass", "person")  # chosen: the class that inetOrgPerson and all others of people are made from
_GROUPS_OF_ACTIVE_DIRECTORY = equals("objectClass", "group")
_GROUPS = any_of(*(equals("objectClass", one) for one in ("groupOfNames", "groupOfUniqueNames", "posixGroup", "group")))
_LONGEST = 256  # letters of what was typed that are looked at
_MOST_WORDS = 6


@dataclass(frozen=True, slots=True)
class PeopleQuestions:
    """The filters for one directory. ``domain`` is that of the Jabber identifiers, ``region`` the ISO 3166 code in
    which national numbers are read, or empty."""

    settings: DirectorySettings
    active_directory: bool
    domain: str = ""
    region: str = ""
    people: LDAPFilter = field(init=False)
    groups: LDAPFilter = field(init=False)
    reasons: tuple[Reason, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        reasons: list[Reason] = []
        for name, parameter, text, ad, other in (
            ("people", "BaseFilter", self.settings.base_filter, _PEOPLE_OF_ACTIVE_DIRECTORY, _PEOPLE),
            ("groups", "GroupBaseFilter", self.settings.group_base_filter, _GROUPS_OF_ACTIVE_DIRECTORY, _GROUPS),
        ):
            try:
                parsed = parse_filter(text, lenient=True)
            except LdapFormatError as error:
                parsed = None
                reasons.append(Reason.of("ldap.settings.filter", name=parameter, why=error))
            object.__setattr__(self, name, parsed or (ad if self.active_directory else other))
        if self.settings.use_anr and not self.active_directory:
            reasons.append(Reason.of("ldap.settings.anr"))
        object.__setattr__(self, "reasons", tuple(reasons))

    @property
    def asks_for_anr(self) -> bool:
        """Whether the directory resolves ambiguous names itself: where it can, and nobody forbade it."""
        return self.active_directory and self.settings.use_anr is not False

    def typed(self, text: str) -> LDAPFilter | None:
        """People whom somebody begins to type; None where that is too short or nothing (MinimumCharacterQuery)."""
        words = _said(text)[:_MOST_WORDS]
        whole = " ".join(words)
        if len(whole) < self.settings.minimum_characters:
            return None
        variants = [words]
        folded = fold(whole).split()
        if folded and folded != whole.lower().split():
            variants.append(folded)  # few directories fold accents themselves
        return all_of(self.people, any_of(*(one for each in variants for one in self._named(each))))

    def typed_number(self, number: str) -> LDAPFilter | None:
        """People whose number begins with what was typed; None where it holds no digit."""
        if self.settings.wildcards:
            return self._numbers([any_notation(number)])
        return self._numbers([(start, "") for start in beginnings(number, self.region)])

    def numbered(self, number: str) -> LDAPFilter | None:
        """People with this number, in any notation that a mask or a standard gives; None where it holds no digit."""
        ways = list(notations(number, self.region, self.settings.masks))
        if ways and self.settings.wildcards:
            ways.append(any_notation(number))
        return self._numbers(ways)

    def of_user(self, user: str) -> LDAPFilter:
        """The person of a user id."""
        return all_of(self.people, equals(self.settings.attributes.user_account, user))

    def of_jid(self, jid: str) -> LDAPFilter:
        """The person of a Jabber identifier: by the user id before the ``@`` where the domain is ours, or by the
        address of the directory (UseSIPURIToResolveContacts, UriPrefix)."""
        attributes, (user, _, domain) = self.settings.attributes, jid.partition("@")
        if not self.settings.sip_uri_resolves and domain.lower() == (self.jid_domain or domain).lower():
            return self.of_user(user)
        return all_of(self.people, self._addressed(jid, (attributes.sip_uri, attributes.directory_uri)))

    def of_uri(self, uri: str) -> LDAPFilter:
        """The person of a SIP address (without its scheme)."""
        attributes = self.settings.attributes
        return all_of(self.people, self._addressed(uri, (attributes.directory_uri, attributes.sip_uri)))

    def of_mail(self, mail: str) -> LDAPFilter:
        """The person of a mail address, other addresses of the same box included."""
        ways = [equals(self.settings.attributes.email, mail)]
        if self.active_directory:
            ways.append(equals("proxyAddresses", f"smtp:{mail}"))
        return all_of(self.people, any_of(*ways))

    def group_typed(self, text: str) -> LDAPFilter | None:
        """Groups whose name begins so; None for nothing."""
        whole = " ".join(_said(text))
        attributes = self.settings.attributes
        if len(whole) < self.settings.minimum_characters:
            return None
        names = any_of(starts(attributes.common_name, whole), starts(attributes.display_name, whole))
        return all_of(self.groups, names)

    @property
    def jid_domain(self) -> str:
        """The domain of Jabber identifiers made of user ids."""
        return self.settings.presence_domain or self.domain

    # Inside.

    def _named(self, words: Sequence[str]) -> list[LDAPFilter]:
        whole = " ".join(words)
        settings, attributes = self.settings, self.settings.attributes
        if settings.predictive:
            names = [name for name in settings.predictive if name.lower() != "anr" or self.active_directory]
            if names:
                return [equals(name, whole) if name.lower() == "anr" else starts(name, whole) for name in names]
        if self.asks_for_anr:
            return [equals("anr", whole)]
        single = (attributes.display_name, attributes.common_name, attributes.last_name, attributes.first_name)
        found = [starts(name, whole) for name in dict.fromkeys(single)]
        if len(words) == 1:
            return [*found, starts(attributes.email, whole), starts(attributes.user_account, whole)]
        for first, last in self._cuts(words):
            found.append(all_of(starts(attributes.first_name, first), starts(attributes.last_name, last)))
        return found

    def _cuts(self, words: Sequence[str]) -> list[tuple[str, str]]:
        """First and last name, in both orders, as far as their words are allowed (MaxWordsOf…Name)."""
        found = []
        for cut in range(1, len(words)):
            one, two = " ".join(words[:cut]), " ".join(words[cut:])
            if cut <= self.settings.words_of_first_name and len(words) - cut <= self.settings.words_of_last_name:
                found.append((one, two))
            if cut <= self.settings.words_of_last_name and len(words) - cut <= self.settings.words_of_first_name:
                found.append((two, one))
        return found

    def _numbers(self, ways: Sequence[Sequence[str]]) -> LDAPFilter | None:
        attributes = self.settings.attributes
        names = [attributes.business_phone]
        if self.settings.secondary_numbers:
            names += [attributes.mobile_phone, attributes.home_phone, attributes.other_phone]
        found = [spread(name, way) for name in dict.fromkeys(names) for way in ways if any(way)]
        return all_of(self.people, any_of(*found)) if found else None

    def _addressed(self, address: str, attributes: Sequence[str]) -> LDAPFilter:
        settings = self.settings
        prefixes = dict.fromkeys(("", settings.uri_prefix, settings.directory_uri_prefix, "sip:"))
        ways = [equals(name, f"{prefix}{address}") for name in dict.fromkeys(attributes) for prefix in prefixes]
        if self.active_directory:
            ways.append(equals("proxyAddresses", f"sip:{address}"))
        return any_of(*ways)


def _said(text: str) -> list[str]:
    """The words of a typed text without what directories compare as nothing (RFC 4518 section 2.2): a prefix of such
    signs alone would fit everybody."""
    kept = (
        " " if sign.isspace() else sign
        for sign in text[:_LONGEST]
        if sign.isspace() or not (stringprep.in_table_b1(sign) or sign == "\ufffc" or category(sign) in ("Cc", "Cf"))
    )
    return "".join(kept).split()
