"""ejabberd as a peer: Debian's package with a configuration of its own, in a temporary folder, on loopback.

The Erlang machine runs as a node without a name, so that it neither needs nor leaves an epmd process, and its
schedulers sleep when idle instead of spinning, which would count as work.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ringback.deployment.authority import Authority
from tests.support.foreign import ForeignServer, free_ports, running, wait_for_port

_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
_MODULES = (
    "mod_admin_extra mod_avatar mod_blocking mod_caps mod_carboncopy mod_client_state mod_disco mod_http_api mod_last "
    "mod_offline mod_ping mod_privacy mod_private mod_roster mod_stream_mgmt mod_time mod_vcard mod_vcard_xupdate "
    "mod_version"
)


@contextlib.contextmanager
def running_ejabberd(
    folder: Path,
    people: Mapping[str, str],
    *,
    domain: str = "ejabberd.example",
    hashed: bool = True,
    plain: bool = False,
    archive: bool = True,
) -> Iterator[ForeignServer]:
    """ejabberd with these people (user name to password), ended with the block.

    ``hashed`` keeps passwords as SCRAM-SHA-256 keys instead of clear text; ``plain`` allows connections without TLS
    (for measurements only); ``archive`` keeps messages of people and rooms (XEP-0313).
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority")
    identity = authority.issue("ejabberd", [domain, f"rooms.{domain}"], ["127.0.0.1"])
    bundle = folder / "bundle.pem"
    bundle.write_bytes(identity.certificate.read_bytes() + identity.key.read_bytes())
    port, tls_port, http_port = free_ports(3)
    configuration = folder / "ejabberd.yml"
    configuration.write_text(
        json.dumps(
            _configuration(domain, bundle, (port, tls_port, http_port), hashed=hashed, plain=plain, archive=archive),
            indent=1,
        )
    )
    environment = {
        "HOME": str(folder),
        "ERL_LIBS": str(_LIBRARIES),
        "EJABBERD_CONFIG_PATH": str(configuration),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "ERL_MAX_PORTS": "32000",
        "ERL_CRASH_DUMP_SECONDS": "0",
    }
    arguments = (
        *("erl", "+K", "true", "+P", "250000", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", "-noinput"),
        *("-mnesia", "dir", json.dumps(str(folder / "spool")), "-s", "ejabberd"),
    )
    with running(arguments, folder=folder, environment=environment) as process:
        wait_for_port("127.0.0.1", http_port, process)
        wait_for_port("127.0.0.1", port, process)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda item: _register(http_port, domain, *item), people.items()))
        yield ForeignServer(domain, f"rooms.{domain}", "127.0.0.1", port, tls_port, authority.ca_file, process.pid)


def _configuration(
    domain: str, bundle: Path, ports: tuple[int, int, int], *, hashed: bool, plain: bool, archive: bool
) -> dict[str, object]:
    port, tls_port, http_port = ports
    listener = {"ip": "127.0.0.1", "module": "ejabberd_c2s", "max_stanza_size": 262144, "backlog": 1000}
    modules: dict[str, object] = {name: {} for name in _MODULES.split()}
    modules["mod_muc"] = {
        "host": f"rooms.{domain}",
        "access": "all",
        "access_create": "all",
        "access_persistent": "all",
        "default_room_options": {"mam": archive, "persistent": False},
        "history_size": 20,
    }
    modules["mod_pubsub"] = {"plugins": ["flat", "pep"], "access_createnode": "all"}
    if archive:
        modules["mod_mam"] = {"assume_mam_usage": True, "default": "always", "user_mucsub_from_muc_archive": False}
    return {
        "loglevel": "warning",
        "log_rotate_count": 0,
        "hosts": [domain],
        "certfiles": [str(bundle)],
        "listen": [
            {**listener, "port": port, **({"starttls": True} if plain else {"starttls_required": True})},
            {**listener, "port": tls_port, "tls": True},
            {
                "ip": "127.0.0.1",
                "port": http_port,
                "module": "ejabberd_http",
                "request_handlers": {"/api": "mod_http_api"},
            },
        ],
        "auth_password_format": "scram" if hashed else "plain",
        **({"auth_scram_hash": "sha256"} if hashed else {}),
        "acl": {"loopback": {"ip": ["127.0.0.0/8"]}},
        "api_permissions": {"tests": {"who": {"access": {"allow": [{"acl": "loopback"}]}}, "what": "*"}},
        "modules": modules,
    }


def _register(http_port: int, domain: str, user: str, password: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{http_port}/api/register",
        json.dumps({"user": user, "host": domain, "password": password}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
