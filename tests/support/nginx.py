"""nginx as a backend and as a reverse proxy with TLS, each a process of its own with one worker."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.foreign import running, wait_for_port

_PROGRAM = "/usr/sbin/nginx"
_STREAMS = "/usr/lib/nginx/modules/ngx_stream_module.so"
_HEAD = """
daemon off;
user {user};
worker_processes 1;
worker_rlimit_nofile 60000;
pid {folder}/nginx.pid;
error_log stderr error;
{more}
events {{ worker_connections 30000; }}
"""
_HTTP = """
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  tcp_nodelay on;
  {paths}
  {body}
}}
"""
_PATHS = ("client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path")


@dataclass(frozen=True, slots=True)
class Proxied:
    """What a reverse proxy leads to, and as whom: plain HTTP at ``http``, XMPP with TLS at ``xmpp``, each
    ``address:port``; it listens with TLS at the two ports of ``address``."""

    address: str
    https_port: int
    xmpps_port: int
    http: str
    xmpp: str
    certificate: Path
    key: Path


@contextlib.contextmanager
def running_backend(folder: Path, address: str, port: int, files: dict[str, bytes]) -> Iterator[int]:
    """A server of files without TLS; gives its process."""
    place = folder / "files"
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content)
    body = f"server {{ listen {address}:{port} backlog=2048; root {place}; }}"
    with _running(folder, body, "", address, port) as pid:
        yield pid


@contextlib.contextmanager
def running_proxy(folder: Path, settings: Proxied) -> Iterator[int]:
    """A reverse proxy with TLS, for HTTP and (with TLS on both sides) for XMPP; gives its process."""
    folder.mkdir(parents=True)
    tls = (
        f"ssl_certificate {settings.certificate}; ssl_certificate_key {settings.key}; ssl_protocols TLSv1.2 TLSv1.3; "
        "ssl_session_tickets off;"
    )
    body = (
        f"upstream inside {{ server {settings.http}; keepalive 200; }}\n"
        f"server {{ listen {settings.address}:{settings.https_port} ssl backlog=2048; {tls}\n"
        "location / { proxy_pass http://inside; proxy_http_version 1.1; proxy_set_header Connection ''; } }"
    )
    stream = (
        f"stream {{ server {{ listen {settings.address}:{settings.xmpps_port} ssl backlog=2048; {tls}\n"
        f"proxy_pass {settings.xmpp}; proxy_ssl on; proxy_timeout 1h; }} }}"
    )
    with _running(folder, body, stream, settings.address, settings.https_port) as pid:
        yield pid


@contextlib.contextmanager
def _running(folder: Path, body: str, stream: str, address: str, port: int) -> Iterator[int]:
    paths = "\n".join(f"{name} {folder / name};" for name in _PATHS)
    text = _HEAD.format(folder=folder, user=getpass.getuser(), more=f"load_module {_STREAMS};" if stream else "")
    file = folder / "nginx.conf"
    file.write_text(text + _HTTP.format(paths=paths, body=body) + stream)
    with running((_PROGRAM, "-p", str(folder), "-c", str(file)), folder=folder) as process:
        wait_for_port(address, port, process)
        yield process.pid
