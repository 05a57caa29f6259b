"""OpenLDAP's server with people, TLS by the tests' authority, and a service account that may look for people."""

from __future__ import annotations

import base64
import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ringback.deployment.authority import Authority
from ringback.net.ldap.connection import LdapServer
from tests.support.foreign import free_ports, running, wait_for_port

BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
ACCOUNT = f"cn=ringback,{BASE}"
ACCOUNT_PASSWORD = "the service account's password"
HOST = "ldap.example.com"

_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{account}" {right} by anonymous auth by * none
database mdb
maxsize {size}
suffix "{base}"
directory {folder}/data
{limits}
{indexes}
"""

_UNLIMITED = f'limits dn.exact="{ACCOUNT}" size.soft=unlimited size.hard=unlimited size.prtotal=unlimited'


@dataclass(frozen=True, slots=True)
class Directory:
    """A running slapd: ``clear`` does StartTLS, ``secure`` TLS from the first octet."""

    clear: LdapServer
    secure: LdapServer
    ca: Path


def _person(name: str, password: str) -> str:
    escaped = "".join(letter if letter.isalnum() else f"\\{ord(letter):02x}" for letter in name)
    coded = base64.b64encode(password.encode()).decode()
    return (
        f"dn: uid={escaped},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: Example\n"
        f"userPassword:: {coded}\n\n"
    )


def _content(people: Mapping[str, str]) -> str:
    head = (
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
        f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
        f"dn: {ACCOUNT}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: ringback\n"
        f"userPassword: {ACCOUNT_PASSWORD}\n\n"
    )
    return head + "".join(_person(name, password) for name, password in people.items())


@contextlib.contextmanager
def running_slapd(
    folder: Path,
    people: Mapping[str, str],
    *,
    names: tuple[str, ...] = (HOST,),
    ldif: str = "",
    indexes: str = "index uid eq",
    right: str = "read",
    unlimited: bool = False,
    size: int = 10 * 1024 * 1024,
) -> Iterator[Directory]:
    """A directory with these people (user name to password) and with ``ldif``; its certificate is for ``names``. The
    service account may ``read``, or ``write``, with or without the usual limit of 500 entries."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir()
    authority = Authority(folder / "authority")
    identity = authority.issue("ldap", list(names), ["127.0.0.1"])
    configuration = folder / "slapd.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, ca=authority.ca_file, certificate=identity.certificate, key=identity.key,
            account=ACCOUNT, base=BASE, indexes=indexes, limits=_UNLIMITED if unlimited else "", right=right, size=size,
        )
    )  # fmt: skip
    content = folder / "content.ldif"
    content.write_text(_content(people) + ldif)
    subprocess.run(
        ["/usr/sbin/slapadd", "-q", "-f", str(configuration), "-l", str(content)],
        check=True,
        capture_output=True,
        timeout=600 if size > 2**28 else 30,
    )
    clear, secure = free_ports(2)
    listen = f"ldap://127.0.0.1:{clear} ldaps://127.0.0.1:{secure}"
    with running(("/usr/sbin/slapd", "-d", "0", "-f", str(configuration), "-h", listen), folder=folder) as process:
        for port in (clear, secure):
            wait_for_port("127.0.0.1", port, process)
        yield Directory(
            LdapServer(HOST, clear, secure=False, address="127.0.0.1"),
            LdapServer(HOST, secure, secure=True, address="127.0.0.1"),
            authority.ca_file,
        )
