"""The example of the documentation: its script starts a directory, and the deployment beside it has its people."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.deployment import read as read_deployment
from ringback.lab.directory_sync import agreements, passwords
from ringback.services.callmanager.synchronisation.runner import run
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.synced import SyncStore
from tests.support.foreign import free_ports, running, wait_for_port

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "directory-sync"


@pytest.mark.peer
async def test_the_example_runs_as_it_stands(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    folder = tmp_path / "directory"
    script = (str(EXAMPLE / "slapd.sh"), str(folder))
    with running(script, folder=tmp_path, environment={"DIRECTORY_PORT": str(port)}) as process:
        wait_for_port("127.0.0.1", port, process)
        text = (folder / "company.toml").read_text().replace(":10636", f":{port}")
        deployment = read_deployment(text.encode())
        (agreement,) = agreements(deployment, "office", folder)
        checking = passwords(deployment, folder)
        assert checking is not None
        assert checking.account == "cn=ringback,dc=example,dc=com"
        store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'office.db'}")
        try:
            found = (await run(SyncStore(store.engine), agreement)).difference
        finally:
            await store.close()
    assert {change.user: change.number for change in found.changes} == {
        "anita": "2001",
        "bruno": "2002",
        "chiara": "7000",
    }
