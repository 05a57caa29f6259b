"""People of directories, as call managers are told of them."""

from __future__ import annotations

import re
from pathlib import Path

from ringback.deployment import Deployment, Node
from ringback.deployment.directory_sync import FeatureGroup, LdapDirectory
from ringback.deployment.numbers import Numbering, park_slots
from ringback.lab import ldap_authentication
from ringback.net.ldap.connection import LdapServer
from ringback.net.ldap.passwords import PersonSearch
from ringback.rules.call_forwarding import NO_FORWARDING, NOWHERE, Destination, Forwarding
from ringback.services.callmanager.directory_passwords import DirectorySettings
from ringback.services.callmanager.settings import SearchPolicy
from ringback.services.callmanager.synchronisation import agreement as sync
from ringback.storage.callmanager.records import LineRow

_HOUR = 3600.0


def settings(deployment: Deployment, node: Node, base: Path) -> sync.SynchronisationSettings | None:
    """What a call manager synchronises; None where there is no directory. ``base`` is the folder of the deployment
    file. Raises DeploymentError where a file is missing or can be read by others."""
    if not deployment.ldap_directory:
        return None
    first = deployment.call_managers(node.cluster)[0]
    return sync.SynchronisationSettings(agreements(deployment, node.cluster, base), runs=first.name == node.name)


def agreements(deployment: Deployment, cluster: str, base: Path) -> tuple[sync.Agreement, ...]:
    """All agreements, as a cluster sees them: it knows everybody, and its own live there. Raises DeploymentError."""
    return tuple(_agreement(deployment, row, cluster, base) for row in deployment.ldap_directory)


def passwords(deployment: Deployment, base: Path) -> DirectorySettings | None:
    """The directory that knows passwords: that of ``[ldap-authentication]``, else the one that people come from. Raises
    DeploymentError."""
    said = ldap_authentication.settings(deployment, base)
    if said is not None or not deployment.ldap_directory:
        return said
    row = deployment.ldap_directory[0]
    access = _access(deployment, row, base)
    mapping = sync.Agreement(
        row.name, access, row.base, "", "", product=row.product, attributes=_attributes(row)
    ).mapping
    attribute = mapping["user_name"][0]
    return DirectorySettings(
        servers=access.servers,
        way=PersonSearch(_common_base([each.base for each in deployment.ldap_directory]), attribute),
        account=access.account,
        password=access.password,
        ca_file=access.ca_file,
        timeout=min(row.timeout_seconds, 5.0),
    )


def search_policy(deployment: Deployment) -> SearchPolicy:
    """The enterprise parameters of user search."""
    rows = deployment.user_search
    return SearchPolicy(rows.all_users, rows.limit, rows.digits_to_match, rows.needs_sign_in)


def search(deployment: Deployment, cluster: str, base: Path) -> sync.DirectorySearch | None:
    """The directory that the user data service looks in; None where it looks in its own tables. Raises
    DeploymentError."""
    rows = deployment.directory_search
    if not rows.enabled:
        return None
    found = {each.name: each for each in agreements(deployment, cluster, base)}
    agreement = found[rows.directory] if rows.directory else next(iter(found.values()))
    bases = tuple(rows.bases) or (agreement.base,)
    return sync.DirectorySearch(agreement, bases, rows.filter, most=rows.most, timeout=rows.timeout_seconds)


def _agreement(deployment: Deployment, row: LdapDirectory, cluster: str, base: Path) -> sync.Agreement:
    home = row.cluster or deployment.cluster[0].name
    return sync.Agreement(
        name=row.name,
        access=_access(deployment, row, base),
        base=row.base,
        domain=deployment.domain,
        cluster=home,
        here=home == cluster,
        product=row.product,
        filter=row.filter,
        groups=tuple(row.groups),
        attributes=_attributes(row),
        feature_group=_feature_group(deployment, row.feature_group),
        every=row.every_hours * _HOUR,
        keep_seconds=row.keep_hours * _HOUR,
        largest_loss=row.largest_loss,
        country=Numbering(deployment).country(home),
    )


def _access(deployment: Deployment, row: LdapDirectory, base: Path) -> sync.DirectoryAccess:
    rows = deployment.ldap_authentication
    own = bool(row.service_account)
    account = row.service_account if own else rows.service_account
    file = row.password_file if own else rows.password_file
    ca = row.ca or rows.ca
    return sync.DirectoryAccess(
        servers=tuple(LdapServer.parse(url) for url in row.servers or rows.servers),
        account=account,
        password=ldap_authentication.secret(base / file) if file else "",
        ca_file=ldap_authentication.file(base / ca) if ca else None,
        timeout=row.timeout_seconds,
    )


def _attributes(row: LdapDirectory) -> dict[str, tuple[str, ...]]:
    return {
        name.replace("-", "_"): tuple(value) if isinstance(value, list) else tuple(filter(None, (value,)))
        for name, value in row.attributes.items()
    }


def _feature_group(deployment: Deployment, name: str) -> sync.FeatureGroup:
    row = next((group for group in deployment.feature_group if group.name == name), None) or FeatureGroup(name="")
    options = deployment.calls
    presence = tuple(node.name for node in deployment.nodes("presence")) if row.presence else ()
    return sync.FeatureGroup(
        name=row.name,
        home=row.home,
        presence_servers=presence,
        im_and_presence=bool(presence),
        service_profile=row.profile,
        remote_access=f"@{row.user_profile}" if row.user_profile else "",
        devices=tuple(row.devices),
        support_field=f"configurationfile={row.configuration_file}" if row.configuration_file else "",
        encrypted=options.encryption,
        mask=row.number_mask,
        digits=deployment.dial_plan.extension_digits,
        pool=tuple(number for text in row.number_pool for number in park_slots(text)),
        line=LineRow(
            "",
            voicemail_pilot=deployment.dial_plan.voicemail if _has_mailboxes(deployment) else "",
            max_calls=options.max_calls,
            busy_trigger=options.busy_trigger,
        ),
        forwarding=_first_forwarding(deployment),
        ring_seconds=options.ring_seconds,
    )


def _has_mailboxes(deployment: Deployment) -> bool:
    """Whether there is a voicemail: our own, which learns of people from the call managers, or one of others."""
    foreign = any(row.kind == "voicemail" for row in deployment.trunk)
    return bool(deployment.dial_plan.voicemail) and (foreign or bool(deployment.nodes("voicemail")))


def _first_forwarding(deployment: Deployment) -> Forwarding:
    to = Destination(voicemail=True)
    return Forwarding(NOWHERE, to, to, to, to, to, to) if _has_mailboxes(deployment) else NO_FORWARDING


def _common_base(bases: list[str]) -> str:
    """The longest end that distinguished names have in common."""
    parts = [[part.strip() for part in re.split(r"(?<!\\),", base)] for base in bases]
    common: list[str] = []
    for level in zip(*(reversed(each) for each in parts), strict=False):
        if len({part.lower() for part in level}) > 1:
            break
        common.insert(0, level[0])
    return ",".join(common)
