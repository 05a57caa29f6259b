"""People of all clusters of the lab: everybody is found everywhere and signs in at home."""

from __future__ import annotations

import ssl
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest

from ringback.protocols.uds import ClusterUser, Users
from tests.support.lab import RunningLab


def fetch(lab: RunningLab, address: str, path: str) -> bytes:
    """A document of the user data service of the call manager at ``address``, its certificate verified."""
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    with urllib.request.urlopen(f"https://{address}:8443/cucm-uds{path}", timeout=5, context=context) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("last_octet", [10, 11])
def test_everybody_is_found_from_every_cluster(lab: RunningLab, last_octet: int) -> None:
    address = f"{lab.loopback}.10.{last_octet}"
    for person in lab.info["people"]:
        found = Users.parse(fetch(lab, address, f"/users?max=10&start=0&name={quote(person['name'])}"))
        assert person["user"] in {user.user_name for user in found.people}, person["name"]


@pytest.mark.parametrize("last_octet", [10, 11])
def test_every_cluster_knows_the_home_of_everybody(lab: RunningLab, last_octet: int) -> None:
    address = f"{lab.loopback}.10.{last_octet}"
    for by, user, home in (
        ("username", "anita", "cm1.example.com"),
        ("email", "anita@example.com", "cm1.example.com"),
        ("username", "leila", "cm-berlin.example.com"),
        ("email", "leila@example.com", "cm-berlin.example.com"),
    ):
        answer = ClusterUser.parse(fetch(lab, address, f"/clusterUser?{by}={user}"))
        assert answer.found
        assert answer.home_cluster == home
    assert not ClusterUser.parse(fetch(lab, address, "/clusterUser?username=nobody")).found


def test_photos_are_served(lab: RunningLab) -> None:
    address, port = lab.endpoint("files")
    with urllib.request.urlopen(f"http://{address}:{port}/photos/anita.jpg", timeout=5) as answer:
        assert answer.read(3) == b"\xff\xd8\xff"
    assert Path(lab.data, "nodes", "portraits", "anita.jpg").exists()
