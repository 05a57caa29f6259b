"""The page is told how strict the client is, from the first moment on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings


@pytest.mark.parametrize(
    ("switch", "mode", "why"),
    [
        ("FIPS_MODE=true", "fips", "certificates.fips.on.bootstrap"),
        ("CC_MODE=TRUE", "common-criteria", "certificates.fips.off.platform"),
        ("FIPS_MODE=false", "usual", "certificates.fips.off.bootstrap"),
    ],
)
async def test_the_switches_of_the_installation_show(tmp_path: Path, switch: str, mode: str, why: str) -> None:
    bootstrap = tmp_path / "jabber-bootstrap.properties"
    bootstrap.write_text(f"{switch}\n")
    settings = EngineSettings(tmp_path / "data", cloud_url="", use_keyring=False, bootstrap=bootstrap)
    async with Engine(settings) as engine:
        security = engine.snapshot().security
    assert security.mode == mode
    assert security.reasons[0].id == why
