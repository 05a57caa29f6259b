"""Kamailio as a peer: Debian's package as registrar and proxy with digest, in a temporary folder, on loopback."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from tests.support.foreign import START_SECONDS, free_ports, running

_OPTIONS = (
    b"OPTIONS sip:ping@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};branch=z9hG4bKready;rport\r\nFrom: <sip:ready@{1}>;tag=r\r\n"
    b"To: <sip:ping@{0}>\r\nCall-ID: ready@{1}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class RunningKamailio:
    """A running registrar and proxy. Every user name is known and has the same ``password``."""

    address: str
    port: int
    realm: str
    password: str
    pid: int
    output: Path

    def forwarded(self) -> int:
        """How many requests a plain proxy has passed on."""
        return self.output.read_text(errors="replace").count("passed on")


@contextlib.contextmanager
def running_kamailio(
    folder: Path, *, realm: str = "sip.example", password: str = "a pass phrase", onward: str = "", children: int = 1
) -> Iterator[RunningKamailio]:
    """Kamailio with locations in memory. ``onward`` (``sip:host:port``) makes it a plain proxy to another server
    instead, which keeps itself in the dialog's way by Record-Route."""
    folder.mkdir(parents=True, exist_ok=True)
    address = "127.0.0.1"
    (port,) = free_ports(1, address)
    configuration = folder / "kamailio.cfg"
    route = _PROXY.replace("ONWARD", onward) if onward else _REGISTRAR.replace("REALM", realm)
    configuration.write_text(
        _HEAD.replace("LISTEN", f"udp:{address}:{port}\nlisten=tcp:{address}:{port}")
        .replace("CHILDREN", str(children))
        .replace("FOLDER", str(folder))
        + route.replace("PASSWORD", password)
    )
    words = ("kamailio", "-f", str(configuration), "-DD", "-E", "-m", "128", "-M", "8", "-Y", str(folder))
    with running(words, folder=folder) as process:
        _wait(address, port, process)
        yield RunningKamailio(address, port, realm, password, process.pid, folder / "output.txt")


def _wait(address: str, port: int, process: Popen[bytes]) -> None:
    """Until it answers an OPTIONS. Raises RuntimeError where it ends before, or never does."""
    deadline = time.monotonic() + START_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        probe.settimeout(0.2)
        here, there = (f"{address}:{number}".encode() for number in (probe.getsockname()[1], port))
        while time.monotonic() < deadline and process.poll() is None:
            probe.sendto(_OPTIONS.replace(b"{0}", there).replace(b"{1}", here), (address, port))
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                probe.recv(4096)
                return
    raise RuntimeError(f"Kamailio does not answer; see {process.args!r}")


_HEAD = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=CHILDREN
tcp_children=CHILDREN
auto_aliases=no
listen=LISTEN
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "path.so"
loadmodule "xlog.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 3600)
modparam("rr", "enable_full_lr", 1)
modparam("path", "use_received", 0)
"""

_REGISTRAR = """
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("REALM", "PASSWORD", "0")) { www_challenge("REALM", "1"); exit; }
    if (!save("location")) { sl_reply_error(); }
    exit;
  }
  if (!pv_proxy_authenticate("REALM", "PASSWORD", "0")) { proxy_challenge("REALM", "1"); exit; }
  consume_credentials();
  record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  if (!t_relay()) { sl_reply_error(); }
}
"""

_PROXY = """
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS") && $rU == "ping") { sl_send_reply("200", "OK"); exit; }
  if (has_totag()) {
    if (loose_route()) { xlog("L_ALERT", "passed on\n"); t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  t_check_trans();
  if (is_method("REGISTER")) { add_path(); }
  if (is_method("INVITE|SUBSCRIBE|REFER")) { record_route(); }
  xlog("L_ALERT", "passed on\n");
  if (!loose_route()) { $du = "ONWARD"; }
  if (!t_relay()) { sl_reply_error(); }
}
"""
