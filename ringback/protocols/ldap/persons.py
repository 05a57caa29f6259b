"""A directory's entry read as a person, by the attributes that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols.ldap.search import LdapEntry
from ringback.rules.directory_settings import DirectorySettings

_LONGEST = 1024  # letters of a value
_MOST = 16  # values of an attribute


@dataclass(frozen=True, slots=True)
class DirectoryPerson:
    """Empty texts: the directory says nothing. ``sip_uri`` and ``directory_uri`` have no prefix any more; ``manager``
    is a distinguished name or a user id; ``photo_uri`` is the address made by substitution, where that is set."""

    dn: str
    common_name: str = ""
    display_name: str = ""
    first_name: str = ""
    last_name: str = ""
    nickname: str = ""
    user: str = ""
    mails: tuple[str, ...] = ()
    sip_uri: str = ""
    directory_uri: str = ""
    business_phones: tuple[str, ...] = ()
    mobile_phones: tuple[str, ...] = ()
    home_phones: tuple[str, ...] = ()
    other_phones: tuple[str, ...] = ()
    title: str = ""
    company: str = ""
    department: str = ""
    manager: str = ""
    domain_name: str = ""
    street_address: str = ""
    postal_code: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    location: str = ""
    photo_uri: str = ""


def wanted_attributes(settings: DirectorySettings) -> tuple[str, ...]:
    """What to ask for; the picture itself is not among it."""
    token = (settings.photo_uri_from,) if settings.photo_uri_from else ()
    return tuple(dict.fromkeys((*settings.attributes.all, *token)))


def read_person(settings: DirectorySettings, entry: LdapEntry) -> DirectoryPerson:
    """Read an entry; what can't be read counts as absent."""
    names = settings.attributes

    def text(name: str) -> str:
        return entry.name if name.lower() == "dn" else entry.text(name)[:_LONGEST]

    def texts(name: str) -> tuple[str, ...]:
        return tuple(value[:_LONGEST] for value in entry.texts(name)[:_MOST])

    nickname, display_name = text(names.nickname), text(names.display_name)
    return DirectoryPerson(
        dn=entry.name,
        common_name=text(names.common_name),
        display_name=display_name,
        first_name=text(names.first_name),
        last_name=text(names.last_name),
        nickname=nickname if nickname != display_name else "",
        user=text(names.user_account),
        mails=texts(names.email),
        sip_uri=_without(text(names.sip_uri), settings.uri_prefix),
        directory_uri=_without(text(names.directory_uri), settings.directory_uri_prefix or settings.uri_prefix),
        business_phones=texts(names.business_phone),
        mobile_phones=texts(names.mobile_phone),
        home_phones=texts(names.home_phone),
        other_phones=texts(names.other_phone),
        title=text(names.title),
        company=text(names.company),
        department=text(names.department),
        manager=text(names.manager),
        domain_name=text(names.domain_name),
        street_address=text(names.street_address),
        postal_code=text(names.postal_code),
        city=text(names.city),
        state=text(names.state),
        country=text(names.country),
        location=text(names.location),
        photo_uri=_photo(settings, entry),
    )


def _without(uri: str, prefix: str) -> str:
    for one in (prefix, "sip:", "sips:"):
        if one and uri.lower().startswith(one.lower()):
            return uri[len(one) :]
    return uri


def _photo(settings: DirectorySettings, entry: LdapEntry) -> str:
    value = entry.text(settings.photo_uri_from) if settings.photo_uri_from else ""
    if not value or not all(sign.isalnum() or sign in "._-+@" for sign in value) or ".." in value:
        return ""  # what could lead elsewhere is no name of a picture
    return settings.photo_uri.replace(settings.photo_uri_from, value)
