"""The web client of a network, as a role: it binds the wanted port or says clearly which other one it took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ringback.client.host.server import EngineHost
from ringback.client.host.settings import HostSettings
from ringback.net.names import GivenServer
from ringback.net.service import Endpoint
from ringback.rules.addresses import HostPort


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the web client is served and how its engines look for services.

    ``token``: empty makes one. ``use_keyring``: False where nothing is to stay after the end. ``address_books``: files
    and folders that are searched, too. ``known_by``: what tells the network of now from others, asked each
    ``look_every`` seconds; None: what the system says.
    """

    node: str
    network: str
    address: str
    port: int
    data: Path
    token: str
    name_server: GivenServer
    ca_file: Path
    cas_host: HostPort | None
    use_keyring: bool
    address_books: tuple[Path, ...] = ()
    known_by: Callable[[], frozenset[str]] | None = None
    look_every: float | None = None


class WebRole:
    """An engine host with a page."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        cas = settings.cas_host
        wanted = HostSettings(
            address=settings.address,
            port=settings.port,
            data=settings.data,
            name_server=settings.name_server,
            ca_file=settings.ca_file,
            cas_url=f"https://{cas}/cas/FederatedSSO" if cas else None,
            use_keyring=settings.use_keyring,
            address_books=settings.address_books,
            addresses=settings.known_by,
            addresses_every=settings.look_every,
        )
        self._host = EngineHost(replace(wanted, token=settings.token) if settings.token else wanted)

    @property
    def network(self) -> str:
        """The network of a person who opens it: office, internet or cloud."""
        return self._settings.network

    @property
    def url(self) -> str:
        """The address to open, with its token."""
        return self._host.url

    @property
    def note(self) -> str:
        """A sentence where another port had to be taken, else empty."""
        if self._settings.port in {0, self._host.port}:
            return ""
        return f"Port {self._settings.port} is taken: the web client is on port {self._host.port} instead."

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the page is."""
        settings = self._settings
        return (Endpoint("web", settings.node, "web", "http", settings.address, self._host.port),)

    async def start(self) -> None:
        """Bind and serve. Raises OSError."""
        await self._host.start()

    async def stop(self) -> None:
        """End all engines and connections."""
        await self._host.stop()
