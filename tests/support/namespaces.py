"""An office, its firewall, the outer network and the world: network namespaces of Linux, with nftables between."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

# Where the built-in deployment's loopback addresses are here: an office, a link, the outer network, the world, clouds.
OFFICE, LINK, OUTER, WORLD, CLOUD = "10.77.10", "10.77.15", "192.0.2", "203.0.113", "198.51.100"
INNER_PROXY, LINK_ADDRESS, EDGE = f"{OFFICE}.41", f"{LINK}.40", f"{OUTER}.40"
_FIREWALL = "firewall"

RULES = f"""
table inet wall {{
  counter refused {{ }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "office" ip saddr {INNER_PROXY} ip daddr {LINK_ADDRESS} tcp dport 7001 accept
    iifname "office" ip saddr {INNER_PROXY} ip daddr {LINK_ADDRESS} udp dport 7002 accept
    iifname "world" ip daddr {EDGE} tcp dport {{ 8443, 5222, 5061 }} accept
    iifname "world" ip daddr {EDGE} udp dport 20000-29999 accept
    counter name refused
    meta l4proto tcp reject with tcp reset
  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    counter name refused
    meta l4proto tcp reject with tcp reset
  }}
}}
"""
"""The firewall, as docs/administrators/edge.md has it. It answers refused connections, so that a scan ends soon."""

TALLY = f"""
table inet tally {{
  counter came {{ }}
  chain input {{
    type filter hook input priority 0; policy accept;
    ip saddr {WORLD}.0/24 meta l4proto udp counter name came
  }}
}}
"""
"""Counts in a place what came from the world, beside the datagrams that the place has of its own (names, the link)."""


def allowed() -> bool:
    """Whether network namespaces can be made here, with a firewall between them."""
    if (
        os.environ.get("RINGBACK_WITHOUT_NAMESPACES")
        or os.geteuid()
        or not (shutil.which("ip") and shutil.which("nft"))
    ):
        return False
    name = f"rb{os.getpid()}-try"
    made = subprocess.run(("ip", "netns", "add", name), capture_output=True, check=False).returncode == 0
    if not made:
        return False
    words = ("ip", "netns", "exec", name, "nft", "add table inet wall")
    works = subprocess.run(words, capture_output=True, check=False).returncode == 0
    subprocess.run(("ip", "netns", "del", name), capture_output=True, check=False)
    return works


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The namespaces that were made. Places are ``office``, ``outer`` (where the outer proxy stands) and ``world``."""

    prefix: str

    def name(self, place: str) -> str:
        """The name that ``ip netns`` knows."""
        return f"{self.prefix}-{place}"

    def run(self, place: str, *words: str, text: str = "", seconds: float = 60.0) -> str:
        """What a program says that is run there. Raises RuntimeError where it fails."""
        ended = subprocess.run(
            ("ip", "netns", "exec", self.name(place), *words),
            input=text, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
        if ended.returncode:
            raise RuntimeError(f"{' '.join(words)} in {place}: {ended.stderr or ended.stdout}")
        return ended.stdout

    def refused(self) -> int:
        """Packets that the firewall let nowhere."""
        return self._counted(_FIREWALL, "wall", "refused")

    def datagrams(self, place: str) -> int:
        """UDP datagrams that came to a place from the world, for whichever port."""
        return self._counted(place, "tally", "came")

    def _counted(self, place: str, table: str, counter: str) -> int:
        words = self.run(place, "nft", "list", "counter", "inet", table, counter).split()
        return int(words[words.index("packets") + 1])


@contextlib.contextmanager
def namespaces(addresses: dict[str, list[str]]) -> Iterator[Namespaces]:
    """All of them, with these addresses at each place."""
    made = Namespaces(f"rb{os.getpid()}")
    places = ("office", "outer", "world", _FIREWALL)
    try:
        for place in places:
            subprocess.run(("ip", "netns", "add", made.name(place)), check=True, capture_output=True)
            made.run(place, "ip", "link", "set", "lo", "up")
        _wire(made, "office", "v0", "office", addresses["office"], {f"{LINK}.0/24": f"{OFFICE}.1 src {INNER_PROXY}"})
        _wire(made, "outer", "v0", "link", [LINK_ADDRESS], {f"{OFFICE}.0/24": f"{LINK}.1"})
        _wire(made, "outer", "v1", "outer", [EDGE], {"default": f"{OUTER}.1"})
        _wire(made, "world", "v0", "world", addresses["world"], {"default": f"{WORLD}.1"})
        made.run(_FIREWALL, "nft", "-f", "-", text=RULES)
        for place in ("office", "outer"):
            made.run(place, "nft", "-f", "-", text=TALLY)
        made.run(_FIREWALL, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield made
    finally:
        for place in places:
            subprocess.run(("ip", "netns", "del", made.name(place)), capture_output=True, check=False)


def _wire(made: Namespaces, place: str, device: str, port: str, addresses: list[str], routes: dict[str, str]) -> None:
    """A cable from a place to a port of the firewall, whose address in each network ends in .1."""
    words = ("ip", "link", "add", device, "netns", made.name(place), "type", "veth")
    subprocess.run((*words, "peer", "name", port, "netns", made.name(_FIREWALL)), check=True, capture_output=True)
    networks = sorted({address.rpartition(".")[0] for address in addresses})
    batch = [f"address add {address}/24 dev {device}" for address in addresses]
    batch += [f"link set dev {device} up", *(f"route add {to} via {way}" for to, way in routes.items())]
    walls = [f"address add {network}.1/24 dev {port}" for network in networks] + [f"link set dev {port} up"]
    made.run(_FIREWALL, "ip", "-batch", "-", text="\n".join(walls) + "\n")
    made.run(place, "ip", "-batch", "-", text="\n".join(batch) + "\n")
