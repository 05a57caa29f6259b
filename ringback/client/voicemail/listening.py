"""Drives the notifications of one subscription: posts what ``notices`` wants, and gives what it tells."""

from __future__ import annotations

from typing import Final

from yarl import URL

from ringback.client.identity.https import CertificateProblemError, Https, HttpsError
from ringback.client.voicemail.errors import UnreachableError
from ringback.client.voicemail.notices import GarbledError, Notice, Notices, SessionOverError, Stage
from ringback.rules.addresses import HostPort

NOTIFY_PORT: Final = 7443
_PATH: Final = "/vmevents/cometd"
_GRACE: Final = 10.0  # seconds beyond the time that the server holds a request
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}


class Listener:
    """One session. ``open`` it; then ``next`` waits for what happens. Both raise UnreachableError."""

    def __init__(self, https: Https, server: HostPort, subscription: str) -> None:
        self._https = https
        self._url = URL.build(scheme="https", host=server.host, port=server.port or NOTIFY_PORT, path=_PATH)
        self._notices = Notices(subscription)
        self._early: list[Notice] = []

    async def open(self) -> None:
        """Shake hands and subscribe: from here on nothing is missed."""
        while self._notices.stage is not Stage.LISTENING:
            self._early.extend(await self._exchange(10.0))

    async def next(self) -> list[Notice]:
        """What happened next; may be nothing."""
        early, self._early = self._early, []
        return early or await self._exchange(self._notices.hold + _GRACE)

    async def _exchange(self, seconds: float) -> list[Notice]:
        host = self._url.host or ""
        try:
            answer = await self._https.request("POST", self._url, _JSON, body=self._notices.request(), seconds=seconds)
            if answer.status != 200:
                raise UnreachableError(host, f"HTTP {answer.status}")
            return self._notices.receive(answer.body)
        except CertificateProblemError as error:
            raise UnreachableError(host, error.detail, error.stop) from error
        except HttpsError as error:
            raise UnreachableError(host, error.detail, reason=error.reason) from error
        except (GarbledError, SessionOverError) as error:
            raise UnreachableError(host, str(error)) from error
