"""Codes and tokens: given, exchanged, refreshed, taken back.

A code is good once and for a minute, for the client, redirect and PKCE challenge it was given for; a second use ends
what the first began. The refresh token of a sign-in stays the same until its end: a public client that lost an answer
could otherwise not go on. Codes and refresh tokens are kept as hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from ringback.protocols.oauth.clients import Client
from ringback.protocols.oauth.grants import (
    AuthorizeRequest,
    CodeGrant,
    GrantError,
    RefreshGrant,
    RevokedClient,
    TokenResponse,
    verifier_fits,
)
from ringback.protocols.oauth.tokens import (
    SCOPE,
    Claims,
    TokenError,
    TokenExpiredError,
    TokenRevokedError,
    check_refresh,
    issue_access,
    issue_refresh,
)
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.storage.callmanager.sign_in_rows import CodeRow, SignInRow
from ringback.storage.callmanager.sign_ins import SignInStore

_log = structlog.get_logger("ringback.callmanager.tokens")


class Tokens:
    """What the endpoints do. Every method raises sqlalchemy.exc.SQLAlchemyError where the database refuses."""

    def __init__(self, store: SignInStore, ring: KeyRing, settings: SignInSettings, clock: Callable[[], float]) -> None:
        self._store = store
        self._ring = ring
        self._settings = settings
        self._clock = clock
        self.clients: Mapping[str, Client] = {client.id: client for client in settings.clients}

    async def code_for(self, user: str, asked: AuthorizeRequest, session: str = "") -> str:
        """A code for a person who just proved who they are; ``session`` is the log-in session that the code is of."""
        code = secrets.token_urlsafe(32)
        await self._store.add_code(
            CodeRow(
                hash=hash_of(code),
                user=user,
                client=asked.client_id,
                redirect=asked.redirect_uri,
                challenge=asked.challenge,
                expires=self._clock() + self._settings.code_seconds,
                device=asked.device,
                session=hash_of(session) if session else "",
            )
        )
        return code

    async def implicit_for(self, user: str, asked: AuthorizeRequest, session: str = "") -> tuple[str, int]:
        """An access token without a code, and the seconds it lives."""
        issued = self._ring.issued_at(user, asked.client_id)
        until = issued + self._settings.access_seconds
        row = SignInRow(
            id=str(uuid.uuid4()),
            user=user,
            client=asked.client_id,
            since=issued,
            until=until,
            device=asked.device,
            session=hash_of(session) if session else "",
        )
        await self._store.open_sign_in(row)
        _log.info("signed in", user=user, client=self._name(asked.client_id), grant="implicit")
        return issue_access(self._ring.issuer, self._claims(row, issued, until)), int(until - issued)

    async def redeem(self, grant: CodeGrant) -> TokenResponse:
        """Tokens for a code. Raises GrantError."""
        self._known(grant.client_id)
        now = self._clock()
        refresh_token, why = "", ""

        def begin(code: CodeRow) -> SignInRow | None:
            nonlocal refresh_token, why
            why = _mismatch(code, grant, now) or (
                "" if self._ring.is_active(code.user) else "This person is deactivated"
            )
            if why:
                return None
            issued = self._ring.issued_at(code.user, code.client)
            row = SignInRow(
                id=str(uuid.uuid4()),
                user=code.user,
                client=code.client,
                since=issued,
                until=issued + self._settings.refresh_seconds,
                device=code.device,
                session=code.session,
            )
            refresh_token = issue_refresh(self._ring.issuer, self._claims(row, issued, row.until))
            return replace(row, refresh_hash=hash_of(refresh_token))

        code, begun = await self._store.redeem(hash_of(grant.code), begin, now)
        if code is None:
            raise GrantError("invalid_grant", "The code is not known here")
        if begun is None:
            if code.sign_in:
                await self._ring.refresh()
                why = "The code was used before; what it gave is taken back"
            _log.warning("a code was refused", user=code.user, client=self._name(code.client), why=why)
            raise GrantError("invalid_grant", why)
        _log.info("signed in", user=begun.user, client=self._name(begun.client), device=begun.device, grant="code")
        return self._response(begun, begun.since, refresh_token)

    async def refresh(self, grant: RefreshGrant) -> TokenResponse:
        """Another access token. Raises GrantError."""
        self._known(grant.client_id)
        row = await self._living(grant.refresh_token, grant.client_id)
        return self._response(row, self._ring.issued_at(row.user, row.client), "")

    async def sign_out(self, token: str, client: str) -> None:
        """Take back one's own tokens, and forget the browser's log-in session; a token that is worth nothing is
        none's harm (RFC 7009 section 2.2). Raises GrantError for a client that is not known."""
        self._known(client)
        try:
            row = await self._living(token, client)
        except GrantError:
            return
        await self._store.end_sign_in(row.id, self._clock())
        await self._ring.refresh()
        _log.info("signed out", user=row.user, client=self._name(client))

    async def revoke(self, user: str, client: str) -> tuple[RevokedClient, ...]:
        """Take back all tokens of a person, for one client or (empty) all, as an administrator."""
        rows = await self._store.revoke(user, client, self._clock())
        await self._ring.refresh()
        _log.warning("tokens revoked", user=user, client=self._name(client), sign_ins=len(rows))
        return tuple(RevokedClient(client_id=row.client, refresh_token=row.refresh_hash) for row in rows)

    async def set_active(self, user: str, *, active: bool) -> None:
        """Deactivate a person, who is out at once, or undo that."""
        await self._store.set_active(user, active, self._clock())
        await self._ring.refresh()
        _log.warning("person activated" if active else "person deactivated", user=user)

    async def _living(self, token: str, client: str) -> SignInRow:
        """The sign-in of a refresh token that is good now. Raises GrantError."""
        now = self._clock()
        try:
            claims = check_refresh(self._ring.checking, token, now)
        except TokenExpiredError as error:
            raise GrantError("invalid_grant", "The refresh token is over; sign in again", "expired") from error
        except TokenRevokedError as error:
            raise GrantError("invalid_grant", str(error), error.why) from error
        except TokenError as error:
            raise GrantError("invalid_grant", str(error)) from error
        if claims.cluster != self._ring.issuer.cluster:
            raise GrantError("invalid_grant", "The refresh token is of another cluster")
        if claims.client != client:
            raise GrantError("invalid_grant", "The refresh token is of another client")
        row = await self._store.sign_in(claims.token_id)
        if row is None or not hmac.compare_digest(row.refresh_hash, hash_of(token)):
            raise GrantError("invalid_grant", "The refresh token is not known here", "revoked")
        if row.ended:
            raise GrantError("invalid_grant", "The token was revoked; its person has to sign in again", "revoked")
        return row

    def _known(self, client: str) -> None:
        if client not in self.clients:
            raise GrantError("invalid_client", "This client is not known here")

    def _name(self, client: str) -> str:
        known = self.clients.get(client)
        return known.name if known is not None else client[:12]

    def _response(self, row: SignInRow, issued: float, refresh_token: str) -> TokenResponse:
        expires = min(issued + self._settings.access_seconds, row.until)
        return TokenResponse(
            access_token=issue_access(self._ring.issuer, self._claims(row, issued, expires)),
            token_type="Bearer",  # noqa: S106 - the name of a kind
            expires_in=max(1, int(expires - self._clock())),
            scope=SCOPE,
            refresh_token=refresh_token,
            refresh_token_expires_in=max(1, int(row.until - self._clock())),
            user_id=row.user,
        )

    def _claims(self, row: SignInRow, issued: float, expires: float) -> Claims:
        return Claims(row.user, self._ring.issuer.cluster, row.client, row.id, issued, expires)


def hash_of(secret: str) -> str:
    """What is kept of a code, a refresh token or a session; they have 128 random bits or more, so one round does."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _mismatch(code: CodeRow, grant: CodeGrant, now: float) -> str:
    """Why a code is not for this request; empty where it is."""
    if code.expires <= now:
        return "The code is over; it is good for a minute"
    if code.client != grant.client_id:
        return "The code is of another client"
    if code.redirect != grant.redirect_uri:
        return "The code was given for another redirect_uri"
    if not verifier_fits(grant.verifier, code.challenge):
        return "The code_verifier does not fit the code_challenge"
    return ""
