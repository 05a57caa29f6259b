"""What is read from and written to the tables, as value types."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from ringback.rules.name_search import fold
from ringback.rules.number_search import kept_digits

_NAMES = uuid.UUID("5d0c6a52-9c1c-5f5e-a5d4-3c2f6b1f0f11")  # the name space of our keys

PERSON = "person"
APPLICATION = "application"


def key_of(kind: str, *names: str) -> str:
    """The key of a record, the same on every node and at every start."""
    return str(uuid.uuid5(_NAMES, "\n".join((kind, *names))))


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person in the store; fields as in ``protocols.uds.people``. ``home`` is False for people of other clusters, who
    are only looked up; who is not ``active`` by the deployment's word can't sign in.
    ``remote_access``: as in the table."""

    user_name: str
    id: str = ""
    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    nick_name: str = ""
    display_name: str = ""
    phone_number: str = ""
    home_number: str = ""
    mobile_number: str = ""
    email: str = ""
    directory_uri: str = ""
    ms_uri: str = ""
    department: str = ""
    manager: str = ""
    title: str = ""
    pager: str = ""
    locale: str = ""
    service_profile: str = ""
    imp_servers: tuple[str, ...] = ()
    im_and_presence: bool = True
    calendar_presence: bool = False
    home: bool = True
    active: bool = True
    remote_access: str = ""

    @property
    def user(self) -> str:
        """The key: the folded user name."""
        return fold(self.user_name)

    def numbers(self, country: str = "") -> frozenset[str]:
        """Phone, mobile and home number in digits; ``country`` (ISO 3166) reads those written nationally."""
        written = (self.phone_number, self.mobile_number, self.home_number)
        return frozenset[str]().union(*(kept_digits(number, country) for number in written))


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line on a device."""

    number: str
    label: str = ""
    display_name: str = ""
    voicemail_pilot: str = ""
    max_calls: int = 4
    busy_trigger: int = 2

    @property
    def id(self) -> str:
        """The key of the directory number, the same on all devices."""
        return key_of("line", self.number)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device with its lines; ``owner`` is a folded user name or empty, ``sip_user`` what it signs in to SIP as."""

    name: str
    owner: str = ""
    model: str = ""
    description: str = ""
    support_field: str = ""
    sip_user: str = ""
    encrypted: bool = False
    lines: tuple[LineRow, ...] = ()

    @property
    def id(self) -> str:
        """The key of the device."""
        return key_of("device", self.name)


@dataclass(frozen=True, slots=True)
class Login:
    """A password given by the deployment. ``kind`` is person or application."""

    kind: str
    user_name: str
    password: str = field(repr=False)
    rights: frozenset[str] = frozenset()

    @property
    def user(self) -> str:
        """The key: the folded user name."""
        return fold(self.user_name)


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a password, and what it allows."""

    user_name: str
    argon2: str = field(repr=False)
    salt: bytes = field(repr=False)
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    rights: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Criteria:
    """A search; all that is set must fit. Texts are compared folded, as starts; ``uri`` is compared whole."""

    name: str = ""
    first: str = ""
    last: str = ""
    display_name: str = ""
    user_name: str = ""
    email: str = ""
    uri: str = ""
    number: str = ""
