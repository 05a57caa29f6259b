"""The table ``[ldap-authentication]``: passwords that a directory knows, and whose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import field

from ringback.deployment.entity import Entity
from ringback.deployment.lines import Path
from ringback.net.ldap.connection import LdapServer
from ringback.net.ldap.errors import LdapSettingsError
from ringback.net.ldap.passwords import PLACE_OF_NAME, PersonSearch

if TYPE_CHECKING:
    from ringback.deployment.model import Deployment, Person

_WHERE = ("ldap-authentication",)


class LdapAuthentication(Entity, frozen=True, kw_only=True):
    """Call managers ask a directory for passwords of people with ``ldap = true``, or of ``everybody``.

    ``servers`` are addresses, asked in this order: ``ldaps://host`` has TLS from the first octet, ``ldap://host``
    StartTLS, without which nothing is sent. People are found below ``base`` by ``user_attribute`` among what fits
    ``filter`` (RFC 4515), by a service account with its password in a file beside the deployment file; or, without a
    search, they bind as the template ``bind_as`` says (``uid={user},ou=people,dc=example,dc=com`` or
    ``{user}@example.com``). ``ca`` is a file with further authorities for the servers' certificates.
    ``timeout_seconds`` is for a connection and each question.
    """

    servers: list[str] = field(default_factory=list)
    everybody: bool = False
    base: str = ""
    user_attribute: str = "uid"
    filter: str = ""
    bind_as: str = ""
    service_account: str = ""
    password_file: str = ""
    ca: str = ""
    timeout_seconds: float = 5.0

    def way(self) -> PersonSearch | str:
        """How a user name becomes a name to bind with. Raises LdapSettingsError."""
        return self.bind_as or PersonSearch(self.base, self.user_attribute, self.filter)


def uses_directory(deployment: Deployment, person: Person) -> bool:
    """Whether the directory knows a person's password."""
    return bool(deployment.ldap_authentication.servers) and (deployment.ldap_authentication.everybody or person.ldap)


def check_ldap_authentication(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    rows = deployment.ldap_authentication
    for index, person in enumerate(deployment.person):
        if person.ldap and not rows.servers:
            yield ("person", index, "ldap"), "There are no servers in [ldap-authentication] to ask for the password"
        if person.password and uses_directory(deployment, person):
            words = f"{person.user} signs in with the password of the directory; take the one here away"
            yield ("person", index, "password"), words
    if not rows.servers:
        return
    for index, url in enumerate(rows.servers):
        try:
            LdapServer.parse(url)
        except LdapSettingsError as error:
            yield (*_WHERE, "servers", index), str(error)
    yield from _how(rows)
    if not 0.1 <= rows.timeout_seconds <= 20:
        yield (*_WHERE, "timeout-seconds"), "A directory has 0.1 to 20 seconds to answer"


def _how(rows: LdapAuthentication) -> Iterator[tuple[Path, str]]:
    if rows.bind_as and (rows.base or rows.filter or rows.service_account):
        yield (*_WHERE, "bind-as"), "Either people are searched for, or they bind by a template: not both"
    elif rows.bind_as:
        if PLACE_OF_NAME not in rows.bind_as:
            yield (*_WHERE, "bind-as"), f"The template needs {PLACE_OF_NAME} in it, where the user name goes"
    else:
        try:
            rows.way()
        except LdapSettingsError as error:
            yield _WHERE, str(error)
    if bool(rows.service_account) != bool(rows.password_file):
        yield _WHERE, "A service account needs a password file, and the other way round"
