"""The table ``[ldap-authentication]``: what it says to call managers, and what can't be."""

from __future__ import annotations

import json
import shutil
import ssl
from pathlib import Path

import aiohttp
import pytest

from ringback.deployment import Deployment, DeploymentError
from ringback.deployment.ldap_authentication import uses_directory
from ringback.deployment.load import read
from ringback.lab import ldap_authentication
from ringback.net.ldap.connection import LdapServer
from ringback.net.ldap.passwords import PersonSearch
from tests.ldap.conftest import PEOPLE
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, Directory
from tests.support.slapd import PEOPLE as PEOPLE_BASE
from tests.support.telephony import phones, running_telephony

HEAD = """\
domain = "example.com"
[[cluster]]
name = "main"
[[node]]
name = "cm.example.com"
address = "127.0.10.1"
cluster = "main"
roles = ["call-manager"]
[[person]]
user = "anita"
first = "Anita"
last = "Example"
ldap = true
[[person]]
user = "bernd"
first = "Bernd"
last = "Example"
password = "bernd's"
[ldap-authentication]
"""
SEARCH = """\
servers = ["ldaps://ldap1.example.com", "ldap://ldap2.example.com:3389"]
base = "ou=people,dc=example,dc=com"
filter = "(objectClass=person)"
user-attribute = "sAMAccountName"
service-account = "cn=ringback,dc=example,dc=com"
password-file = "directory.password"
ca = "directory.pem"
"""


def made(text: str) -> Deployment:
    return read((HEAD + text).encode())


def test_what_call_managers_are_told(tmp_path: Path) -> None:
    (tmp_path / "directory.pem").write_text("certificates")
    secret = tmp_path / "directory.password"
    secret.touch(mode=0o600)
    secret.write_text("of the service account\n")
    deployment = made(SEARCH)
    told = ldap_authentication.settings(deployment, tmp_path)
    assert told is not None
    assert told.servers == (LdapServer("ldap1.example.com", 636, True), LdapServer("ldap2.example.com", 3389, False))
    assert told.way == PersonSearch("ou=people,dc=example,dc=com", "sAMAccountName", "(objectClass=person)")
    assert (told.account, told.password) == ("cn=ringback,dc=example,dc=com", "of the service account")
    assert "of the service" not in repr(told)
    assert [uses_directory(deployment, person) for person in deployment.person] == [True, False]


@pytest.mark.parametrize("fault", ["readable", "empty", "missing"])
def test_the_password_file(tmp_path: Path, fault: str) -> None:
    (tmp_path / "directory.pem").write_text("certificates")
    secret = tmp_path / "directory.password"
    if fault != "missing":
        secret.touch(mode=0o644 if fault == "readable" else 0o600)
        secret.write_text("" if fault == "empty" else "password")
    with pytest.raises(DeploymentError, match=r"directory\.password"):
        ldap_authentication.settings(made(SEARCH), tmp_path)


def test_no_directory_is_asked_without_servers(tmp_path: Path) -> None:
    deployment = read((HEAD.replace("ldap = true\n", "")).encode())
    assert ldap_authentication.settings(deployment, tmp_path) is None
    assert not any(uses_directory(deployment, person) for person in deployment.person)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no servers"),
        ('servers = ["http://ldap.example.com"]\nbase = "dc=x"', "no address like"),
        ('servers = ["ldaps://a"]', "needs a base"),
        ('servers = ["ldaps://a"]\nbase = "dc=x"\nfilter = "(a=b"', "can't be read"),
        ('servers = ["ldaps://a"]\nbase = "dc=x"\nbind-as = "uid={user}"', "not both"),
        ('servers = ["ldaps://a"]\nbind-as = "uid=anita"', "needs {user}"),
        ('servers = ["ldaps://a"]\nbase = "dc=x"\nservice-account = "cn=a"', "needs a password file"),
        ('servers = ["ldaps://a"]\nbase = "dc=x"\ntimeout-seconds = 90', "0.1 to 20"),
        ('servers = ["ldaps://a"]\nbase = "dc=x"\neverybody = true', "take the one here away"),
        ('servers = ["ldaps://a"]\nbase = "dc=x"\nverify = false', "no setting"),
    ],
)
def test_what_can_not_be(text: str, words: str) -> None:
    with pytest.raises(DeploymentError, match=words):
        made(text)


@pytest.mark.peer
async def test_a_served_deployment_asks_the_directory(tmp_path: Path, directory: Directory) -> None:
    """From the file to a person who gets in with the password of the directory, and nobody without."""
    folder = tmp_path / "office"
    folder.mkdir()
    secret = folder / "directory.password"
    secret.touch(mode=0o600)
    secret.write_text(ACCOUNT_PASSWORD)
    shutil.copy(directory.ca, folder / "directory.pem")
    more = f"""
[[person]]
user = "anita"
first = "Anita"
last = "Example"
ldap = true

[ldap-authentication]
servers = ["ldaps://127.0.0.1:{directory.secure.port}"]
base = "{PEOPLE_BASE}"
service-account = "{ACCOUNT}"
password-file = "directory.password"
ca = "directory.pem"
"""
    with running_telephony(folder, phones(1), more) as office:
        info = json.loads((office.data / "lab.json").read_text())
        port = next(row["port"] for row in info["endpoints"] if row["service"] == "uds")
        context = ssl.create_default_context(cafile=str(office.ca))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            for password, status in ((PEOPLE["anita"], 200), ("wrong", 401)):
                headers = {"Authorization": aiohttp.encode_basic_auth("anita", password)}
                url = f"https://{office.address}:{port}/cucm-uds/user/anita"
                async with session.get(url, headers=headers) as response:
                    assert response.status == status
