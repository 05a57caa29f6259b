"""How people sign in at a cluster, as its nodes are told it."""

from __future__ import annotations

from ringback.deployment import Deployment
from ringback.lab.state import DataFolder
from ringback.net.single_sign_on import SingleSignOnSettings
from ringback.protocols.oauth.clients import Client, ringback_client
from ringback.services.callmanager import settings as cm
from ringback.services.callmanager.authorisation.settings import SignInSettings

ADMINISTRATOR = "administrator"
"""The application user who may revoke, deactivate and unlock; the password is the secret of this name."""


def settings(
    deployment: Deployment, folder: DataFolder, cluster: str, single_sign_on: SingleSignOnSettings | None
) -> SignInSettings:
    """The settings of all nodes of a cluster."""
    rows = deployment.sign_in
    others = tuple(Client(row.id, row.name, tuple(row.redirects), implicit=row.implicit) for row in rows.client)
    return SignInSettings(
        key=key(folder, cluster),
        access_seconds=rows.access_token_minutes * 60,
        refresh_seconds=rows.refresh_token_days * 86_400,
        implicit=rows.implicit_grant,
        clients=(ringback_client(rows.redirects), *others),
        lock_tries=rows.lock_out.tries,
        lock_window=rows.lock_out.within_minutes * 60.0,
        lock_seconds=rows.lock_out.minutes * 60.0,
        single_sign_on=single_sign_on,
    )


def key(folder: DataFolder, cluster: str) -> bytes:
    """What seals the token keys of a cluster: a file of mode 600 beside those of its other secrets."""
    return folder.secret(f"token-keys-{cluster}").encode("ascii")


def administrator(folder: DataFolder) -> cm.ApplicationUser:
    """Who may revoke tokens, deactivate people and end lock-outs."""
    return cm.ApplicationUser(ADMINISTRATOR, folder.secret(ADMINISTRATOR), frozenset({"people"}))


def database(deployment: Deployment, folder: DataFolder, cluster: str) -> str:
    """The URL of the store that the nodes of a cluster share."""
    given = [node.database for node in deployment.call_managers(cluster) if node.database]
    return given[0] if given else folder.database(cluster, "call-manager")
