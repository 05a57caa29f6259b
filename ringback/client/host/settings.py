"""What the engine host is told by whoever starts it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ringback.client.discovery import DOCUMENTED_CLOUD_URL
from ringback.net.names import GivenServer

PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Where the page is served and how its engines look for services.

    ``address`` and ``port`` to bind: where the port is taken, the next free one of ``tries`` is. ``token`` is wanted
    from a browser once. ``data``: the folder of the stores. ``name_server``: None asks the system's. ``cas_url``: None
    asks the documented cloud, empty none. ``grace``: seconds that an engine lives on without any tab.
    ``bootstrap``: the file that an installer left. ``address_books``: files and folders that are searched, too.
    ``roaming``: the folder of what goes with the person to other computers; None: it is ``data``. ``addresses`` and
    ``addresses_every``: what the network of now is known by, and how often it is asked (seconds); None: as engines do.
    """

    data: Path
    address: str = "127.0.0.1"
    port: int = 8080
    tries: int = 20
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    name_server: GivenServer = None
    ca_file: Path | None = None
    cas_url: str | None = None
    page: Path = PAGE
    grace: float = 600.0
    use_keyring: bool = True
    bootstrap: Path | None = None
    address_books: tuple[Path, ...] = ()
    roaming: Path | None = None
    addresses: Callable[[], frozenset[str]] | None = None
    addresses_every: float | None = None

    @property
    def cloud_url(self) -> str:
        """The cloud look-up's address; empty: nobody is asked."""
        return DOCUMENTED_CLOUD_URL if self.cas_url is None else self.cas_url
