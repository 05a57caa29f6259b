"""Networks of a deployment file: what is refused, how a lab beside another moves them, and where a client stands."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

import ringback.lab
from ringback.deployment import DeploymentError, load, read
from ringback.lab.loopback import moved
from ringback.lab.places import is_fenced, places_of
from ringback.rules.addresses import HostPort

EXAMPLE = Path(ringback.lab.__file__).parent / "example.toml"
OFFICE = """
domain = "example.com"

[[node]]
name = "client.example.com"
address = "127.0.20.100"
roles = ["web"]
network = "internet"
view = "outside"

"""


@pytest.mark.parametrize(
    ("table", "line", "words"),
    [
        ('name = "internet"\nreach = ["127.0.20.1/24"]', 13, "has host bits set"),
        ('name = "internet"\nreach = ["the world"]', 13, "does not appear to be an IPv4 or IPv6 network"),
        ('name = "internet"\nguest-address = "here"', 13, "'here' is not an IP address"),
        ('name = "moon"', 12, "Invalid enum value"),
        ('name = "internet"\n[[network]]\nname = "internet"', 14, "stands twice"),
    ],
)
def test_what_can_not_be_is_refused_with_its_line(table: str, line: int, words: str) -> None:
    with pytest.raises(DeploymentError) as refused:
        read(f"{OFFICE}[[network]]\n{table}\n".encode())
    assert words.lower() in str(refused.value).lower()
    assert f"line {line}:" in str(refused.value)


def test_a_lab_beside_another_has_its_networks_there() -> None:
    deployment = moved(load(EXAMPLE), "127.7")
    internet, office = deployment.network
    assert internet.reach == ["127.7.20.0/24", "127.7.30.0/24"]
    assert office.guest_address == "127.7.10.100"
    assert deployment.nodes("edge-outer")[0].link_address == "127.7.15.40"


def test_a_client_stands_elsewhere_in_each_network() -> None:
    deployment = load(EXAMPLE)
    inside, outside = deployment.nodes("web")
    assert (is_fenced(deployment, inside), is_fenced(deployment, outside)) == (False, True)
    places = places_of(deployment, outside, {"inside": "127.0.10.2:53", "outside": "127.0.20.2:53"})
    assert list(places) == ["internet", "office"]
    internet, office = places["internet"], places["office"]
    assert (internet.reach.address, office.reach.address) == ("127.0.20.100", "127.0.10.100")
    assert (internet.name_server, office.name_server) == (HostPort("127.0.20.2", 53), HostPort("127.0.10.2", 53))
    assert internet.known_by != office.known_by
    allowed = {row.address: internet.reach.allows(ipaddress.ip_address(row.address)) for row in deployment.node}
    assert {address for address, yes in allowed.items() if yes} == {
        "127.0.20.2", "127.0.20.40", "127.0.20.100", "127.0.30.10",
    }  # fmt: skip
    assert not internet.reach.allows(ipaddress.ip_address("127.0.15.40"))
    assert all(office.reach.allows(ipaddress.ip_address(address)) for address in allowed)
