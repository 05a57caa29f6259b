"""People of a directory: ``[[ldap-directory]]``, ``[[feature-group]]``, ``[directory-search]``, ``[user-search]``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from ringback.deployment.entity import Entity


class FeatureGroup(Entity, frozen=True, kw_only=True):
    """What new people of a directory get: whether they are at ``home`` in the agreement's cluster, ``presence``, the
    service ``profile``, ``user_profile``, softphones of the kinds ``devices`` and a line on them. Its number is made of
    the telephone number by ``number_mask`` (``8XXX``: each X takes a digit, from the right; none: the last digits, as
    for people of the file); where that is taken, or there is none, it is the next free one of ``number_pool``
    (``["2500-2599"]``).
    """

    name: str
    home: bool = True
    presence: bool = True
    profile: str = ""
    user_profile: str = ""
    devices: list[Literal["CSF", "TAB", "BOT", "TCT"]] = field(default_factory=lambda: ["CSF"])
    configuration_file: str = ""
    number_mask: str = ""
    number_pool: list[str] = field(default_factory=list)


class LdapDirectory(Entity, frozen=True, kw_only=True):
    """A synchronisation agreement: people below ``base`` who fit ``filter`` (RFC 4515; none: the product's usual one)
    and, with ``groups`` (distinguished names), are in one of them, live in ``cluster`` and get what ``feature_group``
    says.

    ``attributes`` say what is taken for a field in place of the product's usual attribute, a list for "the first that
    has a value". ``servers``, ``service_account``, ``password_file``, ``ca`` and ``timeout_seconds`` are as in
    ``[ldap-authentication]``, and those where not given. It runs every ``every_hours`` (0: once). People who left are
    inactive at once and removed after ``keep_hours``. A run that would lose more than ``largest_loss`` percent of
    them is refused.
    """

    name: str
    base: str
    cluster: str = ""
    product: Literal["openldap", "active-directory"] = "openldap"
    filter: str = ""
    groups: list[str] = field(default_factory=list)
    attributes: dict[str, str | list[str]] = field(default_factory=dict)
    feature_group: str = ""
    every_hours: float = 24.0
    keep_hours: float = 24.0
    largest_loss: int = 50
    servers: list[str] = field(default_factory=list)
    service_account: str = ""
    password_file: str = ""
    ca: str = ""
    timeout_seconds: float = 10.0


class DirectorySearch(Entity, frozen=True, kw_only=True):
    """The user data service looks for people in the directory itself, not in its own tables: up to three ``bases``,
    ``filter``, attributes and servers of the agreement ``directory``. At most ``most`` entries are looked at for a
    question, in ``timeout_seconds``."""

    enabled: bool = False
    directory: str = ""
    bases: list[str] = field(default_factory=list)
    filter: str = ""
    most: int = 500
    timeout_seconds: float = 3.0


class UserSearch(Entity, frozen=True, kw_only=True):
    """Searches by the user data service: whether one ``needs_sign_in``, whether one without a filter lists everybody
    (``all_users``), people on a page at most, digits that are compared when a number is resolved by its end."""

    needs_sign_in: bool = False
    all_users: bool = True
    limit: int = 64
    digits_to_match: int = 4
