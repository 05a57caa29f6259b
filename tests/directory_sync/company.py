"""A company's directory with more people than a server gives at once, and changes to it as its owners make them."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, BASE, PEOPLE, Directory

GROUPS = f"ou=groups,{BASE}"
CROWD = 700  # more than the 500 entries that OpenLDAP gives without pages
INDEXES = "index uid,sn,givenName,mail,cn,displayName eq,sub\nindex telephoneNumber,mobile eq,sub\nindex objectClass eq"


@dataclass(frozen=True)
class Employee:
    """Somebody in the directory."""

    user: str
    first: str
    last: str
    phone: str = ""
    mobile: str = ""
    title: str = ""
    manager: str = ""
    password: str = "directory password"

    @property
    def name(self) -> str:
        """The distinguished name."""
        return f"uid={self.user},{PEOPLE}"

    @property
    def ldif(self) -> str:
        """The entry."""
        rows = {
            "dn": self.name, "objectClass": "inetOrgPerson", "uid": self.user, "cn": f"{self.first} {self.last}",
            "givenName": self.first, "sn": self.last, "mail": f"{self.user}@example.com",
            "telephoneNumber": self.phone, "mobile": self.mobile, "title": self.title,
            "manager": f"uid={self.manager},{PEOPLE}" if self.manager else "", "userPassword": self.password,
        }  # fmt: skip
        return "".join(f"{name}: {value}\n" for name, value in rows.items() if value) + "\n"


ANITA = Employee("anita", "Anita", "Berg", "+41 44 555 20 01", "+41 79 555 20 01", "Head of operations", "dolores")
BRUNO = Employee("bruno", "Bruno", "Keller", "+41 (0)44 555 20 02", manager="anita")
DOLORES = Employee("dolores", "Dolores", "Vega", "044 555 20 04")
STAFF = (ANITA, BRUNO, DOLORES)


def crowd(count: int = CROWD) -> list[Employee]:
    """Many people with numbers of one block."""
    return [
        Employee(
            f"p{index:05}", f"First{index % 97}", f"Last{index:05}", f"+41 44 556 {index // 100:02} {index % 100:02}"
        )
        for index in range(count)
    ]


def content(*more: str) -> str:
    """The directory as LDIF: staff, crowd, and a group with Anita in it and one in that with Bruno."""
    groups = (
        f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n\n"
        f"dn: cn=callers,{GROUPS}\nobjectClass: groupOfNames\ncn: callers\nmember: {ANITA.name}\n"
        f"member: cn=inner,{GROUPS}\n\n"
        f"dn: cn=inner,{GROUPS}\nobjectClass: groupOfNames\ncn: inner\nmember: {BRUNO.name}\n"
        f"member: cn=callers,{GROUPS}\n\n"
        f"dn: cn=nobody,{PEOPLE}\nobjectClass: person\ncn: nobody\nsn: Without\n\n"
        f"dn: cn=nameless,{PEOPLE}\nobjectClass: inetOrgPerson\ncn: nameless\nsn: Without\n\n"
    )
    return "".join(one.ldif for one in (*STAFF, *crowd())) + groups + "".join(more)


async def modify(directory: Directory, ldif: str) -> None:
    """Change the directory with OpenLDAP's own program; the answer is kept quiet unless it refuses."""
    server = directory.clear
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/ldapmodify", "-ZZ", "-x", "-H", f"ldap://{server.address}:{server.port}", "-D", ACCOUNT,
        "-w", ACCOUNT_PASSWORD, env={"LDAPTLS_CACERT": str(directory.ca)},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await asyncio.wait_for(process.communicate(ldif.encode()), 20)
    assert process.returncode == 0, told.decode()


def added(person: Employee) -> str:
    """The change that puts somebody in."""
    head, _, rest = person.ldif.partition("\n")
    return f"{head}\nchangetype: add\n{rest}"


def deleted(person: Employee) -> str:
    """The change that takes somebody out."""
    return f"dn: {person.name}\nchangetype: delete\n\n"


def replaced(person: Employee, attribute: str, value: str) -> str:
    """The change that gives an attribute another value."""
    return f"dn: {person.name}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n"


def trust(directory: Directory) -> ssl.SSLContext:
    """Verifies the directory's certificate."""
    return ssl.create_default_context(cafile=str(directory.ca))
