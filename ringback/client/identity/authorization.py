"""The call manager as an authorization server: its probe, codes for passwords, tokens for codes, and the way out.

A password goes to ``authorize`` by Basic authentication and nowhere else; a code is bound to a verifier that stays here
(PKCE, RFC 7636). Cluster nodes share their codes and tokens, so a node that does not answer is passed over.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl

from yarl import URL

from ringback.client.identity.https import Answer, CertificateProblemError, Https, HttpsError
from ringback.client.trust import CertificateStopError
from ringback.protocols.oauth import probe
from ringback.protocols.oauth.clients import RETURN_PATH, RINGBACK_CLIENT
from ringback.protocols.oauth.grants import (
    REVOKE_PATH,
    TOKEN_PATH,
    AuthorizeRequest,
    CodeAnswer,
    CodeGrant,
    ErrorResponse,
    GrantError,
    RefreshGrant,
    RefusedError,
    TokenResponse,
    challenge_of,
    new_state,
    new_verifier,
)
from ringback.protocols.oauth.probe import Probe, ProbeError
from ringback.rules.reasons import Reason

NO_BROWSER = f"http://127.0.0.1:1{RETURN_PATH}"
"""The return address where no browser takes part: it is only read out of the answer, never opened."""


class AuthorizationError(Exception):
    """Base of what goes wrong with ``server``; ``detail`` says what, for a person who looks into it."""

    def __init__(self, server: str, detail: str) -> None:
        super().__init__(f"{server}: {detail}")
        self.server = server
        self.detail = detail


class UnavailableError(AuthorizationError):
    """No answer that says anything of the person: nobody is reached, or the server is in trouble. To be tried again,
    after ``wait`` seconds where the server says so; ``status`` is 0 where there was no answer. ``stop``: its
    certificate stands in the way; ``reason``: the edge does, with its sentence."""

    def __init__(
        self,
        server: str,
        detail: str,
        status: int = 0,
        wait: float = 0.0,
        stop: CertificateStopError | None = None,
        reason: Reason | None = None,
    ) -> None:
        super().__init__(server, detail)
        self.status = status
        self.wait = wait
        self.stop = stop
        self.reason = reason


class PasswordRefusedError(AuthorizationError):
    """The password is wrong. ``locked``: too many were; ``wait`` seconds."""

    def __init__(self, server: str, detail: str, *, locked: bool = False, wait: float = 0.0) -> None:
        super().__init__(server, detail)
        self.locked = locked
        self.wait = wait


class GrantRefusedError(AuthorizationError):
    """The server refuses the code or the refresh token for good. ``error`` is its word (RFC 6749 section 5.2),
    ``ended`` how the sign-in came to its end where it says so (revoked, deactivated, expired)."""

    def __init__(self, server: str, error: str, detail: str, ended: str = "") -> None:
        super().__init__(server, detail or error)
        self.error = error
        self.ended = ended


@dataclass(frozen=True, slots=True)
class BrowserQuestion:
    """A question that the browser carries to the call manager: where to go, and what to know the answer by."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect: str
    issuer: str


class Authorization:
    """One cluster's authorization server. ``bases``: ``https://host:port/...`` of its nodes in the order to try."""

    def __init__(self, https: Https, bases: Sequence[str]) -> None:
        self._https = https
        self._bases = list(dict.fromkeys(URL(base).origin() for base in bases))

    @property
    def issuer(self) -> str:
        """The base address of the first node."""
        return str(self._bases[0]).rstrip("/")

    async def probe(self) -> Probe:
        """How people sign in here. Raises UnavailableError, also where it does not say."""
        answer, base = await self._ask("GET", probe.PATH)
        if answer.status != 200:
            raise UnavailableError(base.host or "", f"HTTP {answer.status}", answer.status)
        try:
            return Probe.parse(answer.body)
        except ProbeError as error:
            raise UnavailableError(base.host or "", str(error), answer.status) from error

    def browser_question(
        self, redirect: str, *, hint: str = "", prompt: Literal["", "login", "none"] = ""
    ) -> BrowserQuestion:
        """A new question for the browser."""
        state, verifier = new_state(), new_verifier()
        request = AuthorizeRequest(
            "code", RINGBACK_CLIENT, redirect, state, challenge_of(verifier), prompt=prompt, hint=hint
        )
        url = str(self._https.address_of(URL(request.url(self.issuer), encoded=True)))
        return BrowserQuestion(url, state, verifier, redirect, self.issuer)

    async def where_to(self, redirect: str) -> URL | None:
        """Where the browser is sent to sign in; None where that is nowhere else. Raises UnavailableError."""
        request = AuthorizeRequest("code", RINGBACK_CLIENT, redirect, new_state(), challenge_of(new_verifier()))
        answer, base = await self._ask("GET", request.url(""))
        if answer.status not in (302, 303) or answer.location.startswith(redirect):
            return None
        try:
            return base.join(URL(answer.location))
        except ValueError:
            return None

    async def by_password(self, user: str, password: str) -> TokenResponse:
        """Tokens for a password. Raises PasswordRefusedError, GrantRefusedError, UnavailableError."""
        state, verifier = new_state(), new_verifier()
        request = AuthorizeRequest("code", RINGBACK_CLIENT, NO_BROWSER, state, challenge_of(verifier))
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        path = request.url("")
        answer, base = await self._ask("GET", path, {"Authorization": f"Basic {basic}", "Accept": "application/json"})
        server = base.host or ""
        if answer.status == 401:
            raise PasswordRefusedError(server, "the password was refused")
        if answer.status == 429:
            raise PasswordRefusedError(server, "too many tries", locked=True, wait=answer.retry_after)
        if answer.status not in (302, 303):
            raise _refusal(server, answer)
        query = URL(answer.location).query_string if answer.location.startswith(NO_BROWSER + "?") else ""
        code = self.code_of(parse_qsl(query, keep_blank_values=True), state, server)
        return await self.redeem(code, verifier, NO_BROWSER)

    def code_of(self, pairs: Sequence[tuple[str, str]], state: str, server: str = "") -> str:
        """The code of the answer that came back. Raises GrantRefusedError."""
        try:
            return CodeAnswer.parse(pairs, state).code
        except RefusedError as error:
            raise GrantRefusedError(server or self._first, error.error, error.description) from error
        except GrantError as error:
            raise GrantRefusedError(server or self._first, error.code, error.description) from error

    async def redeem(self, code: str, verifier: str, redirect: str) -> TokenResponse:
        """Tokens for a code. Raises GrantRefusedError, UnavailableError."""
        tokens = await self._tokens(CodeGrant(RINGBACK_CLIENT, code, redirect, verifier).form())
        if not tokens.refresh_token:
            raise UnavailableError(self._first, "the answer has no refresh token", 200)
        return tokens

    async def refresh(self, token: str) -> TokenResponse:
        """Another access token. Raises GrantRefusedError, UnavailableError."""
        return await self._tokens(RefreshGrant(RINGBACK_CLIENT, token).form())

    async def revoke(self, token: str) -> None:
        """Take a refresh token back (RFC 7009). Raises UnavailableError, GrantRefusedError."""
        form = {"token": token, "token_type_hint": "refresh_token", "client_id": RINGBACK_CLIENT}
        answer, base = await self._ask("POST", REVOKE_PATH, form=form)
        if answer.status != 200:
            raise _refusal(base.host or "", answer)

    async def _tokens(self, form: dict[str, str]) -> TokenResponse:
        answer, base = await self._ask("POST", TOKEN_PATH, {"Accept": "application/json"}, form)
        server = base.host or ""
        if answer.status != 200:
            raise _refusal(server, answer)
        try:
            return TokenResponse.parse(answer.body)
        except GrantError as error:
            raise UnavailableError(server, error.description, 200) from error

    async def _ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, form: dict[str, str] | None = None
    ) -> tuple[Answer, URL]:
        problem: UnavailableError | None = None
        for base in self._bases:
            target = URL(f"{str(base).rstrip('/')}{path}", encoded=True)
            try:
                answer = await self._https.request(method, target, headers, form=form)
            except HttpsError as error:
                stop = error.stop if isinstance(error, CertificateProblemError) else None
                problem = UnavailableError(
                    base.host or "", error.detail, error.status, error.wait, stop=stop, reason=error.reason
                )
                continue
            if answer.status >= 500:
                problem = UnavailableError(
                    base.host or "", f"HTTP {answer.status}", answer.status, wait=answer.retry_after
                )
                continue
            return answer, base
        raise problem or UnavailableError("", "no call manager is known")

    @property
    def _first(self) -> str:
        return self._bases[0].host or ""


def _refusal(server: str, answer: Answer) -> AuthorizationError:
    """What an answer other than the wanted one means. Only what RFC 6749 calls a refusal of the grant ends a sign-in:
    a proxy's page with status 403 says nothing of the person."""
    if answer.status in (400, 401, 403):
        try:
            read = ErrorResponse.parse(answer.body)
        except GrantError:
            return UnavailableError(server, f"HTTP {answer.status}", answer.status)
        if read.error == "temporarily_unavailable":
            return UnavailableError(server, read.error_description or read.error, answer.status, answer.retry_after)
        return GrantRefusedError(server, read.error.lower(), read.error_description, read.ended)
    return UnavailableError(server, f"HTTP {answer.status}", answer.status, answer.retry_after)
