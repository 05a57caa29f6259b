"""What an engine is told by its host: where it keeps things and how it looks for services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ringback.client.discovery import DOCUMENTED_CLOUD_URL
from ringback.client.engine.renewal import CHECK_SECONDS, own_network
from ringback.net.names import GivenServer

IDENTITY_FILE = "identity.pem"
"""The person's own certificate with its chain and key, in the folder of the stores: shown to the company directory."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``data``: the folder of the stores. ``name_server``: None asks the system's; a function tells the one of the
    network of now. ``cloud_url``: empty never asks.

    ``ca_file``: authorities to trust beside the system's. ``use_keyring``: False keeps the key in a file.
    ``bootstrap``: the file that an installer left, read at the first launch only. ``address_books``: files and folders
    of vCards or CSV that are searched too, only read. ``roaming``: the folder of what goes with the person to another
    computer (settings, accounts with their secrets, the key), while history, contacts and pictures stay in ``data``;
    None: all is in ``data``. ``addresses``: what the machine's network is known by now, asked each ``addresses_every``
    seconds; when it changes, services are looked for again.
    """

    data: Path
    name_server: GivenServer = None
    ca_file: Path | None = None
    cloud_url: str = DOCUMENTED_CLOUD_URL
    use_keyring: bool = True
    bootstrap: Path | None = None
    address_books: tuple[Path, ...] = ()
    roaming: Path | None = None
    addresses: Callable[[], frozenset[str]] = own_network
    addresses_every: float = CHECK_SECONDS

    @property
    def profile(self) -> Path:
        """The folder of what goes with the person."""
        return self.roaming or self.data
