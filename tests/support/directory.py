"""A company directory of any size in OpenLDAP: generated people with several numbers each, groups, and what a test of
searching wants of a server (paging, size limits, certificates of clients, references to another server)."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ringback.deployment.authority import Authority
from tests.support.foreign import free_ports, running, wait_for_port

BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
ELSEWHERE = f"ou=elsewhere,{BASE}"
READER = f"cn=reader,{BASE}"
READER_PASSWORD = "may read"
HOST = "ldap.example.com"
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"

_FIRST_NAMES = (
    "Anna Björn Chloé Daniela Émile Fatima Giulia Hans Irène Jürgen Karin Łukasz Marta Noël Olga Pedro Quentin Renée "
    "Søren Tomáš Ursula Vera Wim Xenia Yusuf Zoë Aylin Bruno Carla Dmitri Elif Frank"
)
_LAST_NAMES = (
    "Adler Brandão Conti Dvořák Eriksson Fischer García Hübner Ivanova Jansen Kowalski Lefèvre Møller Novák O'Neill "
    "Petrov Quiroga Rossi Smith Türk Ungar Vogel Weiß Xu Yıldız Zimmermann Ångström Baker Castro Dubois"
)

_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()

_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.55555.1.1 NAME 'company' SUP name )
attributetype ( 1.3.6.1.4.1.55555.1.2 NAME 'otherTelephone' SUP telephoneNumber )
objectclass ( 1.3.6.1.4.1.55555.2.1 NAME 'companyPerson' SUP inetOrgPerson MAY ( company $ otherTelephone ) )
tool-threads 2
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSVerifyClient try
authz-regexp "^cn=([^,]+)$" "uid=$1,{people}"
sizelimit size.soft={soft} size.hard={hard} size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by dn.subtree="{people}" read by anonymous auth by * none
database mdb
maxsize 2147483648
suffix "{base}"
directory {folder}/data
dbnosync
index objectClass,uid,member eq
index cn,sn,givenName,displayName,mail eq,subinitial
index telephoneNumber,mobile,homePhone,otherTelephone eq,subinitial
"""


@dataclass(frozen=True, slots=True)
class CompanyDirectory:
    """A running slapd: ``clear`` is the port for StartTLS, ``secure`` that for TLS from the first octet. ``identity``
    is a file with certificate and key of ``uid=p0``. ``seconds``: how long loading the people took."""

    address: str
    clear: int
    secure: int
    ca: Path
    identity: Path
    pid: int
    seconds: float


def first_name(index: int) -> str:
    """The first name of a generated person."""
    return _FIRST[index % len(_FIRST)]


def last_name(index: int) -> str:
    """The last name: the same only for people far apart."""
    return f"{_LAST[index // len(_FIRST) % len(_LAST)]}{index // (len(_FIRST) * len(_LAST)) or ''}"


def number(index: int) -> str:
    """The business number of a person, in international digits."""
    return f"+49305{index:07d}"


def person(index: int, base: str = PEOPLE) -> str:
    """A generated person (LDIF)."""
    first, last, digits = first_name(index), last_name(index), f"{index:07d}"
    return (
        f"dn: uid=p{index},{base}\nobjectClass: companyPerson\nuid: p{index}\ncn: {first} {last}\nsn: {last}\n"
        f"givenName: {first}\ndisplayName: {first} {last}\nmail: p{index}@example.com\n"
        f"telephoneNumber: +49 30 5{digits}\nmobile: +49 170 {digits}\nhomePhone: +1 408-55{digits[-5]}-{digits[-4:]}\n"
        f"title: Engineer {index % 7}\ncompany: Example\ndepartmentNumber: {index % 40}\nl: Berlin\n\n"
    )


def content(count: int) -> Iterator[str]:
    """Everything in the directory (LDIF): people, their groups, and one place that is elsewhere."""
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
    for unit in ("people", "groups"):
        yield f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    yield (
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {READER_PASSWORD}\n\n"
    )
    for index in range(count):
        yield person(index)
    members = "".join(f"member: uid=p{index},{PEOPLE}\n" for index in range(0, min(count, 200), 10))
    yield f"dn: cn=Engineers,{GROUPS}\nobjectClass: groupOfNames\ncn: Engineers\n{members}member: cn=gone,{BASE}\n\n"


@contextlib.contextmanager
def running_directory(
    folder: Path,
    count: int,
    *,
    extra: str = "",
    soft: str = "unlimited",
    hard: str = "unlimited",
    ports: tuple[int, int] | None = None,
    authority: Authority | None = None,
    host: str = HOST,
    address: str = "127.0.0.1",
) -> Iterator[CompanyDirectory]:
    """A directory with ``count`` people and ``extra`` (LDIF) on this computer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir()
    authority = authority or Authority(folder / "authority")
    identity = authority.issue("ldap", [host], [address])
    own = authority.issue("p0", ["p0"], [])
    both = folder / "identity.pem"
    both.write_bytes(own.certificate.read_bytes() + own.key.read_bytes())
    configuration = folder / "slapd.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, ca=authority.ca_file, certificate=identity.certificate, key=identity.key, base=BASE,
            reader=READER, people=PEOPLE, soft=soft, hard=hard,
        )
    )  # fmt: skip
    seconds = _load(folder, configuration, count, extra)
    clear, secure = ports or free_ports(2, address)
    listen = f"ldap://{address}:{clear} ldaps://{address}:{secure}"
    with running(("/usr/sbin/slapd", "-d", "0", "-f", str(configuration), "-h", listen), folder=folder) as process:
        for port in (clear, secure):
            wait_for_port(address, port, process)
        yield CompanyDirectory(address, clear, secure, authority.ca_file, both, process.pid, seconds)


def _load(folder: Path, configuration: Path, count: int, extra: str) -> float:
    """Load the people; CPU seconds that it took."""
    data = folder / "content.ldif"
    with data.open("w", encoding="utf-8") as file:
        for part in content(count):
            file.write(part)
        file.write(extra)
    before = _children()
    subprocess.run(
        ["/usr/sbin/slapadd", "-q", "-f", str(configuration), "-l", str(data)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    data.unlink()
    return _children() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
