"""What a deployment file may say of single sign-on, and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.deployment import Deployment, DeploymentError
from ringback.deployment.load import read
from ringback.lab.browser import BrowserError, line, opened
from ringback.lab.compose import compose
from ringback.lab.state import DataFolder
from ringback.protocols.saml.metadata import ServiceProvider, read_provider, write_service

_BASE = """
domain = "example.com"
[[cluster]]
name = "one"
sign-in = "sso"
[[node]]
name = "cm.example.com"
address = "127.77.0.1"
roles = ["call-manager"]
cluster = "one"
[[person]]
user = "leila"
first = "Leila"
last = "Haddad"
password = "ringback"
"""
_PROVIDER = '[[node]]\nname = "{name}"\naddress = "127.77.0.{number}"\nroles = ["identity-provider"]\n'
_OWN = _PROVIDER.format(name="idp.example.com", number=2)


def _read(*parts: str) -> Deployment:
    return read("".join((_BASE, *parts)).encode())


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((), "there is no identity provider"),
        ((_OWN, _PROVIDER.format(name="idp2.example.com", number=3)), "identity provider already"),
        ((_OWN, '[single-sign-on]\nmetadata = "http://idp.example.com/md"\n'), "from a file or an https address"),
        ((_OWN, '[identity-provider]\nmethods = ["kerberos"]\n'), "Kerberos needs a keytab"),
        ((_OWN, "[identity-provider]\nmethods = []\n"), "one proof at least"),
        ((_OWN, "[identity-provider]\nsession-minutes = 0\n"), "1 minute to 7 days"),
        ((_OWN, '[identity-provider]\nmethods = ["magic"]\n'), "magic"),
        (('second-factor = "JBSWY3DPEHPK3PXP"\n', _OWN), "112 bits"),
        (
            (
                "ldap = true\n",
                _OWN,
                '[ldap-authentication]\nservers = ["ldaps://ldap.example.com"]\nbind-as = "{user}@example.com"\n',
            ),
            "asks no directory",
        ),
        (('second-factor = "not base32!"\n', _OWN), "112 bits"),
    ],
)
def test_what_does_not_fit_is_told(parts: tuple[str, ...], why: str) -> None:
    with pytest.raises(DeploymentError, match=why):
        _read(*parts)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ('[single-sign-on]\nmetadata = "missing.xml"\n', "no file missing.xml"),
        ('[identity-provider]\nservices = ["missing.xml"]\n', "missing.xml does not serve"),
        ('[identity-provider]\nservices = ["broken.xml"]\n', "broken.xml does not serve"),
        ('[identity-provider]\nmethods = ["kerberos"]\nkeytab = "none"\nrealm = "X"\n', "no keytab none"),
    ],
)
def test_files_beside_it_must_be_there(tmp_path: Path, part: str, why: str) -> None:
    (tmp_path / "broken.xml").write_text("<x/>")
    with pytest.raises(DeploymentError, match=why):
        compose(_read(_OWN, part), DataFolder(tmp_path / "data"), base=tmp_path)


def test_both_sides_know_each_other_before_either_starts(tmp_path: Path) -> None:
    service = ServiceProvider("https://wiki.example.com/", ("https://wiki.example.com/acs",))
    (tmp_path / "wiki.xml").write_bytes(write_service(service))
    folder = DataFolder(tmp_path / "data")
    composition = compose(_read(_OWN, '[identity-provider]\nservices = ["wiki.xml"]\n'), folder, base=tmp_path)
    port = composition.deployment.nodes("identity-provider")[0].ports.identity
    at = "https://idp.example.com" if port == 443 else f"https://idp.example.com:{port}"
    file = folder.node("idp.example.com") / "identity-provider" / "metadata.xml"
    provider = read_provider(file.read_bytes(), 0.0)
    assert (provider.entity_id, provider.redirect) == (f"{at}/saml/metadata", f"{at}/saml/sso")
    before = file.stat().st_mtime_ns
    compose(_read(_OWN), folder, base=tmp_path)
    assert file.stat().st_mtime_ns == before, "the key is made once"
    assert line(composition, tmp_path) == "", "no web client, no browser"


async def test_a_browser_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = compose(_read(_OWN), DataFolder(tmp_path / "data"), base=tmp_path)
    with pytest.raises(BrowserError, match="no web client"):
        async with opened(bare, tmp_path / "profile"):
            pass
    web = '[[node]]\nname = "client.example.com"\naddress = "127.77.0.9"\nroles = ["web"]\n[node.ports]\nweb = 0\n'
    composition = compose(_read(_OWN, web), DataFolder(tmp_path / "data"), base=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match="no Chromium"):
        async with opened(composition, tmp_path / "profile"):
            pass
