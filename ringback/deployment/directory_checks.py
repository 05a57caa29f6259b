"""What the tables of ``directory_sync`` must be beyond their types."""

from __future__ import annotations

from collections.abc import Iterator

from ringback.deployment.directory_sync import LdapDirectory
from ringback.deployment.lines import Path
from ringback.deployment.model import Deployment
from ringback.deployment.numbers import RangeError, park_slots
from ringback.net.ldap.connection import LdapServer
from ringback.net.ldap.errors import LdapSettingsError
from ringback.net.ldap.passwords import parse_filter

_FIELDS = frozenset(
    {
        "user-name", "first-name", "middle-name", "last-name", "nick-name", "display-name", "phone-number",
        "home-number", "mobile-number", "email", "directory-uri", "ms-uri", "department", "manager", "title", "pager",
    }
)  # fmt: skip
_BASES = 3


def check_directories(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    yield from _groups(deployment)
    names = set[str]()
    for index, row in enumerate(deployment.ldap_directory):
        where: Path = ("ldap-directory", index)
        if row.name in names:
            yield (*where, "name"), f"There are two directories named {row.name}"
        names.add(row.name)
        yield from _agreement(deployment, row, where)
    yield from _search(deployment, names)
    policy = deployment.user_search
    if not 1 <= policy.limit <= 500:
        yield ("user-search", "limit"), "A page has 1 to 500 people"
    if not 3 <= policy.digits_to_match <= 256:
        yield ("user-search", "digits-to-match"), "3 to 256 digits can be compared"


def _groups(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    profiles = {profile.name for profile in deployment.profile} or {"SPDefault"}
    seen = set[str]()
    for index, group in enumerate(deployment.feature_group):
        where: Path = ("feature-group", index)
        if group.name in seen:
            yield (*where, "name"), f"There are two feature groups named {group.name}"
        seen.add(group.name)
        if group.profile and group.profile not in profiles:
            yield (*where, "profile"), f"There is no service profile {group.profile!r}"
        for text in group.number_pool:
            try:
                park_slots(text)
            except RangeError as error:
                yield (*where, "number-pool"), str(error)


def _agreement(deployment: Deployment, row: LdapDirectory, where: Path) -> Iterator[tuple[Path, str]]:
    homes = {cluster.name for cluster in deployment.cluster}
    if row.cluster not in homes and (row.cluster or len(homes) != 1):
        yield (*where, "cluster"), f"People of {row.name} live in cluster {row.cluster!r}, which is not in the file"
    if row.feature_group and row.feature_group not in {group.name for group in deployment.feature_group}:
        yield (*where, "feature-group"), f"There is no feature group {row.feature_group!r}"
    if not row.base:
        yield (*where, "base"), "A search for people needs a base"
    for name in sorted(row.attributes.keys() - _FIELDS):
        yield (*where, "attributes"), f"{name!r} is no field of a person; there are {', '.join(sorted(_FIELDS))}"
    if not (row.servers or deployment.ldap_authentication.servers):
        yield where, f"{row.name} needs servers, or those of [ldap-authentication]"
    if row.servers and not deployment.ldap_authentication.servers and _differ(deployment, row):
        words = "The directories have other servers: say in [ldap-authentication] which of them checks passwords"
        yield (*where, "servers"), words
    if bool(row.service_account) != bool(row.password_file):
        yield where, "A service account needs a password file, and the other way round"
    try:
        for url in row.servers:
            LdapServer.parse(url)
        parse_filter(row.filter)
    except LdapSettingsError as error:
        yield where, str(error)
    for name, value, least, most in (
        ("every-hours", row.every_hours, 0.0, 24 * 366), ("keep-hours", row.keep_hours, 0.0, 24 * 366),
        ("largest-loss", row.largest_loss, 0, 100), ("timeout-seconds", row.timeout_seconds, 0.1, 60),
    ):  # fmt: skip
        if not least <= value <= most:
            yield (*where, name), f"{name} is {least:g} to {most:g}"


def _differ(deployment: Deployment, row: LdapDirectory) -> bool:
    return any(other.servers != row.servers for other in deployment.ldap_directory)


def _search(deployment: Deployment, names: set[str]) -> Iterator[tuple[Path, str]]:
    search = deployment.directory_search
    if not search.enabled:
        return
    where: Path = ("directory-search",)
    if not names:
        yield where, "There is no [[ldap-directory]] to search in"
    elif search.directory not in names and (search.directory or len(names) > 1):
        yield (*where, "directory"), f"There is no directory named {search.directory!r}"
    if len(search.bases) > _BASES:
        yield (*where, "bases"), f"There are at most {_BASES} bases"
    if not 1 <= search.most <= 5000:
        yield (*where, "most"), "1 to 5000 entries can be looked at for a question"
    if not 0.1 <= search.timeout_seconds <= 20:
        yield (*where, "timeout-seconds"), "A directory has 0.1 to 20 seconds to answer"
    try:
        parse_filter(search.filter)
    except LdapSettingsError as error:
        yield (*where, "filter"), str(error)
