"""Prosody as a peer: Debian's package with a configuration of its own, in a temporary folder, on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from ringback.deployment.authority import Authority
from tests.support.foreign import ForeignServer, free_ports, running, wait_for_port

_MODULES = (
    "roster saslauth tls disco carbons pep private blocklist bookmarks vcard4 vcard_legacy version uptime time ping "
    "lastactivity smacks csi_simple offline"
)


@contextlib.contextmanager
def running_prosody(
    folder: Path,
    people: Mapping[str, str],
    *,
    domain: str = "prosody.example",
    hashed: bool = True,
    plain: bool = False,
    archive: bool = True,
) -> Iterator[ForeignServer]:
    """Prosody with these people (user name to password), ended with the block.

    ``hashed`` keeps passwords as SCRAM-SHA-256 keys instead of clear text; ``plain`` allows connections and PLAIN
    without TLS (for measurements only); ``archive`` keeps messages of people and rooms (XEP-0313).
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority")
    identity = authority.issue("prosody", [domain, f"rooms.{domain}"], ["127.0.0.1"])
    port, tls_port = free_ports(2)
    _write_accounts(folder / "data", domain, people, hashed=hashed)
    configuration = folder / "prosody.cfg.lua"
    archive_module = '"mam";' if archive else ""
    ssl = f"{{ certificate = {json.dumps(str(identity.certificate))}, key = {json.dumps(str(identity.key))} }}"
    configuration.write_text(f"""
run_as_root = true
pidfile = {json.dumps(str(folder / "prosody.pid"))}
data_path = {json.dumps(str(folder / "data"))}
c2s_direct_tls_ssl = {ssl}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
http_ports = {{ }}
https_ports = {{ }}
modules_enabled = {{ {" ".join(f'"{name}";' for name in _MODULES.split())} {archive_module} }}
modules_disabled = {{ "s2s"; "posix" }}
authentication = "internal_{"hashed" if hashed else "plain"}"
password_hash = "SHA-256"
storage = "internal"
c2s_require_encryption = {str(not plain).lower()}
allow_unencrypted_plain_auth = {str(plain).lower()}
max_archive_query_results = 250
log = {{ {{ levels = {{ min = "warn" }}, to = "file", filename = {json.dumps(str(folder / "prosody.log"))} }} }}
VirtualHost "{domain}"
  ssl = {ssl}
Component "rooms.{domain}" "muc"
  muc_room_default_public = true
  restrict_room_creation = false
  muc_room_locking = false
  modules_enabled = {{ {'"muc_mam"' if archive else ""} }}
""")
    with running(("prosody", "-F", "--config", str(configuration)), folder=folder) as process:
        wait_for_port("127.0.0.1", port, process)
        yield ForeignServer(domain, f"rooms.{domain}", "127.0.0.1", port, tls_port, authority.ca_file, process.pid)


def _write_accounts(data: Path, domain: str, people: Mapping[str, str], *, hashed: bool) -> None:
    folder = data / _escaped(domain) / "accounts"
    folder.mkdir(parents=True, exist_ok=True)
    for user, password in people.items():
        fields = _scram_keys(password) if hashed else {"password": password}
        lines = "".join(
            f"\t[{json.dumps(name)}] = {json.dumps(value, ensure_ascii=False)};\n" for name, value in fields.items()
        )
        (folder / f"{_escaped(user)}.dat").write_text(f"return {{\n{lines}}};\n")


def _scram_keys(password: str, rounds: int = 10000) -> dict[str, str | int]:
    salt = secrets.token_hex(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), rounds)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return {
        "salt": salt,
        "iteration_count": rounds,
        "stored_key": hashlib.sha256(client_key).hexdigest(),
        "server_key": hmac.digest(salted, b"Server Key", "sha256").hex(),
    }


def _escaped(name: str) -> str:
    """As Prosody's datamanager writes names: every byte that is no ASCII letter or digit as %xx."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02x}" for byte in name.encode())
