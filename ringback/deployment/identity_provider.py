"""The tables ``[single-sign-on]`` and ``[identity-provider]``: who says who somebody is, and how people prove it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from msgspec import field

from ringback.deployment.entity import Entity
from ringback.deployment.lines import Path
from ringback.deployment.sign_in import method_of

if TYPE_CHECKING:
    from ringback.deployment.model import Deployment

ROLE: Final = "identity-provider"
_SECRET_OCTETS = 14  # 112 bits, RFC 4226 section 4


class SingleSignOnRows(Entity, frozen=True, kw_only=True):
    """The identity provider of clusters whose people sign in by ``sso``.

    ``metadata`` is a file beside the deployment file or an https address; none: the deployment's own node with the role
    ``identity-provider``. ``user_attribute`` holds the user id (empty: the NameID does). ``signed_requests``: services
    sign what they ask. ``sign_out`` is the address where people sign out at a provider of somebody else.
    """

    metadata: str = ""
    user_attribute: str = "uid"
    signed_requests: bool = True
    sign_out: str = ""


class IdentityProviderRows(Entity, frozen=True, kw_only=True):
    """The deployment's own identity provider.

    ``methods`` are the proofs that it takes. A log-in lasts ``session_minutes``. ``keytab`` is a file beside the
    deployment file with the key of ``HTTP/<node>``, ``realm`` the Kerberos realm whose people are ours. ``services``
    are files with the metadata of further services that get answers.
    """

    methods: list[Literal["form", "basic", "certificate", "kerberos"]] = field(
        default_factory=lambda: ["form", "basic"]
    )
    session_minutes: int = 480
    keytab: str = ""
    realm: str = ""
    services: list[str] = field(default_factory=list)


def by_single_sign_on(deployment: Deployment) -> frozenset[str]:
    """The clusters whose people sign in at an identity provider."""
    return frozenset(row.name for row in deployment.cluster if method_of(deployment, row.name) == "sso")


def check_identity_provider(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    nodes = [index for index, node in enumerate(deployment.node) if ROLE in node.roles]
    own = not deployment.single_sign_on.metadata
    if own and not nodes and (clusters := sorted(by_single_sign_on(deployment))):
        words = f"The people of {clusters[0]} sign in by single sign-on, and there is no identity provider"
        yield ("single-sign-on",), words
    for index in nodes[1:]:
        yield (
            ("node", index, "roles"),
            "There is an identity provider already; two would not know each other's log-ins",
        )
    metadata = deployment.single_sign_on.metadata
    if "://" in metadata and not metadata.startswith("https://"):
        yield ("single-sign-on", "metadata"), "The identity provider's metadata comes from a file or an https address"
    rows = deployment.identity_provider
    if not rows.methods:
        yield ("identity-provider", "methods"), "The identity provider must take one proof at least"
    if "kerberos" in rows.methods and not (rows.keytab and rows.realm):
        yield ("identity-provider", "methods"), "Kerberos needs a keytab and a realm"
    if not 1 <= rows.session_minutes <= 10_080:
        yield ("identity-provider", "session-minutes"), "A log-in lasts 1 minute to 7 days"
    theirs = by_single_sign_on(deployment) if own and not {"certificate", "kerberos"} & set(rows.methods) else ()
    for index, person in enumerate(deployment.person):
        by_directory = person.ldap or deployment.ldap_authentication.everybody
        if by_directory and deployment.home_of(person) in theirs:
            yield ("person", index, "ldap"), "The deployment's identity provider asks no directory for passwords"
        if person.second_factor and not _is_secret(person.second_factor):
            words = "A second factor is a secret of 112 bits or more in base32 (23 letters and more)"
            yield ("person", index, "second-factor"), words


def _is_secret(text: str) -> bool:
    try:
        octets = base64.b32decode(text + "=" * (-len(text) % 8), casefold=True)
    except (binascii.Error, ValueError):
        return False
    return len(octets) >= _SECRET_OCTETS
