"""What an agreement with a directory says: whom to take over, what of them, and what new people get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from ringback.net.ldap.connection import LdapServer
from ringback.rules.call_forwarding import NO_FORWARDING, Forwarding
from ringback.storage.callmanager.records import LineRow

Product = Literal["openldap", "active-directory"]

_COMMON: Final = {
    "first_name": ("givenName",),
    "last_name": ("sn",),
    "phone_number": ("telephoneNumber",),
    "mobile_number": ("mobile",),
    "home_number": ("homePhone",),
    "pager": ("pager",),
    "email": ("mail",),
    "title": ("title",),
    "manager": ("manager",),
    "display_name": ("displayName",),
}
DEFAULT_ATTRIBUTES: Final[Mapping[Product, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "openldap": {
            **_COMMON,
            "user_name": ("uid",),
            "middle_name": ("initials",),
            "department": ("departmentNumber", "ou"),
            "directory_uri": (),
        },
        "active-directory": {
            **_COMMON,
            "user_name": ("sAMAccountName",),
            "middle_name": ("middleName", "initials"),
            "department": ("department",),
            "directory_uri": ("msRTCSIP-primaryuseraddress",),
            "ms_uri": ("msRTCSIP-primaryuseraddress",),
        },
    }
)
"""Which attribute is taken for what unless the agreement says otherwise; of several the first that has a value. They
are the documented defaults of call managers; the display name's and OpenLDAP's department are chosen."""

UNIQUE: Final[Mapping[Product, str]] = MappingProxyType({"openldap": "entryUUID", "active-directory": "objectGUID"})
"""The attribute that stays when a person is renamed or moved."""

DEFAULT_FILTERS: Final[Mapping[Product, str]] = MappingProxyType(
    {
        "openldap": "(objectClass=inetOrgPerson)",
        "active-directory": "(&(objectClass=user)(!(objectClass=Computer))"
        "(!(UserAccountControl:1.2.840.113556.1.4.803:=2)))",
    }
)
"""The documented default filters: for Active Directory enabled accounts of people."""

_LINE: Final = LineRow("")


@dataclass(frozen=True, slots=True)
class FeatureGroup:
    """What a new person gets; who is known keeps what they have.

    ``devices`` are kinds of softphones (``CSF``). Their line has the number that is made of the telephone number by
    ``mask`` (an ``X`` takes a digit, from the right; anything else stands as it is), without a mask the last
    ``digits`` of it (0: all, with ``+``); where it has none or the number is taken, the first free one of ``pool``.
    ``line``, ``forwarding`` and ``ring_seconds`` say everything else about it. ``home``: whether they are at home
    in the agreement's cluster at all.
    """

    name: str = ""
    home: bool = True
    presence_servers: tuple[str, ...] = ()
    im_and_presence: bool = True
    calendar_presence: bool = False
    service_profile: str = ""
    remote_access: str = ""
    locale: str = "English United States"
    devices: tuple[str, ...] = ("CSF",)
    support_field: str = ""
    encrypted: bool = False
    mask: str = ""
    digits: int = 4
    pool: tuple[str, ...] = ()
    line: LineRow = _LINE
    forwarding: Forwarding = NO_FORWARDING
    ring_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class DirectoryAccess:
    """Where the directory is and who asks. ``servers`` in the order in which they are tried, verified with the system's
    authorities and those of ``ca_file``; ``timeout`` in seconds, for a connection and each page of an answer."""

    servers: tuple[LdapServer, ...]
    account: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement. ``cluster`` is the home of its people, ``here`` whether that is this cluster.

    ``base`` and ``filter`` (RFC 4515; empty: the product's default) say which entries; with ``groups`` (distinguished
    names) only members of one of them. ``attributes`` override the product's defaults, field by field. ``every`` is
    seconds between runs (0: once). Somebody whom the directory has no more is inactive at once and removed
    ``keep_seconds`` later. A run that would make more than ``largest_loss`` percent of its people inactive is refused.
    ``domain`` stands behind user names in addresses, ``country`` (ISO 3166) is that of numbers written nationally.
    """

    name: str
    access: DirectoryAccess
    base: str
    domain: str
    cluster: str
    here: bool = True
    product: Product = "openldap"
    filter: str = ""
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    feature_group: FeatureGroup = FeatureGroup()
    every: float = 86_400.0
    keep_seconds: float = 86_400.0
    largest_loss: int = 50
    country: str = ""

    @property
    def mapping(self) -> Mapping[str, tuple[str, ...]]:
        """Field of a person → attributes, in the order in which they are looked at."""
        return {**DEFAULT_ATTRIBUTES[self.product], **self.attributes}

    @property
    def unique(self) -> str:
        """The attribute that stays when a person is renamed."""
        return UNIQUE[self.product]

    @property
    def wanted(self) -> str:
        """The filter that holds."""
        return self.filter or DEFAULT_FILTERS[self.product]


@dataclass(frozen=True, slots=True)
class SynchronisationSettings:
    """What a node synchronises. ``runs``: whether it is the node of the cluster that does; the others look only.
    ``look_seconds`` is how often it looks for what is due and what others changed."""

    agreements: tuple[Agreement, ...] = ()
    runs: bool = True
    look_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class DirectorySearch:
    """The directory that is asked: servers, account and attributes of ``agreement``, below each of ``bases``, what fits
    ``filter`` (RFC 4515; empty: the agreement's). At most ``most`` entries for a question, in ``timeout`` seconds."""

    agreement: Agreement
    bases: tuple[str, ...]
    filter: str = ""
    most: int = 500
    timeout: float = 3.0
