"""Where the identity provider's metadata comes from: a file that is read again when it changes, or an https URL that is
fetched again from time to time. So a new signing key of the provider is known before it is used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from ringback.net.fetch import Fetcher
from ringback.net.names import NameClient
from ringback.net.single_sign_on.settings import SingleSignOnSettings
from ringback.protocols.saml.metadata import IdentityProvider, read_provider
from ringback.protocols.saml.xml import SIZE_LIMIT, SamlError

_FILE_SECONDS = 5.0  # how soon a changed file counts
_FIRST_RETRY, _LAST_RETRY = 2.0, 120.0  # seconds after a failure, doubled each time

_log = structlog.get_logger("ringback.single_sign_on")


class ProviderSource:
    """The identity provider as last read."""

    def __init__(self, settings: SingleSignOnSettings, clock: Callable[[], float]) -> None:
        """``clock`` gives Unix seconds. Raises ValueError for a URL that is not https."""
        if isinstance(settings.provider, str) and not settings.provider.startswith("https://"):
            raise ValueError(f"The provider's metadata must come from a file or an https URL: {settings.provider}")
        self._settings = settings
        self._clock = clock
        self._known: IdentityProvider | None = None
        self._stamp: tuple[int, int] | None = None
        self._why = "it was not read yet"
        self._task: asyncio.Task[None] | None = None

    @property
    def current(self) -> IdentityProvider:
        """The provider. Raises SamlError where its metadata is not known or out of date."""
        known = self._known
        if known is None:
            raise SamlError(f"Nothing is known of the identity provider: {self._why}")
        if known.until is not None and known.until <= self._clock():
            raise SamlError("The metadata of the identity provider is out of date")
        return known

    async def start(self) -> None:
        """Read it and keep it up to date. Raises OSError or SamlError for a file that does not serve; a URL that does
        not answer is tried again."""
        failed = False
        try:
            await self._refresh()
        except (OSError, SamlError) as error:
            if isinstance(self._settings.provider, Path):
                raise
            failed = True
            self._missed(error)
        self._task = asyncio.create_task(self._keep(failed=failed), name="metadata of the identity provider")

    async def stop(self) -> None:
        """End the task."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep(self, *, failed: bool) -> None:
        usual = self._settings.metadata_seconds
        if isinstance(self._settings.provider, Path):
            usual = min(usual, _FILE_SECONDS)
        retry = _FIRST_RETRY
        while True:
            await asyncio.sleep(retry if failed else usual)
            try:
                await self._refresh()
            except (OSError, SamlError) as error:
                retry = min(2 * retry, _LAST_RETRY) if failed else _FIRST_RETRY
                failed = True
                self._missed(error)
            else:
                failed = False

    def _missed(self, error: Exception) -> None:
        self._why = str(error)
        _log.warning("metadata of the identity provider was not read", why=self._why)

    async def _refresh(self) -> None:
        provider = self._settings.provider
        data = await (asyncio.to_thread(self._changed, provider) if isinstance(provider, Path) else self._fetch())
        if data is not None:
            self._known = read_provider(data, self._clock())

    def _changed(self, path: Path) -> bytes | None:
        """The bytes of the file; None where it is as it was."""
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return None
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        self._stamp = stamp
        return data

    async def _fetch(self) -> bytes:
        settings = self._settings
        async with Fetcher(NameClient(settings.name_server), ca_file=settings.ca_file) as fetcher:
            answer = await fetcher.get(str(settings.provider))
        if not answer.ok:
            what = answer.detail or answer.obstacle if answer.obstacle else f"status {answer.status}"
            raise SamlError(f"{settings.provider} could not be fetched ({what})")
        return answer.body
