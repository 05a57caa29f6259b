"""A realm of MIT Kerberos (Debian krb5-kdc): people with passwords, a service with a keytab, tickets by kinit."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.foreign import free_ports, running, wait_for_port

REALM = "EXAMPLE.COM"
_SBIN = "/usr/sbin"


@dataclass(frozen=True, slots=True)
class Realm:
    """A running key distribution centre. ``environment`` makes Kerberos programs use it."""

    folder: Path
    environment: Mapping[str, str] = field(repr=False)

    def keytab(self, principal: str, name: str) -> Path:
        """A new service principal, its key in a file."""
        path = self.folder / name
        self._admin(f"addprinc -randkey {principal}")
        self._admin(f"ktadd -k {path} {principal}")
        return path

    def ticket(self, user: str, password: str) -> Mapping[str, str]:
        """The environment of somebody who just signed in at the domain."""
        cache = {"KRB5CCNAME": f"FILE:{self.folder}/cache-{user}"}
        environment = {**os.environ, **self.environment, **cache}
        subprocess.run(
            ["kinit", f"{user}@{REALM}"], input=f"{password}\n".encode(), env=environment, check=True,
            capture_output=True, timeout=20,
        )  # fmt: skip
        return {**self.environment, **cache}

    def _admin(self, query: str) -> None:
        admin(self.environment, query)


def admin(environment: Mapping[str, str], query: str) -> None:
    """One command of the administrator."""
    done = subprocess.run(
        [f"{_SBIN}/kadmin.local", "-r", REALM, "-q", query], env={**os.environ, **environment}, check=False,
        capture_output=True, timeout=20,
    )  # fmt: skip
    if done.returncode or b"kadmin.local:" in done.stderr.replace(b"kadmin.local:  ", b""):
        raise RuntimeError(done.stderr.decode())


@contextlib.contextmanager
def running_realm(folder: Path, people: Mapping[str, str]) -> Iterator[Realm]:
    """The realm with these people (user name to password)."""
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    (folder / "krb5.conf").write_text(f"""
[libdefaults]
  default_realm = {REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {REALM} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  .example.com = {REALM}
""")
    (folder / "kdc.conf").write_text(f"""
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {REALM} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    supported_enctypes = aes256-cts:normal
  }}
""")
    environment = {"KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5_KDC_PROFILE": str(folder / "kdc.conf")}
    subprocess.run(
        [f"{_SBIN}/kdb5_util", "create", "-s", "-r", REALM, "-P", "master of the test realm"],
        env={**os.environ, **environment}, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    for user, password in people.items():
        admin(environment, f'addprinc -pw "{password}" {user}')
    with running((f"{_SBIN}/krb5kdc", "-n", "-r", REALM), folder=folder, environment=environment) as process:
        wait_for_port("127.0.0.1", port, process)
        yield Realm(folder, environment)
