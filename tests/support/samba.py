"""Samba as an Active Directory domain controller, with TLS by the tests' authority and a few people.

Its ports can't be chosen (389, 636, 3268, 3269, 88), so each test process has an address of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ringback.deployment.authority import Authority
from tests.support.foreign import running, wait_for_port

REALM = "CORP.EXAMPLE.COM"
DOMAIN = "corp.example.com"
HOST = f"dc1.{DOMAIN}"
BASE = "DC=corp,DC=example,DC=com"
PASSWORD = "Adm1n-Passw0rd"

_CONFIGURATION = """\
[global]
netbios name = DC1
realm = {realm}
workgroup = CORP
server role = active directory domain controller
server services = ldap, kdc
interfaces = {address}/24
bind interfaces only = yes
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}
pid directory = {folder}
ncalrpc dir = {folder}/ncalrpc
binddns dir = {folder}/bind-dns
log file = {folder}/samba.log
ldap server require strong auth = {strong}
tls enabled = yes
tls keyfile = {key}
tls certfile = {certificate}
tls cafile = {ca}
"""
_KERBEROS = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
{realm} = {{
kdc = {address}
}}
[domain_realm]
.{domain} = {realm}
"""
_PEOPLE = """
import json, sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
import ldb
parameters = LoadParm()
parameters.load(sys.argv[1])
database = SamDB(url=sys.argv[2], session_info=system_session(), lp=parameters)
controller = ldb.Message(database.search(expression="(sAMAccountName=DC1$)")[0].dn)
controller["servicePrincipalName"] = ldb.MessageElement(sys.argv[3], ldb.FLAG_MOD_ADD, "servicePrincipalName")
database.modify(controller)
for user, password, attributes in json.load(sys.stdin):
    database.newuser(user, password, setpassword=True, givenname=attributes["givenName"], surname=attributes["sn"])
    message = ldb.Message(database.search(expression="(sAMAccountName=" + user + ")")[0].dn)
    for name, value in attributes.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    database.modify(message)
"""


@dataclass(frozen=True, slots=True)
class Samba:
    """A domain controller for ``address``."""

    address: str
    ca: Path
    folder: Path

    @contextlib.contextmanager
    def serving(self, *, sasl_over_tls: bool = False) -> Iterator[None]:
        """Run. As Samba comes it takes Kerberos without TLS only, or (``sasl_over_tls``) as Active Directory does."""
        configuration = self.folder / "etc" / "smb.conf"
        usual, wanted = "strong auth = yes\n", "strong auth = allow_sasl_over_tls\n"
        text = configuration.read_text().replace(wanted, usual)
        configuration.write_text(text.replace(usual, wanted) if sasl_over_tls else text)
        arguments = ("/usr/sbin/samba", "--foreground", "--no-process-group", "-M", "single", "-s", str(configuration))
        with running(arguments, folder=self.folder) as process:
            for port in (389, 636, 3268, 3269, 88):
                wait_for_port(self.address, port, process)
            yield

    def ticket(self, user: str, password: str) -> Mapping[str, str]:
        """The environment with a ticket of somebody."""
        environment = {"KRB5_CONFIG": str(self.folder / "krb5.conf"), "KRB5CCNAME": f"FILE:{self.folder}/{user}.ccache"}
        subprocess.run(
            ["kinit", f"{user}@{REALM}"], input=password.encode() + b"\n", env={**os.environ, **environment},
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
        return environment


def own_address() -> str:
    """An address that no other test process uses for this."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"127.0.88.{10 + int(worker)}"


def provisioned(folder: Path, people: Mapping[str, tuple[str, Mapping[str, str]]]) -> Samba:
    """A domain with these people: user name to password and attributes (givenName and sn at least)."""
    address = own_address()
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "samba-tool", "domain", "provision", f"--realm={REALM}", "--domain=CORP", "--server-role=dc",
            "--dns-backend=NONE", f"--adminpass={PASSWORD}", f"--targetdir={folder}", "--host-name=dc1",
            f"--host-ip={address}", f"--option=interfaces={address}/24", "--option=bind interfaces only=yes",
        ],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    authority = Authority(folder / "authority")
    identity = authority.issue("dc1", [HOST, DOMAIN], [address])
    configuration = folder / "etc" / "smb.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, address=address, realm=REALM, key=identity.key, certificate=identity.certificate,
            ca=authority.ca_file, strong="yes",
        )
    )  # fmt: skip
    _add(folder, configuration, people)
    (folder / "krb5.conf").write_text(_KERBEROS.format(realm=REALM, domain=DOMAIN, address=address))
    return Samba(address, authority.ca_file, folder)


def _add(folder: Path, configuration: Path, people: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
    rows = [(user, password, dict(attributes)) for user, (password, attributes) in people.items()]
    subprocess.run(
        ["/usr/bin/python3", "-c", _PEOPLE, str(configuration), str(folder / "private" / "sam.ldb"), f"ldap/{HOST}"],
        input=json.dumps(rows).encode(), check=True, capture_output=True, timeout=60,
    )  # fmt: skip
