"""The call manager asked as a person: user document, devices, search and files, with a token, or with the password and
the session's cookies.

Either goes over verified TLS to the home cluster's servers only (``https``; redirects are not followed). A token that
is refused is asked about once: where another one comes, the question is asked again with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, urlencode

from yarl import URL

from ringback.client.edge import EdgeRoute
from ringback.client.identity.credentials import Credentials, NoTokenError
from ringback.client.identity.https import Answer, CertificateProblemError, Https, HttpsError
from ringback.client.trust import CertificateStopError, TrustJudge
from ringback.net.names import NameClient
from ringback.protocols.uds.devices import Device, DeviceChange, Devices
from ringback.protocols.uds.documents import UdsError
from ringback.protocols.uds.extensions import ExtensionChange, Extensions
from ringback.protocols.uds.people import User, Users
from ringback.rules.reasons import Reason

_T = TypeVar("_T")


class CallManagerError(Exception):
    """A call manager gave no usable answer; ``server`` is whom we asked, ``status`` 0 where there was none.

    ``stop``: its certificate stands in the way; ``reason``: the edge does, with its sentence.
    """

    def __init__(
        self,
        server: str,
        detail: str,
        status: int = 0,
        stop: CertificateStopError | None = None,
        reason: Reason | None = None,
    ) -> None:
        super().__init__(f"{server}: {detail}")
        self.server = server
        self.detail = detail
        self.status = status
        self.stop = stop
        self.reason = reason


class WrongPasswordError(CallManagerError):
    """The call manager knows the person and refuses the password."""


class TokenRefusedError(CallManagerError):
    """There is no token that the call manager takes now; ``reason`` says why, for showing."""

    def __init__(self, server: str, reason: Reason) -> None:
        super().__init__(server, "the token was refused", 401)
        self.reason: Reason = reason


class CallManager:
    """One person at the home cluster. An async context manager; every method raises CallManagerError."""

    def __init__(
        self,
        names: NameClient,
        judge: TrustJudge,
        bases: Sequence[str],
        credentials: Credentials,
        route: EdgeRoute | None = None,
    ) -> None:
        """``bases``: ``https://host:port/cucm-uds`` of the nodes in the order to try. ``route``: as of ``Https``."""
        self._bases = [base.rstrip("/") for base in bases]
        self._user = credentials.user
        self._credentials = credentials
        self._https = Https(names, judge, cookies=not credentials.by_token, route=route)

    async def __aenter__(self) -> Self:
        await self._https.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._https.__aexit__(kind, error, trace)

    @property
    def server(self) -> str:
        """The host asked first, for showing."""
        return URL(self._bases[0]).host or ""

    async def user(self) -> User:
        """The person's own document: this proves the password. Raises WrongPasswordError, CallManagerError."""
        answer = await self._ask(f"/user/{quote(self._user, safe='')}", private=True)
        return self._read(User.parse, answer)

    async def devices(self) -> Devices:
        """The person's devices."""
        answer = await self._ask(f"/user/{quote(self._user, safe='')}/devices", private=True)
        return self._read(Devices.parse, answer)

    async def device(self, device_id: str) -> Device:
        """One of the person's devices, with what only its own document tells: where its file is."""
        path = f"/user/{quote(self._user, safe='')}/device/{quote(device_id, safe='')}"
        return self._read(Device.parse, await self._ask(path, private=True))

    async def extensions(self) -> Extensions:
        """The person's lines with their forwarding."""
        answer = await self._ask(f"/user/{quote(self._user, safe='')}/extensions", private=True)
        return self._read(Extensions.parse, answer)

    async def change_device(self, device_id: str, change: DeviceChange) -> None:
        """Change settings of one of the person's devices."""
        path = f"/user/{quote(self._user, safe='')}/device/{quote(device_id, safe='')}"
        await self._ask(path, private=True, body=change.build())

    async def change_extension(self, extension_id: str, change: ExtensionChange) -> None:
        """Change settings of one of the person's lines."""
        path = f"/user/{quote(self._user, safe='')}/extension/{quote(extension_id, safe='')}"
        await self._ask(path, private=True, body=change.build())

    async def search(self, **terms: str | int) -> Users:
        """People of the directory by ``name``, ``number``, ``email`` ..., with ``max`` and ``start``."""
        # Search needs no password by default, but a deployment may ask for one.
        answer = await self._ask(f"/users?{urlencode(terms)}", private=True)
        return self._read(Users.parse, answer)

    async def get(self, url: str, *, private: bool = False) -> Answer:
        """Any file by its address, http or https. What proves who we are goes only to https and only if ``private``."""
        target = URL(url)
        if private and target.scheme == "https":
            return await self._proven(target, {})
        return await self._fetch(target, {})

    async def _ask(self, path: str, *, private: bool, body: bytes | None = None) -> Answer:
        """GET, or with a body PUT, at the first node that answers."""
        problem: CallManagerError | None = None
        for base in self._bases:
            headers, target = {"Accept": "application/xml"}, URL(f"{base}{path}", encoded=True)
            host = target.host or ""
            try:
                answer = await (self._proven if private else self._fetch)(target, headers, body)
            except TokenRefusedError:
                raise
            except CallManagerError as error:
                problem = error
                continue
            if answer.status == 401:
                raise WrongPasswordError(host, "the password was refused", 401)
            if answer.status in (200, 204):
                return answer
            problem = CallManagerError(host, f"HTTP {answer.status}", answer.status)
            if answer.status < 500:
                break
        raise problem or CallManagerError("", "no call manager is known")

    async def _proven(self, url: URL, headers: dict[str, str], body: bytes | None = None) -> Answer:
        """Ask with what proves who we are; once more where another token came."""
        if not self._credentials.by_token:
            return await self._fetch(url, {**headers, "Authorization": self._credentials.basic()}, body)
        try:
            token = await self._credentials.token()
            answer = await self._fetch(url, {**headers, "Authorization": f"Bearer {token}"}, body)
            if answer.status == 401:
                token = await self._credentials.another(token)
                answer = await self._fetch(url, {**headers, "Authorization": f"Bearer {token}"}, body)
        except NoTokenError as error:
            raise TokenRefusedError(url.host or "", error.reason) from error
        if answer.status == 401:
            raise TokenRefusedError(url.host or "", Reason.of("tokens.refused_by", server=url.host or "-"))
        return answer

    async def _fetch(self, url: URL, headers: dict[str, str], body: bytes | None = None) -> Answer:
        method = "GET"
        if body is not None:
            method, headers = "PUT", {**headers, "Content-Type": "application/xml"}
        try:
            return await self._https.request(method, url, headers, body=body)
        except CertificateProblemError as error:
            raise CallManagerError(error.server, error.detail, stop=error.stop) from error
        except HttpsError as error:
            raise CallManagerError(error.server, error.detail, error.status, reason=error.reason) from error

    def _read(self, parse: Callable[[bytes], _T], answer: Answer) -> _T:
        try:
            return parse(answer.body)
        except UdsError as error:
            raise CallManagerError(self.server, str(error), answer.status) from error
