"""The OAuth 2.0 messages of both sides (RFC 6749): authorize, the answer in the redirect, token, revocation.

Codes are bound by PKCE with S256 (RFC 7636); ``plain`` does not exist here. The answer in the redirect names who sent
it (``iss``, RFC 9207), since a client talks to several clusters. The answer of the token endpoint has two members of
our own: ``user_id``, who signed in, and ``refresh_token_expires_in`` in seconds.

A parameter that stands twice is refused, not chosen from (RFC 6749 section 3.1). Parameters nobody knows are ignored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

from ringback.protocols.oauth.tokens import SCOPE, UNREADABLE

AUTHORIZE_PATH: Final = "/ssosp/oauth/authorize"
TOKEN_PATH: Final = "/ssosp/oauth/token"  # noqa: S105 - a path
REVOKE_PATH: Final = "/ssosp/oauth/revoke"
ADMINISTRATOR_REVOKE_PATH: Final = "/ssosp/token/revoke"
KEYS_PATH: Final = "/ssosp/oauth/keys"
METHOD: Final = "S256"

ErrorCode = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "invalid_scope",
    "access_denied",
    "login_required",
    "server_error",
    "temporarily_unavailable",
]
"""RFC 6749 sections 4.1.2.1 and 5.2, RFC 7009 section 2.2.1; ``login_required`` (OpenID Connect) answers
``prompt=none`` where somebody would have to sign in."""

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")  # RFC 7636 section 4.1
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_LONGEST_STATE = 512
_LONGEST_TOKEN = 8192
_PRINTABLE = re.compile(r"[\x20-\x7e]*\Z")  # RFC 6749 appendix A


Ended = Literal["", "revoked", "deactivated", "expired"]
"""How tokens ended that are worth nothing any more."""


class GrantError(ValueError):
    """A message that can't be used, or a refusal. ``code`` is the error of the RFC, the text its description; ``ended``
    tells of a refresh token how it ended."""

    def __init__(self, code: ErrorCode, description: str, ended: Ended = "") -> None:
        super().__init__(description)
        self.code: ErrorCode = code
        self.ended: Ended = ended

    @property
    def description(self) -> str:
        """What is wrong, for a person."""
        return str(self)


class RefusedError(Exception):
    """The server's refusal as the client reads it: ``error`` as sent (any text), ``description`` for a person."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(description or error)
        self.error = error
        self.description = description


def new_verifier() -> str:
    """A code verifier: 43 letters of 256 random bits."""
    return secrets.token_urlsafe(32)


def new_state() -> str:
    """A state that nobody can guess."""
    return secrets.token_urlsafe(24)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def verifier_fits(verifier: str, challenge: str) -> bool:
    """Whether a verifier is the one of a challenge; a text that can be none fits nothing."""
    if not _VERIFIER.match(verifier) or not _CHALLENGE.match(challenge):
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)


def single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; empty ones count as absent (RFC 6749 section 3.1). Raises GrantError where one stands
    twice or is too long."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise GrantError("invalid_request", f"The parameter {_shown(name)} stands more than once")
        if len(value) > _LONGEST_TOKEN:
            raise GrantError("invalid_request", f"The parameter {_shown(name)} is too long")
        found[name] = value
    return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """What a client asks at the authorization endpoint.

    ``challenge`` is that of S256 and needed for codes. ``prompt``: ``login`` asks the person again in any case,
    ``none`` never. ``device`` is the name of the device that the tokens are for (``device_id``, free text), ``hint``
    who is likely to sign in (``login_hint``).
    """

    response_type: Literal["code", "token"]
    client_id: str
    redirect_uri: str
    state: str = ""
    challenge: str = ""
    scope: str = SCOPE
    prompt: Literal["", "login", "none"] = ""
    device: str = ""
    hint: str = ""

    def url(self, base: str) -> str:
        """The address to open; ``base`` is ``https://host:port`` of the call manager."""
        return f"{base}{AUTHORIZE_PATH}?{urlencode(self.parameters())}"

    def parameters(self) -> dict[str, str]:
        """The parameters of the query."""
        all_of_them = {
            "scope": self.scope,
            "response_type": self.response_type,
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": self.challenge,
            "code_challenge_method": METHOD if self.challenge else "",
            "prompt": self.prompt,
            "device_id": self.device,
            "login_hint": self.hint,
        }
        return {name: value for name, value in all_of_them.items() if value}

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> AuthorizeRequest:
        """Read the parameters (of ``single``). Raises GrantError; whether that may be sent to ``redirect_uri`` is
        decided by ``Client.may_return_to`` first."""
        response_type, prompt = given.get("response_type", ""), given.get("prompt", "")
        state, challenge = given.get("state", ""), given.get("code_challenge", "")
        if not response_type:
            raise GrantError("invalid_request", "The request is missing a required parameter: response_type")
        if response_type not in ("code", "token"):
            raise GrantError("unsupported_response_type", "The response_type must be code or token")
        if given.get("scope", SCOPE) != SCOPE:
            raise GrantError("invalid_scope", f"The only scope is {SCOPE}")
        if len(state) > _LONGEST_STATE or not _PRINTABLE.match(state):
            raise GrantError("invalid_request", "The state is too long, or has letters that it may not have")
        if prompt not in ("", "login", "none"):
            raise GrantError("invalid_request", "The prompt must be login or none")
        if response_type == "code":
            _check_challenge(challenge, given.get("code_challenge_method", ""))
        return cls(
            response_type="code" if response_type == "code" else "token",
            client_id=given.get("client_id", ""),
            redirect_uri=given.get("redirect_uri", ""),
            state=state,
            challenge=challenge if response_type == "code" else "",
            prompt="login" if prompt == "login" else "none" if prompt == "none" else "",
            device=_words(given.get("device_id", ""), 128),
            hint=_words(given.get("login_hint", ""), 256),
        )


def _check_challenge(challenge: str, method: str) -> None:
    if not challenge:
        raise GrantError("invalid_request", "The request is missing a required parameter: code_challenge (PKCE)")
    if method != METHOD:
        raise GrantError("invalid_request", "The code_challenge_method must be S256")
    if not _CHALLENGE.match(challenge):
        raise GrantError("invalid_request", "The code_challenge is not one of S256")


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """The answer in the redirect of a client: the code, to be redeemed at once."""

    code: str = field(repr=False)
    state: str = ""
    issuer: str = ""

    def location(self, redirect_uri: str) -> str:
        """Where to send the browser."""
        return _with_query(redirect_uri, {"code": self.code, "state": self.state, "iss": self.issuer})

    @classmethod
    def parse(cls, pairs: Iterable[tuple[str, str]], state: str, issuer: str = "") -> CodeAnswer:
        """Read the query of the redirect. ``state`` is what was sent; ``issuer``, where given, must be the ``iss`` of
        the answer if it has one. Raises RefusedError for the server's refusal, GrantError for an answer that is not
        to this question."""
        given = single(pairs)
        if not state or not hmac.compare_digest(_octets(given.get("state", "")), _octets(state)):
            raise GrantError("invalid_request", "This answer is not to the question that was asked")
        named = given.get("iss", "")
        if issuer and named and named != issuer:
            raise GrantError("invalid_request", "This answer is not from the server that was asked")
        if "error" in given:
            raise RefusedError(given["error"], given.get("error_description", ""))
        if "code" not in given:
            raise GrantError("invalid_request", "This answer has no code")
        return cls(given["code"], state, named)


def error_location(
    redirect_uri: str, error: GrantError, state: str = "", issuer: str = "", *, fragment: bool = False
) -> str:
    """Where to send the browser with a refusal (RFC 6749 sections 4.1.2.1 and 4.2.2.1)."""
    values = {"error": error.code, "error_description": error.description, "state": state, "iss": issuer}
    return _with_fragment(redirect_uri, values) if fragment else _with_query(redirect_uri, values)


def token_location(redirect_uri: str, token: str, expires_in: int, state: str = "") -> str:
    """Where to send the browser with a token of the implicit grant (RFC 6749 section 4.2.2)."""
    values = {"access_token": token, "token_type": "Bearer", "expires_in": str(expires_in), "scope": SCOPE}
    return _with_fragment(redirect_uri, values | {"state": state})


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """A token request with a code."""

    client_id: str
    code: str = field(repr=False)
    redirect_uri: str
    verifier: str = field(repr=False)

    def form(self) -> dict[str, str]:
        """The form to send to the token endpoint."""
        return {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": self.code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """A token request with a refresh token."""

    client_id: str
    refresh_token: str = field(repr=False)

    def form(self) -> dict[str, str]:
        """The form to send to the token endpoint."""
        return {"grant_type": "refresh_token", "client_id": self.client_id, "refresh_token": self.refresh_token}


def parse_token_request(given: Mapping[str, str]) -> CodeGrant | RefreshGrant:
    """Read the form of a token request (of ``single``). Raises GrantError."""
    kind = given.get("grant_type", "")
    if not kind:
        raise GrantError("invalid_request", "The request is missing a required parameter: grant_type")
    if kind == "authorization_code":
        client, code, redirect, verifier = _needed(given, "client_id", "code", "redirect_uri", "code_verifier")
        return CodeGrant(client, code, redirect, verifier)
    if kind == "refresh_token":
        client, token = _needed(given, "client_id", "refresh_token")
        return RefreshGrant(client, token)
    raise GrantError("unsupported_grant_type", "The grant_type must be authorization_code or refresh_token")


def parse_form(body: bytes) -> dict[str, str]:
    """The parameters of an ``application/x-www-form-urlencoded`` body. Raises GrantError."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=32, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise GrantError("invalid_request", "The form can't be read") from error
    return single(pairs)


def _needed(given: Mapping[str, str], *names: str) -> list[str]:
    for name in names:
        if name not in given:
            raise GrantError("invalid_request", f"The request is missing a required parameter: {name}")
    return [given[name] for name in names]


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the token endpoint gives (RFC 6749 section 5.1). Seconds from now; ``refresh_token`` is there for codes
    only: a refresh token stays the same until its end."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str = ""
    refresh_token: str = ""
    refresh_token_expires_in: int = 0
    user_id: str = ""

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"TokenResponse(user_id={self.user_id!r}, expires_in={self.expires_in})"

    def build(self) -> bytes:
        """The body to send."""
        return msgspec.json.encode(self)

    @classmethod
    def parse(cls, body: bytes) -> TokenResponse:
        """Read the body of an answer with status 200. Raises GrantError where it is none."""
        try:
            read = msgspec.json.decode(body, type=cls)
        except UNREADABLE as error:
            raise GrantError("server_error", "The answer of the token endpoint can't be read") from error
        if not read.access_token or read.expires_in <= 0:
            raise GrantError("server_error", "The answer of the token endpoint has no token that is good for a while")
        return read


class ErrorResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal of the token or revocation endpoint (RFC 6749 section 5.2), or of authorize in JSON. ``ended`` is a
    member of our own beside ``invalid_grant``: how a refresh token ended (see ``Ended``)."""

    error: str
    error_description: str = ""
    ended: str = ""

    def build(self) -> bytes:
        """The body to send."""
        return msgspec.json.encode(self)

    @classmethod
    def parse(cls, body: bytes) -> ErrorResponse:
        """Read the body of an answer with status 400 or 401. Raises GrantError where it is none."""
        try:
            return msgspec.json.decode(body, type=cls)
        except UNREADABLE as error:
            raise GrantError("server_error", "The refusal can't be read") from error


class RevokedClient(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token that an administrator revoked: of which client, and the SHA-256 of the token."""

    client_id: str
    refresh_token: str


class _RevokedTokens(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    user_id: str
    clients: tuple[RevokedClient, ...] = msgspec.field(name="clientID_tokens", default=())


class RevokedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The published answer to an administrator who revokes the tokens of a person."""

    revoked_tokens: _RevokedTokens

    @classmethod
    def of(cls, user: str, clients: Iterable[RevokedClient]) -> RevokedResponse:
        """The answer for a person."""
        return cls(revoked_tokens=_RevokedTokens(status="success", user_id=user, clients=tuple(clients)))

    def build(self) -> bytes:
        """The body to send."""
        return msgspec.json.encode(self)

    @classmethod
    def parse(cls, body: bytes) -> RevokedResponse:
        """Read the body. Raises GrantError."""
        try:
            return msgspec.json.decode(body, type=cls)
        except UNREADABLE as error:
            raise GrantError("server_error", "The answer can't be read") from error


def _with_query(address: str, values: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{_encoded(values)}"


def _with_fragment(address: str, values: Mapping[str, str]) -> str:
    return f"{address}#{_encoded(values)}"


def _encoded(values: Mapping[str, str]) -> str:
    return urlencode({name: value for name, value in values.items() if value})


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _words(text: str, longest: int) -> str:
    """Free text, cut; empty where it has what cannot be shown."""
    return text[:longest] if text.isprintable() else ""


def _shown(name: str) -> str:
    return name if len(name) <= 40 and name.isascii() and name.isidentifier() else "of this name"
