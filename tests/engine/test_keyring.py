"""The key of the stores in a keyring of the operating system, through the library's own extension point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest
from keyring.compat import properties

from ringback.client.store.errors import StoreKeyError
from ringback.client.store.keys import KEY_SIZE, load_master_key


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that lives as long as the process; ``locked`` answers as one whose owner did not unlock it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    @properties.classproperty
    def priority(self) -> float:
        """Below every keyring of a machine: only who asks for it gets it."""
        return 0.1

    def get_password(self, service: str, username: str) -> str | None:
        """What is kept."""
        if self.locked:
            raise keyring.errors.KeyringLocked("The keyring is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        if self.locked:
            raise keyring.errors.KeyringLocked("The keyring is locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""
        del self.kept[service, username]


@pytest.fixture
def ring() -> Iterator[MemoryKeyring]:
    """The keyring of this machine, for a test."""
    before, ring = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def test_the_key_is_kept_in_the_keyring_and_nowhere_else(ring: MemoryKeyring, tmp_path: Path) -> None:
    first = load_master_key(tmp_path)
    assert (first.place, first.warning, len(first.key)) == ("keyring", None, KEY_SIZE)
    assert load_master_key(tmp_path) == first
    assert [service for service, _ in ring.kept] == ["ringback"]
    assert list(tmp_path.iterdir()) == []
    other = load_master_key(tmp_path / "other")
    assert other.key != first.key, "each data folder has a key of its own"


def test_a_locked_keyring_is_told_and_a_file_takes_its_place(ring: MemoryKeyring, tmp_path: Path) -> None:
    ring.locked = True
    key = load_master_key(tmp_path)
    assert key.warning is not None
    assert key.warning.id == "store.key.keyring_failed"
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    ring.locked = False  # the stores were made with the key of the file: it stays the one that counts
    assert load_master_key(tmp_path).key == key.key
    assert ring.kept == {}


def test_a_damaged_entry_is_no_key(ring: MemoryKeyring, tmp_path: Path) -> None:
    for damaged in ("no base64!", "c2hvcnQ="):
        ring.kept["ringback", str(tmp_path.resolve())] = damaged
        with pytest.raises(StoreKeyError):
            load_master_key(tmp_path)
