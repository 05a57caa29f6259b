"""What a set-up link says beyond where to look (A11): stricter yes, looser never, and the company counts first."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.provisioned import filled_in, with_protocol
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.rules.addresses import HostPort
from ringback.rules.precedence import Setting, ValueSource
from ringback.rules.reasons import Reason
from tests.support.lab import RunningLab

LINK = "ciscojabber://provision?ServicesDomain=example.com&{}"


def _settings(folder: Path, lab: RunningLab | None = None) -> EngineSettings:
    server = HostPort.parse(lab.inside) if lab is not None else HostPort("127.0.0.1", 9)
    ca = lab.ca_file if lab is not None else None
    return EngineSettings(data=folder, name_server=server, ca_file=ca, cloud_url="", use_keyring=False)


async def test_a_link_makes_the_client_stricter_and_never_looser(tmp_path: Path) -> None:
    async with Engine(_settings(tmp_path)) as engine:
        await engine.find_services(LINK.format("InvalidCertificateBehavior=RejectAndNotify&FIPS_MODE=true"))
        assert engine.judge.policy.behaviour == "RejectAndNotify"
        assert engine.judge.policy.strictness.fips
    async with Engine(_settings(tmp_path)) as engine:  # it is kept
        assert engine.judge.policy.strictness.fips
        await engine.find_services(LINK.format("InvalidCertificateBehavior=PromptPerSession"))
        assert engine.judge.policy.behaviour == "PromptPerSession"
    strict = tmp_path / "strict"
    bootstrap = tmp_path / "jabber-bootstrap.properties"
    bootstrap.write_text("InvalidCertificateBehavior: RejectAndNotify\nFIPS_MODE: TRUE\n")
    settings = EngineSettings(data=strict, cloud_url="", use_keyring=False, bootstrap=bootstrap)
    async with Engine(settings) as engine:
        await engine.find_services(LINK.format("InvalidCertificateBehavior=PromptPerSession&FIPS_MODE=false"))
        assert (engine.judge.policy.behaviour, engine.judge.policy.strictness.fips) == ("RejectAndNotify", True)


async def test_telephony_can_be_turned_off_by_a_link(shared_lab: RunningLab, tmp_path: Path) -> None:
    async with Engine(_settings(tmp_path, shared_lab)) as engine:
        await engine.find_services(LINK.format("Telephony_Enabled=false"))
        await engine.sign_in("george@example.com", "ringback")
        assert not engine.features().calls
        assert engine.features().chats


@pytest.mark.parametrize(
    ("said", "by_hand", "used"),
    [
        ("IPv4-Only", "both", "ipv4"), ("IPV6_ONLY", "both", "ipv6"), ("Two%20Stacks", "both", "both"),
        ("IPv4-Only", "ipv6", "ipv6"), ("nonsense", "both", "both"), ("", "both", "both"),
    ],
)  # fmt: skip
def test_the_protocol_of_a_link(said: str, by_hand: str, used: str) -> None:
    manual = ManualSettings(internet_protocol=by_hand)  # type: ignore[arg-type]
    assert with_protocol(manual, {"IP_Mode": said}).internet_protocol == used


def test_the_company_counts_before_a_link_and_servers_come_from_no_link() -> None:
    company = {"Telephony_Enabled": Setting("Telephony_Enabled", "true", ValueSource.FILE, Reason("x"))}
    link = {"telephony_enabled": "false", "CustomContactSource": "https://evil.example/", "ForceLaunchBrowser": "true"}
    found = filled_in(company, link)
    assert {name: setting.value for name, setting in found.items()} == {
        "Telephony_Enabled": "true", "ForceLaunchBrowser": "true",
    }  # fmt: skip
