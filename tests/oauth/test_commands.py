"""``ringback keys`` and ``ringback people`` on the store of a deployment."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ringback.cli.main import make_app
from ringback.lab import sign_in
from ringback.lab.state import DataFolder
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.records import PERSON
from ringback.storage.callmanager.sign_in_rows import SignInRow
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store
from tests.oauth.conftest import copy_store

FILE = """
domain = "example.com"
[[cluster]]
name = "hq"
[[node]]
name = "cm1.example.com"
address = "127.0.0.1"
roles = ["call-manager"]
cluster = "hq"
[[person]]
user = "anita"
first = "Anita"
last = "Berg"
"""


class Commands:
    """A deployment with its data folder, and the command line on it."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.file = folder / "office.toml"
        self.file.write_text(FILE)
        self.data = DataFolder(folder / "data")
        self.url = copy_store(template, Path(self.data.database("hq", "call-manager").partition(":///")[2]))

    def run(self, verb: str, *words: str, status: int = 0) -> Result:
        command, rest = words[0], words[1:]
        arguments = [verb, command, str(self.file), *rest, "--data", str(self.data.path)]
        result = CliRunner().invoke(make_app(verb), arguments)
        assert result.exit_code == status, result.output
        return result


@pytest.fixture
def commands(tmp_path: Path, template: Path) -> Commands:
    made = Commands(tmp_path, template)

    async def renew() -> None:  # the template's keys are sealed with another key file
        store = await Store.open(made.url)
        async with store.engine.connect() as connection:
            await connection.exec_driver_sql("DELETE FROM token_keys")
        settings = SignInSettings(sign_in.key(made.data, "hq"))
        ring = await KeyRing.open(SignInStore(store.engine), settings, lambda: 1_000_000.0)
        await ring.close()
        await store.close()

    asyncio.run(renew())
    return made


def _ids(text: str) -> list[str]:
    return re.findall(r"key +([0-9a-f]{64})", text)


def test_keys_are_shown_by_id_and_regenerated_one_by_one(commands: Commands) -> None:
    shown = commands.run("keys", "show").output
    assert "access tokens   60 minutes" in shown
    assert "refresh tokens  60 days" in shown
    assert "PRIVATE" not in shown
    before = _ids(shown)
    signing = _ids(commands.run("keys", "regenerate", "--signing").output)
    assert [signing[0] == before[0], signing[1] == before[1]] == [False, True]
    encryption = _ids(commands.run("keys", "regenerate", "--encryption").output)
    assert [encryption[0] == signing[0], encryption[1] == signing[1]] == [True, False]
    assert _ids(commands.run("keys", "show", "--cluster", "hq").output) == encryption
    assert "Say which key" in commands.run("keys", "regenerate", status=2).output
    assert "--cluster: hq" in commands.run("keys", "show", "--cluster", "nowhere", status=2).output


def test_keys_at_rest_open_with_their_key_file_only(commands: Commands) -> None:
    for file in (commands.data.path / "secrets").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        if file.name.startswith("token-keys"):
            file.write_text("x" * 43)
    assert "can't be opened with the key file" in commands.run("keys", "show", status=2).output
    assert "can't be opened" in commands.run("keys", "regenerate", "--signing", status=2).output
    commands.run("keys", "regenerate", "--signing", "--encryption")
    assert _ids(commands.run("keys", "show").output)


def test_people_are_deactivated_unlocked_and_sent_out(commands: Commands) -> None:
    now = 4_000_000_000.0

    async def prepare() -> None:
        store = await Store.open(commands.url)
        await SignInStore(store.engine).open_sign_in(
            SignInRow("1", "anita", "C" + "0" * 64, now, now + 1, "CSFANITA", refresh_hash="x")
        )
        await LockOuts(store.engine, 1, 1.0, 1.0).count(PERSON, "anita", now)
        await store.close()

    asyncio.run(prepare())
    shown = commands.run("people", "show", "anita").output
    assert "anita: active, locked out until" in shown
    assert "on CSFANITA" in shown
    assert "no longer locked out" in commands.run("people", "unlock", "anita").output
    assert "was not locked out" in commands.run("people", "unlock", "ANITA").output
    assert "1 sign-ins of anita are over" in commands.run("people", "revoke", "anita").output
    commands.run("people", "deactivate", "anita")
    assert commands.run("people", "show", "anita").output == "anita: deactivated\n"
    commands.run("people", "activate", "anita")
    assert commands.run("people", "show", "anita").output == "anita: active\n"
    assert "is nobody in the file" in commands.run("people", "show", "nobody", status=2).output


def test_a_data_folder_that_is_not_there_is_not_made(commands: Commands, tmp_path: Path) -> None:
    arguments = ["keys", "show", str(commands.file), "--data", str(tmp_path / "elsewhere")]
    result = CliRunner().invoke(make_app("keys"), arguments)
    assert result.exit_code == 2
    assert not (tmp_path / "elsewhere").exists()
