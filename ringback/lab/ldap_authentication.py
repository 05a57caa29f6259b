"""The directory that knows passwords, as call managers are told it."""

from __future__ import annotations

from pathlib import Path

from ringback.deployment import Deployment, DeploymentError, Problem
from ringback.net.ldap.connection import LdapServer
from ringback.services.callmanager.directory_passwords import DirectorySettings


def settings(deployment: Deployment, base: Path) -> DirectorySettings | None:
    """The settings of all call managers; None where no directory is asked. ``base`` is the folder of the deployment
    file. Raises DeploymentError where a file is missing or can be read by others."""
    rows = deployment.ldap_authentication
    if not rows.servers:
        return None
    return DirectorySettings(
        servers=tuple(LdapServer.parse(url) for url in rows.servers),
        way=rows.way(),
        account=rows.service_account,
        password=secret(base / rows.password_file) if rows.password_file else "",
        ca_file=file(base / rows.ca) if rows.ca else None,
        timeout=rows.timeout_seconds,
    )


def file(path: Path) -> Path:
    """A file that must be there. Raises DeploymentError."""
    if not path.is_file():
        raise DeploymentError("ldap-authentication", (Problem(0, f"There is no file {path.name}"),))
    return path


def secret(path: Path) -> str:
    """The password in a file that only its owner can read. Raises DeploymentError."""
    if file(path).stat().st_mode & 0o077:
        words = f"{path.name} can be read by others on this machine: chmod 600 it"
        raise DeploymentError("ldap-authentication", (Problem(0, words),))
    text = path.read_text(encoding="utf-8").rstrip("\r\n")
    if not text:
        raise DeploymentError("ldap-authentication", (Problem(0, f"There is no password in {path.name}"),))
    return text
